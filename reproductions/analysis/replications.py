"""What came out when the runs of verdicts were made again: told beside them, and counted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..claims import Trained
from ..evidence.canonical import key_of
from ..evidence.store import Record
from ..experiments.metrics import METRICS
from ..experiments.replication import FIRST, plan_replications
from .findings import Finding, Runs
from .verdict import CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPRODUCED

VERDICTS = (REPRODUCED, CONTRADICTED, INCONCLUSIVE)


@dataclass(frozen=True)
class Repeat:
    """A finding of one group of runs, and what these gave when repeated with something `other`."""

    other: str
    first: Finding
    repeated: Finding

    @property
    def words(self) -> tuple[str, str]:
        return self.first.verdict.word, self.repeated.verdict.word

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
        made = repeat_runs(runs, second, anew, explored)
        return [Repeat(o, first, replace(finding, runs=(some,))) for o, some in made.items()]

    return {
        (f.claim.name, f.statement.name): [r for runs in f.runs for r in of_group(f, runs)]
        for f in found
        if isinstance(f.statement, Trained)
    }


def some(made: Repeats) -> bool:
    """Whether any runs were made again."""
    return any(made.values())


def of(finding: Finding, made: Repeats) -> Sequence[Repeat]:
    return made.get((finding.claim.name, finding.statement.name), ())


def of_headline(finding: Finding, repeat: Repeat) -> bool:
    return repeat.first.runs[0] == finding.headline


def same_seeds(found: Iterable[Finding], made: Repeats) -> list[Repeat]:
    """Of each headline whose very same runs were made anew."""
    return [r for f in found for r in of(f, made) if r.other == ANEW and of_headline(f, r)]


def once(found: Iterable[Finding], made: Repeats) -> list[str]:
    """The claims whose headline's runs were not."""
    judged = (f for f in found if isinstance(f.statement, Trained) and f.verdict.word != NOT_RUN)
    again = [r.first.runs[0] for every in made.values() for r in every if r.other == ANEW]
    return list(dict.fromkeys(f.claim.name for f in judged if f.runs[0] not in again))


def moved(found: Iterable[Finding], made: Repeats) -> list[Repeat]:
    """Those that have another word there."""
    return [r for r in same_seeds(found, made) if not r.same]


def table(found: Iterable[Finding], made: Repeats) -> list[tuple[str, list[int]]]:
    """How many verdicts have a word here, by the word that they have there, in the order of
    VERDICTS.

    Without those of nets before their first step, which could hardly move; what two statements say
    of the same numbers is counted once.
    """
    trained = {numbers(r): r.words for r in same_seeds(found, made) if not r.at_start}
    pairs = list(trained.values())
    return [(here, [pairs.count((here, there)) for there in VERDICTS]) for here in VERDICTS]


def numbers(repeat: Repeat) -> tuple[str, frozenset[str]]:
    """What a statement is judged by: a metric of these runs."""
    assert isinstance(repeat.first.statement, Trained)
    records = repeat.first.runs[0].records.values()
    return repeat.first.statement.metric, frozenset(record["key"] for record in records)


ANEW = "the same seeds elsewhere"


def repeat_runs(
    runs: Runs,
    second: Mapping[str, Record],
    anew: Mapping[str, Record],
    explored: Mapping[str, Record],
) -> dict[str, Runs]:
    """A verdict's runs made again, by what was other; those of which none is missing."""
    assert isinstance(runs.statement, Trained)
    found = {ANEW: {pair: anew[r["key"]] for pair, r in runs.records.items() if r["key"] in anew}}
    shift = FIRST - runs.statement.first
    for look, specs in plan_replications(runs.statement, runs.group, explored).items():
        keys = {(arm, seed - shift): key_of(spec) for (arm, seed), spec in specs.items()}
        found[look] = {pair: second[key] for pair, key in keys.items() if key in second}
    made = {name: Runs(runs.statement, runs.group, some, runs.planned)
            for name, some in found.items()}  # fmt: skip
    return {name: some for name, some in made.items() if some.complete}
