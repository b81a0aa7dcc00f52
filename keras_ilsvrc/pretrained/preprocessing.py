"""From pixels to what a network wants, and from its predictions to words."""

import warnings
from functools import cache
from importlib.resources import files
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from ..blocks import Block, channel_axis, channels
from .dialect import Contract


def coefficients(contract: Contract) -> tuple[np.ndarray, np.ndarray]:
    """Factor and summand of each channel, in the network's order: pixel * factor + summand."""
    mean, std = np.array(contract.mean), np.array(contract.std)
    return 1 / (contract.scale * std), -mean / std


def scaled(contract: Contract) -> Block:
    """Layers that do what `preprocess` does, for a graph."""
    factor, summand = coefficients(contract)

    def apply(x: Any) -> Any:
        check_channels(channels(x))
        if contract.order == "BGR":
            x = ops.flip(x, channel_axis())
        shape = (3,) if channel_axis() == -1 else (3, 1, 1)
        lists = (a.reshape(shape).tolist() for a in (factor, summand))
        return layers.Rescaling(*lists, name="preprocessing")(x)

    return apply


def check_channels(number: int | None) -> None:
    if number != 3:
        where = "last" if channel_axis() == -1 else "first"
        raise ValueError(
            f"images are RGB, with 3 channels ({where}), not {number}: repeat grey ones thrice, "
            f"and take the mean of what preprocess gives."
        )


def scale(images: Any, contract: Contract) -> Any:
    """What `preprocess` gives."""
    if not hasattr(images, "shape"):
        images = np.asarray(images)
    axis = channel_axis() if channel_axis() == -1 else -3
    if getattr(images.shape, "rank", 4) is None:
        raise ValueError(
            "images are of unknown shape: say it, as in tf.ensure_shape(images, (None, None, 3))."
        )
    check_channels(images.shape[axis])
    warn_of_range(images)
    factor, summand = (
        a.astype("float32").reshape((3,) if axis == -1 else (3, 1, 1))
        for a in coefficients(contract)
    )
    if isinstance(images, np.ndarray):
        pixels = images.astype("float32")
        return (np.flip(pixels, axis) if contract.order == "BGR" else pixels) * factor + summand
    root = type(images).__module__.partition(".")[0]
    if root in LIBRARIES and root != keras.backend.backend():
        return LIBRARIES[root](images, axis, contract.order == "BGR", factor, summand)
    pixels = ops.cast(images, "float32")
    pixels = ops.flip(pixels, axis) if contract.order == "BGR" else pixels
    return pixels * ops.convert_to_tensor(factor) + ops.convert_to_tensor(summand)


def by_tensorflow(
    images: Any, axis: int, flip: bool, factor: np.ndarray, summand: np.ndarray
) -> Any:
    """Of TensorFlow's tensors, which tf.data has under every backend."""
    import tensorflow as tf

    pixels = tf.cast(images, "float32")
    pixels = tf.reverse(pixels, [axis]) if flip else pixels
    return pixels * factor + summand


def by_torch(images: Any, axis: int, flip: bool, factor: np.ndarray, summand: np.ndarray) -> Any:
    """Of PyTorch's tensors, which its DataLoader has under every backend."""
    import torch

    pixels = images.to(torch.float32)
    pixels = pixels.flip(axis) if flip else pixels
    return pixels * torch.from_numpy(factor).to(pixels) + torch.from_numpy(summand).to(pixels)


# Tensors of a library that is not the backend are scaled by it: a pipeline's functions are its own.
LIBRARIES = {"tensorflow": by_tensorflow, "torch": by_torch}


def warn_of_range(images: Any) -> None:
    """Of arrays alone: a tensor may have no values yet."""
    if not isinstance(images, np.ndarray) or not images.size:
        return
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 255 or 0 < high <= 1:
        warnings.warn(
            f"images have values from {low:g} to {high:g}; pixels in [0, 255] are expected"
            + (" (multiply by 255)." if low >= 0 and high <= 1 else "."),
            stacklevel=4,
        )


@cache
def class_names() -> tuple[tuple[str, str], ...]:
    """The 1,000 classes of ILSVRC-2012: WordNet's identifier and first word of each, in order."""
    lines = files(__package__).joinpath("imagenet_classes.txt").read_text("utf-8").splitlines()
    return tuple((line[:9], line[10:]) for line in lines)


def decode_predictions(predictions: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """For each image its `top` classes, most probable first: (WordNet's id, name, score).

    Args:
        predictions: (batch, 1000), of a classifier of ImageNet.
        top: 1 to 1000.

    Raises:
        ValueError: another shape, or `top`.
    """
    scores = np.asarray(ops.convert_to_numpy(predictions))
    if scores.ndim != 2 or scores.shape[1] != 1000:
        raise ValueError(
            f"predictions are (batch, 1000), of ImageNet's classes, not {scores.shape}."
        )
    if not 1 <= top <= 1000:
        raise ValueError(f"top is 1 to 1000, not {top!r}.")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [
        [(*class_names()[i], float(row[i])) for i in chosen]
        for row, chosen in zip(scores, best, strict=True)
    ]
