"""Images a second over batch, depth, width and cores, and against Keras' own layers."""

from collections.abc import Iterator
from typing import Any

from reproductions.workloads.backends import DATA_FORMATS

from .compare import compare
from .process import Contestant, workers

BACKENDS = ("tensorflow", "torch")
CASES: list[tuple[str, dict[str, Any], int | None]] = [
    *(
        (f"batch {n}", {"batch": n, "steps": max(4, 640 // n)}, None)
        for n in (1, 2, 4, 8, 16, 32, 64)
    ),
    *((f"depth {n}", {"depth": n, "steps": 4}, None) for n in (20, 110)),
    *((f"width {n}", {"width": n, "steps": 4}, None) for n in (8, 64)),
    ("1 core", {"steps": 6}, 1),
    ("2 cores", {"steps": 6}, 2),
]


def lines() -> Iterator[str]:
    """ResNet-20 of width 16, batch 128, but for what a row changes."""
    yield "| but for | backend | images/s | Keras' layers | times faster |"
    yield "|---|---|---|---|---|"
    for what, options, cores in CASES:
        for backend in BACKENDS:
            common = {"data_format": DATA_FORMATS[backend], **options}
            pair = [
                Contestant("train_cifar", backend, {**common, "layers": layers}, cores)
                for layers in ("ours", "stock")
            ]
            with workers(*pair) as (ours, stock):
                found = compare(ours.round, stock.round, 3)
                rates = [ours.images / found.ours, stock.images / found.theirs]
            low, middle, high = found.ratios
            yield (
                f"| {what} | {backend} | {rates[0]:,.0f} | {rates[1]:,.0f} "
                f"| {middle:.2f} ({low:.2f} ... {high:.2f}) |"
            )
