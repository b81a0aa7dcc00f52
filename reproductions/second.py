"""What is told beside a verdict and decides nothing. A second look: its runs again on seeds kept
apart, at its learning rates and at a third of them. And the very same runs, made anew on a machine
that rounds otherwise.
"""

from collections.abc import Mapping

from .canonical import key_of
from .claims import Trained
from .findings import Runs
from .plan import runs_of
from .records import Record
from .spec import Group, Spec

# The first of the seeds kept apart.
FIRST = 2000

LOOKS = {
    f"on seeds from {FIRST} on, at the same learning rates": 1.0,
    f"on seeds from {FIRST} on, at a third of the learning rates": 1 / 3,
}


def looks(
    statement: Trained, group: Group, explored: Mapping[str, Record]
) -> dict[str, dict[tuple[str, int], Spec]]:
    """The runs of each look, by (arm, seed): as many seeds as the verdict has."""
    seeds = range(FIRST, FIRST + len(statement.judged(group.tier)))
    runs = runs_of(statement, group, explored, seeds)
    return {
        look: {pair: slower(spec, factor) for pair, spec in runs.items()}
        for look, factor in LOOKS.items()
    }


def slower(spec: Spec, factor: float) -> Spec:
    """The same run with its learning rates times `factor`."""
    recipe = spec["recipe"]
    schedule = tuple((share, factor * rate) for share, rate in recipe["schedule"])
    return {**spec, "recipe": {**recipe, "schedule": schedule}}


def looked(
    runs: Runs, second: Mapping[str, Record], explored: Mapping[str, Record]
) -> dict[str, Runs]:
    """What second looks at a verdict's runs have left, those with any, as if their
    seeds were the judged ones.
    """
    assert isinstance(runs.statement, Trained)
    found, shift = {}, FIRST - runs.statement.first
    for look, specs in looks(runs.statement, runs.group, explored).items():
        keys = {(arm, seed - shift): key_of(spec) for (arm, seed), spec in specs.items()}
        present = {pair: second[key] for pair, key in keys.items() if key in second}
        if present:
            found[look] = Runs(runs.statement, runs.group, present, len(specs))
    return found


def made_anew(runs: Runs, anew: Mapping[str, Record]) -> Runs:
    """The same runs as made on another machine, those that were."""
    present = {pair: anew[r["key"]] for pair, r in runs.records.items() if r["key"] in anew}
    return Runs(runs.statement, runs.group, present, runs.planned)
