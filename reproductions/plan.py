"""Claims to runs: which are wanted, which are still owed, how long they may take."""

import math
import statistics
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from .arms import ARMS
from .canonical import key_of
from .claims import Claim, Trained
from .metrics import METRICS
from .recipes import RECIPES, Recipe
from .tiers import Tier

# Part of every key of a training run. Raised in the commit that changes the golden loss curve of
# tests/test_train.py; older records stay and are shown as superseded.
NUMERICS = 2
# The same for checks: raised when one is changed so that its values change.
CHECKS = 2

Spec = dict[str, Any]
SETTINGS = {field.name for field in fields(Recipe)} - {"name"}


def spec_of(
    arm: str,
    tier: Tier,
    seed: int,
    backend: str,
    data: Mapping[str, str],
    held: Mapping[str, Any] | None = None,
) -> Spec:
    """All that a run's result depends on, but for the machine and the versions.

    `held` is what it holds otherwise than the tier's recipe, beside what its arm does.
    """
    recipe = replace(RECIPES[tier.recipe], **(held or {}), **ARMS[arm].training)
    return {
        "arm": ARMS[arm].spec(),
        "recipe": asdict(recipe),
        "tier": asdict(tier),
        "data": dict(data),
        "seed": seed,
        "backend": backend,
        "numerics": NUMERICS,
    }


def check_spec(check: str, backend: str) -> Spec:
    """The spec of a check, which has neither tier nor seed."""
    return {"arm": {"name": check}, "backend": backend, "checks": CHECKS}


def lacking(statement: Trained) -> list[str]:
    """What its runs would need that nothing does yet."""
    settings = {**statement.held}
    for arm in statement.contrast:
        settings |= ARMS[arm].training
    lacks = [f"the setting {name!r}" for name in settings if name not in SETTINGS]
    lacks += ["a sweep of learning rates"] * bool(statement.rates)
    return lacks + [f"the metric {statement.metric!r}"] * (not METRICS[statement.metric].place)


def runs_of(
    statement: Trained,
    tier: Tier,
    backend: str,
    data: Mapping[str, str],
    seeds: int | None = None,
) -> dict[tuple[str, int], Spec]:
    """The runs that judge a statement at `tier`, by (arm, seed); none where something is lacking.

    `seeds` replaces the number of seeds that the statement declares.
    """
    if lacking(statement) or tier.name not in statement.seeds:
        return {}
    return {
        (arm, seed): spec_of(arm, tier, seed, backend, data, statement.held)
        for arm in statement.contrast
        for seed in range(seeds or statement.seeds[tier.name])
    }


def wanted(
    claims: Collection[Claim],
    tier: Tier,
    backend: str,
    data: Mapping[str, str],
    seeds: int | None = None,
) -> dict[str, Spec]:
    """The runs that judge `claims` at `tier`, by key, the longest first; runs are shared."""
    specs = [
        spec
        for claim in claims
        for statement in claim.trained
        for spec in runs_of(statement, tier, backend, data, seeds).values()
    ]
    # So that few cores are idle at the end; the seeds of an arm follow each other, since a process
    # keeps the last model that it compiled.
    specs.sort(key=lambda spec: (spec["arm"]["name"], spec["seed"]))
    return {key_of(spec): spec for spec in sorted(specs, key=effort, reverse=True)}


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
    """Estimated minutes of one run, from the known records of its backend nearest in effort."""
    times: dict[float, list[float]] = {}
    for record in known:
        if record["spec"]["backend"] == spec["backend"] and alike(spec, record["spec"]):
            factor = effort(spec) / effort(record["spec"])
            seconds = factor * record["circumstances"]["seconds"]
            times.setdefault(abs(math.log(factor)), []).append(seconds)
    return statistics.median(times[min(times)]) / 60 if times else None


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
