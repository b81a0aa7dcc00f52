"""Processes on this machine, each of one backend, that compute runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..evidence.canonical import canonical
from ..experiments.spec import Spec

Kind = tuple[str, bool]  # a backend, and whether its process trains


def kind_of(spec: Spec) -> Kind:
    return spec["backend"], "tier" in spec


WORKER = "reproductions.execution.worker"  # the module that a process runs


class Worker:
    """A process of one backend, for runs of one kind one after the other."""

    def __init__(self, kind: Kind, folder: Path, variables: Mapping[str, str], *words: str):
        self.kind = kind
        backend, _ = kind
        self.log = folder / f"{uuid4().hex}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", WORKER, str(folder / "data.npz"), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={
                    "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
                    # TensorFlow uses oneDNN unasked on newer CPUs alone; 2.3 times as fast.
                    "TF_ENABLE_ONEDNN_OPTS": "1",
                    # oneDNN then keeps what it has prepared: 2 % faster, to the same bits.
                    "TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE": "false",
                    **os.environ,
                    "TF_CPP_MIN_LOG_LEVEL": "2",
                    **variables,
                    "KERAS_BACKEND": backend,
                },
            )

    def work(self, spec: Spec, told: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
        """The last event of a run, whose others are told."""
        begun = self.log.stat().st_size
        with suppress(BrokenPipeError):  # it has ended: said below
            self.process.stdin.write(canonical(spec).decode())  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]
        for line in self.process.stdout or ():
            event = parsed(line)
            if "result" in event:
                return event
            if event:
                told(event)
        raise RunError(self.process.wait(), self.log.read_bytes()[begun:].decode(errors="replace"))

    def end(self) -> None:
        """It stops now."""
        self.process.terminate()
        self.process.communicate()


def parsed(line: str) -> dict[str, Any]:
    """An event; an empty one for a line that a killed process left unfinished."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


class RunError(RuntimeError):
    """A training process ended without a result."""

    def __init__(self, status: int, log: str):
        lines = log.strip().splitlines()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        super().__init__(f"the training process {how}" + (f": {lines[-1]}" if lines else ""))
