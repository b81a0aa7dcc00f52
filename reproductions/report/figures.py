"""Curves as the paper draws them (figures 1 and 6), and all effects side by side."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.findings import Finding, Runs
from ..analysis.verdict import CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPRODUCED
from ..claims import Trained
from ..experiments.arms import ARMS
from ..experiments.metrics import METRICS
from .text import by_claim, unit

# Okabe and Ito's colours, told apart by colour-blind eyes.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLES = {"train": "--", "test": "-"}
SPLITS = {"train": "training", "test": "test"}
FAMILIES = {"PlainNet": "plain nets", "ResNet": "residual nets"}
VERDICTS = {
    REPRODUCED: "#0072B2", CONTRADICTED: "#D55E00", INCONCLUSIVE: "#E69F00", NOT_RUN: "#888888",
}  # fmt: skip
BACKENDS = {"tensorflow": "o", "torch": "s", "jax": "^"}
Curves = Mapping[str, Mapping[str, Mapping[str, list[float]]]]


@dataclass(frozen=True)
class Drawn:
    """A figure as SVG, and the numbers in it."""

    svg: bytes
    numbers: Any


def drawn(found: Sequence[Finding]) -> dict[str, Drawn]:
    """Of each claim with training runs its curves and effects; "forest" has all effects."""
    figures = {}
    for claim, rows in by_claim(found):
        rows = [row for row in rows if row.headline and isinstance(row.statement, Trained)]
        if rows := [row for row in rows if drawn_with(rows[0], row)]:
            figures[claim.name] = Drawn(svg(curves_figure(rows), claim.name), curves_of(rows))
    if shown := effects(found):
        figures["forest"] = Drawn(
            svg(forest(shown), "forest"), [numbers(f, runs) for f, runs in shown]
        )
    return figures


def drawn_with(first: Finding, row: Finding) -> bool:
    """Whether its runs may share a figure: of one group, holding the same, in one unit."""
    return (row.headline.group, row.statement.held, unit(row)) == (  # type: ignore[union-attr]
        first.headline.group, first.statement.held, unit(first),  # type: ignore[union-attr]
    )  # fmt: skip


# --- a claim's curves and effects -------------------------------------------------------------


def curves_of(rows: Sequence[Finding]) -> dict[str, Any]:
    """Errors after epochs, of the headline's runs; see `Runs.curves`."""
    return {
        arm: seeds
        for row in rows
        for arm, seeds in row.headline.curves().items()  # type: ignore[union-attr]
    }


def curves_figure(rows: Sequence[Finding]) -> Figure:
    """One panel a family of arms, a thin line a seed, a thick one their mean; then the effects."""
    curves = curves_of(rows)
    families: dict[str, list[str]] = {}
    for arm in (arm for arm in rows[0].claim.arms if arm in curves):
        families.setdefault(ARMS[arm].network, []).append(arm)
    names = max(len(row.statement.name) for row in rows)
    widths = [2.8] * len(families) + [2.2 + 0.06 * names]  # inches
    figure = Figure(figsize=(sum(widths), 3.4), layout="constrained")
    *panels, last = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    for panel, (family, arms) in zip(panels, families.items(), strict=True):
        draw_family(panel, arms, curves)
        panel.set(title=FAMILIES.get(family, family), xlabel="epoch", ylim=(0, 100))
    panels[0].set_ylabel("error, %")
    draw_effects(last, rows)
    figure.suptitle(str(rows[0].headline.group), fontsize="small")  # type: ignore[union-attr]
    return figure


def draw_family(panel: Axes, arms: Sequence[str], curves: Curves) -> None:
    arms = sorted(arms, key=list(ARMS).index, reverse=True)  # one colour in all figures
    for arm, colour in zip(arms, COLOURS[: len(arms)], strict=True):
        draw_arm(panel, arm, colour, curves[arm])
    panel.locator_params("x", integer=True)
    panel.grid(alpha=0.3)
    panel.legend(fontsize="small", loc="lower left", framealpha=0)


def draw_arm(
    panel: Axes, arm: str, colour: str, seeds: Mapping[str, Mapping[str, list[float]]]
) -> None:
    """The curves of an arm; a run that diverged ends early, and so does the mean."""
    epochs = max((seed["epoch"] for seed in seeds.values()), key=len)
    for split, style in STYLES.items():
        lines = [[100 * error for error in seed[split]] for seed in seeds.values()]
        for line in lines:
            panel.plot(epochs[: len(line)], line, style, color=colour, lw=0.6, alpha=0.6)
        mean = [sum(errors) / len(errors) for errors in zip(*lines, strict=False)]
        label = f"{arm}, {SPLITS[split]}"
        panel.plot(epochs[: len(mean)], mean, style, color=colour, lw=2, label=label)


def draw_effects(panel: Axes, rows: Sequence[Finding]) -> None:
    """Of each statement its seeds' effects, the interval between the bounds, and the margin."""
    for y, row in enumerate(rows):
        scale, verdict = scale_of(row), row.verdict
        seeds = [scale * effect for effect in verdict.effects if effect is not None]
        panel.plot(seeds, [y] * len(seeds), "o", color="#888888", ms=4, mfc="none", gid="seeds")
        draw_interval(panel, y, row, row.headline)
    panel.set_yticks(range(len(rows)), [row.statement.name for row in rows], fontsize="small")
    panel.yaxis.tick_right()
    panel.set(title="effects", xlabel=f"{unit(rows[0])}, | margin", ylim=(len(rows) - 0.5, -0.5))
    panel.axvline(0, color="#888888", lw=0.8)
    panel.grid(axis="x", alpha=0.3)


