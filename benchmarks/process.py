"""Contestants in processes side by side, each asked in turn: one process, one backend."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reproductions.execution.backends import threads_environment


@dataclass(frozen=True)
class Contestant:
    """A name in `contestants.py`, its options, its backend, the cores it may use, and what else is
    in its environment.
    """

    name: str
    backend: str
    options: Mapping[str, Any] = field(default_factory=dict)
    cores: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Worker:
    """A contestant's process."""

    def __init__(self, contestant: Contestant):
        held = threads_environment(contestant.cores) if contestant.cores else {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", contestant.name,
             json.dumps(contestant.options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "KERAS_BACKEND": contestant.backend,
                 "TF_CPP_MIN_LOG_LEVEL": "3", **held, **contestant.environment},
        )  # fmt: skip
        self.start = self.heard()
        self.images = 0

    def heard(self) -> dict[str, float]:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended early.")  # type: ignore[arg-type]
        return json.loads(line)

    def round(self) -> float:
        """Its seconds."""
        print("round", file=self.process.stdin, flush=True)
        told = self.heard()
        self.images = int(told["images"])
        return told["seconds"]

    def end(self) -> float:
        """The most bytes it had in memory."""
        self.process.stdin.close()  # type: ignore[union-attr]
        peak = self.heard()["peak"]
        self.process.wait()
        return peak


@contextmanager
def workers(*contestants: Contestant) -> Iterator[list[Worker]]:
    """Their processes, started one after the other."""
    started: list[Worker] = []
    try:
        started.extend(Worker(contestant) for contestant in contestants)
        yield started
    finally:
        for worker in started:
            worker.process.kill()
            worker.process.stdin.close()  # type: ignore[union-attr]
            worker.process.stdout.close()  # type: ignore[union-attr]
            worker.process.wait()
