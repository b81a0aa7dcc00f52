"""The command line: `python -m reproductions list | plan | run | report | rerun | evaluate`."""

import math
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from pathlib import Path
from statistics import median
from threading import TIMEOUT_MAX
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from . import batches
from .arms import ARMS
from .claims import CLAIMS, FLAGSHIP, Claim, Computed, OnImageNet, Statement, Trained
from .data import CHOICES, copy_note, load, why_embedded
from .environment import BACKENDS, available_cores, choose_backend, environment
from .errors import InputError
from .evaluate import evaluate
from .findings import Finding, findings, group_of, runs_in
from .metrics import METRICS
from .plan import alone, checks, owed, runs_of, shortest_first, wanted
from .progress import listener
from .records import Record, Store
from .rerun import command, differences
from .rerun import rerun as run_again
from .run import Crew, RunError
from .spec import Spec
from .sweep import exploration
from .tiers import MEANT_FOR, TIERS
from .verify import problems

COMMITTED = Path(__file__).parent / "records"

console = Console()

folder = click.Path(file_okay=False, path_type=Path)
records_option = click.option(
    "--records", type=folder, default="runs", show_default=True, help="The folder of records."
)


class ClaimName(click.ParamType):
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
    arrays: dict[str, Any] = field(default_factory=dict)
    identity: dict[str, str] = field(default_factory=dict)

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

    def load(self) -> None:
        """The data, where some statement needs them."""
        if not self.statements:
            return
        data = load(self.data, TIERS[self.tier])
        self.identity.update(data.identity())
        if data.name == "embedded" and self.data == "auto" and self.tier != "smoke":
            say(why_embedded())
        told = self.identity["sha256"][:16]
        say(f"Data: {data.name} {data.version}, {told}. {copy_note(self.identity)}")
        self.arrays.update(batches.at_tier(data, TIERS[self.tier]))

    def runs(self) -> dict[str, Spec]:
        """What is wanted, by key: checks, then training, whose data are loaded."""
        wanted_checks = checks(self.judged, self.backend)
        if not self.statements:
            return wanted_checks
        training = wanted(
            self.judged, TIERS[self.tier], self.backend, self.identity,
            explored_in(self.records), self.seeds,
        )  # fmt: skip
        return wanted_checks | training

    def explorations(self) -> dict[str, Spec]:
        """What is to be explored next, by key."""
        explored, tier = explored_in(self.records), TIERS[self.tier]
        runs: dict[str, Spec] = {}
        for statement in self.statements:
            runs |= exploration(statement, tier, self.backend, self.identity, explored)
        return {key: spec for key, spec in runs.items() if key not in explored}


def explored_in(folder: Path) -> dict[str, Record]:
    """The committed explorations, and those of a folder of records."""
    folders = dict.fromkeys((COMMITTED / "explored", folder / "explored"))
    return {k: record for path in folders for k, record in Store(path).read().items()}


def choosing_runs(verb: Callable) -> Callable:
    """The arguments by which `plan` and `run` choose runs, and the backend for this process; the
    verb's own are left to it.
    """

    @wraps(verb)
    def chosen(backend: str | None, **options: Any) -> None:
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
            help="Train seeds 0 to N - 1; default: as many as the claims judge at the tier.",
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


@click.group()
def app() -> None:
    """Do the claims of a review of VGG, GoogLeNet and ResNet hold? Compute, train, judge, report.

    CLAIMs are named as `list` shows them; without any, the flagship claims are meant: that depth
    harms plain networks and not residual ones.
    """


app.add_command(evaluate)


@app.command("list")
def list_() -> None:
    """Show the claims with their statements, the arms and the tiers."""
    table = Table(Column("claim, source", no_wrap=True), "kind", "statement", "decided at")
    for claim in CLAIMS.values():
        for i, statement in enumerate(claim.statements):
            first = f"{claim.name}\n  {claim.source}" if i == 0 else ""
            table.add_row(first, statement.kind, statement.says, decided_at(statement))
    console.print(table)
    tiers = Table("tier", "meant for", "steps", "seeds judged")
    for tier in TIERS.values():
        judged = {s.seeds.get(tier.name, 0) for c in CLAIMS.values() for s in c.trained} - {0}
        seeds = ", ".join(map(str, sorted(judged)))
        tiers.add_row(tier.name, MEANT_FOR[tier.name], f"{tier.steps:,}", seeds)
    console.print(tiers)
    say(f"arms: {', '.join(ARMS)}")


def decided_at(statement: Statement) -> str:
    """The tiers that decide a statement, or where else it is decided."""
    if isinstance(statement, Trained):
        return ", ".join(statement.decided_at)
    return "ImageNet" if isinstance(statement, OnImageNet) else "no training"


