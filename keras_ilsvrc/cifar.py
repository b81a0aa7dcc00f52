"""The papers' networks for CIFAR-10: 32x32 images, 10 classes."""

from numbers import Integral
from os import PathLike
from typing import Any

import keras
from keras import KerasTensor

from .assembly import Shape, assemble
from .resnet import cifar_body


def check_depth(depth: int) -> None:
    """Raise ValueError unless `depth` is 6n + 2 with n >= 1."""
    if not isinstance(depth, Integral):
        raise ValueError(f"depth is a whole number, 6n + 2 (8, 14, 20, ...), not {depth!r}.")
    if depth >= 8 and depth % 6 == 2:
        return
    below = max(8, (depth - 2) // 6 * 6 + 2)
    nearest = f"{below} and {below + 6}" if depth > 8 else "8"
    raise ValueError(f"depth is 6n + 2 (8, 14, 20, ...), not {depth}; the nearest: {nearest}.")


def ResNet(
    depth: int,
    shortcut: str | None = "A",
    include_top: bool = True,
    weights: str | PathLike | None = None,
    input_tensor: KerasTensor | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: str | None = "softmax",
    name: str | None = None,
    *,
    width: int = 16,
) -> keras.Model:
    """The residual network of arXiv:1512.03385, section 4.2.

    Args:
        depth: weight layers, 6n + 2: 20, 32, 44, 56, 110 and 1202 in the paper.
        shortcut: "A" (the paper's: identity, padded with zeros), "B" (projections where
            dimensions change), "C" (projections everywhere), or None: the plain net.
        width: filters of the first stage; the paper's is 16.

    The other arguments and the result are those of `ResNet50`; the image's default is
    32 x 32 x 3, its least side 4.

    Raises:
        ValueError: an argument is wrong; the message says what would be right.
    """
    check_depth(depth)
    return assemble(
        cifar_body(depth, width, shortcut),
        name=name or f"cifar_{'resnet' if shortcut else 'plain'}{depth}",
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        default_size=32,
        min_size=4,
    )


def PlainNet(depth: int, **options: Any) -> keras.Model:
    """`ResNet(depth)` without its shortcuts: same layers, same parameters, its other options."""
    return ResNet(depth, shortcut=None, **options)
