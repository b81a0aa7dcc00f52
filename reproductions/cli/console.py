"""What the command line says."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Column, Table

from ..analysis.findings import Finding, Runs
from ..analysis.scope import committed_verdict, describe_training
from ..analysis.verdict import NOT_RUN
from ..claims import Trained
from ..experiments.metrics import METRICS

console = Console()


def print_verdicts(found: Sequence[Finding], other: Sequence[Finding | None] = ()) -> None:
    """What was trained, then a table of the headline verdicts; without runs a count.

    Under a verdict stands that of the same place in `other`, if there is one.
    """
    others = [other[i] if other else None for i in range(len(found))]
    known = [one for one in others if one]
    for sentence in describe_training(found, known):
        say(sentence)
    table = Table(*(Column(name, no_wrap=True) for name in ("claim", "verdict")), "found", "on")
    for i, finding in enumerate(found):
        if not finding.headline:
            continue
        about = f"{finding.claim.name}\n{finding.statement.name}"
        table.add_row(about, *headline_cells(finding), end_section=not others[i])
        if one := others[i]:
            cells = headline_cells(beside(finding, one))
            table.add_row("  committed records", *cells, end_section=True)
    if table.rows:
        console.print(table)
    if bare := sum(not finding.headline for finding in found):
        say(f"NOT RUN, as there are no runs here: {bare} statements.")
    data = [data_of(findings) for findings in (found, known)]
    if known and data[0] != data[1]:
        say("The committed verdicts are about other data: compare the words, not the effects.")


def beside(finding: Finding, other: Finding) -> Finding:
    """What another folder's records say of a statement: at the same tier and on the same backend,
    or, where this tier does not decide the statement, at the highest.
    """
    higher = finding.verdict.word == NOT_RUN and committed_verdict(finding, [other])
    return other if higher else like(other, finding.headline)


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
