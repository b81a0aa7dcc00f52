"""Curves as the paper draws them (figures 1 and 6): training error dashed, test error solid."""

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..arms import ARMS
from ..findings import Runs

# Okabe and Ito's colours, told apart by colour-blind eyes.
COLOURS = {20: "#0072B2", 56: "#D55E00"}
STYLES = {"train": "--", "test": "-"}
FAMILIES = {"PlainNet": "plain nets", "ResNet": "residual nets"}


def save(runs: Runs, path: Path) -> None:
    """Write the figure as SVG: text as text, and nothing of the day or the machine."""
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": runs.claim.name}):
        draw(runs).savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def draw(runs: Runs) -> Figure:
    """One panel for each family of arms, a thin line for each seed, a thick one for their mean."""
    curves = runs.curves()
    families = [f for f in FAMILIES if any(ARMS[arm].network == f for arm in curves)]
    figure = Figure(figsize=(4.2 * len(families), 3.4), layout="constrained")
    panels = figure.subplots(1, len(families), sharey=True, squeeze=False)[0]
    for panel, family in zip(panels, families, strict=True):
        for arm in (arm for arm in runs.claim.arms if arm in curves):
            if ARMS[arm].network == family:
                draw_arm(panel, arm, curves[arm])
        panel.set(title=FAMILIES[family], xlabel="epoch", ylim=(0, 100))
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.3)
        panel.legend(fontsize="small", loc="lower left")
    panels[0].set_ylabel("error, %")
    figure.suptitle(str(runs.group), fontsize="small")
    return figure


def draw_arm(panel: Axes, arm: str, seeds: dict[str, dict[str, list[float]]]) -> None:
    """The curves of an arm; a run that diverged ends early, and so does the mean."""
    colour = COLOURS[ARMS[arm].depth]
    for split, style in STYLES.items():
        lines = [[100 * error for error in seed[split]] for seed in seeds.values()]
        for line in lines:
            panel.plot(range(1, len(line) + 1), line, style, color=colour, lw=0.6, alpha=0.6)
        mean = [sum(errors) / len(errors) for errors in zip(*lines, strict=False)]
        label = f"{ARMS[arm].depth} layers, {'training' if split == 'train' else 'test'}"
        panel.plot(range(1, len(mean) + 1), mean, style, color=colour, lw=2, label=label)
