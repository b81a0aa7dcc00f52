"""What is measured while a net trains, where a claim asks for more than its errors.

A probe never changes the run: what it takes gradients of are copies of the net.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops

from ...data.transforms import Batch, scaled
from ...experiments.recipes import Recipe
from ...experiments.seeds import generator
from ..backends import fed, oriented
from .losses import compile_model, targets, weights
from .networks import named_variables

# Layers whose outputs are those of blocks: pairs of convolutions, or Inception modules.
BLOCKS = r"conv\d+_block\d+_out|conv\d+_layer\d*[02468]_(relu|sigmoid)|inception_\w\w_concat"
FIRST_MODULE = "inception_3a_concat"
Row = dict[str, Any]


@dataclass(frozen=True)
class ProbeContext:
    """A run, as a probe sees it.

    `batch` is one of training images and their labels, always the same, not augmented; `errors`
    gives the tier's losses and errors in evaluation mode; `pixels` are test images in [0, 255].
    """

    model: keras.Model
    recipe: Recipe
    batch: Batch
    errors: Callable[[], Mapping[str, float]]
    pixels: np.ndarray


class Probe:
    """Measures a network before some of its steps and after the last.

    `single_step`: the step behind a look is made alone, and `stepped` told of it.
    """

    measurements = 24
    single_step = False

    def __init__(self, context: ProbeContext):
        self.context = context

    def places(self, steps: int) -> set[int]:
        """The steps before which it measures, evenly apart; `steps` is after the last."""
        return {round(i * steps / self.measurements) for i in range(self.measurements + 1)}

    def measure(self, batch: Batch | None) -> Row:
        """What it measures of the network now; the next step will be made with `batch`."""
        raise NotImplementedError

    def measure_after_step(self) -> Row:
        """What it measures after that step."""
        return {}

    def state(self) -> list[np.ndarray]:
        """What later measurements depend on, beside the network."""
        return []

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """Be as the probe was that gave this state."""


# --- losses -----------------------------------------------------------------------------------


class Losses(Probe):
    """Losses and errors in evaluation mode; measurements are 15 % of the steps made apart."""

    def places(self, steps: int) -> set[int]:
        apart = range(math.ceil(math.log(steps) / math.log(1.15)))
        return {0, *(place for i in apart if (place := round(1.15**i)) >= 8), steps}

    def measure(self, batch: Batch | None) -> Row:
        return dict(self.context.errors())


# --- gradients --------------------------------------------------------------------------------


class GradientTap(keras.layers.Layer):
    """x -> x + 0: the loss' gradient with respect to the zeros is that with respect to x.

    Args:
        batch: number of images.
    """

    def __init__(self, batch: int, **options: Any) -> None:
        super().__init__(**options)
        self.batch = batch

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """One zero for each value of a batch."""
        self.zeros = self.add_weight(shape=(self.batch, *input_shape[1:]), initializer="zeros")

    def call(self, x: KerasTensor) -> KerasTensor:
        """The tensor."""
        return ops.add(x, self.zeros)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's."""
        return input_shape


# Of the class of an instance: on PyTorch Keras makes its vectorised variant.
class GradientRecorder(type(keras.optimizers.SGD())):  # type: ignore[misc]
    """Keeps the gradients of a step and makes none."""

    def build(self, variables: list[Any]) -> None:
        super().build(variables)
        self.kept = [self.add_variable(v.shape, name="kept") for v in variables]

    def apply(self, grads: list[Any], trainable_variables: list[Any] | None = None) -> None:
        for kept, gradient in zip(self.kept, grads, strict=True):
            kept.assign(gradient)


class InstrumentedModel:
    """A net's copy that gives the loss' gradients with respect to the outputs of the layers whose
    names match `tapped`, for so many images, or to the kernels of its convolutions.
    """

    def __init__(
        self,
        model: keras.Model,
        loss_weights: tuple[float, ...] | None,
        tapped: str = "",
        batch: int = 0,
    ):
        def call(layer: keras.layers.Layer, *inputs: Any, **options: Any) -> Any:
            y = layer(*inputs, **options)
            matches = re.fullmatch(tapped, layer.name)
            return GradientTap(batch, name=f"{layer.name}_probe")(y) if matches else y

        # A model of the same layers: what is compiled would be cloned as such.
        net = keras.Model(model.input, model.output)
        self.model = keras.models.clone_model(net, call_function=call)
        kind = GradientTap if tapped else keras.layers.Conv2D
        self.layers = [layer for layer in self.model.layers if isinstance(layer, kind)]
        wanted = {layer.weights[0].path for layer in self.layers}
        for variable in self.model.variables:
            variable.trainable = variable.path in wanted
        compile_model(self.model, GradientRecorder(0.0), loss_weights)

    def assign(self, values: Mapping[str, np.ndarray]) -> None:
        """Give variables these values, by name; those that it has not, and others, are left."""
        for name, variable in named_variables(self.model).items():
            if name in values:
                variable.assign(values[name])

    def gradients(self, batch: Batch) -> list[np.ndarray]:
        """Of the loss in training mode, in the order of the layers, as float64."""
        images, labels = batch
        self.model.train_on_batch(oriented(images), targets(self.model, labels))
        kept = self.model.optimizer.kept
        return [ops.convert_to_numpy(v.value).astype("float64") for v in kept]


