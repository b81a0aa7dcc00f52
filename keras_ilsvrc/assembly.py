"""The ceremony around a network, written once: its input, its top, its name and its weights."""

from os import PathLike
from pathlib import Path
from typing import Any

import keras
from keras import KerasTensor

from .blocks import Block, chain, channel_axis, dense, global_pool

Shape = tuple[int | None, int | None, int | None]


def assemble(
    body: Block,
    *,
    name: str,
    include_top: bool,
    weights: str | PathLike | None,
    input_tensor: KerasTensor | None,
    input_shape: Shape | None,
    pooling: str | None,
    classes: int,
    classifier_activation: str | None,
    default_size: int,
    min_size: int,
) -> keras.Model:
    """`body` between an image input and a classifier, as a flat functional model.

    The arguments mean what they mean in keras.applications.

    Raises:
        ValueError: an argument is wrong; the message says what would be right.
    """
    check(include_top, pooling, classes, weights)
    if input_tensor is None:
        shape = input_shape or image_shape(default_size)
        check_shape(shape, min_size)
        image = keras.Input(shape)
    else:
        image = input_tensor
    features = body(image)
    outputs = top(include_top, pooling, classes, classifier_activation)(features)
    sources = image if input_tensor is None else keras.utils.get_source_inputs(input_tensor)
    model = keras.Model(sources, outputs, name=name)
    if weights is not None:
        model.load_weights(weights)
    return model


def top(include_top: bool, pooling: str | None, classes: int, activation: str | None) -> Block:
    """Average pooling and a softmax classifier; without it the pooled or the bare feature maps."""
    if include_top:
        return chain(global_pool("avg"), dense(classes, activation, name="predictions"))
    return global_pool(pooling) if pooling else chain()


def image_shape(size: int, depth: int = 3) -> Shape:
    """A square image's shape in `keras.config.image_data_format()`."""
    return (size, size, depth) if channel_axis() == -1 else (depth, size, size)


def check(include_top: bool, pooling: Any, classes: Any, weights: Any) -> None:
    if pooling not in (None, "avg", "max"):
        raise ValueError(f"pooling is None, 'avg' or 'max', not {pooling!r}.")
    if include_top and not (isinstance(classes, int) and classes > 0):
        raise ValueError(f"classes is a positive whole number, not {classes!r}.")
    if weights is not None and not Path(weights).is_file():
        raise ValueError(
            f"weights is None or the path of a weights file saved by Keras; "
            f"there is no file {str(weights)!r}."
        )


def check_shape(shape: Any, min_size: int) -> None:
    if len(shape) != 3:
        example = image_shape(224)
        raise ValueError(f"input_shape has three members, as {example}; got {shape!r}.")
    depth = shape[channel_axis()]
    if depth is None or depth < 1:
        raise ValueError(f"input_shape {shape!r} must state its number of channels.")
    height, width = shape[:2] if channel_axis() == -1 else shape[1:]
    if any(side is not None and side < min_size for side in (height, width)):
        raise ValueError(
            f"input_shape {shape!r} is too small: height and width are at least {min_size}."
        )
