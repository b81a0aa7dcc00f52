"""Layers that training and inference treat differently."""

import math
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
from keras import layers, ops

from keras_ilsvrc.layers import BatchNormalization

from .cases import Found, case, digits, draws, images, integers, last, normal

MOMENTUM, EPSILON = 0.9, 1e-5  # as the networks of this package have them


class Weights(NamedTuple):
    """Of normalization, (channels,) each."""

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """gamma (x - mean) / sqrt(variance + epsilon) + beta."""
        gamma, beta, mean, variance = (
            np.asarray(v).reshape((-1,) if last() else (-1, 1, 1)) for v in self
        )
        return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta

    def moved(self, x: np.ndarray) -> "Weights":
        """After a step of training on x."""
        old, new = (self.mean, self.variance), moments(x)
        return Weights(
            *self[:2],
            *(MOMENTUM * a + (1 - MOMENTUM) * b for a, b in zip(old, new, strict=True)),
        )


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each channel."""
    axes = (0, 1, 2) if last() else (0, 2, 3)
    return x.mean(axes, dtype="float64"), x.var(axes, dtype="float64")


def normalization() -> BatchNormalization:
    return BatchNormalization(-1 if last() else 1, momentum=MOMENTUM, epsilon=EPSILON)


def bn_modes() -> dict[str, Any]:
    """Batch normalization against its formula, in both modes, three steps of training between."""
    found: Found = defaultdict(list)
    shapes = set()
    for i in range(6):
        random = draws("bn-modes", i)
        side, c = integers(random, 2, 2, 10)
        x = 3 * images(random, 6, side, c) + 1
        start = Weights(*(random.uniform(0.5, 1.5, c).astype("float32") for _ in range(4)))
        layer = normalization()
        layer.build(x.shape)
        layer.set_weights(start)
        shapes |= {v.shape == (c,) for v in layer.non_trainable_variables[:2]}
        for name, pair in compared(layer, start, x).items():
            found[name].append(case(f"{side}x{side}, {c} channels", *pair))
    return {**found, "one value a channel": shapes == {True}}


def compared(layer: Any, start: Weights, x: np.ndarray) -> dict[str, tuple[Any, Any]]:
    """What normalization gives, and what it should: names and pairs."""
    trained = [layer(x, training=True) for _ in range(3)][-1]
    expected = start.moved(x).moved(x).moved(x)
    averages = [ops.convert_to_numpy(v) for v in (layer.moving_mean, layer.moving_variance)]
    by_batch = Weights(*start[:2], *moments(x))(x)
    inferred = layer(x, training=False)
    mates = np.concatenate((x[:1], 5 * x[1:]))
    return {
        "training": (trained, by_batch),
        "training, by moving averages": (trained, start(x)),
        "inference": (inferred, expected(x)),
        "inference, by the batch": (inferred, by_batch),
        "moving averages": (np.stack(averages), np.stack(expected[2:])),
        "moving averages, unmoved": (np.stack(averages), np.stack(start[2:])),
        "mates at inference": (layer(mates, training=False)[:1], inferred[:1]),
        "mates in training": (layer(mates, training=True)[:1], trained[:1]),
    }


def dropout_modes() -> Found:
    """The output at inference; the mean in training, in deviations of a mean of so many."""
    found: Found = defaultdict(list)
    for i in range(4):
        random = draws("dropout-modes", i)
        rate = round(random.uniform(0.1, 0.8), 2)
        layer, what = layers.Dropout(rate, seed=i), f"rate {rate}"
        x = np.abs(normal(random, 400, 500)) + 1
        y = ops.convert_to_numpy(layer(x, training=True))
        off = deviations(y, x, rate), deviations((1 - rate) * y, x, rate)
        found["inference"].append(case(what, layer(x, training=False), x))
        found["training"].append(case(what, y, x))
        found["mean in training"].append([what, digits(off[0]), 1.0])
        found["mean, the rest not enlarged"].append([what, digits(off[1]), 1.0])
    return dict(found)


def deviations(y: np.ndarray, x: np.ndarray, rate: float) -> float:
    """How far the mean of y is from that of x, in its standard deviations."""
    deviation = math.sqrt(np.square(x, dtype="float64").mean() * rate / (1 - rate) / x.size)
    return abs(y.mean(dtype="float64") - x.mean(dtype="float64")) / deviation


def inputs_scaled() -> Found:
    """Pixels from 0 to 255 against those from 0 to 1, behind a first convolution; size: of 0-1."""
    found: Found = {"cases": [], "controls": []}
    for i in range(12):
        random = draws("inputs-scaled", i)
        x = random.uniform(0, 1, images(random, 8, 16, 3).shape).astype("float32")
        conv, norm = layers.Conv2D(16, 3, padding="same", use_bias=False), normalization()
        conv.build(x.shape)
        conv.set_weights([normal(random, *conv.kernel.shape) * math.sqrt(2 / 27)])
        large, small = conv(255 * x), conv(x)
        pair = norm(large, training=True), norm(small, training=True)
        found["cases"].append(case(f"weights {i}", *pair))
        found["controls"].append(case(f"weights {i}", large, small))
    return found
