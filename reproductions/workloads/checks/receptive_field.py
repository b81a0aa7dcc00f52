"""What an output sees: the support of its gradient."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_ilsvrc.anatomy import profile

from .cases import Found, digits, draws, images, integers, last, normal
from .counts import stack


def gradient(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """The gradient of the sum of function(x), by the backend."""
    return GRADIENTS[keras.backend.backend()](lambda start: ops.sum(function(start)), x)


def by_tensorflow(total: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    start = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(start)
        y = total(start)
    return tape.gradient(y, start).numpy()


def by_torch(total: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    start = ops.convert_to_tensor(x).detach().requires_grad_()
    total(start).backward()
    return start.grad.cpu().numpy()


def by_jax(total: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    import jax

    return np.array(jax.grad(total)(x))


GRADIENTS = {"tensorflow": by_tensorflow, "torch": by_torch, "jax": by_jax}


def pixel(y: Any, row: int, column: int) -> Any:
    """All channels of one pixel."""
    return y[:, row, column, :] if last() else y[:, :, row, column]


def seen(gradients: np.ndarray) -> np.ndarray:
    """Whether each pixel has a gradient in any image and channel, (height, width)."""
    return (gradients != 0).any(axis=(0, 3) if last() else (0, 1))


def output_of(layer: Callable[[Any], Any], row: int, column: int, x: Any) -> Any:
    return pixel(layer(x), row, column)


STACKS = {"7x7 once": (7,), "3x3 thrice": (3, 3, 3), "3x3 twice": (3, 3)}


def vgg_receptive_field() -> dict[str, Any]:
    """The pixels that one output sees: by the graph, and by the support of a gradient."""
    values: dict[str, Any] = {}
    for name, kernels in STACKS.items():
        graph = profile(stack(*kernels, filters=1)).rows[-1].receptive_field
        values[f"{name}, by the graph"] = "x".join(map(str, graph or ()))
        values[f"{name}, by the gradient"] = sorted({support(kernels, i) for i in range(4)})
    return values


def support(kernels: tuple[int, ...], i: int) -> str:
    """Of one output of a stack: its sides and its pixels."""
    random = draws("vgg-receptive-field", i)
    filters = integers(random, 1, 1, 6)[0]
    model = stack(*kernels, filters=filters)
    for kernel in model.trainable_variables:  # positive: no ReLU hides a path
        kernel.assign(random.uniform(0.1, 1, kernel.shape).astype("float32"))
    x = np.abs(images(random, 1, 16, filters))
    rows, columns = np.nonzero(seen(gradient(partial(output_of, model, 8, 8), x)))
    return f"{np.ptp(rows) + 1}x{np.ptp(columns) + 1}: {len(rows)} pixels"


def pointwise_local() -> Found:
    """The gradient of a pixel's output with respect to all other pixels; size: to its own."""
    found: Found = {"cases": [], "controls": []}
    for i in range(6):
        random = draws("pointwise-local", i)
        side, c, m = integers(random, 3, 3, 12)
        row, column = integers(random, 2, 0, side - 1)
        x, what = images(random, 2, side, c), f"{side}x{side}, {c} to {m}"
        for name, size in (("cases", 1), ("controls", 3)):
            slope = gradient(partial(output_of, convolution(random, size, m, x), row, column), x)
            own = np.abs(pixel(slope, row, column)).max()
            pixel(slope, row, column)[...] = 0
            found[name].append([what, digits(np.abs(slope).max()), digits(own)])
    return found


def convolution(random: np.random.Generator, size: int, m: int, x: np.ndarray) -> layers.Conv2D:
    layer = layers.Conv2D(m, size, padding="same")
    layer.build(x.shape)
    layer.set_weights([normal(random, *w.shape) for w in layer.weights])
    return layer
