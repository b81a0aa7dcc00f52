"""Ten classes of small colour images, generated: for machines without data and without a network.

Each image shows one of ten figures, anywhere, in any size and two unlike colours, over a speckled
ground with a second, smaller blot of another colour. Colour and place say nothing of the class,
so that a linear classifier hardly learns it, and a small convolutional network does.
Only arithmetic that every machine rounds alike is used: the bytes are the same everywhere.
"""

from collections.abc import Callable

import numpy as np

from ..experiments.seeds import generator

SIZE = 32

# Each figure as a region of the plane, |u|, |v| <= 1, symmetric left to right (images are flipped).
FIGURES: tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], ...] = (
    lambda u, v: u * u + v * v < 1,  # disc
    lambda u, v: square(u, v, 0.9),
    lambda u, v: abs(u) + abs(v) < 1.1,  # diamond
    lambda u, v: (u * u + v * v < 1) & (u * u + v * v > 0.35),  # ring
    lambda u, v: square(u, v, 0.9) & ~square(u, v, 0.55),  # frame
    lambda u, v: square(u, v, 1) & ((abs(u) < 0.3) | (abs(v) < 0.3)),  # plus
    lambda u, v: square(u, v, 1) & (abs(abs(u) - abs(v)) < 0.4),  # cross
    lambda u, v: (v < 0.8) & (2 * abs(u) < v + 1),  # triangle, upwards
    lambda u, v: square(u, v, 0.9) & (abs(v) > 0.3),  # two bars, level
    lambda u, v: square(u, v, 0.9) & (abs(u) > 0.3),  # two bars, upright
)


def square(u: np.ndarray, v: np.ndarray, half: float) -> np.ndarray:
    return (abs(u) < half) & (abs(v) < half)


def embedded_images(train: int, test: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3) uint8 and labels (n,) int64 of both splits."""
    return *drawn(train, 0), *drawn(test, 1)


def drawn(count: int, split: int) -> tuple[np.ndarray, np.ndarray]:
    draw = generator(0, "embedded data", split)
    labels = draw.permutation(np.arange(count) % len(FIGURES))
    ground, ink, blot = unlike_colours(draw, count)
    images = np.broadcast_to(ground, (count, SIZE, SIZE, 3)).copy()
    paint(images, regions(np.zeros(count, int), *place(draw, count, (20, 40))), blot)
    paint(images, regions(labels, *place(draw, count, (70, 130))), ink)
    images += draw.integers(-40, 41, images.shape)
    return images.clip(0, 255).astype("uint8"), labels.astype("int64")


def unlike_colours(draw: np.random.Generator, count: int) -> tuple[np.ndarray, ...]:
    """Three colours an image, the second at least 45 from the first in every channel."""
    first, third = draw.integers(0, 256, (2, count, 1, 1, 3))
    second = (first + draw.integers(45, 256 - 45, (count, 1, 1, 3))) % 256
    return first, second, third


def place(
    draw: np.random.Generator, count: int, tenths: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radius in pixels, and a centre that keeps the figure inside the image."""
    radius = draw.integers(*tenths, count) / 10
    x, y = radius + draw.integers(0, 1001, (2, count)) / 1000 * (SIZE - 1 - 2 * radius)
    return radius, x, y


def regions(labels: np.ndarray, radius: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where each image's figure lies: (n, 32, 32) of bool."""
    grid = np.arange(SIZE)
    u = (grid[None, None, :] - x[:, None, None]) / radius[:, None, None]
    v = (grid[None, :, None] - y[:, None, None]) / radius[:, None, None]
    u, v = np.broadcast_arrays(u, v)
    inside = np.zeros(u.shape, bool)
    for label, figure in enumerate(FIGURES):
        of = labels == label
        inside[of] = figure(u[of], v[of])
    return inside


def paint(images: np.ndarray, where: np.ndarray, colours: np.ndarray) -> None:
    """Colour the region of each image, in place."""
    np.copyto(images, colours, where=where[..., None])
