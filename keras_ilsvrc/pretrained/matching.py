"""Which tensor of a file belongs in which variable of a model, and in which layout."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from .choosing import Choice, Chosen, chosen, counter
from .contents import Contents, FaultError, Tensor, each, unique
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
    model: keras.Model,
    path: Path,
    contents: Contents,
    dialect: Dialect | None,
    wishes: Wishes,
    choice: Choice = Choice(),  # noqa: B008 (it does not change)
) -> tuple[Report, list[tuple[Place, Convert]], Contents]:
    """What of a file belongs where: as a report, how it gets there, and the tensors by the names of
    places.
    """
    contents, meaning = meant(model, contents, dialect, wishes, choice)
    places = placed(model, contents, dialect)
    judge = Judge(model, contents, wishes, places)
    verdicts = [(place, judge(place)) for place in places]
    used = {name for place in places for name in place.names}
    rest = [name for name in contents.tensors if name not in used]
    replaced = wishes.no_top or any(
        verdict.word == "fresh" and place.layer.name == "predictions" for place, verdict in verdicts
    )
    ends = heads(rest, places, contents, dialect) if replaced else ()
    left_out = [name for name in rest if name in ends]
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
        left_out=(*left_out, *meaning.left_out),
        notes=meaning.notes,
    )
    plan = [(place, verdict.convert) for place, verdict in verdicts if verdict.convert]
    return report, plan, contents


def meant(
    model: keras.Model,
    contents: Contents,
    dialect: Dialect | None,
    wishes: Wishes,
    choice: Choice,
) -> tuple[Contents, Chosen]:
    """The contents in today's names, and of several things that a file holds the network."""
    contents = renamed(contents, dialect)
    if contents.kind == "state":
        wanted = [name for place in placed(model, contents, dialect) for name in place.names]
        return chosen(contents, wanted, choice, wishes.no_top)
    if choice.key is not None:
        raise FaultError("has one set of weights: key is of files of torch.save.")
    if contents.kind == "keras":
        contents = in_order_of_classes(model, with_names(model, contents), dialect)
    return by_layers(contents, choice)


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


def heads(
    rest: Sequence[str], places: Sequence[Place], contents: Contents, dialect: Dialect | None
) -> set[str]:
    """Of the tensors without a place those of the file's classifier, which may be another one than
    the source's: dense layers behind what has a place.
    """
    tensors = contents.tensors
    if contents.kind == "legacy":
        return {name for row in dense_end(contents) for name in row} & {*rest}
    if contents.kind == "keras":
        rows: dict[str, list[str]] = {}
        for name in rest:
            rows.setdefault(name.partition("/")[0], []).append(name)
        matrices = [x for x, row in rows.items() if is_dense([tensors[n].shape for n in row])]
        ends = {*TOP, *(matrices if len(matrices) <= 3 else ())}
        return {name for x, row in rows.items() if x in ends for name in row}
    names = dialect.names if dialect and dialect.names else ()
    tops = {module(names, layer) for layer in TOP} - {None}
    bodies = {
        name.partition(".")[0] for place in places for name in place.names
        if place.layer.name not in TOP
    }  # fmt: skip
    found = set()
    for name in rest:
        inside = name.rpartition(".")[0]
        shapes = [tensors[n].shape for n in rest if n.rpartition(".")[0] == inside]
        behind = inside and name.partition(".")[0] not in bodies and is_dense(shapes)
        if behind or any(inside == top or inside.startswith(f"{top}.") for top in tops):
            found.add(name)
    return found


def is_dense(shapes: Sequence[Shape]) -> bool:
    """Whether shapes are those of a dense layer: a matrix, and a vector or none."""
    ranks = sorted(map(len, shapes), reverse=True)
    return ranks == [2] or (
        ranks == [2, 1] and any(len(s) == 1 and s[0] in t for t in shapes for s in shapes if t != s)
    )


def dense_end(contents: Contents) -> list[tuple[str, ...]]:
    """The last layers of a legacy file, at most three, that are a matrix and a vector each."""
    found: list[tuple[str, ...]] = []
    for row in contents.layers[:-4:-1]:
        if any(name not in contents.tensors for name in row):
            break
        shapes = [contents.tensors[name].shape for name in row]
        if [len(shape) for shape in shapes] != [2, 1] or shapes[0][1:] != shapes[1]:
            break
        found.append(row)
    return found


