"""The command line: `python -m reproductions VERB`."""

import math
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from threading import TIMEOUT_MAX
from typing import Any

try:
    import click
    import psutil
    from rich.table import Column, Table
except ModuleNotFoundError as missing:
    sys.exit(f"The suite needs {missing.name}: pip install '.[reproductions]' has it.")

from ..analysis.audit import problems
from ..analysis.findings import Finding, findings_of, runs_in
from ..analysis.replacement import replace_result
from ..analysis.scope import is_open
from ..claims import CLAIMS, Computed, OnImageNet, Statement, Trained
from ..evidence.errors import InputError
from ..evidence.provenance import environment, versions
from ..evidence.snapshot import EXPLORED, JUDGED, PARTS, REPLICATED, RERUN, Snapshot
from ..evidence.store import COMMITTED, Record, Store
from ..execution.backends import choose_backend
from ..execution.local import RunError
from ..execution.rerun import describe_run, differences
from ..execution.rerun import rerun as run_again
from ..execution.scheduler import Scheduler, clear
from ..experiments.arms import ARMS
from ..experiments.cost import (
    judged_and_explored,
    known_durations,
    known_durations_of_rerun,
    shortest_first,
)
from ..experiments.planning import missing_runs, runs_of, timed
from ..experiments.spec import Spec, group_of
from ..experiments.tiers import MEANT_FOR, THREADS, TIERS
from .console import console, found_of, print_verdicts, say
from .evaluate import evaluate
from .options import Chosen, ClaimName, choosing_runs, folder, records_option
from .progress import listener


@click.group()
def app() -> None:
    """Do the claims of a review of VGG, GoogLeNet and ResNet hold? Compute, train, judge, report.

    CLAIMs are named as `list` shows them; without any, the flagship claims are meant: that depth
    harms plain networks and not residual ones.
    """


app.add_command(evaluate)


@app.command("list")
@click.argument("claims", nargs=-1, type=ClaimName(), metavar="[CLAIM]...")
def list_(claims: tuple[str, ...]) -> None:
    """Show these claims, or all, with their statements; the tiers and the arms."""
    says = Column("statement", overflow="fold")
    table = Table(Column("claim, source", no_wrap=True), "kind", says, "decided at")
    for claim in (CLAIMS[name] for name in claims or CLAIMS):
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
    """Show the runs that have no record yet, and about how long they take.

    Which runs these are depends on the data, so that CIFAR-10 is fetched if it must be.
    """
    evidence = chosen.snapshot()
    present = evidence.records()
    chosen = chosen.with_identity()
    wanted_runs = chosen.runs(evidence)
    runs = missing_runs(wanted_runs, present)
    estimates = shortest_first(runs, known_durations(evidence))
    arm = Column("arm or check", overflow="fold")
    table = Table("run", arm, "seed", "backend", "estimated minutes")
    for key, estimate in estimates.items():
        spec = runs[key]
        shown = "unknown" if estimate is None else f"{estimate:.1f}"
        seed = str(spec.get("seed", "·"))
        table.add_row(key, spec["arm"]["name"], seed, spec["backend"], shown)
    if runs:
        console.print(table)
    tell_lacking(chosen, evidence)
    say(f"{len(runs)} of {len(wanted_runs)} runs missing in {chosen.records}.")
    minutes = about(estimates, chosen.jobs)
    say(f"Estimated minutes, {chosen.jobs} at a time: {minutes}.")
    here = (record["spec"] for record in judged_and_explored(evidence))
    trained = any("tier" in spec and spec["backend"] == chosen.backend for spec in here)
    if not trained and any("tier" in spec for spec in runs.values()):
        there = elsewhere(runs, chosen, evidence)
        more = f", mostly of one machine; at that of another, of {COMMITTED.name}/anew, {there}"
        say(f"That is at the pace of the committed records{more * (there not in ('', minutes))}; "
            "runs made here will tell.")  # fmt: skip


