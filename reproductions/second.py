"""What is told beside a verdict and decides nothing. A second look: its runs again on seeds kept
apart, at its learning rates and at a third of them, in whatever environment. And the very same
runs, made anew in another one.
"""

from collections.abc import Mapping

from .canonical import key_of
from .claims import Trained
from .findings import Runs
from .metrics import METRICS
from .plan import runs_of
from .records import Record
from .spec import Group, Spec

# The first of the seeds kept apart.
FIRST = 2000

LOOKS = {"other seeds": 1.0, "other seeds, a third of the learning rates": 1 / 3}
ANEW = "the same seeds elsewhere"


def looks(
    statement: Trained, group: Group, explored: Mapping[str, Record]
) -> dict[str, dict[tuple[str, int], Spec]]:
    """The runs of each look, by (arm, seed): as many seeds as the verdict has.

    What is measured before the first step has no learning rate.
    """
    seeds = range(FIRST, FIRST + len(statement.judged(group.tier)))
    runs = runs_of(statement, group, explored, seeds)
    return {
        look: {pair: slower(spec, factor) for pair, spec in runs.items()}
        for look, factor in LOOKS.items()
        if factor == 1 or not METRICS[statement.metric].at_start
    }


def slower(spec: Spec, factor: float) -> Spec:
    """The same run with its learning rates times `factor`."""
    recipe = spec["recipe"]
    schedule = tuple((share, factor * rate) for share, rate in recipe["schedule"])
    return {**spec, "recipe": {**recipe, "schedule": schedule}}


def made_again(
    runs: Runs,
    second: Mapping[str, Record],
    anew: Mapping[str, Record],
    explored: Mapping[str, Record],
) -> dict[str, Runs]:
    """A verdict's runs made again, by what was other; those of which none is missing."""
    assert isinstance(runs.statement, Trained)
    found = {ANEW: {pair: anew[r["key"]] for pair, r in runs.records.items() if r["key"] in anew}}
    shift = FIRST - runs.statement.first
    for look, specs in looks(runs.statement, runs.group, explored).items():
        keys = {(arm, seed - shift): key_of(spec) for (arm, seed), spec in specs.items()}
        found[look] = {pair: second[key] for pair, key in keys.items() if key in second}
    made = {name: Runs(runs.statement, runs.group, some, runs.planned)
            for name, some in found.items()}  # fmt: skip
    return {name: some for name, some in made.items() if some.complete}
