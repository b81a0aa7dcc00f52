"""Claims to runs: which are wanted, which are still owed, how long they may take."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from .arms import ARMS
from .claims import Claim
from .recipes import RECIPES
from .records import Record, key_of
from .tiers import Tier

# Part of every key. Raised in the commit that changes the golden loss curve of
# tests/test_train.py; older records stay and are shown as superseded.
NUMERICS = 1

Spec = dict[str, Any]


def spec_of(arm: str, tier: Tier, seed: int, backend: str, data: Mapping[str, str]) -> Spec:
    """All that a run's result depends on, but for the machine and the versions."""
    return {
        "arm": asdict(ARMS[arm]),
        "recipe": plain(asdict(RECIPES[tier.recipe])),
        "tier": plain(asdict(tier)),
        "data": dict(data),
        "seed": seed,
        "backend": backend,
        "numerics": NUMERICS,
    }


def plain(value: Any) -> Any:
    """`value` as JSON gives it back: lists for tuples."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return [plain(member) for member in value] if isinstance(value, tuple | list) else value


def wanted(
    claims: Iterable[Claim],
    tier: Tier,
    backend: str,
    data: Mapping[str, str],
    seeds: int | None = None,
) -> dict[str, Spec]:
    """The runs that judge `claims` at `tier`, by key, seed after seed; runs are shared.

    `seeds` replaces the number of seeds that each statement declares.
    """
    pairs = {
        (seed, arm)
        for claim in claims
        for statement in claim.statements
        for arm in statement.contrast
        for seed in range(seeds or statement.seeds[tier.name])
    }
    names = list(ARMS)
    ordered = sorted(pairs, key=lambda pair: (pair[0], names.index(pair[1])))
    specs = (spec_of(arm, tier, seed, backend, data) for seed, arm in ordered)
    return {key_of(spec): spec for spec in specs}


def owed(runs: Mapping[str, Spec], records: Mapping[str, Record]) -> dict[str, Spec]:
    """Those of `runs` that have no record."""
    return {key: spec for key, spec in runs.items() if key not in records}


def minutes(spec: Spec, known: Iterable[Record]) -> float | None:
    """Estimated minutes of one run on one process, from known records of its backend.

    A record of the same arm and tier counts as it is; else the nearest effort is scaled.
    """
    same = [r for r in known if r["spec"]["backend"] == spec["backend"]]
    if not same:
        return None
    exact = [r for r in same if effort(r["spec"]) == effort(spec)]
    scaled = [
        r["circumstances"]["seconds"] * effort(spec) / effort(r["spec"]) for r in exact or same
    ]
    return statistics.median(scaled) / 60


def effort(spec: Spec) -> float:
    """A number proportional to the multiplications of a run's training."""
    tier, depth = spec["tier"], spec["arm"]["depth"]
    layers = dict(map(tuple, tier["depths"])).get(depth, depth)
    pixels = (tier["width"] * tier["image_size"]) ** 2
    return layers * pixels * tier["steps"] * spec["recipe"]["batch_size"]