def elsewhere(runs: Mapping[str, Spec], chosen: Chosen, evidence: Snapshot) -> str:
    """The minutes at the pace of the machine on which committed runs were made anew, if known."""
    again = evidence.committed.records(RERUN).values()
    if chosen.backend not in {record["spec"]["backend"] for record in again}:
        return ""
    return about(shortest_first(runs, known_durations_of_rerun(evidence)), chosen.jobs)


def about(estimates: Mapping[str, float | None], jobs: int) -> str:
    """The minutes of all of them, so many at a time, in two digits."""
    if None in estimates.values():
        return "unknown"
    total = sum(filter(None, estimates.values())) / jobs
    longer = f", or {total / 1440:.0f} days" if total > 2 * 1440 else f", or {total / 60:.0f} hours"
    minutes = f"{float(f'{total:.2g}'):,.0f}"
    return minutes + longer * (total > 180) if total >= 1 else "under 1"


@app.command()
@choosing_runs
@click.option(
    "--max-minutes",
    type=click.FloatRange(0, min_open=True),
    default=math.inf,
    help="Stop then; runs in flight are kept, and go on later.",
)
def run(chosen: Chosen, max_minutes: float) -> None:
    """Compute and train the runs that have no record, the shortest first. Started again it goes on.

    Exit status: 0 all runs recorded, whatever the verdicts; 1 a run failed; 2 bad input;
    3 time was up; 130 and 143 stopped by a signal.
    """
    until = time.monotonic() + 60 * max_minutes
    store = Store(chosen.records)
    store.check_writable()
    clear(store)
    evidence = chosen.snapshot()
    present = evidence.records()
    chosen = chosen.with_data()
    wanted_runs = chosen.runs(evidence)
    runs = missing_runs(wanted_runs, present)
    tell_lacking(chosen, evidence)
    say(f"{len(runs)} of {len(wanted_runs)} runs missing in {chosen.records} on {chosen.backend}.")
    if wanted_runs and not runs:
        say(
            f"All of them are recorded, so that nothing is trained. To start from nothing, remove "
            f"the folder {chosen.records}, or name another one with --records."
        )
    runs = {key: runs[key] for key in shortest_first(runs, known_durations(evidence))}
    progress = listener(console, runs)
    if runs:
        with progress:
            # Timings last, and one at a time.
            names = timed(chosen.judged)
            last = {key: spec for key, spec in runs.items() if spec["arm"]["name"] in names}
            rest = {key: spec for key, spec in runs.items() if key not in last}
            for some, jobs in ((rest, chosen.jobs), (last, 1)):
                left = until - time.monotonic()
                if some and left > 0:
                    crew = Scheduler(store, chosen.arrays, jobs, progress, THREADS[chosen.tier])
                    crew.work(some, min(left, TIMEOUT_MAX))
    evidence = chosen.snapshot()
    found = found_by(chosen, wanted_runs, evidence)
    print_verdicts(found, judged_elsewhere(found, findings_of(evidence.committed)))
    say(f"For the report: python -m reproductions report --records {chosen.records}")
    left_over = missing_runs(runs, evidence.records())
    if left_over and time.monotonic() > until:
        say(f"Time was up: {len(left_over)} runs are still missing; the same command goes on.")
    sys.exit(1 if progress.failures else 3 if left_over else 0)


@app.command()
@choosing_runs
def explore(chosen: Chosen) -> None:
    """Train on seeds from 1000 on, which are never judged: learning rates first, then spreads.

    Records go to the folder `explored` in --records. What is there, or committed, chooses the
    learning rates of `run`.
    """
    chosen = chosen.with_data()
    if not chosen.explorations(chosen.snapshot()):
        say("Nothing to explore: no learning rates are asked for, or all are explored.")
    while runs := chosen.explorations(chosen.snapshot()):
        say(f"{len(runs)} runs to explore, before what they choose is known.")
        make(chosen, runs, chosen.records / EXPLORED)


@app.command()
@choosing_runs
def replicate(chosen: Chosen) -> None:
    """Make a verdict's runs again on seeds from 2000 on, at its learning rates and at a third.

    Records go to the folder `second` in --records. The report shows them beside the verdict; they
    decide nothing.
    """
    make_replications(chosen)


