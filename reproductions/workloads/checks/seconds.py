"""What can only be measured: seconds, on a named machine."""

import time
from typing import Any

import keras
import numpy as np

import keras_ilsvrc

from ..backends import fed

NETWORKS = {"VGG16": "vgg16", "ResNet50": "resnet50", "ResNet101": "resnet101",
            "ResNet152": "resnet152"}  # fmt: skip
ROUNDS, BATCH = 7, 8


def resnet_seconds() -> dict[str, Any]:
    """Seconds an image at inference, one batch of 8 of 224x224, the networks in turn."""
    models = {name: keras_ilsvrc.get_model(key) for name, key in NETWORKS.items()}
    side = {model.input_shape[2] for model in models.values()}.pop()
    return measured(models, np.zeros((BATCH, side, side, 3), "float32"), ROUNDS)


def measured(models: dict[str, keras.Model], images: np.ndarray, rounds: int) -> dict[str, Any]:
    """Seconds an image of each model in each round; a round before them warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(1 + rounds):
        for name, model in models.items():
            started = time.perf_counter()
            model.predict(**fed(images, batch_size=len(images)), verbose=0)
            seconds[name].append(round((time.perf_counter() - started) / len(images), 5))
    return {name: rows[1:] for name, rows in seconds.items()}
