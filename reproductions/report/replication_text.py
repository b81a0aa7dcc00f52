"""Runs made again, as text."""

from functools import partial
from itertools import groupby

from ..analysis.findings import Finding
from ..analysis.replications import Repeat, Repeats, of, of_headline
from . import text


def place(finding: Finding, repeat: Repeat) -> str:
    """Where the repeated runs are of, if that is not the headline's group."""
    if of_headline(finding, repeat):
        return ""
    return f"at {text.where(repeat.first.runs[0], finding.runs[0])}"


def sentences(finding: Finding, made: Repeats, other_word: bool = False) -> list[str]:
    """What each gave, and in which environment; or only those that gave another word."""
    return [
        f"Again, {' '.join(filter(None, (r.other, place(finding, r))))} (environment "
        f"{', '.join(environments(r.repeated))}): {r.words[1]}, {text.told_in_short(r.repeated)}."
        for r in of(finding, made)
        if not (other_word and r.same)
    ]


def environments(finding: Finding) -> list[str]:
    """In which its runs were made, as the report names them."""
    records = finding.runs[0].records.values()
    return sorted({record["circumstances"]["environment"][:10] for record in records})


def in_short(finding: Finding, made: Repeats) -> str:
    """How often the word was the same, and where it was not."""
    texts = []
    for where, group in groupby(of(finding, made), key=partial(place, finding)):
        every = list(group)
        others = [f"{r.other}: {r.words[1]}" for r in every if not r.same]
        same = f"{len(every) - len(others)} of {len(every)} the same"
        texts.append("; ".join([f"{where}: {same}" if where else same, *others]))
    return "; ".join(texts)
