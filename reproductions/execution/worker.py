"""The process that computes runs: specs on standard input, events on standard output.

`python -m reproductions.execution.worker [DATA [CHECKPOINTS SURROUNDINGS]]` computes with the
backend of KERAS_BACKEND. DATA is an `.npz` of a tier's arrays, CHECKPOINTS a folder, and
SURROUNDINGS a JSON object of what the bits of a run depend on beside its spec. Specs stand one a
line; on standard output it writes one JSON object a line: progress, and at the end of each run its
result. At SIGTERM it keeps a checkpoint of the training run in flight, and ends.
"""

import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ..data.transforms import Arrays
from ..evidence.canonical import key_of
from ..workloads.backends import configure, settings
from ..workloads.checks import CHECKS, MEASURED
from ..workloads.events import STOPPING, Emit
from ..workloads.training.checkpoints import CheckpointStore
from ..workloads.training.loop import train


def serve(answer: Callable[[Mapping[str, Any], Emit], dict[str, Any]]) -> None:
    """Answer specs, one a line, one after the other; the answer is the last event of each."""
    # The parent reads our standard output; whatever else prints goes to standard error.
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def emit(event: dict[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")  # in one piece: progress comes from threads
        events.flush()

    for line in sys.stdin:
        emit(answer(json.loads(line), emit))
        if STOPPING.is_set():
            return


def forget_peak() -> None:
    """Let the peak be that of what comes; where the kernel cannot, it is that of the process."""
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        with suppress(OSError):
            switch.write_text("5")


def peak_memory() -> int:
    """The most bytes this process had in memory: macOS counts them, Linux kilobytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent had when it started this process
        (line,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main(data_path: str = "", checkpoints: str = "", surroundings: str = "{}") -> None:
    """Compute the runs that standard input asks for, telling the parent process of each."""
    configure()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's: the parent decides
    around = json.loads(surroundings)

    def answer(spec: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
        if "tier" not in spec:
            return checked(spec)
        key, arrays = key_of(spec), arrays_in(data_path)
        if not checkpoints:
            return trained(spec, arrays, emit, None)
        # The parent's claim ends with the parent; this process may outlive it for a moment.
        with FileLock(Path(checkpoints).parent / "claims" / f"{key}-process"):
            return trained(
                spec, arrays, emit, CheckpointStore(Path(checkpoints) / key, key, around)
            )

    serve(answer)


@cache
def arrays_in(path: str) -> dict[str, np.ndarray]:
    """The arrays of a tier."""
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def trained(
    spec: Mapping[str, Any], arrays: Arrays, emit: Emit, store: CheckpointStore | None
) -> dict[str, Any]:
    """The result of a run and its circumstances, as if the process were its own."""
    gc.collect()
    forget_peak()
    before = signal.signal(signal.SIGTERM, lambda *_: STOPPING.set())
    result, told = train(spec, arrays, emit, store)
    signal.signal(signal.SIGTERM, before)
    around = {**told, "peak_memory_bytes": peak_memory(), "settings": settings()}
    return {"result": result, "circumstances": around}


def checked(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a check: its result, or, where they are measured, circumstances."""
    name = spec["arm"]["name"]
    measured = {"measured": MEASURED[name]()} if name in MEASURED else {}
    values = {} if measured else CHECKS[name]()
    result = {"outcome": "finished", "reason": None, "values": values}
    return {"result": result, "circumstances": {"settings": settings(), **measured}}


if __name__ == "__main__":
    main(*sys.argv[1:])
