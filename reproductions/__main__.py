"""The command line: `python -m reproductions list | plan | run | report`."""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from . import batches
from .arms import ARMS
from .claims import CLAIMS, FLAGSHIP, Statement
from .data import CHOICES, copy_note, load, why_embedded
from .environment import BACKENDS, available_cores, installed_backends
from .errors import InputError
from .findings import Finding, findings, group_of, runs_of
from .plan import Spec, minutes, owed, wanted
from .progress import listener
from .records import Store
from .run import Crew
from .tiers import MEANT_FOR, TIERS, Tier

COMMITTED = Path(__file__).parent / "records"

console = Console()

folder = click.Path(file_okay=False, path_type=Path)
records_option = click.option(
    "--records", type=folder, default="runs", show_default=True, help="The folder of records."
)


def choosing_runs(verb: Callable) -> Callable:
    """The arguments by which `plan` and `run` choose runs."""
    for decorate in reversed((
        click.argument("claims", nargs=-1, type=click.Choice(list(CLAIMS)), metavar="[CLAIM]..."),
        click.option(
            "--tier", type=click.Choice(list(TIERS)), default="laptop", show_default=True,
            help="The budget; see `list`.",
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
        verb = decorate(verb)
    return verb


@click.group()
def app() -> None:
    """Does depth harm plain networks and not residual ones? Train, record, judge, report.

    CLAIMs are named as `list` shows them; without any, the flagship claims are meant.
    """


@app.command("list")
def list_() -> None:
    """Show the claims with their statements, the arms and the tiers."""
    table = Table(Column("claim", no_wrap=True), "statement", "arms", "decided at")
    for claim in CLAIMS.values():
        for statement in claim.statements:
            decided = ", ".join(statement.decided_at)
            table.add_row(claim.name, statement.says, ", ".join(statement.contrast), decided)
    console.print(table)
    tiers = Table("tier", "meant for", "steps", "seeds judged")
    for tier in TIERS.values():
        judged = {s.seeds[tier.name] for c in CLAIMS.values() for s in c.statements}
        seeds = " or ".join(map(str, sorted(judged)))
        tiers.add_row(tier.name, MEANT_FOR[tier.name], f"{tier.steps:,}", seeds)
    console.print(tiers)
    say(f"arms: {', '.join(ARMS)}")


@app.command()
@choosing_runs
def plan(
    claims: tuple[str, ...],
    tier: str,
    backend: str | None,
    seeds: int | None,
    jobs: int,
    data: str,
    records: Path,
) -> None:
    """Show the runs that are still owed, and about how long they take.

    Which runs these are depends on the data, so that CIFAR-10 is fetched if it must be.
    """
    present = Store(records).read()
    wanted_runs, _ = prepare(claims, TIERS[tier], backend_of(backend), seeds, data)
    runs = owed(wanted_runs, present)
    known = [*present.values(), *Store(COMMITTED).read().values()]
    estimates = {key: minutes(spec, known) for key, spec in runs.items()}
    table = Table("run", "arm", "seed", "backend", "estimated minutes")
    for key, spec in runs.items():
        estimate = estimates[key]
        shown = "unknown" if estimate is None else f"{estimate:.1f}"
        table.add_row(key, spec["arm"]["name"], str(spec["seed"]), spec["backend"], shown)
    if runs:
        console.print(table)
    guesses = [estimate for estimate in estimates.values() if estimate is not None]
    total = sum(guesses) / jobs
    about = "unknown" if len(guesses) < len(runs) else f"{total:.0f}" if total >= 1 else "under 1"
    say(f"{len(runs)} of {len(wanted_runs)} runs owed.")
    say(f"Estimated minutes, {jobs} at a time: {about}.")


@app.command()
@choosing_runs
def run(
    claims: tuple[str, ...],
    tier: str,
    backend: str | None,
    seeds: int | None,
    jobs: int,
    data: str,
    records: Path,
) -> None:
    """Train what is owed, leaving one record a run. Started again it goes on where it stopped.

    Exit status: 0 all runs recorded, whatever the verdicts; 1 a run failed; 2 bad input;
    130 and 143 stopped by a signal.
    """
    store, chosen = Store(records), backend_of(backend)
    store.check_writable()
    present = store.read()
    wanted_runs, arrays = prepare(claims, TIERS[tier], chosen, seeds, data)
    runs = owed(wanted_runs, present)
    say(f"{len(runs)} of {len(wanted_runs)} runs owed at the {tier} tier on {chosen}.")
    complete = True
    if runs:
        with listener(console, runs) as progress:
            complete = Crew(store, arrays, jobs, progress).work(runs)
    print_verdicts(found_by(claims, wanted_runs, store))
    say(f"For the report: python -m reproductions report --records {records}")
    sys.exit(0 if complete else 1)


@app.command()
@records_option
@click.option("--output", type=folder, help="Where it goes; default: the folder of records.")
@click.option(
    "--beside",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Print verdicts beside those of these records.",
)
def report(records: Path, output: Path | None, beside: Path | None) -> None:
    """Write REPORT.md and its figures from the records, and print the verdicts."""
    from .report import write

    if not records.is_dir():
        raise InputError(
            f"there is no folder {records}: `run` makes it, or name one with --records."
        )
    Store(output or records).check_writable()
    found = findings(CLAIMS.values(), Store(records).read())
    other = findings(CLAIMS.values(), Store(beside).read()) if beside else None
    print_verdicts(found, other)
    say(f"Written: {write(Store(records), output or records)}")


# --- what the verbs share -----------------------------------------------------------------------


def prepare(
    names: Sequence[str], tier: Tier, backend: str, seeds: int | None, choice: str
) -> tuple[dict[str, Spec], dict[str, Any]]:
    """The runs that are wanted, by key, and the arrays they see."""
    data = load(choice, tier)
    identity = data.identity()
    if data.name == "embedded" and choice == "auto" and tier.name != "smoke":
        say(why_embedded())
    say(f"Data: {data.name} {data.version}, {identity['sha256'][:16]}. {copy_note(identity)}")
    claims = [CLAIMS[name] for name in names or FLAGSHIP]
    return wanted(claims, tier, backend, identity, seeds), batches.at_tier(data, tier)


def found_by(names: Sequence[str], runs: Mapping[str, Spec], store: Store) -> list[Finding]:
    """What the group of runs that was asked for says, whatever else the folder holds."""
    group, records = group_of(next(iter(runs.values()))), store.read()
    claims = (CLAIMS[name] for name in names or FLAGSHIP)
    return [Finding(claim, (runs_of(claim, group, records),)) for claim in claims]


def backend_of(name: str | None) -> str:
    """The backend to use, for this process too where it needs Keras."""
    installed = installed_backends()
    chosen = name or os.environ.get("KERAS_BACKEND") or (installed or BACKENDS)[0]
    if chosen not in installed:
        raise InputError(
            f"the backend {chosen!r} is not installed here: install it, or choose "
            f"{' or '.join(installed) or 'one after installing it'}."
        )
    os.environ["KERAS_BACKEND"] = chosen
    return chosen


def print_verdicts(found: Sequence[Finding], other: Sequence[Finding] | None = None) -> None:
    """A table of the headline verdicts, over those of `other` findings."""
    table = Table(Column("claim", no_wrap=True), "verdict", "points", "on")
    for i, finding in enumerate(found):
        for statement in finding.claim.statements:
            about = f"{finding.claim.name}\n{statement.name}"
            table.add_row(about, *headline_cells(finding, statement), end_section=not other)
            if other:
                committed = headline_cells(other[i], statement)
                table.add_row("  committed", *committed, end_section=True)
    console.print(table)
    data = [data_of(findings) for findings in (found, other or ())]
    for note in {copy_note(identity) for identity in data[0] if identity["name"] == "embedded"}:
        say(note)
    if other and data[0] != data[1]:
        say("The committed verdicts are about other data: compare the words, not the points.")


def headline_cells(finding: Finding, statement: Statement) -> list[str]:
    verdict = finding.verdict(statement)
    effect = "·" if verdict.mean is None else f"{100 * verdict.mean:+.1f}"
    return [verdict.word, effect, str(finding.headline.group) if finding.headline else "·"]


def data_of(found: Sequence[Finding]) -> list[dict[str, str]]:
    """The data of the headlines, each once."""
    identities = (f.headline.group.data for f in found if f.headline)
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
