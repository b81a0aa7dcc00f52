"""The layers that Keras lacks, and the one that backends have faster.

A saved model names for each layer a module and a class, and beside them the name under which the
class is registered. Keras asks the registered name first: where this package is imported, it
gives the classes below. Where it is not, Keras takes the class of that name in that module. So
`BatchNormalization` and `Power` state the module of Keras' class of the same name, which computes
the same of the same configuration, weights and arguments: files open without this package.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops

Shape = tuple[int | None, ...]

# (images, scale, shift, (moving mean, moving variance) or None, epsilon, axis of the channels) ->
# normalized images, mean and variance that were used.
Kernel = Callable[[Any, Any, Any, tuple[Any, Any] | None, float, int], tuple[Any, Any, Any]]


def tensorflow_kernel(
    x: Any, gamma: Any, beta: Any, moving: tuple[Any, Any] | None, epsilon: float, axis: int
) -> tuple[Any, Any, Any]:
    """FusedBatchNormV3, which on CPUs takes channels_last alone and gives the unbiased variance."""
    import tensorflow as tf

    last, first = ((0, 2, 3, 1), (0, 3, 1, 2)) if axis == 1 else (None, None)
    mean, variance = moving or ((), ())
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=tf.transpose(x, last) if last else x, scale=gamma, offset=beta,
        mean=mean, variance=variance, epsilon=epsilon, is_training=not moving,
    )  # fmt: skip
    y = tf.transpose(y, first) if first else y
    if moving:
        return y, *moving
    n = tf.cast(tf.size(x) // x.shape[axis], "float32")
    return y, mean, variance * ((n - 1) / n)


def torch_kernel(
    x: Any, gamma: Any, beta: Any, moving: tuple[Any, Any] | None, epsilon: float, axis: int
) -> tuple[Any, Any, Any]:
    """batch_norm, which takes channels first, in whatever order memory has them, and writes the
    unbiased variance over what it is given.
    """
    import torch

    images = x if axis == 1 else x.permute(0, 3, 1, 2)
    # Copies: it keeps them for the gradient, and the layer's own are written over.
    mean, variance = (torch.clone(v) for v in moving or 2 * (torch.zeros_like(gamma),))
    y = torch.nn.functional.batch_norm(
        images, mean, variance, gamma, beta, training=not moving, momentum=1.0, eps=epsilon
    )
    y = y if axis == 1 else y.permute(0, 2, 3, 1)
    if moving:
        return y, *moving
    n = x.numel() // x.shape[axis]
    return y, mean, variance * ((n - 1) / n)


# What XLA makes of Keras' own operations is not slower than any other way found on JAX.
KERNELS: dict[str, Kernel] = {"tensorflow": tensorflow_kernel, "torch": torch_kernel}


@keras.saving.register_keras_serializable(package="keras_ilsvrc")
class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]  # Keras has no types
    """keras.layers.BatchNormalization, computed by one kernel of the backend's.

    Arguments, weights, names and configuration are those of Keras' layer, and so are the numbers,
    but for rounding: weights saved of one load into the other. `keras_ilsvrc.inference.plain`
    gives models in Keras' layers.

    The kernel takes images of float32, or of half precision, whose sums it makes in float32. All
    else is left to Keras: other ranks, axes and types; masks, `renorm`, `synchronized`; training
    on one value a channel; and JAX.

    A saved model opens without this package, with Keras' layer, and with the kernel where the
    package is imported.
    """

    __module__ = keras.layers.BatchNormalization.__module__

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle and copy, which would look for this class in Keras' module."""
        return unpickled, (keras.saving.serialize_keras_object(self), self.get_weights())

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The normalized tensor."""
        if mask is not None or not self.has_kernel(inputs, bool(training)):
            return super().call(inputs, training=training, mask=mask)
        kernel, axis = KERNELS[keras.backend.backend()], self.axis % 4
        x = ops.convert_to_tensor(inputs)
        mean, variance = self.moving_mean.value, self.moving_variance.value
        scale = self.gamma.value if self.scale else ops.ones_like(mean)
        shift = self.beta.value if self.center else ops.zeros_like(mean)
        if not (training and self.trainable):
            return kernel(x, scale, shift, (mean, variance), self.epsilon, axis)[0]
        y, *batch = kernel(x, scale, shift, None, self.epsilon, axis)
        kept, new = self.momentum, 1 - self.momentum
        self.moving_mean.assign(kept * mean + new * batch[0])
        self.moving_variance.assign(kept * variance + new * batch[1])
        return y

    def has_kernel(self, inputs: Any, training: bool) -> bool:
        """Whether the backend has a kernel for `inputs`."""
        if len(inputs.shape) != 4 or self.axis % 4 not in (1, 3):
            return False
        around = [n for axis, n in enumerate(inputs.shape) if axis != self.axis % 4]
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        return (
            keras.backend.backend() in KERNELS
            and dtype == self.compute_dtype
            and dtype in ("float32", "float16", "bfloat16")
            and self.variable_dtype == "float32"
            and 0 not in around
            and not (training and around == [1, 1, 1])
            and not (self.renorm or self.synchronized)
        )


def unpickled(config: dict[str, Any], weights: list[np.ndarray]) -> keras.layers.Layer:
    """The layer of a configuration, with these weights if it was built."""
    layer = keras.saving.deserialize_keras_object(config)
    if weights:
        layer.set_weights(weights)
    return layer


@keras.saving.register_keras_serializable(package="keras_ilsvrc")
class Power(keras.layers.Layer):  # type: ignore[misc]
    """x1 ** x2, element by element: keras.ops.power as a layer, since .h5 files hold layers alone.

    Args:
        name: of the layer.

    Called with x1, a tensor of any shape, and x2, a number; the output has x1's shape and type.
    """

    __module__ = keras.ops.power.__module__

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name, autocast=False)

    def call(self, x1: Any, x2: float) -> Any:
        """The powers."""
        return ops.power(x1, x2)

    def compute_output_spec(self, x1: KerasTensor, x2: float) -> KerasTensor:
        """Shape and type of x1."""
        return KerasTensor(x1.shape, x1.dtype)

    def get_config(self) -> dict[str, Any]:
        """What Keras' operation takes, too."""
        return {"name": self.name}

    def get_build_config(self) -> None:
        """None: an operation is not built."""

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle and copy, as above."""
        return unpickled, (keras.saving.serialize_keras_object(self), [])


@keras.saving.register_keras_serializable(package="keras_ilsvrc")
class LocalResponseNormalization(keras.layers.Layer):  # type: ignore[misc]
    """b_i = a_i / (k + alpha * sum of a_j^2 over the n channels nearest to i) ** beta.

    Section 3.3 of A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet Classification with Deep
    Convolutional Neural Networks (2012), and its constants. TensorFlow has the same convention;
    Caffe and PyTorch divide alpha by n.

    Args:
        n: channels summed over; odd.
        k, alpha, beta: as in the formula.
        axis: of the channels.

    Input and output: any shape. Half precision is summed in float32. A model with this layer opens
    only where this package is imported; `blocks.lrn`, which the networks have, is made of Keras'
    layers.

    Raises:
        ValueError: `n` is not a positive odd whole number.
    """

    def __init__(
        self,
        n: int = 5,
        k: float = 2.0,
        alpha: float = 1e-4,
        beta: float = 0.75,
        axis: int = -1,
        **options: Any,
    ) -> None:
        check_window(n)
        super().__init__(**options)
        self.n = int(n)
        self.k, self.alpha, self.beta, self.axis = k, alpha, beta, axis

    def call(self, x: KerasTensor) -> KerasTensor:
        """The normalized tensor."""
        exact = keras.backend.result_type(x.dtype, "float32")
        a = ops.cast(x, exact)
        # Counted from the front: files that PyTorch's ONNX exporter writes of axes counted from
        # the back, other than the last, are invalid.
        axis = self.axis % len(a.shape)
        around = [(0, 0)] * len(a.shape)
        around[axis] = (self.n // 2, self.n // 2)
        squares = ops.pad(ops.square(a), around)
        before, count = (slice(None),) * axis, a.shape[axis]
        windows = [squares[(*before, slice(i, i + count))] for i in range(self.n)]
        b = a * ops.power(self.k + self.alpha * sum(windows), -self.beta)
        return ops.cast(b, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        mine = {name: getattr(self, name) for name in ("n", "k", "alpha", "beta", "axis")}
        return {**super().get_config(), **mine}


def check_window(n: Any) -> None:
    """Raise ValueError unless `n` is a positive odd whole number."""
    if not isinstance(n, int | np.integer) or n < 1 or n % 2 == 0:
        raise ValueError(f"n, the channels summed over, is odd (1, 3, 5, ...), not {n!r}.")
