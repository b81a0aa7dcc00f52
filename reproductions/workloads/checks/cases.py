"""What numeric checks share: draws, inputs, and how far two functions are apart.

A case is [what, largest |a - b|, largest |b|]. Draws are pure functions of (check, case), so that
every backend sees the same.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from ...experiments.seeds import generator

Case = list[Any]
Found = dict[str, list[Case]]


def draws(check: str, case: int) -> np.random.Generator:
    return generator(0, "check", check, case)


def normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.standard_normal(shape).astype("float32")


def integers(random: np.random.Generator, n: int, low: int, high: int) -> list[int]:
    """From low to high."""
    return [int(i) for i in random.integers(low, high + 1, n)]


def last() -> bool:
    """Whether channels come last here."""
    return keras.config.image_data_format() == "channels_last"


def shape(side: int, channels: int) -> tuple[int, int, int]:
    """Of an image here."""
    return (side, side, channels) if last() else (channels, side, side)


def images(random: np.random.Generator, n: int, side: int, channels: int) -> np.ndarray:
    """Standard normal, the same in both data formats."""
    x = normal(random, n, side, side, channels)
    return x if last() else np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def case(what: str, a: Any, b: Any) -> Case:
    """How far a is from b."""
    a, b = ops.convert_to_numpy(a), ops.convert_to_numpy(b)
    return [what, digits(np.abs(a - b).max()), digits(np.abs(b).max())]


def digits(number: Any) -> float:
    """Six significant ones."""
    return float(f"{number:.6g}")


def randomised(model: keras.Model, random: np.random.Generator) -> keras.Model:
    """`model` as after some training: no weight at its start, variances and scales positive."""
    for variable in model.variables:
        variable.assign(random_values(variable.path.split("/")[-1], variable.shape, random))
    return model


def random_values(kind: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    if kind == "kernel":
        return normal(random, *shape) * math.sqrt(2 / math.prod(shape[:-1]))
    if kind in ("gamma", "moving_variance"):
        return random.uniform(0.5, 1.5, shape).astype("float32")
    return 0.1 * normal(random, *shape)
