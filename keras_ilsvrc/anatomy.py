"""What a built network says of itself, read from its graph: nothing is computed.

Receptive fields follow the arithmetic of A. Araujo, W. Norris, J. Sim: Computing Receptive Fields
of Convolutional Neural Networks, https://distill.pub/2019/computing-receptive-fields.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf, isinf, prod
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import KerasTensor, layers

Pair = tuple[int, int]

IMAGE_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
CONVOLUTIONS = (
    *IMAGE_CONVOLUTIONS,
    *(layers.Conv1D, layers.DepthwiseConv1D, layers.SeparableConv1D, layers.Conv3D),
)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
POOLS = (layers.MaxPooling2D, layers.AveragePooling2D)
GLOBAL_POOLS = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
# Their outputs are not over one pixel of the input each, even if they keep height and width.
UNALIGNED = (*GLOBAL_POOLS, *TRANSPOSED, layers.UpSampling2D, layers.GroupNormalization)
# Their weights are scales and shifts, of whatever shape.
SCALES = (layers.LayerNormalization, layers.PReLU)


# --- the table -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One layer.

    Along an axis, output i sees the pixels start + stride * i to start + stride * i +
    receptive_field - 1, as far as the image has them. Pairs are (height, width), in pixels of
    the image.

    Attributes:
        name: of the layer.
        kind: its class.
        output_shape: without the batch.
        parameters: the number of its weights, moving averages included.
        trainable: the number of those that training changes.
        macs: multiply-accumulates of a convolution or dense layer for one image, without biases;
            0 of other layers; None where its kernels are of unknown kind.
        activation_bytes: of its output for one image.
        receptive_field: None where an output sees the whole image.
        stride: None where the output is no map of the image, as behind global pooling.
        start: the first pixel that output 0 sees, negative in the padding; None as the field.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    trainable: int
    macs: int | None
    activation_bytes: int
    receptive_field: Pair | None
    stride: Pair | None
    start: Pair | None


@dataclass(frozen=True)
class Profile:
    """A row a layer, in an order of computation, and totals. `str` gives a table."""

    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """The number of weights: the model's `count_params()`."""
        return sum(row.parameters for row in self.rows)

    @property
    def trainable(self) -> int:
        """The number of weights that training changes."""
        return sum(row.trainable for row in self.rows)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image, of all layers but those in `uncounted`."""
        return sum(row.macs or 0 for row in self.rows)

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The names of layers with kernels of unknown kind."""
        return tuple(row.name for row in self.rows if row.macs is None)

    @property
    def activation_bytes(self) -> int:
        """Of all outputs for one image."""
        return sum(row.activation_bytes for row in self.rows)

    def __str__(self) -> str:
        columns = list(zip(HEADINGS, *map(cells, self.rows), strict=True))
        aligned = [
            [cell.ljust(width) if i < 3 else cell.rjust(width) for cell in column]
            for i, column in enumerate(columns)
            for width in [max(map(len, column))]
        ]
        lines = ["  ".join(line) for line in zip(*aligned, strict=True)]
        return "\n".join([*lines, totals(self)])


HEADINGS = ("layer", "kind", "output", "parameters", "MACs", "bytes", "field", "stride")


def cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        row.kind,
        "x".join(map(str, row.output_shape)),
        f"{row.parameters:,}",
        "?" if row.macs is None else f"{row.macs:,}",
        f"{row.activation_bytes:,}",
        written(row.receptive_field) if row.receptive_field else "image",
        written(row.stride) if row.stride else "-",
    )


def written(sides: Pair) -> str:
    """One number of a square."""
    return "x".join(map(str, dict.fromkeys(sides)))


def totals(table: Profile) -> str:
    missing = f" (not counted: {', '.join(table.uncounted)})" if table.uncounted else ""
    return (
        f"total: {table.parameters:,} parameters ({table.trainable:,} trainable), "
        f"{table.macs:,} MACs{missing}, {table.activation_bytes:,} bytes of activations"
    )


def profile(model: keras.Model) -> Profile:
    """Parameters, multiply-accumulates, memory and receptive field of each layer of `model`.

    A layer of unknown kind is taken to see one pixel if it keeps height and width, else the
    whole image.

    Raises:
        ValueError: the model is not functional, not flat, not of one input of images of known
            height and width, or calls a layer more than once.
    """
    graph = graph_of(model)
    if None in model.inputs[0].shape[1:]:
        raise ValueError(
            f"'{model.name}' takes images of {model.inputs[0].shape[1:]}, but a profile is that of "
            f"one size: build it with input_shape."
        )
    found = views(graph)
    return Profile(tuple(row_of(op, found[id(tensors(op.output)[0])]) for op in model.operations))