def optional(name: str, dialect: Dialect) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in dialect.optional)


def renamed(contents: Contents, dialect: Dialect | None) -> Contents:
    """With today's names, and without what is no weight: counters of batches and models."""

    def today(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return unique(
            (newer(name, dialect.older if dialect else ()), tensor)
            for name, tensor in tensors.items()
            if contents.kind != "state" or not counter(name)
        )

    sets = each(contents.sets, today)
    return replace(contents, tensors=today(contents.tensors), sets=sets)


def by_layers(contents: Contents, choice: Choice) -> tuple[Contents, Chosen]:
    """A Keras file without what is to be ignored, its layers renamed; names are layer/variable."""
    if choice == Choice():
        return contents, Chosen(contents.tensors, (), ())

    def new(name: str) -> str:
        layer, slash, rest = name.partition("/")
        for there, here in choice.rename.items():
            if isinstance(there, re.Pattern):
                layer = there.sub(here, layer)
            elif layer.startswith(there):
                layer = here + layer.removeprefix(there)
        return layer.removeprefix(choice.prefix or "") + slash + rest

    def out(name: str) -> bool:
        layer = name.partition("/")[0]
        patterns = choice.ignore
        return not name.startswith(choice.prefix or "") or any(
            fnmatchcase(name, p) or fnmatchcase(layer, p) for p in patterns
        )

    left = tuple(filter(out, contents.tensors))
    tensors = unique((new(n), t) for n, t in contents.tensors.items() if n not in left)
    layers = tuple(tuple(new(n) for n in row if n not in left) for row in contents.layers)
    changed = replace(contents, tensors=tensors, layers=tuple(filter(None, layers)))
    return changed, Chosen(tensors, left, ())


def with_names(model: keras.Model, contents: Contents) -> Contents:
    """For layers that stand under their class and its number the model's: "?conv2d_1" is its second
    convolution. Keras' files in parts name a layer in the first of its parts alone.
    """
    classes: dict[str, list[str]] = {}
    for layer in model.layers:
        classes.setdefault(SNAKE.get(type(layer).__name__, ""), []).append(layer.name)

    def name(old: str) -> str:
        group, slash, rest = old.partition("/")
        kind, _, number = group.removeprefix("?").rpartition("_")
        if not number.isdecimal():
            kind, number = group.removeprefix("?"), "0"
        ours = classes.get(kind, [])
        known = group.startswith("?") and int(number) < len(ours)
        return (ours[int(number)] if known else group) + slash + rest

    tensors = unique((name(n), t) for n, t in contents.tensors.items())
    rows = tuple(tuple(map(name, row)) for row in contents.layers)
    return replace(contents, tensors=tensors, layers=rows)


SNAKE = {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization", "Dense": "dense"}
# What Keras calls layers that were given no name.
AUTOMATIC = re.compile(r"(conv2d|batch_normalization)(_\d+)?")


def in_order_of_classes(
    model: keras.Model, contents: Contents, dialect: Dialect | None
) -> Contents:
    """Of a source whose layers have no names of their own: Keras calls them by their class and a
    number, which depends on what was built before, and stores each class in the order of the graph.
    """
    if dialect is None or dialect.names is not None:
        return contents
    files = {row[0].partition("/")[0]: row for row in contents.layers}
    weighted = [layer for layer in model.layers if layer.weights]
    if not any(AUTOMATIC.fullmatch(name) for name in files.keys() - {x.name for x in weighted}):
        return contents
    new: dict[str, str] = {}
    for kind, ranks in ((layers.Conv2D, {4, 1}), (layers.BatchNormalization, {1})):
        theirs = [
            name for name, row in files.items()
            if {len(contents.tensors[n].shape) for n in row} | {1} == ranks
        ]  # fmt: skip
        ours = [layer.name for layer in weighted if isinstance(layer, kind)]
        if len(theirs) != len(ours):
            return contents
        new |= dict(zip(theirs, ours, strict=True))

    def name(old: str) -> str:
        layer, slash, rest = old.partition("/")
        return new.get(layer, layer) + slash + rest

    tensors = unique((name(n), t) for n, t in contents.tensors.items())
    rows = tuple(tuple(map(name, row)) for row in contents.layers)
    return replace(contents, tensors=tensors, layers=rows)


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
