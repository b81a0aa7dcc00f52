"""Findings to REPORT.md and its figures. Generated: nothing here decides, nothing is edited."""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ..claims import CLAIMS
from ..data import copy_note
from ..findings import Finding, findings, superseded
from ..judge import CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPRODUCED
from ..records import Record, Store
from .figures import save

# Refutations are printed first.
WORDS = (CONTRADICTED, REPRODUCED, INCONCLUSIVE, NOT_RUN)


def write(store: Store, folder: Path) -> Path:
    """Write REPORT.md and figures/ from the records of `store`; return the report's path."""
    records = store.read()
    found = findings(CLAIMS.values(), records)
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for finding in found:
        if finding.headline:
            plotted = json.dumps(finding.headline.curves(), indent=1) + "\n"
            (figures / f"{finding.claim.name}.json").write_text(plotted)
            save(finding.headline, figures / f"{finding.claim.name}.svg")
    report = folder / "REPORT.md"
    others = store.others()
    known = environments(store, [*records.values(), *others])
    report.write_text(text(found, records, known, others))
    return report


def text(
    found: list[Finding],
    records: Mapping[str, Record],
    environments: Mapping[str, Any],
    others: list[Record],
) -> str:
    """The report as Markdown."""
    template = resources.files(__package__).joinpath("report.md.jinja").read_text()
    jinja = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters |= {"points": points, "percent": percent, "cell": cell}
    rows = [(f, s, f.verdict(s)) for f in found for s in f.claim.statements]
    rows.sort(key=lambda row: WORDS.index(row[2].word))
    return jinja.from_string(template).render(
        found=found,
        rows=rows,
        words=WORDS,
        adjusted=holm({(f.claim.name, s.name): v.p for f, s, v in rows if v.p is not None}),
        records=records,
        superseded=superseded(CLAIMS.values(), records),
        others=others,
        environments=environments,
        copy_note=copy_note,
    )


def environments(store: Store, records: list[Record]) -> dict[str, dict[str, Any]]:
    """The environments that the records were made in, by digest."""
    return {record["circumstances"]["environment"]: store.environment(record) for record in records}


def points(share: float | None) -> str:
    """A share of one as signed points, "−" for a minus."""
    return "·" if share is None else f"{100 * share:+.1f}".replace("-", "−")


def percent(share: float) -> str:
    """A share of one in hundredths."""
    return f"{100 * share:.2f}"


def cell(text: object) -> str:
    """Text inside a Markdown table or heading: no markup, one line."""
    escaped = str(text).replace("\\", "\\\\")
    for mark in "|<>`*_[]":
        escaped = escaped.replace(mark, "\\" + mark)
    return " ".join(escaped.split())


def holm(p_values: Mapping[Any, float]) -> dict[Any, float]:
    """Holm's adjusted p values: for information, they decide nothing."""
    adjusted, running = {}, 0.0
    for i, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, (len(p_values) - i) * p))
        adjusted[name] = running
    return adjusted
