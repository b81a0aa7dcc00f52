"""Replications of a verdict: its runs again on seeds kept apart, at its learning rates and at a
third of them, in whatever environment. They decide nothing.
"""

from collections.abc import Mapping

from ..claims import Trained
from ..evidence.store import Record
from .metrics import METRICS
from .planning import runs_of
from .spec import Group, Spec

# The first of the seeds kept apart.
FIRST = 2000

VARIANTS = {"other seeds": 1.0, "other seeds, a third of the learning rates": 1 / 3}


def plan_replications(
    statement: Trained, group: Group, explored: Mapping[str, Record]
) -> dict[str, dict[tuple[str, int], Spec]]:
    """The runs of each look, by (arm, seed): as many seeds as the verdict has.

    What is measured before the first step has no learning rate.
    """
    seeds = range(FIRST, FIRST + len(statement.judged(group.tier)))
    runs = runs_of(statement, group, explored, seeds)
    return {
        look: {pair: slow_down(spec, factor) for pair, spec in runs.items()}
        for look, factor in VARIANTS.items()
        if factor == 1 or not METRICS[statement.metric].at_start
    }


def slow_down(spec: Spec, factor: float) -> Spec:
    """The same run with its learning rates times `factor`."""
    recipe = spec["recipe"]
    schedule = tuple((share, factor * rate) for share, rate in recipe["schedule"])
    return {**spec, "recipe": {**recipe, "schedule": schedule}}
