"""Exploration: seeds from 1000 on, which are never judged. They choose learning rates, and tell how
far seeds spread; what they say of an effect's sign or size decides nothing.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..claims import Trained
from ..evidence.canonical import canonical, key_of
from ..evidence.store import Record
from .arms import ARMS
from .metrics import METRICS
from .spec import BACKENDS, Group, Spec, spec_in

SEEDS = (1000, 1001, 1002)
# How often a grid of rates may grow at either end.
GROWTH = 8

Explored = Mapping[str, Record]
Score = tuple[float, ...]


@dataclass(frozen=True)
class RateExploration:
    """An arm's runs of the first exploring seed at each learning rate, as far as they have records.

    The rates are the statement's, and more where the best is the first or the last. `scores` has
    what each is judged by, the lowest best: the steps to the statement's loss, where its metric
    counts them, then the training loss at the end, both in evaluation mode. `best` is None while
    runs are `missing`; it is no end of the rates unless they have grown GROWTH times.
    """

    backend: str
    rates: tuple[float, ...]
    keys: tuple[str, ...]
    scores: Mapping[float, Score]
    missing: Mapping[str, Spec]

    @property
    def best(self) -> float | None:
        return None if self.missing else min(self.rates, key=self.scores.__getitem__)


def explore_rates(
    statement: Trained,
    arm: str,
    group: Group,
    explored: Explored,
) -> RateExploration:
    """How an arm's rates are explored for a statement that has rates."""
    rates = tuple(sorted(statement.rates))
    # Only where they are judged: to watch losses costs as much as to train.
    watched = "losses" if METRICS[statement.metric].watched == "losses" else None
    while True:
        specs = {
            rate: spec_in(group, arm, SEEDS[0], statement.held, rate, watched) for rate in rates
        }
        keys = {rate: key_of(spec) for rate, spec in specs.items()}
        done = {rate: explored[key] for rate, key in keys.items() if key in explored}
        scores = {
            rate: score(statement, group.tier, record["result"]) for rate, record in done.items()
        }
        missing = {keys[rate]: specs[rate] for rate in rates if rate not in done}
        state = RateExploration(group.backend, rates, tuple(keys.values()), scores, missing)
        if not (more := grown(state, statement)):
            return state
        rates = tuple(sorted((*rates, more)))


def score(statement: Trained, tier: str, result: Mapping[str, Any]) -> Score:
    """What a rate is judged by."""
    loss = result["curves"]["train_loss"][-1]
    last = math.inf if loss is None or result["outcome"] == "diverged" else loss
    metric = METRICS[statement.metric]
    steps = metric.of(result, statement.level.get(tier)) if metric.counts_steps else None
    return (last,) if steps is None else (steps, last)


def grown(state: RateExploration, statement: Trained) -> float | None:
    """The next rate, where the best is the first or the last; None where it is neither, or rates
    have grown enough.
    """
    rates = state.rates
    if state.best == rates[0] and sum(r < min(statement.rates) for r in rates) < GROWTH:
        return tidy(rates[0] ** 2 / rates[1])
    if state.best == rates[-1] and sum(r > max(statement.rates) for r in rates) < GROWTH:
        return tidy(rates[-1] ** 2 / rates[-2])
    return None


def tidy(rate: float) -> float:
    """1 or 3 times a power of ten, the nearest."""
    exponent = round(2 * math.log10(rate))
    return float(f"{3 if exponent % 2 else 1}e{exponent // 2}")


def choose_rate(
    statement: Trained,
    arm: str,
    group: Group,
    explored: Explored,
) -> float | None:
    """The peak of an arm's learning rate; None: the recipe's, or, of a statement that has rates,
    still to be explored.

    The best that was explored on this backend, else on another. The smoke tier, which judges
    nothing, takes the first of the rates.
    """
    if not statement.rates or group.tier == "smoke":
        return statement.rates[0] if statement.rates else statement.rate
    state = chosen(statement, arm, group, explored)
    return state.best if state else None


def chosen(
    statement: Trained, arm: str, group: Group, explored: Explored
) -> RateExploration | None:
    """The exploration that chooses an arm's rate: the backend's own, else another's."""
    for backend in dict.fromkeys((group.backend, *BACKENDS)):
        state = explore_rates(statement, arm, replace(group, backend=backend), explored)
        if state.best:
            return state
    return None


def settings(statement: Trained, explored: Explored) -> list[int]:
    """How many runs of a statement's arms were explored in each setting: all but arm, seed, rate
    and watch.
    """
    ways: Counter[bytes] = Counter()
    for spec in (record["spec"] for record in explored.values()):
        recipe = {name: x for name, x in spec["recipe"].items() if name not in VARIED}
        if spec["arm"]["name"] in statement.contrast:
            ways[canonical({"recipe": recipe, "tier": spec["tier"], "data": spec["data"]})] += 1
    return list(ways.values())


# What arms and explorations vary.
VARIED = {"schedule", *(name for arm in ARMS.values() for name in arm.training)}


def plan_exploration(
    statement: Trained,
    group: Group,
    explored: Explored,
) -> dict[str, Spec]:
    """The runs that explore a statement in a group, by key: its rates, and, of an arm whose rate
    is chosen, the protocol that is judged, on seeds of their own.
    """
    return dict(parts(statement, group, explored))


def parts(
    statement: Trained,
    group: Group,
    explored: Explored,
) -> Iterator[tuple[str, Spec]]:
    watched = METRICS[statement.metric].watched
    for arm in statement.contrast:
        if statement.rates:
            yield from explore_rates(statement, arm, group, explored).missing.items()
        rate = choose_rate(statement, arm, group, explored)
        for seed in SEEDS if rate or not statement.rates else ():
            spec = spec_in(group, arm, seed, statement.held, rate, watched)
            yield key_of(spec), spec
