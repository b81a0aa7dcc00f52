"""Findings to REPORT.html, REPORT.md, FOUND.md and figures. Generated: nothing here decides or is
edited.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ..analysis import replications
from ..analysis.findings import Finding, findings_of, judged, superseded
from ..analysis.scope import caption, committed_verdict, describe_training, is_open
from ..claims import CLAIMS
from ..data.registry import copy_note
from ..evidence.files import write_over
from ..evidence.snapshot import JUDGED, REPLICATED, RERUN, Snapshot
from . import figures, text
from . import replication_text as again
from .highlights import RESULTS

FLAGSHIP = "degradation-difference"


def write(
    evidence: Snapshot,
    folder: Path,
    committed: Sequence[Finding] = (),
) -> tuple[Path, ...]:
    """Write REPORT.html, REPORT.md, FOUND.md and figures/ from records, judged, replicated, rerun
    and explored; return the pages.

    `committed` are findings of other records, which stand beside those that stay open here; what
    has no runs here is then folded away, as those have it.
    """
    found = findings_of(evidence)
    drawn = figures.drawn(found)
    save(drawn, folder / "figures")
    told = context(found, evidence)
    told |= {
        "training": describe_training(found, committed),
        "committed": partial(committed_text, committed=committed),
        **(folded(found) if committed else {}),
    }
    texts = {
        "REPORT.html": page(told, drawn),
        "REPORT.md": markdown("report.md.jinja", told, drawn),
        "FOUND.md": markdown("found.md.jinja", told, drawn),
    }
    for name, content in texts.items():
        write_over(folder / name, content.encode())
    return tuple(folder / name for name in texts)


def folded(found: Sequence[Finding]) -> dict[str, Any]:
    """Statements and claims that have runs here, apart from those that have none."""
    claims = text.by_claim(found)
    with_runs = [(claim, rows) for claim, rows in claims if any(row.headline for row in rows)]
    return {
        "rows": [finding for finding in text.by_word(found) if finding.headline],
        "not_run": [finding for finding in found if not finding.headline],
        "claims": with_runs,
        "claims_not_run": [pair for pair in claims if pair not in with_runs],
    }


def committed_text(finding: Finding, committed: Sequence[Finding]) -> str:
    """What other records say, at a higher tier, of a statement that stays open here."""
    other = committed_verdict(finding, committed) if is_open(finding) else None
    if other is None or other.headline is None:
        return ""
    where = other.headline.group.tier
    return f"committed records, {where} tier: {other.verdict.word}, {text.told_in_short(other)}"


def figure_caption(found: Sequence[Finding]) -> str:
    """What the networks of the first figure were trained on; empty where there is none."""
    heads = [f.headline for f in found if f.claim.name == FLAGSHIP and f.headline]
    return caption(heads[0]) if heads else ""


def save(drawn: Mapping[str, figures.Drawn], folder: Path) -> None:
    """The figures as files, each with its numbers."""
    for name, figure in drawn.items():
        numbers = json.dumps(figure.numbers, indent=1) + "\n"
        write_over(folder / f"{name}.svg", figure.svg)
        write_over(folder / f"{name}.json", numbers.encode())


def context(found: list[Finding], evidence: Snapshot) -> dict[str, Any]:
    """What the templates are filled with."""
    records, explored = evidence.records(), evidence.explored
    second, anew = evidence.records(REPLICATED), evidence.records(RERUN)
    groups = [f.headline.group for f in found if f.headline and f.headline.group.tier]
    old = superseded(CLAIMS.values(), records, explored)
    made = replications.repeats(found, second, anew, explored)
    return {
        "found": found,
        "results": RESULTS,
        "held": [result for result in RESULTS if result.holds(found, made)],
        "rows": text.by_word(found),
        "claims": text.by_claim(found),
        "not_run": [],
        "claims_not_run": [],
        "figure_caption": figure_caption(found),
        "counts": text.counts(found),
        "chance": text.chance(found),
        "adjusted": text.adjusted(found),
        "data": list({g.data_sha256: g.data for g in groups}.values()),
        "records": records,
        "explored": explored,
        "replications": replications,
        "again": again,
        "made": made,
        "superseded": old,
        "further": records.keys() - judged(found) - old.keys(),
        "others": evidence.further(),
        "environments": environments(evidence),
        "copy_note": copy_note,
        "text": text,
    }


def markdown(template: str, told: Mapping[str, Any], drawn: Mapping[str, figures.Drawn]) -> str:
    """A page for reading where the code is."""
    jinja = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters["cell"] = cell
    return jinja.from_string(source(template)).render(**told, drawn=drawn)


def page(told: Mapping[str, Any], drawn: Mapping[str, figures.Drawn]) -> str:
    """The report as one file that asks for nothing: styles, script and figures are inside."""
    jinja = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True
    )
    style, script = source("style.css"), source("script.js")
    return jinja.from_string(source("report.html.jinja")).render(
        **told,
        flagship=FLAGSHIP,
        drawn=drawn,
        inline=partial(inline, drawn),
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; style-src '{sha256(style)}'; script-src '{sha256(script)}'; "
        "base-uri 'none'; form-action 'none'",
    )


def inline(drawn: Mapping[str, figures.Drawn], name: str, title: str) -> Markup:
    """A figure as a part of the page, under a title for those who do not see it."""
    return Markup(figures.inline(drawn[name].svg, name, title))


def source(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text()


def sha256(text: str) -> str:
    """As a content security policy names what it allows."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def environments(evidence: Snapshot) -> dict[str, dict[str, Any]]:
    """The environments that runs behind verdicts and beside them were made in, by digest."""
    made = [(JUDGED, r) for r in (*evidence.records().values(), *evidence.further())]
    made += [(p, r) for p in (REPLICATED, RERUN) for r in evidence.records(p).values()]
    return {r["circumstances"]["environment"]: evidence.environment(p, r) for p, r in made}


def cell(text: object) -> str:
    """Text inside a Markdown table or heading: no markup, one line."""
    escaped = str(text).replace("\\", "\\\\").replace("&", "&amp;")
    for mark in "|<>`*_[]~$":
        escaped = escaped.replace(mark, "\\" + mark)
    return " ".join(escaped.split())