# The runs of an arm's other seeds, which follow, train the same model.
instrumented = lru_cache(maxsize=2)(InstrumentedModel)


def values(model: keras.Model) -> dict[str, np.ndarray]:
    """Those of all variables, by name."""
    variables = named_variables(model)
    return {name: np.array(ops.convert_to_numpy(v.value)) for name, v in variables.items()}


def norm(array: np.ndarray) -> float:
    return float(np.linalg.norm(array))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Of the angle between two arrays; NaN where one is zero."""
    with np.errstate(invalid="ignore"):
        return float(np.sum(a * b) / (np.float64(norm(a)) * norm(b)))


def ordered(layers: Iterable[keras.layers.Layer], numbers: Iterable[float]) -> Row:
    """Numbers by layer; names sort as the layers stand."""
    names = (f"{i:03} {layer.name.removesuffix('_probe')}" for i, layer in enumerate(layers))
    return dict(zip(names, numbers, strict=True))


class Gradients(Probe):
    """The norms of the loss' gradient with respect to the output of each block."""

    def measure(self, batch: Batch | None) -> Row:
        model, recipe, seen = self.context.model, self.context.recipe, self.context.batch
        copy = instrumented(model, weights(model, recipe.loss_scale), BLOCKS, len(seen[1]))
        copy.assign(values(model))
        return ordered(copy.layers, map(norm, copy.gradients(seen)))


class Heads(Probe):
    """The gradients of the main and of the auxiliary losses, apart, at the output of module 3a."""

    def measure(self, batch: Batch | None) -> Row:
        main, heads = (self.gradient(kept) for kept in (slice(1), slice(1, None)))
        return {"main": norm(main), "auxiliary": norm(heads), "cosine": cosine(main, heads)}

    def gradient(self, kept: slice) -> np.ndarray:
        """Of the outputs that are kept in the loss."""
        model, batch = self.context.model, self.context.batch
        share = weights(model) or (1.0,)
        only = [0.0] * len(share)
        only[kept] = share[kept]
        copy = instrumented(model, tuple(only), FIRST_MODULE, len(batch[1]))
        copy.assign(values(model))
        (gradient,) = copy.gradients(batch)
        return gradient


class Shift(Probe):
    """Internal covariate shift, twice: how far the mean input of each convolution but the first,
    a channel at a time, has moved since the last measurement, over its deviation then (in training
    mode, norms over channels, mean over convolutions); and the cosine of a convolution's gradients,
    with the layers below as they are before a step and after it (arXiv:1805.11604, definition
    2.1), mean over convolutions.
    """

    measurements = 12  # each takes as many gradients as there are convolutions
    single_step = True

    def __init__(self, context: ProbeContext):
        super().__init__(context)
        self.moments: list[tuple[np.ndarray, np.ndarray]] = []

    def measure(self, batch: Batch | None) -> Row:
        model = self.context.model
        self.copy = instrumented(model, None)
        self.before = values(model)
        self.copy.assign(self.before)
        now, then = self.inputs(), self.moments
        self.moments = now
        drifts = [norm(m - n) / norm(d) for (m, _), (n, d) in zip(now, then, strict=False)]
        if batch:
            self.copy.assign(self.before)
            self.batch, self.gradients = batch, self.copy.gradients(batch)
        return {"drift": float(np.mean(drifts)) if drifts else None}

    def inputs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Means and deviations of the channels of the convolutions' inputs."""
        places = [layer.input for layer in self.copy.layers[1:]]
        model = keras.Model(self.copy.model.input, places)
        channels = 1 if keras.config.image_data_format() == "channels_first" else 3
        axes = tuple({0, 1, 2, 3} - {channels})
        tensors = model(oriented(self.context.batch[0]), training=True)
        arrays = (ops.convert_to_numpy(x).astype("float64") for x in tensors)
        return [(x.mean(axes), x.std(axes)) for x in arrays]

    def measure_after_step(self) -> Row:
        after, cosines = values(self.context.model), []
        for i, (layer, gradient) in enumerate(zip(self.copy.layers, self.gradients, strict=True)):
            if i:
                below = {path: after[path] for path in self.below(layer)}
                self.copy.assign(self.before | below | self.drawn())
                cosines.append(cosine(gradient, self.copy.gradients(self.batch)[i]))
        return {"cosine": float(np.mean(cosines))}

    def state(self) -> list[np.ndarray]:
        return [array for pair in self.moments for array in pair]

    def restore(self, state: Sequence[np.ndarray]) -> None:
        self.moments = list(zip(state[::2], state[1::2], strict=True))

    def drawn(self) -> dict[str, np.ndarray]:
        """Seeds as they were before the step, for the same draws."""
        return {name: value for name, value in self.before.items() if name.endswith("/seed")}

    def below(self, first: keras.layers.Layer) -> Iterator[str]:
        """The paths of the weights of all layers before one, in a net without branches."""
        for layer in self.copy.model.layers:
            if layer is first:
                return
            yield from (v.path for v in layer.weights)