@app.command()
@choosing_runs
def plan(chosen: Chosen) -> None:
    """Show the runs that are still owed, and about how long they take.

    Which runs these are depends on the data, so that CIFAR-10 is fetched if it must be.
    """
    present = Store(chosen.records).read()
    chosen.load()
    wanted_runs = chosen.runs()
    runs = owed(wanted_runs, present)
    estimates = shortest_first(runs, known_in(chosen.records))
    table = Table("run", "arm or check", "seed", "backend", "estimated minutes")
    for key, estimate in estimates.items():
        spec = runs[key]
        shown = "unknown" if estimate is None else f"{estimate:.1f}"
        seed = str(spec.get("seed", "·"))
        table.add_row(key, spec["arm"]["name"], seed, spec["backend"], shown)
    if runs:
        console.print(table)
    guesses = [estimate for estimate in estimates.values() if estimate is not None]
    total = sum(guesses) / chosen.jobs
    about = "unknown" if len(guesses) < len(runs) else f"{total:.0f}" if total >= 1 else "under 1"
    tell_lacking(chosen)
    say(f"{len(runs)} of {len(wanted_runs)} runs owed.")
    say(f"Estimated minutes, {chosen.jobs} at a time: {about}.")


@app.command()
@choosing_runs
@click.option(
    "--max-minutes",
    type=click.FloatRange(0, min_open=True),
    default=math.inf,
    help="Stop then; runs in flight are lost.",
)
def run(chosen: Chosen, max_minutes: float) -> None:
    """Compute and train what is owed, the shortest first, leaving one record a run. Started again
    it goes on.

    Exit status: 0 all runs recorded, whatever the verdicts; 1 a run failed; 2 bad input;
    3 time was up; 130 and 143 stopped by a signal.
    """
    until = time.monotonic() + 60 * max_minutes
    store = Store(chosen.records)
    store.check_writable()
    present = store.read()
    chosen.load()
    wanted_runs = chosen.runs()
    runs = owed(wanted_runs, present)
    tell_lacking(chosen)
    say(f"{len(runs)} of {len(wanted_runs)} runs owed on {chosen.backend}.")
    runs = {key: runs[key] for key in shortest_first(runs, known_in(chosen.records))}
    complete = True
    if runs:
        with listener(console, runs) as progress:
            # Timings last, and one at a time.
            timed = {key: s for key, s in runs.items() if s["arm"]["name"] in alone(chosen.judged)}
            rest = {key: spec for key, spec in runs.items() if key not in timed}
            for some, jobs in ((rest, chosen.jobs), (timed, 1)):
                left = until - time.monotonic()
                if some and left > 0:
                    crew = Crew(store, chosen.arrays, jobs, progress)
                    complete &= crew.work(some, min(left, TIMEOUT_MAX))
    print_verdicts(found_by(chosen, wanted_runs, store))
    say(f"For the report: python -m reproductions report --records {chosen.records}")
    if time.monotonic() > until and (left_over := owed(runs, store.read())):
        say(f"Time was up: {len(left_over)} runs are still owed; the same command goes on.")
        sys.exit(3)
    sys.exit(0 if complete else 1)


@app.command()
@choosing_runs
def explore(chosen: Chosen) -> None:
    """Train on seeds from 1000 on, which are never judged: learning rates first, then spreads.

    Records go to the folder `explored` in --records. What is there, or committed, chooses the
    learning rates of `run`.
    """
    store = Store(chosen.records / "explored")
    store.check_writable()
    chosen.load()
    while runs := chosen.explorations():
        say(f"{len(runs)} runs to explore, before what they choose is known.")
        with listener(console, runs) as progress:
            if not Crew(store, chosen.arrays, chosen.jobs, progress).work(runs):
                sys.exit(1)


@app.command()
@records_option
@click.option("--output", type=folder, help="Where it goes; default: the folder of records.")
@click.option(
    "--beside",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Print verdicts beside those of these records.",
)
def report(records: Path, output: Path | None, beside: Path | None) -> None:
    """Write REPORT.html, REPORT.md and figures from the records, and print the verdicts."""
    from .report import write

    if not records.is_dir():
        raise InputError(
            f"there is no folder {records}: `run` makes it, or name one with --records."
        )
    Store(output or records).check_writable()
    found = found_in(records)
    other = found_in(beside) if beside else None
    print_verdicts(found, other)
    for path in write(Store(records), output or records, explored_in(records)):
        say(f"Written: {path}")


@app.command("rerun")
@click.argument("key", metavar="RUN-KEY")
@click.option(
    "--records", type=folder, default=COMMITTED, help="The folder of records; default: committed."
)
def rerun_(key: str, records: Path) -> None:
    """Do one recorded run again, as it was, and compare: the runs and keys are in the report.

    Exit status: 0 the same result, to the bit; 1 another one; 2 bad input.
    """
    record = record_of(key, Store(records))
    say(command(record))
    choose_backend(record["spec"]["backend"])
    try:
        end = run_again(record)
    except RunError as error:
        say(f"FAILED: {error}")
        sys.exit(1)
    tell_surroundings(record, Store(records))
    if "measured" in record["circumstances"]:
        for name, seconds in record["circumstances"]["measured"].items():
            again = end["circumstances"]["measured"][name]
            say(f"{name}: {median(seconds):.4f} s an image then, {median(again):.4f} s now.")
        return
    found = differences(record["result"], end["result"])
    if not found:
        say(f"{key}: the same result, to the bit.")
    for line in found:
        say(line)
    sys.exit(1 if found else 0)


