"""Which tensor of a file belongs in which variable of a model, and in which layout."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from .contents import Contents, FaultError, Tensor
from .dialect import PARTS, Dialect, module
from .report import Report

Convert = Callable[[np.ndarray], np.ndarray]
Shape = tuple[int, ...]
Tensors = Mapping[str, Tensor]

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
    judge = Judge(model, contents, wishes)
    verdicts = [(place, judge(place)) for place in places]
    used = {name for place in places for name in place.names}
    rest = [name for name in contents.tensors if name not in used]
    left_out = [name for name in rest if wishes.no_top and of_top(name, contents, dialect)]
    left_out += [name for name in rest if dialect and optional(name, dialect)]

    def said(word: str) -> tuple[str, ...]:
        return tuple(
            judge.words(place, word) for place, verdict in verdicts if verdict.word == word
        )

    report = Report(
        path,
        contents.integrity,
        tuple(name for place, verdict in verdicts if verdict.convert for name in place.names),
        said("missing"),
        tuple(name for name in rest if name not in left_out),
        said("misshapen"),
        said("fresh"),
        said("reshaped"),
        tuple(left_out),
    )
    return report, [(place, verdict.convert) for place, verdict in verdicts if verdict.convert]


# --- names -----------------------------------------------------------------------------------


def placed(model: keras.Model, contents: Contents, dialect: Dialect | None) -> list[Place]:
    """The places of all variables, in the names of the file's kind."""
    if contents.kind == "legacy":
        return list(in_order(model, contents.tensors))
    if contents.kind == "keras":
        return [Place(x, v, (f"{x.name}/{i}",)) for x in model.layers
                for i, v in enumerate(x.weights)]  # fmt: skip
    if dialect is None or dialect.names is None:
        raise FaultError(
            f"names its tensors as PyTorch does, and not "
            f"{'this package' if dialect is None else 'this source'}: say whose it is, as in "
            f"pretrained.load('resnet50', 'torchvision', path)."
        )
    return [Place(x, v, (module_name(dialect, x, v),)) for x in model.layers for v in x.weights]


def module_name(dialect: Dialect, layer: keras.Layer, variable: keras.Variable) -> str:
    """A variable's name there; where the source has no such layer, its own, which no file has."""
    found = module(dialect.names or (), layer.name)
    return variable.path if found is None else f"{found}.{PARTS[variable.name]}"


def in_order(model: keras.Model, tensors: Tensors) -> Iterator[Place]:
    """Keras' legacy files have the order of the layers, which is that of the graph."""
    names = list(tensors)
    for layer in model.layers:
        for variable in layer.weights:
            count = parts(layer, variable, tensors[names[0]]) if names else 1
            yield Place(layer, variable, tuple(names[:count]) or (variable.path,))
            del names[:count]


def parts(layer: keras.Layer, variable: keras.Variable, first: Tensor) -> int:
    """How many tensors a variable is stored as: a grouped convolution may be one a group."""
    groups = getattr(layer, "groups", 1)
    shape = tuple(variable.shape)
    return groups if groups > 1 and first.shape == (*shape[:-1], shape[-1] // groups) else 1


def of_top(name: str, contents: Contents, dialect: Dialect | None) -> bool:
    """Whether a tensor is the file's classifier's, which is last and dense."""
    if contents.kind == "legacy":
        return len(contents.tensors[name].shape) <= 2
    if contents.kind == "keras":
        return name.partition("/")[0] in TOP
    names = dialect.names if dialect and dialect.names else ()
    return name.rpartition(".")[0] in {module(names, layer) for layer in TOP}


def optional(name: str, dialect: Dialect) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in dialect.optional)


def renamed(contents: Contents, dialect: Dialect | None) -> Contents:
    """With today's names, and without what is no weight: PyTorch's counters of batches."""
    tensors = {
        newer(name, dialect.older if dialect else ()): tensor
        for name, tensor in contents.tensors.items()
        if not name.endswith("num_batches_tracked")
    }
    return Contents(contents.kind, tensors, contents.integrity, contents.metadata)


def newer(name: str, older: Sequence[tuple[str, str]]) -> str:
    for pattern, replacement in older:
        name = re.sub(pattern, replacement, name)
    return name


# --- shapes ----------------------------------------------------------------------------------


class Judge:
    """Says of a place whether the file's tensors fit it."""

    def __init__(self, model: keras.Model, contents: Contents, wishes: Wishes):
        self.model, self.contents, self.wishes = model, contents, wishes
        self.stem = next((x for x in model.layers if isinstance(x, layers.Conv2D)), None)

    def __call__(self, place: Place) -> Verdict:
        shape = self.shape(place)
        if shape is None:
            return Verdict("missing")
        if strays(place, self.model, self.contents):
            return Verdict("misshapen")
        if fits := self.layouts(place).get(shape):
            return Verdict("matched", fits)
        if self.wishes.channels and place.layer is self.stem:
            height, width, new, filters = place.variable.shape
            if convert := self.layouts(place, (height, width, 3, filters)).get(shape):
                return Verdict("reshaped", lambda a: spread(convert(a), new))
        if self.wishes.classes and place.layer.name in CLASSIFIERS:
            return Verdict("fresh")
        return Verdict("misshapen")

    def shape(self, place: Place) -> Shape | None:
        """Of the tensors of a place, put together; None where one is missing."""
        tensors = self.contents.tensors
        if not all(name in tensors for name in place.names):
            return None
        first = tensors[place.names[0]].shape
        return first if len(place.names) == 1 else (*first[:-1], first[-1] * len(place.names))

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
            return place.variable.path
        if word == "missing":
            return ", ".join(place.names)
        right = " or ".join(map(str, self.layouts(place)))
        return f"{place.names[0]} {self.shape(place)}, not {right} of {place.variable.path}"


def strays(place: Place, model: keras.Model, contents: Contents) -> bool:
    """Whether a legacy tensor bears the name of another layer of the model than its turn is."""
    layer = place.names[0].partition("/")[0]
    names = {x.name for x in model.layers}
    return contents.kind == "legacy" and layer in names and layer != place.layer.name


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
