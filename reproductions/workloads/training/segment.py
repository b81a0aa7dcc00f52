"""Some steps of training, one after the other in one call of the backend."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from ...data.transforms import Batch
from ..backends import fed
from ..events import STOPPING, Emit
from .evaluation import rounded
from .losses import targets


class TrainSegment(NamedTuple):
    """What training some steps gave, and what it took."""

    loss: float
    error: float
    images: int
    seconds: float


class Progress(keras.callbacks.Callback):
    """Tells of the running loss once a second; ends the segment early where that is asked."""

    async_safe = True  # where Keras may call back from threads (not TensorFlow) no step waits

    def __init__(self, emit: Emit, epoch: int, done: int):
        super().__init__()
        self.emit, self.epoch, self.done, self.told = emit, epoch, done, time.monotonic()

    def set_model(self, model: keras.Model) -> None:
        # Not as `self.model`: on JAX, reading that takes the state from the step in flight.
        self.trained = model

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if STOPPING.is_set():
            self.trained.stop_training = True
        if logs and time.monotonic() - self.told >= 1:
            self.told = time.monotonic()
            loss = rounded(float(logs["loss"]))
            self.emit({"step": self.done + batch + 1, "epoch": self.epoch, "loss": loss})


class RestoreMetrics(keras.callbacks.Callback):
    """Sets metrics to what they were when the segment was left."""

    def __init__(self, values: Sequence[np.ndarray]):
        super().__init__()
        self.values = values

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        for variable, value in zip(self.model.metrics_variables, self.values, strict=True):
            variable.assign(value)


def train_on_batches(
    model: keras.Model, batches: Batch, batch_size: int, callbacks: list[keras.callbacks.Callback]
) -> tuple[float, float]:
    """Train on each batch once; the mean loss and the share of errors."""
    images, labels = batches
    data = fed(images, targets(model, labels), batch_size=batch_size)
    history = model.fit(**data, verbose=0, shuffle=False, callbacks=callbacks).history
    (accuracy,) = (column for name, column in history.items() if name.endswith("accuracy"))
    return history["loss"][0], 1 - accuracy[0]


def join_segments(segments: Sequence[TrainSegment]) -> TrainSegment:
    """As if they had been one."""
    images = sum(s.images for s in segments)
    loss, error = (sum(s[i] * (s.images / images) for s in segments) for i in range(2))
    return TrainSegment(loss, error, images, sum(s.seconds for s in segments))
