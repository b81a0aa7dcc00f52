"""Why a network says what it says: maps of an image, for any class.

CAM: B. Zhou et al., arXiv:1512.04150. Grad-CAM: R. R. Selvaraju et al., arXiv:1610.02391.
Saliency: K. Simonyan, A. Vedaldi, A. Zisserman, arXiv:1312.6034, section 3. Occlusion:
M. D. Zeiler, R. Fergus, arXiv:1311.2901, section 4.2.
"""

from collections.abc import Callable
from numbers import Integral
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from . import anatomy


def grad_cam(
    model: keras.Model, images: Any, classes: Any = None, *, stride: int | None = None
) -> np.ndarray:
    """Which places of a feature map speak for a class: Grad-CAM.

    Args:
        model: functional or Sequential, also with such models for layers, of one input of images;
            its first output is (batch, classes). Explained is what goes into its softmax.
        images: (batch, height, width, channels), or channels first, as the model takes them.
        classes: an index, or one for each image; None: what the model says of each.
        stride: of the feature map, one of `anatomy.stages`; None: the largest.

    Returns:
        (batch, height, width), of the images' size, in [0, 1]: the greatest value of each image is
        1, or all are 0 where nothing speaks for the class.

    Raises:
        ValueError: another model, images, class or stride; or the backend has no gradients.
    """
    asked = question(model, images, classes)
    steps = anatomy.stage_steps(asked.graph)
    if stride is not None and stride not in steps:
        raise ValueError(
            f"'{model.name}' has feature maps at strides {', '.join(map(str, steps)) or 'none'}, "
            f"not {stride!r}."
        )
    if not steps:
        raise ValueError(f"'{model.name}' has no feature maps that all paths lead through.")
    step = steps[max(steps) if stride is None else stride]
    whole, made = linear(model, asked.graph)
    maps = keras.Model(whole.input, made[id(step.layer)])
    rest = keras.Model(made[id(step.layer)], whole.outputs[0])
    features = maps.predict_on_batch(asked.images)
    slopes = gradient(lambda x: chosen(rest(x, training=False), asked.classes), features)
    weights = slopes.mean(asked.graph.axes, keepdims=True)
    return shown(np.maximum((weights * features).sum(asked.channel), 0), asked)


def cam(model: keras.Model, images: Any, classes: Any = None) -> np.ndarray:
    """Which places of the last feature map speak for a class, without gradients: CAM.

    Args:
        model: as for `grad_cam`, and it ends in the average of its last map and one dense layer,
            as ResNet, GoogLeNet, DenseNet.
        images, classes: as for `grad_cam`.

    Returns:
        As `grad_cam` at the last map; both are then equal.

    Raises:
        ValueError: as `grad_cam`, and of a network that ends otherwise.
    """
    asked = question(model, images, classes)
    pool, dense = ending(model, asked.graph)
    _, made = linear(model, asked.graph)
    averaged = anatomy.functional(model).input, made[("input", id(pool.layer))]
    features = keras.Model(*averaged).predict_on_batch(asked.images)
    kernel = ops.convert_to_numpy(dense.layer.kernel)[:, asked.classes].T
    channels_last = np.moveaxis(features, asked.channel, 3)
    return shown(np.maximum((channels_last * kernel[:, None, None]).sum(3), 0), asked)


def saliency(model: keras.Model, images: Any, classes: Any = None) -> np.ndarray:
    """Which pixels a class depends on: the size of the gradient at the image.

    Args:
        model, images, classes: as for `grad_cam`.

    Returns:
        (batch, height, width): of each pixel the largest absolute value of its channels, divided by
        the largest of the image.

    Raises:
        ValueError: as `grad_cam`.
    """
    asked = question(model, images, classes)
    whole, _ = linear(model, asked.graph)
    slopes = gradient(lambda x: chosen(whole(x, training=False), asked.classes), asked.images)
    return shown(np.abs(slopes).max(asked.channel), asked)