def row_of(op: keras.Operation, seen: "View") -> Row:
    outputs = tensors(op.output)
    field, start = bounds(seen)
    return Row(
        op.name,
        type(op).__name__,
        tuple(outputs[0].shape[1:]),
        sum(prod(w.shape) for w in getattr(op, "weights", ())),
        sum(prod(w.shape) for w in getattr(op, "trainable_variables", ())),
        macs(op),
        sum(prod(y.shape[1:]) * np.dtype(y.dtype).itemsize for y in outputs),
        field,
        seen and (seen[0].stride, seen[1].stride),
        start,
    )


def bounds(seen: "View") -> tuple[Pair, Pair] | tuple[None, None]:
    """Size and first pixel of a receptive field."""
    if seen is None or any(isinf(extent.first) for extent in seen):
        return None, None
    (top, bottom), (left, right) = ((int(extent.first), int(extent.last)) for extent in seen)
    return (bottom - top + 1, right - left + 1), (top, left)


def macs(op: keras.Operation) -> int | None:
    """Its kernels once at each position: of the output; of the input, if transposed."""
    kernels: int = sum(prod(w.shape) for w in getattr(op, "weights", ()) if len(w.shape) > 1)
    if not kernels or isinstance(op, SCALES):
        return 0
    if isinstance(op, layers.Dense):
        return kernels * int(prod(op.output.shape[1:-1]))
    if isinstance(op, (*CONVOLUTIONS, *TRANSPOSED)):
        shape = (op.input if isinstance(op, TRANSPOSED) else op.output).shape
        sides = shape[1:-1] if op.data_format == "channels_last" else shape[2:]
        return kernels * int(prod(sides))
    return None


# --- stages ----------------------------------------------------------------------------------


def stages(model: keras.Model) -> dict[int, KerasTensor]:
    """The last tensor at each stride: what a detector or a segmenter builds on.

    The stride is the image's side over the tensor's, as the layers have it. Taken are outputs that
    all paths from the image to the model's first output lead through, from the first convolution
    on: no branches of a block, and not what only prepares the layer that follows (padding, pooling
    without a stride, and a transition of DenseNet, whose stages are its dense blocks' outputs).

    Raises:
        ValueError: the model is not functional, not flat, not of one input of images, or calls a
            layer more than once.
    """
    graph = graph_of(model)
    seen = views(graph)
    found: dict[int, KerasTensor] = {}
    merged: dict[int, KerasTensor] = {}
    path = list(trunk(graph))
    for i, op in enumerate(path):
        sides = {extent.stride for extent in seen[id(op.output)] or ()}
        if len(sides) == 1 and not prepares(op):
            (stride,) = sides
            found[stride] = op.output
            if isinstance(op, layers.Concatenate):
                merged[stride] = op.output
            elif stride in merged and is_transition(path[i:]):
                found[stride] = merged[stride]
    return found


def is_transition(path: Sequence[keras.Operation]) -> bool:
    """Whether a convolution, perhaps with dropout, goes straight into an average of fewer pixels:
    section 3 of arXiv:1608.06993, "pooling layers".
    """
    first, *rest = path
    after = next((op for op in rest if not isinstance(op, layers.Dropout)), None)
    return isinstance(first, layers.Conv2D | layers.Dropout) and (
        isinstance(after, layers.AveragePooling2D) and max(after.strides) > 1
    )


def prepares(op: keras.Operation) -> bool:
    """Whether it is padding, or the windows that a pooling by stride then picks from."""
    return isinstance(op, layers.ZeroPadding2D) or (
        isinstance(op, POOLS) and tuple(op.strides) == (1, 1)
    )


def features(model: keras.Model, strides: Iterable[int] | None = None) -> keras.Model:
    """A model of the same layers and weights: images -> the `stages` at these strides.

    Args:
        model: a functional model, flat, of one input of images.
        strides: in the order of the outputs; by default all that the network has.

    Returns:
        A keras.Model with a list of outputs, (batch, height / stride, width / stride, channels)
        each, or channels first.

    Raises:
        ValueError: the network lacks a stride; or as for `stages`.
    """
    found = stages(model)
    asked = list(found) if strides is None else strides
    if (
        not isinstance(asked, Iterable)
        or not (asked := list(asked))
        or not found.keys() >= set(asked)
    ):
        raise ValueError(
            f"'{model.name}' has features at strides {', '.join(map(str, found)) or 'none'}; "
            f"strides is a list of some of them, not {asked}."
        )
    outputs = [found[stride] for stride in asked]
    return keras.Model(graph_of(model).images[1], outputs, name=f"{model.name}_features")


