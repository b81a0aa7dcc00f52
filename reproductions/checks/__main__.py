"""Checks as a process of one backend: `python -m reproductions.checks`, specs as in `child.py`."""

from collections.abc import Mapping
from typing import Any

from ..backends import configure, settings
from ..child import Emit, serve
from . import CHECKS, MEASURED


def checked(spec: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    """The values of a check: its result, or, where they are measured, circumstances."""
    name = spec["arm"]["name"]
    measured = {"measured": MEASURED[name]()} if name in MEASURED else {}
    values = {} if measured else CHECKS[name]()
    result = {"outcome": "finished", "reason": None, "values": values}
    return {"result": result, "circumstances": {"settings": settings(), **measured}}


if __name__ == "__main__":
    configure()
    serve(checked)
