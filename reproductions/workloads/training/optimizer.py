"""Stochastic gradient descent as the papers have it: their schedule and their weight decay."""

from typing import Any

import keras
import numpy as np
from keras import ops

from ...experiments.recipes import Recipe


def rates(recipe: Recipe, steps: int) -> np.ndarray:
    """The learning rate of each step: the schedule in the middle of the step, (steps,) float32."""
    shares, values = zip(*recipe.schedule, strict=True)
    return np.interp((np.arange(steps) + 0.5) / steps, shares, values).astype("float32")


class Table(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a step, looked up."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __call__(self, step: Any) -> Any:
        return ops.take(self.values, ops.minimum(ops.cast(step, "int32"), len(self.values) - 1))

    def get_config(self) -> dict[str, Any]:
        return {"values": self.values.tolist()}


# The class of an instance: on PyTorch Keras makes its vectorised variant.
class SGD(type(keras.optimizers.SGD())):  # type: ignore[misc]
    """SGD whose every step uses g + weight_decay * w, before momentum, on every variable.

    (The argument of that name of Keras' own SGD shrinks the weights apart from the gradient.)
    It keeps the norms of the loss' gradient for the first and the last convolution of `model`.
    """

    def __init__(self, rates: np.ndarray, recipe: Recipe, model: keras.Model):
        super().__init__(Table(rates), recipe.momentum)
        self.decay = recipe.weight_decay
        # Not its variables: an optimizer takes those it holds for its own.
        self.model = model
        self.norms = self.add_variable((2,), name="gradient_norms")
        paths = [v.path for v in model.trainable_variables]
        kernels = convolution_kernels(model)
        self.watched = [paths.index(kernel.path) for kernel in (kernels[0], kernels[-1])]

    def apply(self, grads: list[Any], trainable_variables: list[Any] | None = None) -> None:
        squares = [ops.sum(ops.square(grads[i])) for i in self.watched]
        self.norms.assign(ops.sqrt(ops.stack(squares)))
        weights = self.model.trainable_variables
        decayed = [g + self.decay * w.value for g, w in zip(grads, weights, strict=True)]
        super().apply(decayed, trainable_variables)


def convolution_kernels(model: keras.Model) -> list[keras.Variable]:
    """The kernels of the convolutions, in the order of the layers."""
    return [layer.kernel for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
