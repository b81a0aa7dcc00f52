"""Which tensor of a file belongs in which variable of a model, and in which layout."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from .contents import Contents, FaultError, Tensor, unique
from .dialect import PARTS, Dialect, module
from .report import Report

Convert = Callable[[np.ndarray], np.ndarray]
Shape = tuple[int, ...]

CLASSIFIERS = ("predictions", "aux1", "aux2")
# The layers that a network without top has not.
TOP = (*CLASSIFIERS, "fc1", "fc2", "fc6", "fc7")


@dataclass(frozen=True)
class Wishes:
    """How a model may differ from the file's: it has other classes, channels, or no top."""

    classes: bool = False
    channels: bool = False
    no_top: bool = False


class Place(NamedTuple):
    """A variable of a model, and the names of the tensors that belong in it."""

    layer: keras.Layer
    variable: keras.Variable
    names: tuple[str, ...]


class Verdict(NamedTuple):
    """What becomes of a place, in the report's words, and how a tensor gets there."""

    word: str
    convert: Convert | None = None


def matched(
    model: keras.Model, path: Path, contents: Contents, dialect: Dialect | None, wishes: Wishes
) -> tuple[Report, list[tuple[Place, Convert]]]:
    """What of a file belongs where: as a report, and how it gets there."""
    places = placed(model, contents, dialect)
    judge = Judge(model, contents, wishes, places)
    verdicts = [(place, judge(place)) for place in places]
    used = {name for place in places for name in place.names}
    rest = [name for name in contents.tensors if name not in used]
    left_out = [name for name in rest if wishes.no_top and of_top(name, contents, dialect)]
    if dialect and not any(x.name in CLASSIFIERS[1:] for x in model.layers):
        left_out += [name for name in rest if optional(name, dialect)]

    def said(word: str) -> tuple[str, ...]:
        return tuple(
            judge.words(place, word) for place, verdict in verdicts if verdict.word == word
        )

    report = Report(
        path,
        contents.integrity,
        matched=tuple(n for place, verdict in verdicts if verdict.convert for n in place.names),
        missing=said("missing"),
        unexpected=tuple(name for name in rest if name not in left_out),
        misshapen=said("misshapen"),
        fresh=said("fresh"),
        reshaped=said("reshaped"),
        left_out=tuple(left_out),
    )
    return report, [(place, verdict.convert) for place, verdict in verdicts if verdict.convert]


# --- names -----------------------------------------------------------------------------------


def placed(model: keras.Model, contents: Contents, dialect: Dialect | None) -> list[Place]:
    """The places of all variables, in the names of the file's kind."""
    if contents.kind == "legacy":
        return list(in_order(model, contents))
    if contents.kind == "keras":
        return [Place(x, v, (f"{x.name}/{i}",)) for x in model.layers
                for i, v in enumerate(x.weights)]  # fmt: skip
    if dialect is None or dialect.names is None:
        raise FaultError(
            "names its tensors as PyTorch does: say whose it is, as in "
            f"pretrained.load({model.name!r}, 'torchvision', path)."
        )
    return [Place(x, v, (module_name(dialect, x, v),)) for x in model.layers for v in x.weights]


def module_name(dialect: Dialect, layer: keras.Layer, variable: keras.Variable) -> str:
    """A variable's name there; where the source has no such layer, its own, which no file has."""
    found = module(dialect.names or (), layer.name)
    return variable.path if found is None else f"{found}.{PARTS[variable.name]}"


def in_order(model: keras.Model, contents: Contents) -> Iterator[Place]:
    """Keras' legacy files have the order of the layers, which is that of the graph."""
    rows = list(contents.layers)
    for layer in (x for x in model.layers if x.weights):
        count = parts(layer, contents.tensors[rows[0][0]]) if rows else 1
        taken, rows = rows[:count], rows[count:]
        for i, variable in enumerate(layer.weights):
            names = tuple(row[i] for row in taken if i < len(row))
            yield Place(layer, variable, names or (variable.path,))


def parts(layer: keras.Layer, first: Tensor) -> int:
    """How many layers a layer is stored as: a grouped convolution may be one a group."""
    groups = getattr(layer, "groups", 1)
    kernel = tuple(layer.kernel.shape) if groups > 1 else ()
    return groups if kernel and first.shape == (*kernel[:-1], kernel[-1] // groups) else 1


def of_top(name: str, contents: Contents, dialect: Dialect | None) -> bool:
    """Whether a tensor is the file's classifier's."""
    if contents.kind == "legacy":
        return name in {n for row in dense_end(contents) for n in row}
    if contents.kind == "keras":
        return name.partition("/")[0] in TOP
    names = dialect.names if dialect and dialect.names else ()
    return name.rpartition(".")[0] in {module(names, layer) for layer in TOP}


def dense_end(contents: Contents) -> list[tuple[str, ...]]:
    """The last layers of a legacy file, at most three, that are a matrix and a vector each."""
    found: list[tuple[str, ...]] = []
    for row in contents.layers[:-4:-1]:
        shapes = [contents.tensors[name].shape for name in row]
        if [len(shape) for shape in shapes] != [2, 1] or shapes[0][1:] != shapes[1]:
            break
        found.append(row)
    return found


def optional(name: str, dialect: Dialect) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in dialect.optional)


def renamed(contents: Contents, dialect: Dialect | None) -> Contents:
    """With today's names, and without what is no weight: PyTorch's counters of batches."""
    tensors = unique(
        (newer(name, dialect.older if dialect else ()), tensor)
        for name, tensor in contents.tensors.items()
        if not name.endswith("num_batches_tracked")
    )
    return replace(contents, tensors=tensors)