@app.command()
@click.option(
    "--records", type=folder, default=COMMITTED, help="The folder of records; default: committed."
)
def verify(records: Path) -> None:
    """Check that records are whole, of committed code, and younger than their rules.

    Exit status: 0 all is well; 1 something is not, and is named.
    """
    store, explored = Store(records), Store(records / "explored")
    found = list(problems(CLAIMS.values(), store, explored))
    for problem in found:
        say(problem)
    if found:
        sys.exit(1)
    say(f"{len(store.read())} records and {len(explored.read())} explored ones: all is well.")


# --- what the verbs share -----------------------------------------------------------------------


def record_of(key: str, store: Store) -> Record:
    records = store.read()
    if key not in records:
        raise InputError(
            f"{store.folder} has no record {key}: the keys are the names of its files, "
            f"{len(records)} of them."
        )
    return records[key]


def tell_surroundings(record: Record, store: Store) -> None:
    """Say whether a record was made on other hardware or with other versions."""
    then, now = store.environment(record), environment()
    differing = [name for name in then if then[name] != now.get(name)]
    if differing:
        say(f"Then and now differ in {', '.join(differing)}: last digits may differ, too.")


def tell_lacking(chosen: Chosen) -> None:
    """Say of claims that were named which statements these runs do not settle, and why."""
    if chosen.untrained:
        return
    explored, tier = explored_in(chosen.records), TIERS[chosen.tier]
    for statement in (s for name in chosen.claims for s in CLAIMS[name].statements):
        if isinstance(statement, OnImageNet):
            say(f"Not run here: {statement.says}: {statement.command}")
        elif isinstance(statement, Trained) and not runs_of(
            statement, tier, chosen.backend, chosen.identity, explored
        ):
            say(f"Not run: {statement.says}: {why_no_runs(statement, chosen.tier)}.")


def why_no_runs(statement: Trained, tier: str) -> str:
    if tier not in statement.seeds:
        return f"it is judged at {', '.join(statement.decided_at)}"
    return f"its learning rates are not explored at the {tier} tier: `explore` does that"


def known_in(folder: Path) -> list[Record]:
    """What tells how long runs take: the records of a folder, or else the committed ones."""
    return [*Store(folder).read().values()] or [*Store(COMMITTED).read().values()]


def found_in(folder: Path) -> list[Finding]:
    return findings(CLAIMS.values(), Store(folder).read(), explored_in(folder))


def found_by(chosen: Chosen, runs: Mapping[str, Spec], store: Store) -> list[Finding]:
    """What the groups of runs that were asked for say, whatever else the folder holds."""
    groups, records = {group_of(spec) for spec in runs.values()}, store.read()
    explored = explored_in(chosen.records)
    kinds = (Computed,) if chosen.untrained else (Computed, Trained, OnImageNet)
    return [
        Finding(
            claim, s, tuple(r for g in groups if (r := runs_in(s, g, records, explored)).records)
        )
        for claim in chosen.judged
        for s in claim.statements
        if isinstance(s, kinds)
    ]


def print_verdicts(found: Sequence[Finding], other: Sequence[Finding] | None = None) -> None:
    """A table of the headline verdicts, over those of `other` findings; without runs a count."""
    table = Table(Column("claim", no_wrap=True), "verdict", "effect", "on")
    for i, finding in enumerate(found):
        if not finding.headline:
            continue
        about = f"{finding.claim.name}\n{finding.statement.name}"
        table.add_row(about, *headline_cells(finding), end_section=not other)
        if other:
            table.add_row("  committed", *headline_cells(other[i]), end_section=True)
    if table.rows:
        console.print(table)
    if bare := sum(not finding.headline for finding in found):
        say(f"NOT RUN, for want of runs here: {bare} statements.")
    data = [data_of(findings) for findings in (found, other or ())]
    for note in {copy_note(identity) for identity in data[0] if identity["name"] == "embedded"}:
        say(note)
    if other and data[0] != data[1]:
        say("The committed verdicts are about other data: compare the words, not the effects.")


def headline_cells(finding: Finding) -> list[str]:
    verdict, statement = finding.verdict, finding.statement
    effect = "·"
    if isinstance(statement, Trained) and verdict.mean is not None:
        metric = METRICS[statement.metric]
        effect = f"{metric.shown(verdict.mean)} {metric.unit}"
    return [verdict.word, effect, str(finding.headline.group) if finding.headline else "·"]


def data_of(found: Sequence[Finding]) -> list[dict[str, str]]:
    """The data of the headlines, each once."""
    identities = (f.headline.group.data for f in found if f.headline and f.headline.group.tier)
    return [dict(items) for items in dict.fromkeys(tuple(d.items()) for d in identities)]


def say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def terminated(*_: object) -> None:
    raise SystemExit(143)


def main() -> int:
    """Run the command line and return its exit status."""
    signal.signal(signal.SIGTERM, terminated)
    try:
        return app.main(prog_name="python -m reproductions", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a folder taken away
        print(f"Error: {error}; what was recorded is kept.", file=sys.stderr)
        return 1
    except (click.Abort, KeyboardInterrupt):
        print("Stopped: start it again to go on.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
