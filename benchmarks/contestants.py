"""What is timed: each makes, once, a function that does a round of work and gives its images."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

import keras_ilsvrc
from keras_ilsvrc import inference
from reproductions.workloads.backends import fed

Round = Callable[[], int]


def noise(images: int, side: int) -> np.ndarray:
    """float32, (images, side, side, 3)."""
    return np.random.default_rng(0).standard_normal((images, side, side, 3), "float32")


def labels(images: int, classes: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, classes, images)


def trained(
    model: keras.Model, batch: int, steps: int, options: dict[str, Any], fit: str = "fed"
) -> Round:
    """Epochs of `fit`; on arrays as a reader would give them, or as the suite feeds it."""
    side = next(n for n in model.input_shape[1:] if n != 3)
    x, y = noise(batch * steps, side), labels(batch * steps, model.output_shape[-1])
    data: dict[str, Any] = fed(x, y, batch_size=batch)
    if fit == "plain":
        data = {"x": x, "y": y, "batch_size": batch}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01, 0.9), loss, metrics=["accuracy"], **options)

    def epoch() -> int:
        model.fit(**data, shuffle=False, verbose=0)
        return len(x)

    return epoch


def train_cifar(
    *,
    layers: str = "ours",
    depth: int = 20,
    width: int = 16,
    batch: int = 128,
    steps: int = 10,
    fit: str = "fed",
    **options: Any,
) -> Round:
    """ResNet-`depth` on 32x32 images, of our layers or ("stock") the same graph of Keras' own."""
    shape = (32, 32, 3) if keras.config.image_data_format() == "channels_last" else (3, 32, 32)
    model = keras_ilsvrc.cifar.ResNet(
        depth, width=width, classifier_activation=None, input_shape=shape
    )
    model = inference.plain(model) if layers == "stock" else model
    return trained(model, batch, steps, options, fit)


def train_resnet50(*, package: str = "ours", batch: int = 8, steps: int = 3) -> Round:
    """ResNet50 on 224x224 images."""
    return trained(resnet50(package, classifier_activation=None), batch, steps, {})


def resnet50(package: str, **options: Any) -> keras.Model:
    room = keras.applications if package == "keras.applications" else keras_ilsvrc
    return room.ResNet50(weights=None, **options)


def infer_resnet50(*, package: str = "folded", batch: int = 1, calls: int = 10) -> Round:
    """predict_on_batch of ResNet50, loaded, as a service does, from its file."""
    model = loaded_resnet50(package)
    if package == "folded":
        inference.lay_out_kernels(model)
    x = noise(batch, 224)
    if keras.config.image_data_format() == "channels_first":
        x = x.transpose(0, 3, 1, 2)

    def predict() -> int:
        for _ in range(calls):
            model.predict_on_batch(x)
        return batch * calls

    return predict


MAKES = {
    "folded": "keras_ilsvrc.inference.fold_batch_norm(keras_ilsvrc.ResNet50("
    "kernel_initializer='glorot_uniform'))",
    "keras.applications": "keras.applications.ResNet50(weights=None)",
}


def loaded_resnet50(package: str) -> keras.Model:
    """Made and saved by another process, loaded here."""
    script = (
        "import sys, keras, keras_ilsvrc\n"
        f"keras.config.set_image_data_format('{keras.config.image_data_format()}')\n"
        f"{MAKES[package]}.save(sys.argv[1])"
    )
    with TemporaryDirectory() as folder:
        file = Path(folder) / "resnet50.keras"
        subprocess.run([sys.executable, "-c", script, str(file)], check=True)
        return keras.models.load_model(file)


def torch_train_cifar(*, batch: int = 128, steps: int = 10) -> Round:
    """The hand-written ResNet-20 in channels_last."""
    from . import twins  # here, since other backends' processes do without torch

    return twins.training(noise(batch * steps, 32), labels(batch * steps, 10), batch)


def torch_infer_resnet50(*, folded: bool = False, batch: int = 1, calls: int = 10) -> Round:
    """The hand-written ResNet50 in channels_last."""
    from . import twins

    return twins.prediction(noise(batch, 224), calls, folded)


CONTESTANTS: dict[str, Callable[..., Round]] = {
    made.__name__: made
    for made in (
        train_cifar, train_resnet50, infer_resnet50, torch_train_cifar, torch_infer_resnet50,
    )
}  # fmt: skip