def newer(name: str, older: Sequence[tuple[str, str]]) -> str:
    for pattern, replacement in older:
        name = re.sub(pattern, replacement, name)
    return name


# --- shapes ----------------------------------------------------------------------------------


class Judge:
    """Says of a place whether the file's tensors fit it."""

    def __init__(
        self, model: keras.Model, contents: Contents, wishes: Wishes, places: Sequence[Place]
    ):
        self.model, self.contents, self.wishes, self.places = model, contents, wishes, places
        self.stem = next((x for x in model.layers if isinstance(x, layers.Conv2D)), None)

    def __call__(self, place: Place) -> Verdict:
        shape = self.shape(place)
        if shape is None:
            return Verdict("fresh" if self.headless(place.layer) else "missing")
        if strays(place, self.model, self.contents):
            return Verdict("misshapen")
        if fits := self.layouts(place).get(shape):
            return Verdict("matched", fits)
        if self.wishes.channels and place.layer is self.stem:
            height, width, new, filters = place.variable.shape
            if convert := self.layouts(place, (height, width, 3, filters)).get(shape):
                return Verdict("reshaped", lambda a: spread(convert(a), new))
        if self.wishes.classes and place.layer.name in CLASSIFIERS and self.other(place.layer):
            return Verdict("fresh")
        return Verdict("misshapen")

    def headless(self, layer: keras.Layer) -> bool:
        """Whether other classes are asked for, and the file has nothing of a classifier's."""
        own = [x for x in self.places if x.layer is layer]
        asked = self.wishes.classes and layer.name in CLASSIFIERS
        return asked and all(self.shape(place) is None for place in own)

    def other(self, layer: keras.Layer) -> bool:
        """Whether a classifier is, all of it, as it would be for another number of classes."""
        own = [place for place in self.places if place.layer is layer]
        (bias,) = (place for place in own if place.variable.name == "bias")
        there = self.shape(bias) or ()
        fit = [
            self.shape(place) in self.layouts(place, (*place.variable.shape[:-1], *there))
            for place in own
        ]
        return there != tuple(bias.variable.shape) and all(fit)

    def shape(self, place: Place) -> Shape | None:
        """Of the tensors of a place, put together; None where one is missing."""
        tensors = self.contents.tensors
        if not all(name in tensors for name in place.names):
            return None
        shapes = {tensors[name].shape for name in place.names}
        first = tensors[place.names[0]].shape
        if len(shapes) > 1 or len(place.names) == 1:
            return first
        return (*first[:-1], first[-1] * len(place.names))

    def layouts(self, place: Place, shape: Shape | None = None) -> dict[Shape, Convert]:
        """The shapes that a variable may have in the file, and how each becomes ours."""
        shape = shape or tuple(place.variable.shape)
        if self.contents.kind != "state" or place.variable.name != "kernel":
            return {shape: lambda a: a}
        if len(shape) == 4:
            return convolutional(shape)
        return dense(shape, flattened(self.model, place.layer))

    def words(self, place: Place, word: str) -> str:
        """A place in the report."""
        if word in ("fresh", "reshaped"):
            return str(place.variable.path)
        if word == "missing":
            return ", ".join(place.names)
        right = " or ".join(map(str, self.layouts(place)))
        return f"{place.names[0]} {self.shape(place)}, not {right} of {place.variable.path}"


def strays(place: Place, model: keras.Model, contents: Contents) -> bool:
    """Whether a legacy tensor says that it is of another layer of the model, or another weight."""
    if contents.kind != "legacy":
        return False
    layer, _, _ = place.names[0].partition("/")
    weight = place.names[0].rpartition("/")[2].removesuffix(":0")
    elsewhere = layer != place.layer.name and layer in {x.name for x in model.layers}
    return elsewhere or (weight != place.variable.name and weight in PARTS)


def spread(kernel: np.ndarray, channels: int) -> np.ndarray:
    """For another number of channels: the sum over the old ones, shared by the new."""
    return np.repeat(kernel.sum(2, keepdims=True) / channels, channels, axis=2)


def convolutional(shape: Shape) -> dict[Shape, Convert]:
    """PyTorch's (filters, channels, height, width); a 1x1 convolution may be a dense layer's."""
    height, width, channels, filters = shape
    fits: dict[Shape, Convert] = {
        (filters, channels, height, width): lambda a: a.transpose(2, 3, 1, 0)
    }
    if height == width == 1:
        fits[(filters, channels)] = lambda a: a.T[None, None]
    return fits


def dense(shape: Shape, maps: Shape) -> dict[Shape, Convert]:
    """PyTorch's (units, inputs), whose inputs may be flattened maps, there channels first, or the
    window of a convolution.
    """
    height, width, channels = maps
    inputs, units = shape
    window = units, channels, height, width

    def convert(a: np.ndarray) -> np.ndarray:
        return a.reshape(window).transpose(2, 3, 1, 0).reshape(shape)

    return {(units, inputs): convert, window: convert}


def flattened(model: keras.Model, layer: keras.Layer) -> Shape:
    """Height, width and channels of the maps that a dense layer sees in a row."""
    before = next(op for op in model.operations if op.output is layer.input)
    if not isinstance(before, layers.Flatten):
        return 1, 1, layer.input.shape[-1]
    shape = before.input.shape[1:]
    last = before.data_format == "channels_last"
    return shape if last else (*shape[1:], shape[0])
