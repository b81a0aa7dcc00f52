"""The child's side of `run.py`: specs on standard input, events on standard output."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

Emit = Callable[[dict[str, Any]], None]


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