@app.command("second-look", hidden=True)
@choosing_runs
def second_look(chosen: Chosen) -> None:
    """The former name of `replicate`."""
    print(
        "Warning: `second-look` is called `replicate` now; the old name will go.", file=sys.stderr
    )
    make_replications(chosen)


def make_replications(chosen: Chosen) -> None:
    chosen = chosen.with_data()
    evidence = chosen.snapshot()
    tell_lacking(chosen, evidence)
    runs = chosen.replications(evidence)
    say(f"{len(runs)} runs, of which those with a record are kept.")
    make(chosen, runs, chosen.records / REPLICATED)


def make(chosen: Chosen, runs: Mapping[str, Spec], folder: Path) -> None:
    """Those of `runs` that `folder` lacks; a failed one ends the command, once the others are
    done.
    """
    store = Store(folder)
    store.check_writable()
    clear(store)
    if left := missing_runs(runs, store.read()):
        with listener(console, left) as progress:
            if not Scheduler(
                store, chosen.arrays, chosen.jobs, progress, THREADS[chosen.tier]
            ).work(left):
                sys.exit(1)


@app.command()
@records_option
@click.option("--output", type=folder, help="Where it goes; default: the folder of records.")
@click.option(
    "--beside",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Show verdicts beside those of these records; default: the committed ones.",
)
def report(records: Path, output: Path | None, beside: Path | None) -> None:
    """Write REPORT.html, REPORT.md, FOUND.md and figures of the records, and print the verdicts."""
    from ..report import write

    if not records.is_dir():
        raise InputError(
            f"there is no folder {records}: `run` makes it, or name one with --records."
        )
    Store(output or records).check_writable("--output" if output else "--records")
    evidence = Snapshot(records)
    found = findings_of(evidence)
    own = evidence.committed is not evidence
    other = findings_of(Snapshot(beside) if beside else evidence.committed) if beside or own else []
    print_verdicts(found, other)
    for path in write(evidence, output or records, other):
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
    evidence = Snapshot(records)
    record = record_of(key, evidence)
    say(f"{key}: {describe_run(record)}")
    choose_backend(record["spec"]["backend"])
    try:
        end = run_again(record)
    except RunError as error:
        say(f"FAILED: {error}")
        sys.exit(1)
    if "measured" in record["circumstances"]:
        tell_surroundings(record, evidence)
        for name, seconds in record["circumstances"]["measured"].items():
            again = end["circumstances"]["measured"][name]
            say(f"{name}: {median(seconds):.4f} s an image then, {median(again):.4f} s now.")
        return
    found = differences(record["result"], end["result"])
    if not found:
        say(f"{key}: the same result, to the bit.")
        return
    say(f"{key}: another result.")
    for line in consequences(record, end["result"], evidence):
        say(line)
    tell_surroundings(record, evidence)
    say(f"{len(found)} numbers differ, each as recorded and as computed now:")
    for line in found:
        say(line)
    sys.exit(1)


@app.command()
@click.option(
    "--records", type=folder, default=COMMITTED, help="The folder of records; default: committed."
)
def verify(records: Path) -> None:
    """Check that records are whole, of committed code, and younger than their rules.

    Exit status: 0 all is well; 1 something is not, and is named.
    """
    if not records.is_dir():
        raise InputError(f"there is no folder {records}: name one that `run` has made.")
    evidence = Snapshot(records)
    found = list(problems(CLAIMS.values(), evidence))
    for problem in found:
        say(problem)
    if found:
        sys.exit(1)
    judged, explored, second, anew = (len(evidence.records(part)) for part in PARTS)
    if not judged + explored + second + anew:
        raise InputError(f"there are no records in {records}: `run` makes some.")
    say(
        f"{records}: {judged} records, {explored} explored, {second} replicated, {anew} rerun: "
        "all is well."
    )


# --- what the verbs share -----------------------------------------------------------------------


def record_of(key: str, evidence: Snapshot) -> Record:
    records = evidence.records()
    if key not in records:
        raise InputError(
            f"{evidence.folder} has no record {key}: the keys are the names of its files, "
            f"{len(records)} of them; --records names another folder."
        )
    return records[key]


