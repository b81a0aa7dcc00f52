"""Claims to runs: which are wanted, which are still missing."""

from collections.abc import Callable, Collection, Mapping

from ..claims import Claim, Trained
from ..evidence.canonical import key_of
from ..evidence.store import Record
from .cost import effort
from .exploration import choose_rate
from .metrics import METRICS
from .spec import Group, Spec, check_spec, spec_in


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
    rates = {arm: choose_rate(statement, arm, group, explored) for arm in arms}
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


def timed(claims: Collection[Claim]) -> set[str]:
    """The checks that measure time, and have the machine to themselves."""
    return {s.check for claim in claims for s in claim.computed if s.kind == "measured"}


def missing_runs(runs: Mapping[str, Spec], records: Collection[str]) -> dict[str, Spec]:
    """Those of `runs` that have no record; `records` are keys."""
    return {key: spec for key, spec in runs.items() if key not in records}