def trunk(graph: "Graph") -> Iterator[keras.Operation]:
    """What all paths to the first output lead through, from the first convolution on."""
    path = towards(graph, graph.outputs[0])
    last_use = {id(x): i for i, op in enumerate(path) for x in tensors(op.input)}
    convolved, reach = False, last_use.get(id(graph.images[1]), 0)
    for i, op in enumerate(path):
        convolved |= isinstance(op, CONVOLUTIONS)
        # Nothing made before reaches past it.
        if convolved and reach <= i and isinstance(op.output, KerasTensor):
            yield op
        reach = max(reach, *(last_use.get(id(y), i) for y in tensors(op.output)))


def towards(graph: "Graph", output: KerasTensor) -> list[keras.Operation]:
    """The operations that `output` is computed by."""
    needed, path = {id(output)}, []
    for op in reversed(graph.operations):
        if needed.intersection(map(id, tensors(op.output))):
            needed.update(map(id, tensors(op.input)))
            path.append(op)
    return path[::-1]


# --- the graph -------------------------------------------------------------------------------


class Graph(NamedTuple):
    """A functional model of one image: its operations but the input, in an order of computation.

    `images` is its input, as the model and as the layers hold it.
    """

    images: tuple[KerasTensor, KerasTensor]
    operations: list[keras.Operation]
    outputs: list[KerasTensor]
    axes: Pair

    def sides(self, x: KerasTensor) -> tuple[int | None, ...]:
        """Height and width of a map, None where they may vary."""
        return tuple(x.shape[axis] for axis in self.axes)


def graph_of(model: keras.Model) -> Graph:
    """The graph of `model`, if it is functional, flat, of one image, each layer called once."""
    check(model)
    image, outputs = ends(model)
    operations = [op for op in model.operations if tensors(op.input)]
    return Graph((model.inputs[0], image), operations, outputs, spatial_axes(model))


def check(model: Any) -> None:
    if not isinstance(model, keras.Model) or not hasattr(model, "operations"):
        raise ValueError(
            f"{getattr(model, 'name', model)!r} is a {type(model).__name__}, not a functional "
            f"model: build it as keras.Model(inputs, outputs)."
        )
    nested = [op.name for op in model.operations if isinstance(op, keras.Model | keras.Function)]
    if nested:
        raise ValueError(
            f"'{model.name}' has models for layers ({', '.join(nested)}): build it flat, of their "
            f"layers, or pass one of them (model.get_layer('{nested[0]}'))."
        )
    if [len(x.shape) for x in model.inputs] != [4]:
        raise ValueError(
            f"'{model.name}' takes {', '.join(str(x.shape) for x in model.inputs)}: build it on "
            f"one input of images, (batch, height, width, channels) or channels first."
        )


def ends(model: keras.Model) -> tuple[KerasTensor, list[KerasTensor]]:
    """The image and the outputs, as the tensors that the layers hold."""
    made = {id(y) for op in model.operations for y in tensors(op.output)}
    used = {id(x): x for op in model.operations for x in tensors(op.input)}
    foreign = [x for key, x in used.items() if key not in made]
    if not foreign and made.issuperset(map(id, model.outputs)):
        return model.inputs[0], model.outputs
    # A keras.Model that starts inside a graph copies it; the layers still hold the original.
    last = {op.name: op.output for op in model.operations}
    original = [*foreign, *(last[name] for name in model.output_names)]
    shapes = [x.shape for x in (model.inputs[0], *model.outputs)]
    if id(model.inputs[0]) in used or [x.shape for x in original] != shapes:
        raise ValueError(
            f"'{model.name}' calls a layer that was called before: build it of layers of its "
            f"own, each called once."
        )
    return original[0], original[1:]


def tensors(ends: KerasTensor | list[KerasTensor]) -> list[KerasTensor]:
    """The inputs or outputs of an operation, which of a single one gives no list."""
    flat: list[KerasTensor] = keras.tree.flatten(ends)
    return flat


def spatial_axes(model: keras.Model) -> Pair:
    """Height and width, as the layers have them that work on images.

    ZeroPadding2D is not asked: under the name of the other data format it pads channels.
    """
    kinds = (*IMAGE_CONVOLUTIONS, *POOLS, *GLOBAL_POOLS)
    formats = {op.data_format for op in model.operations if isinstance(op, kinds)}
    if len(formats) > 1:
        raise ValueError(f"'{model.name}' mixes data formats: build it in one of them.")
    return axes_of(*formats or {keras.config.image_data_format()})


