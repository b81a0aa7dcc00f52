"""Claims to runs: which are wanted, which are still owed, how long they may take."""

import math
import statistics
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .canonical import key_of
from .claims import Claim, Trained
from .metrics import METRICS
from .records import Record
from .spec import Group, Spec, check_spec, spec_in
from .sweep import rate_of


def runs_of(
    statement: Trained,
    group: Group,
    explored: Mapping[str, Record],
    seeds: Collection[int] | None = None,
) -> dict[tuple[str, int], Spec]:
    """The runs that judge a statement in a group, by (arm, seed); none where it has no seeds at its
    tier, or an arm's learning rate has still to be explored.

    `seeds` replaces those that the statement declares.
    """
    if group.tier not in statement.seeds:
        return {}
    arms = statement.contrast
    rates = {arm: rate_of(statement, arm, group, explored) for arm in arms}
    if statement.rates and None in rates.values():
        return {}
    watched = METRICS[statement.metric].watched
    return {
        (arm, seed): spec_in(group, arm, seed, statement.held, rates[arm], watched)
        for arm in arms
        for seed in seeds or statement.judged(group.tier)
    }


def wanted(
    claims: Collection[Claim],
    group: Group,
    explored: Mapping[str, Record],
    seeds: Callable[[Trained], Collection[int]] | None = None,
) -> dict[str, Spec]:
    """The runs that judge `claims` in a group, by key, the shortest first; runs are shared.

    `seeds` gives others than those that a statement declares.
    """
    specs = [
        spec
        for claim in claims
        for statement in claim.trained
        for spec in runs_of(statement, group, explored, seeds and seeds(statement)).values()
    ]
    # The seeds of an arm follow each other: a process keeps the last model that it compiled.
    specs.sort(key=lambda spec: (spec["arm"]["name"], spec["seed"]))
    return {key_of(spec): spec for spec in sorted(specs, key=effort)}


def checks(claims: Collection[Claim], backend: str) -> dict[str, Spec]:
    """The checks that judge `claims`, by key."""
    names = [s.check for claim in claims for s in claim.computed]
    return {key_of(spec): spec for spec in (check_spec(name, backend) for name in names)}


def alone(claims: Collection[Claim]) -> set[str]:
    """The checks that measure time, and have the machine to themselves."""
    return {s.check for claim in claims for s in claim.computed if s.kind == "measured"}


def owed(runs: Mapping[str, Spec], records: Collection[str]) -> dict[str, Spec]:
    """Those of `runs` that have no record; `records` are keys."""
    return {key: spec for key, spec in runs.items() if key not in records}


def minutes(spec: Spec, known: Collection[Mapping[str, Any]]) -> float | None:
    """Estimated minutes of one run: the mean of its seeds' known records; else from those of its
    backend nearest in effort.
    """
    times: dict[tuple, list[float]] = {}
    for record in known:
        if record["spec"]["backend"] == spec["backend"] and alike(spec, record["spec"]):
            factor = effort(spec) / effort(record["spec"])
            seconds = factor * record["circumstances"]["seconds"]
            twin = but_seed(record["spec"]) == but_seed(spec)
            times.setdefault((not twin, abs(math.log(factor))), []).append(seconds)
    return statistics.mean(times[min(times)]) / 60 if times else None


def paced(elsewhere: Collection[Record], here: Collection[Mapping[str, Any]]) -> list[Record]:
    """Records of another machine, in seconds as of this one: by the training runs that both made,
    whatever their seeds; as they are where there are none.
    """
    mine, theirs = (
        [(but_seed(r["spec"]), r["circumstances"]["seconds"]) for r in some if "tier" in r["spec"]]
        for some in (here, elsewhere)
    )
    pairs = [(a, b) for one, a in mine for other, b in theirs if one == other]
    pace = sum(a for a, _ in pairs) / sum(b for _, b in pairs) if pairs else 1.0

    def taken(record: Record) -> Record:
        around = record["circumstances"]
        return {**record, "circumstances": {**around, "seconds": pace * around["seconds"]}}

    return [taken(record) for record in elsewhere]


def but_seed(spec: Spec) -> Spec:
    return {name: value for name, value in spec.items() if name != "seed"}


def shortest_first(
    runs: Mapping[str, Spec], known: Collection[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The estimated minutes of runs, in the order in which to make them; the unknown ones last."""
    guesses = {key: minutes(spec, known) for key, spec in runs.items()}
    return dict(sorted(guesses.items(), key=lambda item: math.inf if item[1] is None else item[1]))


def alike(one: Spec, other: Spec) -> bool:
    """Whether both are training runs, or both checks."""
    return ("tier" in one) == ("tier" in other)


def effort(spec: Spec) -> float:
    """A number about proportional to the multiplications of a run's training."""
    if "tier" not in spec:
        return 1.0  # checks take seconds, all of them
    tier, depth = spec["tier"], spec["arm"].get("depth", 20)
    layers = dict(tier["depths"]).get(depth, depth)
    pixels = (tier["width"] * tier["image_size"]) ** 2
    return layers * pixels * tier["steps"] * spec["recipe"]["batch_size"]