def occlusion(
    model: keras.Model,
    images: Any,
    classes: Any = None,
    *,
    size: int | None = None,
    stride: int | None = None,
    fill: float | None = None,
    batch_size: int = 32,
) -> np.ndarray:
    """How much the model's output for a class falls where a square hides the image.

    Without gradients: on every backend that predicts.

    Args:
        model, images, classes: as for `grad_cam`.
        size: of the square, in pixels; None: a quarter of the shorter side.
        stride: pixels between a square and the next; None: half of `size`.
        fill: the square's value; None: the mean of each image's channel.
        batch_size: hidden images that are predicted at once.

    Returns:
        (batch, height, width): the fall of the output (of a classifier, of the probability), mean
        over the squares that cover a pixel; below 0 where hiding speaks for the class.

    Raises:
        ValueError: as `grad_cam`, or a size or stride that is no positive whole number, or squares
            larger than the image or apart.
    """
    asked = question(model, images, classes)
    height, width = asked.sides
    size = max(1, min(height, width) // 4) if size is None else size
    stride = max(1, size // 2) if stride is None else stride
    for name, value, most in (("size", size, min(height, width)), ("stride", stride, size)):
        if not isinstance(value, Integral) or not 1 <= value <= most:
            raise ValueError(f"{name} is a whole number of pixels, 1 to {most}, not {value!r}.")
    grey = asked.images.mean(asked.graph.axes, keepdims=True) if fill is None else fill
    places = [(top, left) for top in starts(height, size, stride)
              for left in starts(width, size, stride)]  # fmt: skip
    outputs = first_output(model, asked.images, batch_size)
    fall, covered = np.zeros((len(outputs), height, width)), np.zeros((height, width))
    rows = np.arange(len(outputs))
    for top, left in places:
        square = (slice(top, top + size), slice(left, left + size))
        inside = (..., *square, slice(None)) if asked.channel == 3 else (..., *square)
        hidden = asked.images.copy()
        hidden[inside] = np.broadcast_to(grey, hidden.shape)[inside]
        now = first_output(model, hidden, batch_size)
        fall[(slice(None), *square)] += (outputs - now)[rows, asked.classes][:, None, None]
        covered[square] += 1
    return (fall / covered).astype("float32")


def overlay(images: Any, maps: Any, strength: float = 0.6) -> np.ndarray:
    """Pictures of the images with their maps over them, from red to white where they are high.

    Args:
        images: RGB pixels in [0, 255], (..., height, width, 3), of any type.
        maps: (..., height, width), as the functions here give them; below 0 is as 0.
        strength: of the colour at a map's greatest value, 0 to 1.

    Returns:
        uint8, as `images`; `PIL.Image.fromarray` takes each.

    Raises:
        ValueError: the shapes do not belong together, or `strength` is no share.
    """
    pixels, heat = np.asarray(images, "float32"), np.maximum(np.asarray(maps, "float32"), 0)
    if pixels.shape != (*heat.shape, 3) or heat.ndim < 2:
        raise ValueError(
            f"images are (..., height, width, 3) and maps (..., height, width), not "
            f"{pixels.shape} and {heat.shape}."
        )
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is 0 to 1, not {strength!r}.")
    greatest = heat.max((-2, -1), keepdims=True)
    heat = (heat / np.where(greatest > 0, greatest, 1))[..., None]
    colour = 255 * np.clip(3 * heat - np.arange(3), 0, 1)
    share = strength * heat
    blended: np.ndarray = np.clip(pixels * (1 - share) + colour * share + 0.5, 0, 255)
    return blended.astype("uint8")


# --- what is asked ---------------------------------------------------------------------------


class Question(NamedTuple):
    """Images, the class of each, and the graph of the model that is asked."""

    images: np.ndarray
    classes: np.ndarray
    graph: anatomy.Graph

    @property
    def channel(self) -> int:
        """The axis of the channels."""
        return 3 if self.graph.axes == (1, 2) else 1

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the images."""
        height, width = (self.images.shape[axis] for axis in self.graph.axes)
        return height, width


def question(model: keras.Model, images: Any, classes: Any) -> Question:
    """What is asked for, if it can be answered."""
    graph = anatomy.graph_of(model)
    if len(graph.outputs[0].shape) != 2:
        raise ValueError(
            f"'{model.name}' gives {graph.outputs[0].shape}, not (batch, classes) as a classifier."
        )
    x = np.asarray(ops.convert_to_numpy(images), "float32")
    wanted = graph.image.shape[1:]
    if x.ndim != 4 or not len(x) or not fits(x.shape[1:], wanted):
        raise ValueError(f"images are (batch, {', '.join(map(str, wanted))}), not {x.shape}.")
    number = int(graph.outputs[0].shape[1])
    if classes is None:
        return Question(x, first_output(model, x, len(x)).argmax(1), graph)
    indices = np.asarray(classes)
    if indices.dtype.kind not in "iu" or indices.shape not in ((), (len(x),)):
        raise ValueError(
            f"classes is an index, or one for each of {len(x)} images, not {classes!r}."
        )
    if indices.min() < 0 or indices.max() >= number:
        raise ValueError(f"classes are 0 to {number - 1} in '{model.name}', not {classes!r}.")
    return Question(x, np.broadcast_to(indices, len(x)), graph)


def fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether an image of this shape is one of the wanted."""
    return all(b in (None, a) for a, b in zip(shape, wanted, strict=True))


def first_output(model: keras.Model, images: np.ndarray, batch_size: int) -> np.ndarray:
    """The predictions, without those of auxiliary classifiers."""
    parts = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    found = [keras.tree.flatten(model.predict_on_batch(part))[0] for part in parts]
    return np.concatenate([np.asarray(y, "float32") for y in found])


def linear(model: keras.Model, graph: anatomy.Graph) -> tuple[keras.Model, dict[Any, Any]]:
    """The same layers and weights as far as what goes into the softmax, and each layer's tensors.

    The latter by the layer's id: its output, and its input with "input" before.
    """
    whole = anatomy.functional(model)
    anatomy.check_names(whole)
    last = anatomy.towards(graph, graph.outputs[0])[-1].layer
    made: dict[Any, Any] = {}

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        made[("input", id(layer))] = inputs[0] if inputs else next(iter(options.values()))
        output = layer(*inputs, **options) if layer is not last else ahead(layer, *inputs)
        made[id(layer)] = output
        return output

    anatomy.walked(whole, whole.inputs, call)
    return keras.Model(whole.input, made[id(last)], name=model.name), made


def ahead(layer: Any, x: Any) -> Any:
    """What the last layer gives, without its activation."""
    if isinstance(layer, layers.Softmax | layers.Activation):
        return x
    if isinstance(layer, layers.Dense) and layer.activation is not keras.activations.linear:
        y = ops.matmul(x, layer.kernel)
        return y if layer.bias is None else ops.add(y, layer.bias)
    return layer(x)


def ending(model: keras.Model, graph: anatomy.Graph) -> tuple[anatomy.Step, anatomy.Step]:
    """The averaging and the dense layer that a network ends in."""
    passing = (layers.Softmax, layers.Activation, layers.Dropout, layers.Flatten, layers.Reshape)
    path = anatomy.towards(graph, graph.outputs[0])
    found = [step for step in path[::-1] if not isinstance(step.layer, passing)][:2]
    kinds = (layers.Dense, layers.GlobalAveragePooling2D)
    if len(found) < 2 or not all(map(isinstance, (s.layer for s in found), kinds)):
        raise ValueError(
            f"'{model.name}' does not end in a global average and one dense layer: take grad_cam, "
            f"or occlusion, which needs no gradients either."
        )
    return found[1], found[0]


def chosen(outputs: Any, classes: np.ndarray) -> Any:
    """The sum of each image's output for its class; images do not depend on each other."""
    picked = np.eye(outputs.shape[1], dtype="float32")[classes]
    return ops.sum(ops.cast(outputs, "float32") * ops.convert_to_tensor(picked))


def gradient(score: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Of one number that `score` makes of a tensor: the one thing that backends do differently."""
    backend = keras.backend.backend()
    tensor = ops.convert_to_tensor(x)
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensor)
            y = score(tensor)
        found = tape.gradient(y, tensor)
    elif backend == "jax":
        import jax

        found = jax.grad(score)(tensor)
    elif backend == "torch":
        import torch

        tensor = tensor.detach().requires_grad_()
        (found,) = torch.autograd.grad(score(tensor), tensor)
    else:
        raise ValueError(f"the backend {backend!r} has no gradients: take cam or occlusion.")
    return np.asarray(ops.convert_to_numpy(found), "float32")


# --- maps ------------------------------------------------------------------------------------


def starts(n: int, size: int, stride: int) -> list[int]:
    """Where squares begin that cover n pixels, the last one at the edge."""
    return [*range(0, n - size, stride), n - size]


def shown(maps: np.ndarray, asked: Question) -> np.ndarray:
    """Of the images' size, the greatest value of each 1."""
    for axis, n in zip((1, 2), asked.sides, strict=True):
        maps = resized(maps, axis, n)
    greatest = maps.max((1, 2), keepdims=True)
    share: np.ndarray = maps / np.where(greatest > 0, greatest, 1)
    return share.astype("float32")


def resized(maps: np.ndarray, axis: int, n: int) -> np.ndarray:
    """Linear between the centres of pixels."""
    last = maps.shape[axis] - 1
    where = np.clip((np.arange(n) + 0.5) * (last + 1) / n - 0.5, 0, last)
    below = np.floor(where).astype(int)
    share = (where - below).reshape((1, n, 1) if axis == 1 else (1, 1, n))
    left: np.ndarray = np.take(maps, below, axis)
    right: np.ndarray = np.take(maps, np.minimum(below + 1, last), axis)
    between: np.ndarray = left * (1 - share) + right * share
    return between