def consequences(record: Record, result: Mapping[str, Any], evidence: Snapshot) -> list[str]:
    """What another result of a run would change in the verdicts that rest on it, a line each."""
    replacements = replace_result(
        record, result, CLAIMS.values(), evidence.records(), evidence.explored
    )
    if not replacements:
        return ["No verdict rests on this run."]
    lines = ["With this run's numbers in place of the recorded ones:"]
    for some in replacements:
        recorded, replaced = some.recorded, some.replaced
        words = recorded.verdict.word, replaced.verdict.word
        change = f"still {words[0]}" if some.same_word else f"{words[1]} instead of {words[0]}"
        numbers = f"{found_of(recorded)} recorded, {found_of(replaced)} now"
        name = f"{recorded.claim.name}, {recorded.statement.name} ({recorded.runs[0].group})"
        lines.append(f"  {name}: {change}; {numbers}.")
    return lines


def tell_surroundings(record: Record, evidence: Snapshot) -> None:
    """Say where a record was made on other hardware or with other versions."""
    then, now = versions(evidence.environment(JUDGED, record)), versions(environment())
    around = {"cpu", "gpus", "variables", "python", "keras", "numpy"}
    differing = [
        name
        for name in then
        if (name in around or name.startswith(record["spec"]["backend"]))
        and then[name] != now.get(name)
    ]
    for name in differing:
        say(f"{name}: {then[name]} then, {now.get(name)} now.")
    if differing:
        say("So last digits may differ, and after hundreds of steps errors by points.")


def tell_lacking(chosen: Chosen, evidence: Snapshot) -> None:
    """Say of claims that were named which statements these runs do not settle, and why."""
    if chosen.untrained:
        for name in chosen.claims:
            if not CLAIMS[name].computed:
                say(f"Not run: {name} needs training: leave out --untrained.")
        return
    explored = evidence.explored
    for statement in (s for name in chosen.claims for s in CLAIMS[name].statements):
        if isinstance(statement, OnImageNet):
            say(f"Not run here: {statement.says}: {statement.command}")
        elif isinstance(statement, Trained) and not runs_of(statement, chosen.group, explored):
            say(f"Not run: {statement.says}: {why_no_runs(statement, chosen.tier)}.")


def why_no_runs(statement: Trained, tier: str) -> str:
    if tier not in statement.seeds:
        return f"it is judged at {', '.join(statement.decided_at)}"
    return f"its learning rates are not explored at the {tier} tier: `explore` does that"


def found_by(chosen: Chosen, runs: Mapping[str, Spec], evidence: Snapshot) -> list[Finding]:
    """What the groups of runs that were asked for say, whatever else the folder holds."""
    groups, records = {group_of(spec) for spec in runs.values()}, evidence.records()
    explored = evidence.explored
    kinds = (Computed,) if chosen.untrained else (Computed, Trained, OnImageNet)
    return [
        Finding(
            claim, s, tuple(r for g in groups if (r := runs_in(s, g, records, explored)).records)
        )
        for claim in chosen.judged
        for s in claim.statements
        if isinstance(s, kinds)
    ]


def judged_elsewhere(found: Sequence[Finding], others: Sequence[Finding]) -> list[Finding | None]:
    """For each finding whose runs leave it open, that of `others` about the same statement."""
    by_name = {(other.claim.name, other.statement.name): other for other in others}
    return [by_name[f.claim.name, f.statement.name] if is_open(f) else None for f in found]


# The signals that came.
SIGNALS: list[int] = []


def obey(number: int, frame: object) -> None:
    """The first signal stops in good order; another one at once, as no child is waited for then."""
    if SIGNALS:
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    SIGNALS.append(number)
    raise KeyboardInterrupt


def main() -> int:
    """Run the command line and return its exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, obey)
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
        print("Stopped: the same command goes on from here.", file=sys.stderr)
        return 128 + (SIGNALS or [signal.SIGINT])[0]


if __name__ == "__main__":
    sys.exit(main())
