"""What is told beside verdicts, as text: what came out when their runs were made again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..claims import Trained
from ..findings import Finding, Runs
from ..judge import INCONCLUSIVE, NOT_RUN
from ..metrics import METRICS
from ..records import Record
from ..second import ANEW, again
from . import view


@dataclass(frozen=True)
class Repeat:
    """A finding of one group of runs, and what these gave again; `other` is what was other then."""

    other: str
    first: Finding
    again: Finding

    @property
    def words(self) -> tuple[str, str]:
        return self.first.verdict.word, self.again.verdict.word

    @property
    def same(self) -> bool:
        return self.words[0] == self.words[1]

    @property
    def at_start(self) -> bool:
        """Whether it is of nets before their first step."""
        assert isinstance(self.first.statement, Trained)
        return METRICS[self.first.statement.metric].at_start


# By claim and statement.
Repeats = Mapping[tuple[str, str], Sequence[Repeat]]


def repeats(
    found: Iterable[Finding],
    second: Mapping[str, Record],
    anew: Mapping[str, Record],
    explored: Mapping[str, Record],
) -> Repeats:
    """Of each trained finding; of every group that has a verdict, the headline's first."""

    def of_group(finding: Finding, runs: Runs) -> list[Repeat]:
        first = replace(finding, runs=(runs,))
        if first.verdict.word == NOT_RUN:
            return []
        made = again(runs, second, anew, explored)
        return [Repeat(o, first, replace(finding, runs=(some,))) for o, some in made.items()]

    return {
        (f.claim.name, f.statement.name): [r for runs in f.runs for r in of_group(f, runs)]
        for f in found
        if isinstance(f.statement, Trained)
    }


def of(finding: Finding, made: Repeats) -> Sequence[Repeat]:
    return made.get((finding.claim.name, finding.statement.name), ())


def named(finding: Finding, repeat: Repeat) -> str:
    """What was other, and where that is not the headline's group."""
    headline, runs = finding.headline, repeat.first.runs[0]
    assert headline
    return repeat.other + f" at {view.where(runs, headline)}" * (runs.group != headline.group)


def sentences(finding: Finding, made: Repeats, other_word: bool = False) -> list[str]:
    """What each gave, and in which environment; or only those that gave another word."""
    return [
        f"Again, {named(finding, r)} (environment {', '.join(environments(r.again))}): "
        f"{r.words[1]}, {view.told_in_short(r.again)}."
        for r in of(finding, made)
        if not (other_word and r.same)
    ]


def environments(finding: Finding) -> list[str]:
    """In which its runs were made, as the report names them."""
    records = finding.runs[0].records.values()
    return sorted({record["circumstances"]["environment"][:10] for record in records})


def in_short(finding: Finding, made: Repeats) -> str:
    """How often the word was the same, and where it was not."""
    every = of(finding, made)
    others = [f"{named(finding, r)}: {r.words[1]}" for r in every if not r.same]
    same = f"{len(every) - len(others)} of {len(every)} the same"
    return "; ".join([same, *others]) if every else "·"


def anew(made: Repeats) -> list[Repeat]:
    """Those of the very same runs."""
    return [r for every in made.values() for r in every if r.other == ANEW]


def moved(made: Repeats) -> list[Repeat]:
    """Those of the very same runs that have another word."""
    return [r for r in anew(made) if not r.same]


def not_anew(found: Iterable[Finding], made: Repeats) -> list[str]:
    """The claims whose headline's runs were not made anew."""
    judged = (f for f in found if isinstance(f.statement, Trained) and f.verdict.word != NOT_RUN)
    lacking = (f for f in judged if f.runs[0] not in [r.first.runs[0] for r in anew(made)])
    return list(dict.fromkeys(f.claim.name for f in lacking))


def steady(made: Repeats) -> str:
    """How many verdicts are the same where the very same runs were made anew; or nothing."""
    every = anew(made)
    if not every:
        return ""
    decided = [r for r in every if r.words[0] != INCONCLUSIVE]
    same = [r for r in decided if r.same]
    became_open = sum(r.words[1] == INCONCLUSIVE for r in decided)
    left_open = [r for r in every if r.words[0] == INCONCLUSIVE]
    digests = sorted({digest for r in every for digest in environments(r.again)})
    return (
        f"The runs of {len(every)} verdicts were made anew, on the same seeds, in another "
        f"environment ({', '.join(digests)}), whose arithmetic rounds otherwise. Verdicts that "
        f"are decided here: {len(decided)}; the same there: {len(same)}, of which "
        f"{sum(r.at_start for r in same)} are of nets before their first step and could hardly "
        f"move; open there: {became_open}; the opposite: "
        f"{len(decided) - len(same) - became_open}. Verdicts that are open here: "
        f"{len(left_open)}; decided there: {sum(not r.same for r in left_open)}."
    )
