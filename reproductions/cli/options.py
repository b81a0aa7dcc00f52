"""What the verbs of the command line are about: which claims, at what budget, on what data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

import click

from ..claims import CLAIMS, FLAGSHIP, Claim, Trained
from ..data.registry import CHOICES, copy_note, identify, load, why_embedded
from ..data.transforms import at_tier
from ..evidence.canonical import key_of
from ..evidence.errors import InputError
from ..evidence.provenance import available_cores
from ..evidence.snapshot import Snapshot
from ..execution.backends import choose_backend
from ..experiments.exploration import plan_exploration
from ..experiments.planning import checks, wanted
from ..experiments.replication import plan_replications
from ..experiments.spec import BACKENDS, Group, Spec
from ..experiments.tiers import TIERS
from .console import say

folder = click.Path(file_okay=False, path_type=Path)
records_option = click.option(
    "--records", type=folder, default="runs", show_default=True, help="The folder of records."
)


class ClaimName(click.ParamType[str]):
    """The name of a claim; of a wrong one the closest are told."""

    name = "claim"

    def convert(
        self, value: str, param: click.Parameter | None, context: click.Context | None
    ) -> str:
        if value not in CLAIMS:
            closest = ", ".join(get_close_matches(value, CLAIMS, cutoff=0))
            self.fail(f"there is no claim {value!r}; the closest: {closest} (`list` has all).")
        return value


@dataclass(frozen=True)
class Chosen:
    """The runs that `plan` and `run` are about."""

    claims: tuple[str, ...]
    every: bool
    untrained: bool
    tier: str
    backend: str
    seeds: int | None
    jobs: int
    data: str
    records: Path
    arrays: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)

    @property
    def judged(self) -> list[Claim]:
        """The claims: those named, all, or the flagship's."""
        every = CLAIMS if self.every or self.untrained else FLAGSHIP
        return [CLAIMS[name] for name in self.claims or every]

    @property
    def statements(self) -> list[Trained]:
        """Those of the claims that need training, and have seeds at the tier."""
        if self.untrained:
            return []
        return [s for claim in self.judged for s in claim.trained if self.tier in s.seeds]

    def with_data(self) -> "Chosen":
        """The same with the arrays of the data set at the tier, where some statement needs them."""
        if not self.statements:
            return self
        tier = TIERS[self.tier]
        data = load(self.data, tier)
        return replace(self, arrays=at_tier(data, tier))._identified(data.identity())

    def with_identity(self) -> "Chosen":
        """The same, knowing which data set it is, where some statement needs that."""
        if not self.statements:
            return self
        return self._identified(identify(self.data, TIERS[self.tier]))

    def _identified(self, identity: Mapping[str, str]) -> "Chosen":
        if identity["name"] == "embedded" and self.data == "auto" and self.tier != "smoke":
            say(why_embedded())
        name = f"{identity['name']} {identity['version']}, {identity['sha256'][:16]}"
        say(f"Data: {name}. {copy_note(identity)}")
        return replace(self, identity=identity)

    def snapshot(self) -> Snapshot:
        """The records of the folder as they are now."""
        return Snapshot(self.records)

    def runs(self, evidence: Snapshot) -> dict[str, Spec]:
        """What is wanted, by key: checks, then training, whose data are known."""
        return checks(self.judged, self.backend) | self.training(evidence)

    def training(self, evidence: Snapshot) -> dict[str, Spec]:
        """The training that is wanted, by key."""
        if not self.statements:
            return {}
        n = self.seeds
        more = (lambda statement: range(statement.first, statement.first + n)) if n else None
        return wanted(self.judged, self.group, evidence.explored, more)

    @property
    def group(self) -> Group:
        """Of the runs; the data must be known."""
        data = {f"data_{name}": value for name, value in self.identity.items()}
        return Group(self.backend, self.tier, **data)

    def replications(self, evidence: Snapshot) -> dict[str, Spec]:
        """The runs of replications, by key."""
        found = (
            plan_replications(statement, self.group, evidence.explored)
            for statement in self.statements
        )
        specs = (spec for by_look in found for look in by_look.values() for spec in look.values())
        return {key_of(spec): spec for spec in specs}

    def explorations(self, evidence: Snapshot) -> dict[str, Spec]:
        """What is to be explored next, by key."""
        explored = evidence.explored
        runs: dict[str, Spec] = {}
        for statement in self.statements:
            runs |= plan_exploration(statement, self.group, explored)
        return {key: spec for key, spec in runs.items() if key not in explored}


def choosing_runs(verb: Callable[..., None]) -> Callable[..., None]:
    """The arguments by which `plan` and `run` choose runs, and the backend for this process; the
    verb's own are left to it.
    """

    @wraps(verb)
    def chosen(backend: str | None, **options: Any) -> None:
        if options["every"] and options["claims"]:
            raise InputError("--all means every claim: name claims, or say --all, but not both.")
        own = {name: options.pop(name) for name in signature(verb).parameters if name in options}
        verb(Chosen(backend=choose_backend(backend), **options), **own)

    for decorate in reversed((
        click.argument("claims", nargs=-1, type=ClaimName(), metavar="[CLAIM]..."),
        click.option("--all", "every", is_flag=True, help="All claims."),
        click.option(
            "--untrained", is_flag=True, help="Only what needs no training; of all claims, if none."
        ),
        click.option(
            "--tier", type=click.Choice(list(TIERS)), default="laptop", show_default=True,
            help="The budget of training; see `list`.",
        ),
        click.option(
            "--backend", type=click.Choice(BACKENDS),
            help="The Keras backend; default: KERAS_BACKEND, else the first that is installed.",
        ),
        click.option(
            "--seeds", type=click.IntRange(1),
            help="Train N seeds; default: as many as the claims judge at the tier.",
        ),
        click.option(
            "--jobs", type=click.IntRange(1), default=lambda: min(available_cores(), 4),
            help="Runs side by side, sharing the cores; default: one a core, at most 4.",
        ),
        click.option(
            "--data", type=click.Choice(CHOICES), default="auto", show_default=True,
            help="auto: CIFAR-10 where it is prepared or its site answers; else, at the laptop "
            "tier, the embedded images, which the smoke tier always uses.",
        ),
        records_option,
    )):  # fmt: skip
        chosen = decorate(chosen)
    return chosen
