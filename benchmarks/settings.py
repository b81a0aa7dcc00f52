"""Layout and compilation: what `reproductions/workloads/backends.py` chose between."""

from collections.abc import Iterator
from typing import Any

from reproductions.workloads.backends import DATA_FORMATS

from .compare import compare
from .process import Contestant, workers

# Each against the suite's choice for the backend.
OTHERS: list[tuple[str, str, dict[str, Any]]] = [
    ("tensorflow", "channels_first", {"data_format": "channels_first"}),
    ("tensorflow", "compiled by XLA", {"jit_compile": True}),
    ("tensorflow", "13 steps an execution", {"steps_per_execution": 13}),
    ("torch", "channels_last", {"data_format": "channels_last"}),
    ("torch", "compiled by torch.compile", {"jit_compile": True}),
    ("jax", "channels_first", {"data_format": "channels_first"}),
    ("jax", "13 steps an execution", {"steps_per_execution": 13}),
]


def lines() -> Iterator[str]:
    """ResNet-20, batch 128."""
    yield "| backend | instead of the choice | times slower (quartiles) |"
    yield "|---|---|---|"
    for backend, what, changed in OTHERS:
        chosen = {"data_format": DATA_FORMATS[backend], "steps": 13}
        pair = [
            Contestant("train_cifar", backend, options)
            for options in (chosen, {**chosen, **changed})
        ]
        with workers(*pair) as (ours, other):
            low, middle, high = compare(ours.round, other.round, 3).ratios
        yield f"| {backend} | {what} | {middle:.2f} ({low:.2f} ... {high:.2f}) |"
