"""All that a run's result depends on, but for the machine and the versions."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from .arms import ARMS
from .recipes import RECIPES
from .tiers import Tier

# Part of every key of a training run. Raised in the commit that changes the golden loss curve of
# tests/test_train.py; older records stay and are shown as superseded.
NUMERICS = 2
# The same for checks: raised when one is changed so that its values change.
CHECKS = 2

Spec = dict[str, Any]


def spec_of(
    arm: str,
    tier: Tier,
    seed: int,
    backend: str,
    data: Mapping[str, str],
    held: Mapping[str, Any] | None = None,
    rate: float | None = None,
    watched: str | None = None,
) -> Spec:
    """All that a run's result depends on, but for the machine and the versions.

    `held` is what it holds otherwise than the tier and its recipe, beside what its arm does;
    `rate` the schedule's peak, `watched` what is measured on the way, where that is asked.
    """
    settings = {**(held or {}), **ARMS[arm].training}
    tier = replace(tier, train_images=settings.pop("train_images", tier.train_images))
    recipe = replace(RECIPES[tier.recipe], **settings)
    spec = {
        "arm": ARMS[arm].spec(),
        "recipe": (recipe if rate is None else recipe.at(rate)).spec(),
        "tier": asdict(tier),
        "data": dict(data),
        "seed": seed,
        "backend": backend,
        "numerics": NUMERICS,
    }
    return spec if watched is None else {**spec, "watched": watched}


def check_spec(check: str, backend: str) -> Spec:
    """The spec of a check, which has neither tier nor seed."""
    return {"arm": {"name": check}, "backend": backend, "checks": CHECKS}