def scale_of(row: Finding) -> float:
    assert isinstance(row.statement, Trained)
    return METRICS[row.statement.metric].scale


def draw_interval(panel: Axes, y: float, row: Finding, runs: Runs | None) -> None:
    """The mean, the interval between the one-sided bounds, and a mark at the margin."""
    assert runs is not None
    assert isinstance(row.statement, Trained)
    verdict, scale = runs.verdict, scale_of(row)
    colour, marker = VERDICTS[verdict.word], BACKENDS.get(runs.group.backend, "D")
    if verdict.lower is not None and verdict.upper is not None:
        panel.plot([scale * verdict.lower, scale * verdict.upper], [y, y], color=colour, lw=2)
    if verdict.mean is not None:
        panel.plot([scale * verdict.mean], [y], marker, color=colour, ms=6)
    panel.plot([scale * row.statement.margin], [y], "|", color="#000000", ms=13, mew=1.5)


# --- all effects ------------------------------------------------------------------------------


def effects(found: Sequence[Finding]) -> list[tuple[Finding, Runs]]:
    """Statements with an interval, and each group that has one at the headline's tier."""
    return [
        (row, runs)
        for row in found
        for runs in row.runs
        if runs.verdict.lower is not None and runs.group.tier == row.headline.group.tier  # type: ignore[union-attr]
    ]


def numbers(row: Finding, runs: Runs) -> dict[str, Any]:
    verdict = runs.verdict
    return {
        "claim": row.claim.name, "statement": row.statement.name, "group": str(runs.group),
        "mean": verdict.mean, "lower": verdict.lower, "upper": verdict.upper,
        "verdict": verdict.word,
    }  # fmt: skip


def forest(shown: Sequence[tuple[Finding, Runs]]) -> Figure:
    """One panel a unit, one line a statement, one mark a backend."""
    units = list(dict.fromkeys(unit(row) for row, _ in shown))
    parts = [[pair for pair in shown if unit(pair[0]) == name] for name in units]
    heights = [0.5 + 0.45 * len({id(row) for row, _ in part}) for part in parts]
    figure = Figure(figsize=(8, 0.6 + sum(heights)), layout="constrained")
    panels = figure.subplots(len(units), 1, height_ratios=heights, squeeze=False)[:, 0]
    for panel, name, part in zip(panels, units, parts, strict=True):
        draw_forest(panel, part)
        panel.set_xlabel(f"effect, {name}: mean and interval between the bounds; | margin")
    return figure


def draw_forest(panel: Axes, part: Sequence[tuple[Finding, Runs]]) -> None:
    rows = list({id(row): row for row, _ in part}.values())
    for y, row in enumerate(rows):
        mine = [runs for other, runs in part if other is row]
        for i, runs in enumerate(mine):
            draw_interval(panel, y + 0.22 * (i - (len(mine) - 1) / 2), row, runs)
    labels = [f"{row.claim.name}: {row.statement.name}" for row in rows]
    panel.set_yticks(range(len(rows)), labels, fontsize="small")
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.axvline(0, color="#888888", lw=0.8)
    panel.grid(axis="x", alpha=0.3)
    for backend, marker in BACKENDS.items():
        if any(runs.group.backend == backend for _, runs in part):
            panel.plot([], [], marker, color="#888888", label=backend)
    for word, colour in VERDICTS.items():
        if any(runs.verdict.word == word for _, runs in part):
            panel.plot([], [], color=colour, lw=2, label=word)
    panel.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5), framealpha=0)


# --- as SVG -----------------------------------------------------------------------------------

NAMESPACE = "http://www.w3.org/2000/svg"
LINK = "{http://www.w3.org/1999/xlink}href"


BACKGROUND = b'style="fill: #ffffff"'  # of the figure and its panels


def svg(figure: Figure, salt: str) -> bytes:
    """SVG: text as text, and nothing of the day or the machine."""
    file = BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def inline(drawing: bytes, name: str, title: str) -> str:
    """SVG as a part of a page whose policy allows no style attributes; black and the background
    follow the page.
    """
    root = ET.fromstring(drawing.replace(BACKGROUND, b'style="fill: none"'))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.split("}")[-1] in ("metadata", "style"):
                parent.remove(child)
    referred = {
        r for e in root.iter() for v in e.attrib.values() for r in re.findall(r"#([\w-]+)", v)
    }
    for element in root.iter():
        restyle(element)
        if "id" in element.attrib and element.attrib["id"] not in referred:
            del element.attrib["id"]
    return titled(root, name, title)


def restyle(element: ET.Element) -> None:
    """Style attributes as presentation attributes, which a policy allows."""
    for declaration in element.attrib.pop("style", "").split(";"):
        prop, _, value = declaration.partition(":")
        if prop.strip() == "font":
            element.set("font-size", re.search(r"[\d.]+px", value).group())  # type: ignore[union-attr]
        elif value:
            element.set(prop.strip(), value.strip().replace("#000000", "currentColor"))
    if element.tag == f"{{{NAMESPACE}}}text" and "fill" not in element.attrib:
        element.set("fill", "currentColor")


def titled(root: ET.Element, name: str, title: str) -> str:
    """The figure's text, with a name that screen readers say."""
    del root.attrib["height"]  # which follows from the width, and that from the page
    root.attrib |= {"role": "img", "aria-labelledby": f"title-{name}"}
    ET.SubElement(root, f"{{{NAMESPACE}}}title", {"id": f"title-{name}"}).text = title
    root.insert(0, root[-1])
    del root[-1]
    for element in root.iter():
        if LINK in element.attrib:
            element.set("href", element.attrib.pop(LINK))
    ET.register_namespace("", NAMESPACE)
    return ET.tostring(root, encoding="unicode")
