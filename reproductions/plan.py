"""Claims to runs: which are wanted, which are still owed, how long they may take."""

import math
import statistics
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from .arms import ARMS
from .canonical import key_of
from .claims import Claim
from .recipes import RECIPES
from .tiers import Tier

# Part of every key. Raised in the commit that changes the golden loss curve of
# tests/test_train.py; older records stay and are shown as superseded.
NUMERICS = 2

Spec = dict[str, Any]


def spec_of(arm: str, tier: Tier, seed: int, backend: str, data: Mapping[str, str]) -> Spec:
    """All that a run's result depends on, but for the machine and the versions."""
    return {
        "arm": asdict(ARMS[arm]),
        "recipe": asdict(RECIPES[tier.recipe]),
        "tier": asdict(tier),
        "data": dict(data),
        "seed": seed,
        "backend": backend,
        "numerics": NUMERICS,
    }


def wanted(
    claims: Collection[Claim],
    tier: Tier,
    backend: str,
    data: Mapping[str, str],
    seeds: int | None = None,
) -> dict[str, Spec]:
    """The runs that judge `claims` at `tier`, by key, the longest first; runs are shared.

    `seeds` replaces the number of seeds that each statement declares.
    """
    pairs = {
        (arm, seed)
        for claim in claims
        for statement in claim.statements
        for arm in statement.contrast
        for seed in range(seeds or statement.seeds[tier.name])
    }
    specs = [spec_of(arm, tier, seed, backend, data) for arm, seed in sorted(pairs)]
    # So that few cores are idle at the end; the seeds of an arm follow each other, since a process
    # keeps the last model that it compiled.
    return {key_of(spec): spec for spec in sorted(specs, key=effort, reverse=True)}


def owed(runs: Mapping[str, Spec], records: Collection[str]) -> dict[str, Spec]:
    """Those of `runs` that have no record; `records` are keys."""
    return {key: spec for key, spec in runs.items() if key not in records}


def minutes(spec: Spec, known: Collection[Mapping[str, Any]]) -> float | None:
    """Estimated minutes of one run, from the known records of its backend nearest in effort."""
    times: dict[float, list[float]] = {}
    for record in known:
        if record["spec"]["backend"] == spec["backend"]:
            factor = effort(spec) / effort(record["spec"])
            seconds = factor * record["circumstances"]["seconds"]
            times.setdefault(abs(math.log(factor)), []).append(seconds)
    return statistics.median(times[min(times)]) / 60 if times else None


def effort(spec: Spec) -> float:
    """A number about proportional to the multiplications of a run's training."""
    tier, depth = spec["tier"], spec["arm"]["depth"]
    layers = dict(tier["depths"]).get(depth, depth)
    pixels = (tier["width"] * tier["image_size"]) ** 2
    return layers * pixels * tier["steps"] * spec["recipe"]["batch_size"]
