"""What the command line says."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Column, Table

from .claims import Trained
from .data import copy_note
from .findings import Finding, Runs
from .judge import NOT_RUN
from .metrics import METRICS

console = Console()


def print_verdicts(found: Sequence[Finding], other: Sequence[Finding] | None = None) -> None:
    """A table of the headline verdicts, over those of `other` findings; without runs a count."""
    if other:
        other = [like(one, finding.headline) for one, finding in zip(other, found, strict=True)]
    table = Table(*(Column(name, no_wrap=True) for name in ("claim", "verdict")), "found", "on")
    for i, finding in enumerate(found):
        if not finding.headline:
            continue
        about = f"{finding.claim.name}\n{finding.statement.name}"
        table.add_row(about, *headline_cells(finding), end_section=not other)
        if other:
            table.add_row("  committed", *headline_cells(other[i]), end_section=True)
    if table.rows:
        console.print(table)
    if bare := sum(not finding.headline for finding in found):
        say(f"NOT RUN, for want of runs here: {bare} statements.")
    data = [data_of(findings) for findings in (found, other or ())]
    for note in {copy_note(identity) for identity in data[0] if identity["name"] == "embedded"}:
        say(note)
    if other and data[0] != data[1]:
        say("The committed verdicts are about other data: compare the words, not the effects.")


def like(finding: Finding, head: Runs | None) -> Finding:
    """The same, its runs at the tier and on the backend of `head` first, if it has any."""
    if head is None:
        return finding
    place = head.group.tier, head.group.backend
    runs = sorted(finding.runs, key=lambda r: (r.group.tier, r.group.backend) != place)
    return replace(finding, runs=tuple(runs))


def headline_cells(finding: Finding) -> list[str]:
    verdict, head = finding.verdict, finding.headline
    return [verdict.word, found_of(finding), str(head.group) if head else "·"]


def found_of(finding: Finding) -> str:
    """A mean effect, and why it is no verdict; where there is none, or not of every seed, the
    reason of the verdict.
    """
    verdict, statement = finding.verdict, finding.statement
    if not isinstance(statement, Trained) or verdict.mean is None or None in verdict.effects:
        return verdict.reason
    metric = METRICS[statement.metric]
    effect = f"{metric.shown(verdict.mean)} {metric.unit}".strip()
    why = verdict.reason.split(":")[0] if verdict.word == NOT_RUN else ""
    return "; ".join(filter(None, (effect, why)))


def data_of(found: Sequence[Finding]) -> list[dict[str, str]]:
    """The data of the headlines, each once."""
    identities = (f.headline.group.data for f in found if f.headline and f.headline.group.tier)
    return [dict(items) for items in dict.fromkeys(tuple(d.items()) for d in identities)]


def say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
