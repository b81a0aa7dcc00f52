"""What training minimises."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

# arXiv:1409.4842, section 5: of each auxiliary classifier's loss.
HEAD_WEIGHT = 0.3


def weights(model: keras.Model, scale: float | None = None) -> tuple[float, ...] | None:
    """Of the losses of the model's outputs; None: of one output, 1."""
    heads = len(model.outputs) - 1
    if not heads and scale is None:
        return None
    return scale or 1.0, *[HEAD_WEIGHT] * heads


def compile_model(
    model: keras.Model, optimizer: keras.Optimizer, loss_weights: Sequence[float] | None
) -> None:
    """With the mean cross-entropy of logits, and the accuracy of the first output.

    All variables are made now: TensorFlow traces a step that makes some twice.
    """
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    if loss_weights is None:
        model.compile(optimizer, loss, metrics=metrics)
    else:
        n = len(loss_weights)
        model.compile(optimizer, [loss] * n, list(loss_weights), [metrics, *[[]] * (n - 1)])
    outputs = [np.zeros((1, *output.shape[1:]), "float32") for output in model.outputs]
    labels = targets(model, np.zeros(1, int))
    model.compute_loss(None, labels, like(model, outputs))
    model.compute_metrics(None, labels, like(model, outputs))


def targets(model: keras.Model, labels: np.ndarray) -> Any:
    """The labels for each of the model's outputs."""
    return like(model, [labels] * len(model.outputs))


def like(model: keras.Model, values: Sequence[np.ndarray]) -> Any:
    """A value for each output, as the model gives outputs."""
    return tuple(values) if len(model.outputs) > 1 else values[0]
