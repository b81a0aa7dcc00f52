"""Claims and records to what was found: each statement's verdict for each group of runs."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .claims import Claim, Statement
from .judge import NOT_RUN, Errors, Verdict, judge
from .plan import Spec, wanted
from .records import Record
from .tiers import TIERS


@dataclass(frozen=True)
class Group:
    """Runs that are judged together: backends and data sets are never pooled."""

    tier: str
    backend: str
    data_name: str
    data_version: str
    data_sha256: str

    @property
    def data(self) -> dict[str, str]:
        """The identity of its data, as a spec has it."""
        return {
            "name": self.data_name,
            "version": self.data_version,
            "sha256": self.data_sha256,
        }

    def __str__(self) -> str:
        return f"{self.tier} · {self.backend} · {self.data_name}"


def group_of(spec: Spec) -> Group:
    data = spec["data"]
    return Group(
        spec["tier"]["name"], spec["backend"], data["name"], data["version"], data["sha256"]
    )


@dataclass(frozen=True)
class Runs:
    """What a claim's runs in one group left, by (arm, seed)."""

    claim: Claim
    group: Group
    records: Mapping[tuple[str, int], Record]
    planned: int

    @property
    def complete(self) -> bool:
        return len(self.records) == self.planned

    def errors(self, measured_on: str) -> Errors:
        """Errors at the end, on the fixed training images or all test images; None: diverged."""
        return {pair: last_error(r["result"], measured_on) for pair, r in self.records.items()}

    def curves(self) -> dict[str, dict[str, dict[str, list[float]]]]:
        """Errors after each epoch: {arm: {seed: {"train": [...], "test": [...]}}}."""
        drawn: dict[str, Any] = {}
        for (arm, seed), record in sorted(self.records.items()):
            curves = record["result"]["curves"]
            drawn.setdefault(arm, {})[str(seed)] = {
                split: curves[f"{split}_error"] for split in ("train", "test")
            }
        return drawn

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdict on each statement, by its name."""
        return {
            s.name: judge(s, self.group.tier, self.errors(s.measured_on))
            for s in self.claim.statements
        }


def last_error(result: Mapping[str, Any], measured_on: str) -> float | None:
    if result["outcome"] == "diverged":
        return None
    if measured_on == "test":
        return result["final"]["test_error"]
    return result["curves"]["train_error"][-1]


@dataclass(frozen=True)
class Finding:
    """A claim and its runs in every group, the headline's first."""

    claim: Claim
    runs: tuple[Runs, ...]

    @property
    def headline(self) -> Runs | None:
        return self.runs[0] if self.runs else None

    def verdict(self, statement: Statement) -> Verdict:
        """The headline's verdict."""
        if self.headline is None:
            return Verdict(NOT_RUN, "there are no records of its runs", ())
        return self.headline.verdicts[statement.name]


def findings(claims: Collection[Claim], records: Mapping[str, Record]) -> list[Finding]:
    """What the records say of each claim."""
    specs = (record["spec"] for record in records.values())
    groups = {group_of(spec) for spec in specs if spec["tier"]["name"] in TIERS}
    return [Finding(claim, ranked(claim, groups, records)) for claim in claims]


def ranked(
    claim: Claim, groups: Iterable[Group], records: Mapping[str, Record]
) -> tuple[Runs, ...]:
    """The groups that have runs of a claim; first the highest complete tier on its backend.

    Where there are none on CIFAR-10 or on that backend, those there are come first.
    """
    found = (runs_of(claim, group, records) for group in groups)
    return tuple(
        sorted((runs for runs in found if runs.records), key=lambda r: rank(claim, r), reverse=True)
    )


def rank(claim: Claim, runs: Runs) -> tuple:
    group = runs.group
    return (
        group.data_name == "cifar10",
        group.tier != "smoke",
        group.backend == claim.backend,
        runs.complete,
        list(TIERS).index(group.tier),
        # For want of a reason, so that the order is always the same.
        group.backend,
        group.data_sha256,
    )


def runs_of(claim: Claim, group: Group, records: Mapping[str, Record]) -> Runs:
    specs = wanted([claim], TIERS[group.tier], group.backend, group.data)
    present = {
        (spec["arm"]["name"], spec["seed"]): records[key]
        for key, spec in specs.items()
        if key in records
    }
    return Runs(claim, group, present, len(specs))


def superseded(claims: Collection[Claim], records: Mapping[str, Record]) -> list[Record]:
    """Records of arms, recipes, tiers or numerics that are no longer what claims ask for.

    Seeds beyond those that are judged are not superseded.
    """
    current: set[str] = set()
    for record in records.values():
        group, seed = group_of(record["spec"]), record["spec"]["seed"]
        if group.tier in TIERS:
            current |= set(wanted(claims, TIERS[group.tier], group.backend, group.data, seed + 1))
    return [record for key, record in records.items() if key not in current]
