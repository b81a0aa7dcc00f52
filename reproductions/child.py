"""The child's side of `run.py`: specs on standard input, events on standard output."""

import json
import os
import resource
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

Emit = Callable[[dict[str, Any]], None]


# Set when the process is asked to end: a net that is training then makes few more steps.
STOPPING = threading.Event()


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
