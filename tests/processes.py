"""Processes of the suite, to be killed, stopped and hindered."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from conftest import ROOT, SMOKE
from reproductions.evidence.canonical import key_of
from reproductions.execution.backends import threads_environment
from reproductions.experiments.spec import Spec, spec_of
from reproductions.experiments.tiers import TIERS
from reproductions.workloads.training.checkpoints import CheckpointStore

DATA = {"name": "embedded", "version": "1", "sha256": "-"}
STEPS = 24


# --- the command line -------------------------------------------------------------------------


def start(*words: Any, before: Sequence[str] = (), **environment: str) -> subprocess.Popen:
    """`run --tier smoke`, two runs side by side, in a process group of its own."""
    return subprocess.Popen(
        [*before, sys.executable, "-m", "reproductions", *SMOKE, *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **environment},
    )


def wait_for(process: subprocess.Popen, text: str) -> str:
    """Read lines until one holds `text`; that line."""
    for line in process.stdout or ():
        if text in line:
            return line
    raise AssertionError(f"it never said {text!r}: {process.stderr and process.stderr.read()}")


def wait_until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """What the condition gives, once it holds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return value


def children_of(process: subprocess.Popen, number: int = 1) -> list[psutil.Process]:
    """The training processes, as soon as there are so many."""

    def found() -> list[psutil.Process]:
        children = psutil.Process(process.pid).children()
        # Not those that ask for the processor's name.
        training = [one for one in children if is_training(one)]
        return training if len(training) >= number else []

    return wait_until(found)


def suspend(processes: Sequence[psutil.Process]) -> None:
    """Stop them; when they stand still."""
    for process in processes:
        process.suspend()
    # A signal that comes before is obeyed before.
    wait_until(lambda: all(process.status() == psutil.STATUS_STOPPED for process in processes))


def is_training(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "reproductions.execution.worker" in process.cmdline()
    return False


# --- a training process -----------------------------------------------------------------------


def spec_for(backend: str, arm: str = "plain-20-dropout", watched: str | None = None) -> Spec:
    """A run with normalization, dropout, augmentation, momentum and a schedule."""
    return spec_of(
        arm, replace(TIERS["smoke"], steps=STEPS), 0, backend, DATA, {"pad": 2}, None, watched
    )


@contextmanager
def child(
    backend: str, data: Path, shelves: Path, spec: Spec, seconds: float = 0
) -> Iterator[subprocess.Popen]:
    """A training process that keeps a checkpoint after every call, or so many seconds."""
    asked = shelves / "specs"
    shelves.mkdir(exist_ok=True)
    asked.write_text(json.dumps(spec) + "\n")
    variables = {
        "CHECKPOINT_SECONDS": str(seconds),
        "KERAS_BACKEND": backend,
        **threads_environment(1),
    }
    with (
        asked.open() as lines,
        (shelves / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "reproductions.execution.worker", str(data), str(shelves), "{}"],
            stdin=lines, stdout=subprocess.PIPE, stderr=log, text=True,
            env={**os.environ, **variables},
        ) as process,
    ):  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def events(process: subprocess.Popen) -> Iterator[dict[str, Any]]:
    """What it says, until it ends; a killed one may leave a line unfinished."""
    assert process.stdout
    for line in process.stdout:
        if line.endswith("\n"):
            yield json.loads(line)


def shelf_of(shelves: Path, spec: Spec) -> CheckpointStore:
    return CheckpointStore(shelves / key_of(spec), key_of(spec), {})


@dataclass
class Ended:
    """How a run ended that was killed: its result, from which steps it went on, and the seconds
    that the last process trained.
    """

    result: Mapping[str, Any] | None = None
    resumed: list[int] = field(default_factory=list)
    kills: int = 0
    seconds: float = 0.0


def trained(backend: str, data: Path, shelves: Path, spec: Spec, waits: Sequence[float]) -> Ended:
    """Train a run whose process is killed so many seconds after it began to train, again and
    again, until it was killed as often as there are `waits`, or ended before. One that is not to be
    killed keeps checkpoints as usual.
    """
    ended = Ended()
    for wait in (*waits, None):
        with child(backend, data, shelves, spec, 0 if waits else 60) as process:
            told = events(process)
            first = next(told)
            ended.resumed += [first["resumed"]] if "resumed" in first else []
            began = time.monotonic()
            if wait is not None:
                with suppress(subprocess.TimeoutExpired):  # it may end before
                    process.wait(wait)
                process.send_signal(signal.SIGKILL)
            *_, last = (first, *told)
            ended.seconds = time.monotonic() - began
            ended.result = last.get("result")
            if ended.result:
                return ended
            assert wait is not None, (shelves / "log").read_text()
            ended.kills += 1
    raise AssertionError
