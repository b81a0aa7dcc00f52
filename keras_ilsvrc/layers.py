"""The layer that Keras lacks."""

from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops


@keras.saving.register_keras_serializable(package="keras_ilsvrc")
class LocalResponseNormalization(keras.layers.Layer):
    """b_i = a_i / (k + alpha * sum of a_j^2 over the n channels nearest to i) ** beta.

    Section 3.3 of A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet Classification with Deep
    Convolutional Neural Networks (2012), and its constants. TensorFlow has the same convention;
    Caffe and PyTorch divide alpha by n.

    Args:
        n: channels summed over; odd.
        k, alpha, beta: as in the formula.
        axis: of the channels.

    Input and output: any shape. Half precision is summed in float32.

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
        if not isinstance(n, int | np.integer) or n < 1 or n % 2 == 0:
            raise ValueError(f"n, the channels summed over, is odd (1, 3, 5, ...), not {n!r}.")
        super().__init__(**options)
        self.n = int(n)
        self.k, self.alpha, self.beta, self.axis = k, alpha, beta, axis

    def call(self, x: KerasTensor) -> KerasTensor:
        """The normalized tensor."""
        exact = keras.backend.result_type(x.dtype, "float32")
        a = ops.moveaxis(ops.cast(x, exact), self.axis, -1)
        around = [(0, 0)] * (len(a.shape) - 1) + [(self.n // 2, self.n // 2)]
        squares = ops.pad(ops.square(a), around)
        windows = [squares[..., i : i + a.shape[-1]] for i in range(self.n)]
        b = a * ops.power(self.k + self.alpha * sum(windows), -self.beta)
        return ops.cast(ops.moveaxis(b, -1, self.axis), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        mine = {name: getattr(self, name) for name in ("n", "k", "alpha", "beta", "axis")}
        return {**super().get_config(), **mine}
