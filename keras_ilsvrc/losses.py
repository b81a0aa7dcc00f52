"""Losses on what a network sees, not on pixels: content and style.

L. A. Gatys, A. S. Ecker, M. Bethge, arXiv:1508.06576 (Gatys), and J. Johnson, A. Alahi, L. Fei-Fei,
arXiv:1603.08155 (Johnson), with their layers of VGG-19 and VGG-16. Each is a keras.losses.Loss of
(wanted images, images), for `compile` and for loops of one's own.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Literal

import keras
from keras import ops

from . import anatomy
from .assembly import among

Paper = Literal["gatys", "johnson"]
Layers = Sequence[str] | Mapping[str, float]

# Layers of VGG19 and VGG16 here, which give what is behind their ReLU, and their weights.
GATYS_CONTENT = {"block4_conv2": 1.0}
GATYS_STYLE = {f"block{i}_conv1": 0.2 for i in (1, 2, 3, 4, 5)}
JOHNSON_CONTENT = {"block3_conv3": 1.0}  # relu3_3; for super-resolution "block2_conv2"
JOHNSON_STYLE = {"block1_conv2": 1.0, "block2_conv2": 1.0, "block3_conv3": 1.0, "block4_conv3": 1.0}
LAYERS = {
    ("content", "gatys"): GATYS_CONTENT,
    ("content", "johnson"): JOHNSON_CONTENT,
    ("style", "gatys"): GATYS_STYLE,
    ("style", "johnson"): JOHNSON_STYLE,
}


class FeatureLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """A weighted sum, over layers of a network, of a distance between their outputs.

    Args:
        network: functional or Sequential, also with such models for layers, of one input of images.
            Its weights are read when the loss is called; they are not trained by it.
        layers: names of layers, or their weights by name; None: those of the paper.
        paper: whose layers and factors.
        prepare: images of the loss -> images of the network, such as
            `lambda x: preprocess(255 * x, network)`; None: they are these.
        options: of keras.losses.Loss: `reduction`, `name`, `dtype`.

    Raises:
        ValueError: the network lacks a layer.
    """

    kind = ""

    def __init__(
        self,
        network: keras.Model,
        layers: Layers | None = None,
        *,
        paper: Paper = "gatys",
        prepare: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        among("paper", paper, ("gatys", "johnson"))
        asked = LAYERS[self.kind, paper] if layers is None else layers
        weights = dict(asked) if isinstance(asked, Mapping) else dict.fromkeys(asked, 1.0)
        graph = anatomy.graph_of(network)
        steps = {step.name: step for step in graph.steps}
        if missing := [name for name in weights if name not in steps] or not weights:
            what = f"no layer {missing[0]!r}" if isinstance(missing, list) else "no layers to take"
            raise ValueError(
                f"'{network.name}' has {what}: pass layers=, names of its own (VGG16 and VGG19 "
                f"have those of the papers)."
            )
        made = anatomy.outputs_of(network, [steps[name].layer for name in weights])
        outputs = [made[id(steps[name].layer)] for name in weights]
        self.network = keras.Model(anatomy.functional(network).input, outputs)
        self.weights, self.paper = list(weights.values()), paper
        self.prepare = prepare or (lambda images: images)
        self.channel = 3 if graph.axes == (1, 2) else 1

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image: (batch,)."""
        pairs = zip(self.seen(y_true), self.seen(y_pred), self.weights, strict=True)
        parts = [weight * self.distance(a, b) for a, b, weight in pairs]
        return sum(parts[1:], parts[0])

    def seen(self, images: Any) -> list[Any]:
        """The layers' outputs, float32, (batch, places, channels)."""
        maps = keras.tree.flatten(self.network(self.prepare(images), training=False))
        return [self.flattened(ops.cast(x, "float32")) for x in maps]

    def flattened(self, x: Any) -> Any:
        x = x if self.channel == 3 else ops.transpose(x, (0, 2, 3, 1))
        return ops.reshape(x, (-1, prod(x.shape[1:-1]), x.shape[-1]))

    def distance(self, wanted: Any, found: Any) -> Any:
        """Of one layer's outputs: (batch,)."""
        raise NotImplementedError


class Content(FeatureLoss):
    """How far a network sees other things than it should.

    Gatys: half the sum of squared differences, of VGG-19's conv4_2. Johnson: their mean, of VGG16's
    relu3_3. Arguments as `FeatureLoss`.
    """

    kind = "content"

    def distance(self, wanted: Any, found: Any) -> Any:
        """Of one layer's outputs: (batch,)."""
        squares = ops.square(found - wanted)
        if self.paper == "gatys":
            return 0.5 * ops.sum(squares, (1, 2))
        return ops.mean(squares, (1, 2))


class Style(FeatureLoss):
    """How far the correlations of a network's channels are others than they should be.

    They are the Gram matrix of a layer: sums over its places of products of two channels. Gatys:
    the sum of squared differences over 4 N^2 M^2, N channels and M places, of VGG-19's conv1_1 ...
    conv5_1, a fifth each. Johnson: of matrices over N M, of VGG-16's relu1_2, 2_2, 3_3, 4_3.
    The two images may have different sizes where the network takes any.
    Arguments as `FeatureLoss`.
    """

    kind = "style"

    def distance(self, wanted: Any, found: Any) -> Any:
        """Of one layer's outputs: (batch,)."""
        factor = 0.25 if self.paper == "gatys" else 1.0
        difference = gram(found) - gram(wanted)
        return factor * ops.sum(ops.square(difference), (1, 2))


def gram(maps: Any) -> Any:
    """(batch, places, channels) -> (batch, channels, channels), over places and channels."""
    _, places, channels = maps.shape
    return ops.matmul(ops.transpose(maps, (0, 2, 1)), maps) / float(places * channels)


class Weighted(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """The sum of losses, each times a number.

        loss = Weighted([(Content(network), 1.0), (Style(network), 1e3)])

    Args:
        parts: pairs of a loss and its weight.
        options: of keras.losses.Loss.

    Raises:
        ValueError: there is no part, or one is no pair of a loss and a number.
    """

    def __init__(self, parts: Sequence[tuple[keras.losses.Loss, float]], **options: Any) -> None:
        super().__init__(**options)
        self.parts = list(parts)
        for part in self.parts:
            if len(part) != 2 or not isinstance(part[0], keras.losses.Loss):
                raise ValueError(
                    f"parts are pairs of a keras.losses.Loss and a number, not {part!r}."
                )
        if not self.parts:
            raise ValueError("parts are pairs of a loss and a number: give one at least.")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image: (batch,)."""
        found = [float(weight) * loss.call(y_true, y_pred) for loss, weight in self.parts]
        return sum(found[1:], found[0])


def total_variation(images: Any) -> Any:
    """How rough images are: the sum of absolute differences of neighbouring pixels.

    Args:
        images: (batch, height, width, channels), or channels first where Keras is set so.

    Returns:
        (batch,), of the images' type.
    """
    x = ops.convert_to_tensor(images)
    if keras.config.image_data_format() == "channels_first":
        x = ops.transpose(x, (0, 2, 3, 1))
    down = ops.sum(ops.abs(x[:, 1:] - x[:, :-1]), (1, 2, 3))
    return down + ops.sum(ops.abs(x[:, :, 1:] - x[:, :, :-1]), (1, 2, 3))