# --- trained nets -----------------------------------------------------------------------------


class AtEnd(Probe):
    """Measures once."""

    def places(self, steps: int) -> set[int]:
        return {steps}


class Responses(AtEnd):
    """Standard deviations of the 3x3 layers' outputs, behind batch normalization and before ReLU
    or addition (arXiv:1512.03385, figure 7), in evaluation mode, by layer.
    """

    def measure(self, batch: Batch | None) -> Row:
        model, images = self.context.model, self.context.batch[0]
        kind = keras.layers.BatchNormalization
        layers = [layer for layer in model.layers if isinstance(layer, kind)]
        places = keras.Model(model.input, [layer.output for layer in layers])
        outputs = places.predict(**fed(images, batch_size=len(images)), verbose=0)
        return ordered(layers, (float(np.std(x, dtype="float64")) for x in outputs))


class Distances(AtEnd):
    """How much farther noise, and blur, are from an image than a shift by one pixel of equal mean
    squared error: mean log ratios of feature distances. Features are the outputs of the net's
    ReLUs, each pixel's of length 1; their squared differences are averaged over pixels and added
    up over layers.
    """

    def measure(self, batch: Batch | None) -> Row:
        images = self.context.pixels.astype("float32")
        altered = {
            "shift": displaced(images, 1, 0),
            "noise": images + generator(0, "noise").standard_normal(images.shape),
        }
        size = norms(altered["shift"] - images)
        altered["blur"] = blurred(images, size)
        far = {}
        for name, others in altered.items():
            difference = others - images
            equal = images + difference * (size / norms(difference))
            far[name] = self.distances(images, equal.astype("float32"))
        shift = far.pop("shift")
        return {f"{name} to shift": float(np.mean(np.log(d / shift))) for name, d in far.items()}

    def distances(self, images: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Of the features of each image and its other; features of few at a time, as they are
        large.
        """
        few = [slice(i, i + 500) for i in range(0, len(images), 500)]
        return np.concatenate([self.distance(images[some], others[some]) for some in few])

    def distance(self, images: np.ndarray, others: np.ndarray) -> np.ndarray:
        model = self.context.model
        places = [x.output for x in model.layers if re.fullmatch(r"block\d+_relu\d+", x.name)]
        features = keras.Model(model.input, places)
        pairs = zip(*(self.features(features, x) for x in (images, others)), strict=True)
        return np.sum([((a - b) ** 2).sum(-1).mean((1, 2)) for a, b in pairs], axis=0)

    def features(self, model: keras.Model, images: np.ndarray) -> list[np.ndarray]:
        """Those of images, channels last and each pixel's of length 1."""
        inputs = scaled(images, self.context.recipe.inputs)
        arrays = model.predict(**fed(inputs, batch_size=500), verbose=0)
        if keras.config.image_data_format() == "channels_first":
            arrays = [x.transpose(0, 2, 3, 1) for x in arrays]
        return [x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-10) for x in arrays]


def blurred(images: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Each image under as many means of 3x3 pixels as take it `size` far, or farther."""
    near, others = (-1, 0, 1), images
    for _ in range(32):
        means = np.mean([displaced(others, i, j) for i in near for j in near], 0)
        others = np.where(norms(others - images) < size, means, others)
    return others


def displaced(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Images moved, their edges repeated."""
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = images.shape[1:3]
    return framed[:, 1 - down : 1 - down + height, 1 - right : 1 - right + width]


def norms(images: np.ndarray) -> np.ndarray:
    """Of each image, (n, 1, 1, 1)."""
    return np.sqrt((images.astype("float64") ** 2).sum((1, 2, 3), keepdims=True))


# The number behind a name is raised when what is measured changes: names are part of a run's spec.
PROBES: dict[str, type[Probe]] = {
    "losses": Losses,
    "gradients": Gradients,
    "heads": Heads,
    "shift 2": Shift,
    "responses": Responses,
    "distances 2": Distances,
}