def axes_of(data_format: str) -> Pair:
    return (1, 2) if data_format == "channels_last" else (2, 3)


# --- receptive fields ------------------------------------------------------------------------


class Window(NamedTuple):
    """What an output sees along an axis of its layer's input.

    `padding` is the zeros ahead of the input; None is "same", TensorFlow's rule: as few as give
    ceil(n / stride) outputs, the odd one behind.
    """

    size: int = 1
    stride: int = 1
    padding: int | None = 0

    def ahead(self, n: int) -> int:
        """The zeros ahead of n pixels."""
        if self.padding is not None:
            return self.padding
        return max((ceil(n / self.stride) - 1) * self.stride + self.size - n, 0) // 2


class Extent(NamedTuple):
    """The pixels first, ..., last that output 0 of a map sees along an axis of the image; output
    i sees those i * stride further. Infinite if it sees the whole image.
    """

    stride: int = 1
    first: float = 0
    last: float = 0

    def through(self, window: Window, n: int | None) -> "Extent":
        """That of a layer with this window on a map of n pixels; only the stride, if n may vary."""
        stride = self.stride * window.stride
        if n is None:
            return Extent(stride, -inf, inf)
        first = -window.ahead(n)
        last = first + window.size - 1
        return Extent(stride, self.first + first * self.stride, self.last + last * self.stride)


# Of height and width. None: no map, as behind global pooling; all of it sees the whole image.
View = tuple[Extent, Extent] | None


def views(graph: Graph) -> dict[int, View]:
    """Of each tensor, by its id."""
    found: dict[int, View] = {id(x): (Extent(), Extent()) for x in graph.images}
    for op in graph.operations:
        for y in tensors(op.output):
            found[id(y)] = view(graph, op, under(graph, op, y), found)
    return found


def view(
    graph: Graph, op: keras.Operation, below: list[KerasTensor], found: dict[int, View]
) -> View:
    """Of an output of `op`, over those of its inputs that are `below` it."""
    maps = [one for x in below if (one := found[id(x)])]
    if len({(height.stride, width.stride) for height, width in maps}) != 1:
        return None
    # A gate, say, which has seen the whole image, leaves it a map.
    whole = len(maps) < len(tensors(op.input))
    axes = zip(zip(*maps, strict=True), windows(op, graph), graph.sides(below[0]), strict=True)
    height, width = (joined(seen, whole).through(window, n) for seen, window, n in axes)
    return height, width


def joined(seen: Sequence[Extent], whole: bool) -> Extent:
    """What any of these sees, of one stride."""
    if whole:
        return Extent(seen[0].stride, -inf, inf)
    return Extent(seen[0].stride, min(e.first for e in seen), max(e.last for e in seen))


def under(graph: Graph, op: keras.Operation, y: KerasTensor) -> list[KerasTensor]:
    """The inputs of `op` whose pixels lie under those of its output y."""
    if isinstance(op, (*IMAGE_CONVOLUTIONS, *POOLS, layers.ZeroPadding2D)):
        return [op.input]
    along_width = isinstance(op, layers.Dense) and graph.axes == (2, 3)
    if isinstance(op, UNALIGNED) or along_width or len(y.shape) != 4:
        return []
    return [x for x in tensors(op.input) if len(x.shape) == 4 and graph.sides(x) == graph.sides(y)]


def windows(op: keras.Operation, graph: Graph) -> tuple[Window, Window]:
    """Of height and width; one pixel for all layers but convolutions, pools and padding."""
    if isinstance(op, layers.ZeroPadding2D):
        ahead = {axis: n for axis, (n, _) in zip(axes_of(op.data_format), op.padding, strict=True)}
        height, width = (Window(padding=ahead.get(axis, 0)) for axis in graph.axes)
    elif isinstance(op, POOLS):
        height, width = map(Window, op.pool_size, op.strides, [PADDING[op.padding]] * 2)
    elif isinstance(op, IMAGE_CONVOLUTIONS):
        spans = (d * (k - 1) + 1 for k, d in zip(op.kernel_size, op.dilation_rate, strict=True))
        height, width = map(Window, spans, op.strides, [PADDING[op.padding]] * 2)
    else:
        height = width = Window()
    return height, width


PADDING = {"valid": 0, "same": None}
