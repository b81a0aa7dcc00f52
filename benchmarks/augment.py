"""Augmenting and normalising CIFAR-10, on one core: NumPy's elementwise work takes no more."""

from collections.abc import Iterator
from time import perf_counter

import numpy as np

from reproductions.data.transforms import augmented, standardised
from reproductions.experiments.recipes import RECIPES

from .compare import quartiles

LEAST = 20_000  # images a second
IMAGES = 50_000


def rate(epoch: int, images: np.ndarray) -> float:
    """Images a second of one epoch."""
    start = perf_counter()
    standardised(augmented(images, RECIPES["night"], 0, epoch))
    return len(images) / (perf_counter() - start)


def lines() -> Iterator[str]:
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), "uint8")
    low, middle, high = quartiles([rate(epoch, images) for epoch in range(5)])
    yield (
        f"Flipped, cut from a frame of 4 pixels, and normalised to float32: {middle:,.0f} images/s "
        f"({low:,.0f} ... {high:,.0f}); at least {LEAST:,}: {'yes' if low >= LEAST else '**no**'}."
    )
