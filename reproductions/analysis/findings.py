"""Claims and records to what was found: each statement's verdict for each group of runs."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

from ..claims import CLAIMS, Claim, Computed, OnImageNet, Statement, Trained
from ..data.registry import DEFAULT
from ..evidence.canonical import key_of
from ..evidence.snapshot import Snapshot
from ..evidence.store import Record
from ..experiments.metrics import METRICS
from ..experiments.planning import checks, runs_of, wanted
from ..experiments.spec import Group, Spec, check_spec, group_of
from ..experiments.tiers import TIERS
from .computed import verdict as verdict_of
from .trained import Values, judge
from .verdict import NOT_RUN, Verdict


@dataclass(frozen=True)
class Runs:
    """What a statement's runs in one group left, by (arm, seed); a check is the arm of seed 0."""

    statement: Statement
    group: Group
    records: Mapping[tuple[str, int], Record]
    planned: int

    @property
    def complete(self) -> bool:
        return len(self.records) == self.planned

    @property
    def values(self) -> Values:
        """The metric of each run; None: it diverged."""
        assert isinstance(self.statement, Trained)
        metric = METRICS[self.statement.metric]
        level = self.statement.level.get(self.group.tier)
        return {pair: metric.of(r["result"], level) for pair, r in self.records.items()}

    @property
    def checked(self) -> dict[str, Any]:
        """The values of a check, those that were measured among them."""
        ((_, record),) = self.records.items()
        return {**record["result"]["values"], **record["circumstances"].get("measured", {})}

    def curves(self) -> dict[str, dict[str, dict[str, list[float]]]]:
        """Errors after epochs: {arm: {seed: {"epoch": [...], "train": [...], "test": [...]}}}."""
        drawn: dict[str, Any] = {}
        for (arm, seed), record in sorted(self.records.items()):
            curves = record["result"]["curves"]
            drawn.setdefault(arm, {})[str(seed)] = {
                "epoch": curves["epoch"],
                **{split: curves[f"{split}_error"] for split in ("train", "test")},
            }
        return drawn

    @cached_property
    def verdict(self) -> Verdict:
        if isinstance(self.statement, Trained):
            return judge(self.statement, self.group.tier, self.values)
        assert isinstance(self.statement, Computed)
        return Verdict(*verdict_of(self.statement.rule, self.checked))


@dataclass(frozen=True)
class Finding:
    """A statement of a claim and its runs in every group, the headline's first."""

    claim: Claim
    statement: Statement
    runs: tuple[Runs, ...]

    @property
    def headline(self) -> Runs | None:
        return self.runs[0] if self.runs else None

    @property
    def verdict(self) -> Verdict:
        """The headline's verdict."""
        return self.headline.verdict if self.headline else Verdict(NOT_RUN, self.why_not_run())

    def why_not_run(self) -> str:
        """Without runs."""
        if isinstance(self.statement, OnImageNet):
            return f"only ImageNet decides it: {self.statement.command}"
        if isinstance(self.statement, Computed):
            return "there is no record of its check"
        return judge(self.statement, self.statement.decided_at[0], {}).reason


def findings(
    claims: Collection[Claim], records: Mapping[str, Record], explored: Mapping[str, Record]
) -> list[Finding]:
    """What the records say of each statement, at the learning rates that exploration chose."""
    specs = (record["spec"] for record in records.values())
    groups = {group_of(spec) for spec in specs if spec.get("tier", {"name": ""})["name"] in KNOWN}
    return [
        Finding(claim, statement, ranked(claim, statement, groups, records, explored))
        for claim in claims
        for statement in claim.statements
    ]


@lru_cache(maxsize=2)  # of the records at hand, and of those beside them
def findings_of(evidence: Snapshot) -> list[Finding]:
    """What a snapshot's records say of all claims."""
    return findings(CLAIMS.values(), evidence.records(), evidence.explored)


KNOWN = ("", *TIERS)


def ranked(
    claim: Claim,
    statement: Statement,
    groups: Iterable[Group],
    records: Mapping[str, Record],
    explored: Mapping[str, Record],
) -> tuple[Runs, ...]:
    """The groups that have runs of a statement; first the highest complete tier on its backend.

    Where there are none on CIFAR-10 or on that backend, those there are come first.
    """
    found = (runs_in(statement, group, records, explored) for group in groups)
    return tuple(
        sorted((runs for runs in found if runs.records), key=lambda r: rank(claim, r), reverse=True)
    )


def rank(claim: Claim, runs: Runs) -> tuple[bool | int | str, ...]:
    group = runs.group
    return (
        group.data_name == DEFAULT,
        group.tier != "smoke",
        group.backend == claim.backend,
        runs.complete,
        KNOWN.index(group.tier),
        # For want of a reason, so that the order is always the same.
        group.backend,
        group.data_sha256,
    )


def runs_in(
    statement: Statement,
    group: Group,
    records: Mapping[str, Record],
    explored: Mapping[str, Record],
) -> Runs:
    """A statement's runs in a group."""
    specs: dict[tuple[str, int], Spec] = {}
    if isinstance(statement, Trained) and group.tier:
        specs = runs_of(statement, group, explored)
    elif isinstance(statement, Computed) and not group.tier:
        specs = {(statement.check, 0): check_spec(statement.check, group.backend)}
    keys = {pair: key_of(spec) for pair, spec in specs.items()}
    present = {pair: records[key] for pair, key in keys.items() if key in records}
    return Runs(statement, group, present, len(specs))


def judged(found: Collection[Finding]) -> set[str]:
    """The keys of the records that statements are judged by."""
    runs = (runs for finding in found for runs in finding.runs)
    return {record["key"] for some in runs for record in some.records.values()}


def superseded(
    claims: Collection[Claim], records: Mapping[str, Record], explored: Mapping[str, Record]
) -> dict[str, Record]:
    """Records of arms, recipes, tiers, checks or numerics that are no longer what claims ask for.

    Seeds beyond those that are judged are not superseded.
    """
    current: set[str] = set()
    specs = (record["spec"] for record in records.values())
    for group, seed in {(group_of(spec), spec.get("seed", 0)) for spec in specs}:
        if not group.tier:
            current |= set(checks(claims, group.backend))
        elif group.tier in TIERS:
            current |= set(wanted(claims, group, explored, partial(alone, [seed])))
    return {key: record for key, record in records.items() if key not in current}


def alone(seeds: Collection[int], statement: Trained) -> Collection[int]:
    """These seeds, of any statement."""
    return seeds
