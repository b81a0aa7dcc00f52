"""All that a run's result depends on, but for the machine and the versions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .arms import ARMS, draws
from .recipes import RECIPES
from .tiers import TIERS, Tier

BACKENDS = ("tensorflow", "torch", "jax")

# Part of every key of a training run. Raised in the commit that changes the golden loss curve of
# tests/test_train.py; older records stay and are shown as superseded.
NUMERICS = 2
# Part of the key of nets that draw while they train: without it, draws had other seeds in each
# process.
DRAWS = 1
# The same for checks: raised when one is changed so that its values change.
CHECKS = 2

Spec = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """What runs share that are judged together: backends, tiers and data sets are never pooled.

    Checks have neither tier nor data. The data are named as in a spec.
    """

    backend: str
    tier: str = ""
    data_name: str = ""
    data_version: str = ""
    data_sha256: str = ""

    @property
    def data(self) -> dict[str, str]:
        """The identity of its data, as a spec has it."""
        return {
            "name": self.data_name,
            "version": self.data_version,
            "sha256": self.data_sha256,
        }

    def __str__(self) -> str:
        return " · ".join(filter(None, (self.tier, self.backend, self.data_name)))


def group_of(spec: Spec) -> Group:
    if "tier" not in spec:
        return Group(spec["backend"])
    data = spec["data"]
    return Group(
        spec["backend"], spec["tier"]["name"], data["name"], data["version"], data["sha256"]
    )


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
    recipe = replace(RECIPES[tier.recipe], **(held or {}), **ARMS[arm].training)
    spec = {
        **versions(ARMS[arm].spec()),
        "arm": ARMS[arm].spec(),
        "recipe": (recipe if rate is None else recipe.at(rate)).spec(),
        "tier": dict(vars(tier)),
        "data": dict(data),
        "seed": seed,
        "backend": backend,
    }
    return spec if watched is None else {**spec, "watched": watched}


def spec_in(
    group: Group,
    arm: str,
    seed: int,
    held: Mapping[str, Any] | None = None,
    rate: float | None = None,
    watched: str | None = None,
) -> Spec:
    """The spec of a run in a group."""
    tier = TIERS[group.tier]
    return spec_of(arm, tier, seed, group.backend, group.data, held, rate, watched)


def check_spec(check: str, backend: str) -> Spec:
    """The spec of a check, which has neither tier nor seed."""
    arm = {"name": check}
    return {**versions(arm), "arm": arm, "backend": backend}


def versions(arm: Mapping[str, Any]) -> dict[str, int]:
    """Of the code that computes an arm, or a check."""
    if "network" not in arm:
        return {"checks": CHECKS}
    return {"numerics": NUMERICS, **({"draws": DRAWS} if draws(arm) else {})}
