"""What a built network says of itself, read from its graph: nothing is computed.

Receptive fields follow the arithmetic of A. Araujo, W. Norris, J. Sim: Computing Receptive Fields
of Convolutional Neural Networks, https://distill.pub/2019/computing-receptive-fields.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, inf, isinf, prod
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import KerasTensor, layers

from .assembly import deep_recursion

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
# They make the image that a network sees: pixels, strides and fields are counted in theirs.
RESIZERS = (layers.Resizing, layers.CenterCrop, layers.RandomCrop)
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
    whole image. Models for layers have a row for each of their layers.

    Raises:
        ValueError: the model is not functional, not of one input of images of known height and
            width, or calls a layer more than once.
    """
    graph = graph_of(model)
    if None in model.inputs[0].shape[1:]:
        raise ValueError(
            f"'{model.name}' takes images of {model.inputs[0].shape[1:]}, but a profile is that of "
            f"one size: build it with input_shape."
        )
    found = views(graph)
    first = Row(
        graph.name, "InputLayer", tuple(graph.image.shape[1:]), 0, 0, 0,
        prod(graph.image.shape[1:]) * np.dtype(graph.image.dtype).itemsize, (1, 1), (1, 1), (0, 0),
    )  # fmt: skip
    rows = (row_of(step, found[id(tensors(step.output)[0])]) for step in graph.steps)
    return Profile((first, *rows))


def row_of(step: "Step", seen: "View") -> Row:
    outputs = tensors(step.output)
    field, start = bounds(seen)
    return Row(
        step.name,
        type(step.layer).__name__,
        tuple(outputs[0].shape[1:]),
        sum(prod(w.shape) for w in getattr(step.layer, "weights", ())),
        sum(prod(w.shape) for w in getattr(step.layer, "trainable_variables", ())),
        macs(step),
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


def macs(step: "Step") -> int | None:
    """Its kernels once at each position: of the output; of the input, if transposed."""
    op = step.layer
    kernels: int = sum(prod(w.shape) for w in getattr(op, "weights", ()) if len(w.shape) > 1)
    if not kernels or isinstance(op, SCALES):
        return 0
    if isinstance(op, layers.Dense):
        return kernels * int(prod(step.output.shape[1:-1]))
    if isinstance(op, (*CONVOLUTIONS, *TRANSPOSED)):
        shape = (step.input if isinstance(op, TRANSPOSED) else step.output).shape
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
    Where the model resizes or crops the image first, strides are those of the resized image.

    Returns:
        Tensors over `model.inputs`, by stride.

    Raises:
        ValueError: the model is not functional, not of one input of images, or calls a layer more
            than once.
    """
    found = {stride: step.layer for stride, step in stage_steps(graph_of(model)).items()}
    made = outputs_of(model, found.values())
    return {stride: made[id(layer)] for stride, layer in found.items()}


def stage_steps(graph: "Graph") -> dict[int, "Step"]:
    """The steps whose outputs the `stages` are."""
    seen = views(graph)
    found: dict[int, Step] = {}
    merged: dict[int, Step] = {}
    path = list(trunk(graph))
    for i, step in enumerate(path):
        sides = {extent.stride for extent in seen[id(step.output)] or ()}
        if len(sides) == 1 and not prepares(step.layer):
            (stride,) = sides
            found[stride] = step
            if isinstance(step.layer, layers.Concatenate):
                merged[stride] = step
            elif stride in merged and is_transition([s.layer for s in path[i:]]):
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
        model: a functional model of one input of images; it may have models for layers.
        strides: in the order of the outputs; by default all that the network has.

    Returns:
        A flat keras.Model with a list of outputs, (batch, height / stride, width / stride,
        channels) each, or channels first.

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
    return keras.Model(functional(model).input, outputs, name=f"{model.name}_features")


def trunk(graph: "Graph") -> Iterator["Step"]:
    """What all paths to the first output lead through, from the first convolution on."""
    path = towards(graph, graph.outputs[0])
    last_use = {id(x): i for i, step in enumerate(path) for x in tensors(step.input)}
    convolved, reach = False, last_use.get(id(graph.image), 0)
    for i, step in enumerate(path):
        convolved |= isinstance(step.layer, CONVOLUTIONS)
        # Nothing made before reaches past it.
        if convolved and reach <= i and isinstance(step.output, KerasTensor):
            yield step
        reach = max(reach, *(last_use.get(id(y), i) for y in tensors(step.output)))


def towards(graph: "Graph", output: KerasTensor) -> list["Step"]:
    """The steps that `output` is computed by."""
    needed, path = {id(output)}, []
    for step in reversed(graph.steps):
        if needed.intersection(map(id, tensors(step.output))):
            needed.update(map(id, tensors(step.input)))
            path.append(step)
    return path[::-1]


# --- models for layers -----------------------------------------------------------------------

# (layer, its arguments) -> its outputs.
Call = Callable[..., Any]


def flat(model: keras.Model) -> keras.Model:
    """`model` without models for layers: the same layers and weights, called one by one.

    Args:
        model: functional, or a Sequential model that is built, with models of these kinds for
            layers, to any depth, as in `keras.Model(x, Dense(3)(base(augment(x))))`.

    Returns:
        A functional keras.Model of the same name, on the same inputs, not compiled; `model` itself
        if it is one. What an inner model was called with (`base(x, training=False)`) holds for its
        layers.

    Raises:
        ValueError: `model` is none of these; a model for a layer is a subclass of its own; or two
            layers have one name.
    """
    graph = functional(model)
    if not any(map(is_model, graph.operations)):
        return graph
    check_names(graph)
    outputs = walked(graph, graph.inputs, called)
    structured = keras.tree.pack_sequence_as(graph.output, outputs)
    return keras.Model(graph.input, structured, name=model.name)


def called(layer: keras.Operation, *inputs: Any, **options: Any) -> Any:
    """The layer's output."""
    return layer(*inputs, **options)


def walked(model: keras.Model, inputs: list[KerasTensor], call: Call) -> list[KerasTensor]:
    """The outputs of `model` on `inputs`, each of its layers called by `call`.

    Layers of inner models are called in place of these, in an order of computation.
    """
    ends = [layers.Identity() for _ in model.outputs]
    found = {}

    def visit(op: Any, *args: Any, **options: Any) -> Any:
        if any(op is end for end in ends):
            found[id(op)] = args[0]
            return args[0]
        if not is_model(op):
            return call(op, *args, **options)
        training = options.get("training")
        inside = call if training is None else partial(told, call, training)
        outputs = walked(functional(op), tensors((args, options.get("inputs", ()))), inside)
        return keras.tree.pack_sequence_as(functional(op).output, outputs)

    with deep_recursion():
        tapped = [end(y) for end, y in zip(ends, model.outputs, strict=True)]
        # A model that is thrown away: it need not take hold of the variables, which may be empty.
        with keras.StatelessScope(initialize_variables=False):
            graph = keras.Model(model.inputs, tapped)
        keras.models.clone_model(graph, inputs, lambda op: op, visit)
    return [found[id(end)] for end in ends]


def told(call: Call, training: bool, op: Any, *args: Any, **options: Any) -> Any:
    """What `call` gives where the model around `op` was called with `training`."""
    if "training" in inspect.signature(op.call).parameters:
        options["training"] = training
    return call(op, *args, **options)


def is_model(op: Any) -> bool:
    return isinstance(op, keras.Model | keras.Function)


def outputs_of(model: keras.Model, wanted: Iterable[keras.Operation]) -> dict[int, KerasTensor]:
    """What these layers give on `model.inputs`, by the layer's id."""
    wanted = list(wanted)
    graph = functional(model)
    if holds_its_tensors(graph):
        return {id(layer): layer.output for layer in wanted}
    check_names(graph)
    ids, made = {id(layer) for layer in wanted}, {}

    def record(layer: Any, *args: Any, **options: Any) -> Any:
        outputs = layer(*args, **options)
        if id(layer) in ids:
            made[id(layer)] = outputs
        return outputs

    walked(graph, graph.inputs, record)
    return made


def holds_its_tensors(model: keras.Model) -> bool:
    """Whether its layers were first called in it, one by one: what they hold is its graph."""
    if any(map(is_model, model.operations)):
        return False
    made = {id(y) for op in model.operations for y in tensors(op.output)}
    used = {id(x) for op in model.operations for x in tensors(op.input)}
    return made.issuperset(used) and made.issuperset(map(id, model.outputs))


def check_names(model: keras.Model) -> None:
    """Raise ValueError if two layers, wherever in `model`, have one name."""
    found = {id(step.layer): step.layer for step in steps(model)[1]}
    if twice := first_repeated(layer.name for layer in found.values()):
        raise ValueError(
            f"'{model.name}' has two layers called {twice!r} in its models for layers, and a "
            f"flat model has one of a name: build them with names of their own."
        )


def first_repeated(things: Iterable[Any]) -> Any:
    """The first thing that came before, or None."""
    seen = set()
    for thing in things:
        if thing in seen:
            return thing
        seen.add(thing)
    return None


# --- the graph -------------------------------------------------------------------------------


class Step(keras.Operation):  # type: ignore[misc]
    """A call of a layer in a graph: what the layer gives, and nothing is added to the layer.

    Attributes:
        layer: the layer or operation.
        name: the layer's, with a number behind where another step has it.
        input, output: tensors of the graph.
    """

    def __init__(self, layer: Any, name: str):
        super().__init__(name=name)
        self.layer = layer

    def compute_output_spec(self, *args: Any, **options: Any) -> Any:
        """Shape and type of the layer's output."""
        return self.layer.compute_output_spec(*args, **options)

    def call(self, *args: Any, **options: Any) -> Any:
        """The layer's output."""
        return self.layer(*args, **options)


class Graph(NamedTuple):
    """A functional model of one image: the calls of its layers, in an order of computation.

    `name` is that of its input.
    """

    name: str
    image: KerasTensor
    steps: list[Step]
    outputs: list[KerasTensor]
    axes: Pair

    @property
    def operations(self) -> list[keras.Operation]:
        """The layers."""
        return [step.layer for step in self.steps]

    def sides(self, x: KerasTensor) -> tuple[int | None, ...]:
        """Height and width of a map, None where they may vary."""
        return tuple(x.shape[axis] for axis in self.axes)


def graph_of(model: keras.Model) -> Graph:
    """The graph of `model`, if it is functional, of one image, each layer called once.

    Layers of models for layers stand in it in place of these.
    """
    whole = functional(model)
    if [len(x.shape) for x in whole.inputs] != [4]:
        raise ValueError(
            f"'{model.name}' takes {', '.join(str(x.shape) for x in whole.inputs)}: build it on "
            f"one input of images, (batch, height, width, channels) or channels first."
        )
    (image,), found, outputs = steps(whole)
    if twice := first_repeated(step.layer for step in found):
        raise ValueError(
            f"'{model.name}' calls {twice.name} more than once: build it of layers that are each "
            f"called once."
        )
    name = next(op.name for op in whole.operations if isinstance(op, layers.InputLayer))
    return Graph(name, image, found, outputs, spatial_axes(model.name, found))


def steps(model: keras.Model) -> tuple[list[KerasTensor], list[Step], list[KerasTensor]]:
    """Inputs, steps and outputs of a graph like that of `model`."""
    found: list[Step] = []
    names: set[str] = set()

    def step(layer: Any, *args: Any, **options: Any) -> Any:
        name = free(layer.name, names)
        names.add(name)
        found.append(Step(layer, name))
        return found[-1](*args, **options)

    inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in model.inputs]
    outputs = walked(model, inputs, step)
    place = places(model)
    found.sort(key=lambda step: place[id(step.layer)])  # `walked` goes by depth, then as it comes
    return inputs, found, outputs


def places(model: keras.Model, around: tuple[int, ...] = ()) -> dict[int, tuple[int, ...]]:
    """Where each layer stands in its model, and this in the one around it, by the layer's id."""
    found: dict[int, tuple[int, ...]] = {}
    for i, op in enumerate(model.operations):
        if is_model(op):
            found |= places(functional(op), (*around, i))
        else:
            found[id(op)] = (*around, i)
    return found


def free(name: str, taken: Iterable[str]) -> str:
    """`name`, with a number behind where it is taken."""
    number, found = 0, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def functional(model: Any) -> keras.Model:
    """`model` as a functional model: itself, or that of a Sequential one.

    Raises:
        ValueError: it has no graph.
    """
    if isinstance(model, keras.Sequential):
        if not model.built:
            raise ValueError(
                f"'{model.name}' has no graph yet: begin it with keras.Input(shape), or call it "
                f"once."
            )
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not is_model(model) or not hasattr(model, "operations"):
        raise ValueError(
            f"{getattr(model, 'name', model)!r} is a {type(model).__name__}, not a functional "
            f"model: build it as keras.Model(inputs, outputs)."
        )
    return model


def tensors(ends: Any) -> list[KerasTensor]:
    """The inputs or outputs of an operation, which of a single one gives no list."""
    flat: list[KerasTensor] = keras.tree.flatten(ends)
    return flat


def spatial_axes(name: str, found: list[Step]) -> Pair:
    """Height and width, as the layers have them that work on images.

    ZeroPadding2D is not asked: under the name of the other data format it pads channels.
    """
    kinds = (*IMAGE_CONVOLUTIONS, *POOLS, *GLOBAL_POOLS)
    formats = {step.layer.data_format for step in found if isinstance(step.layer, kinds)}
    if len(formats) > 1:
        raise ValueError(f"'{name}' mixes data formats: build it in one of them.")
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
    found: dict[int, View] = {id(graph.image): (Extent(), Extent())}
    for step in graph.steps:
        for y in tensors(step.output):
            found[id(y)] = view(graph, step, under(graph, step, y), found)
    return found


def view(graph: Graph, step: Step, below: list[KerasTensor], found: dict[int, View]) -> View:
    """Of an output of `step`, over those of its inputs that are `below` it."""
    if isinstance(step.layer, RESIZERS):
        return Extent(), Extent()
    maps = [one for x in below if (one := found[id(x)])]
    if len({(height.stride, width.stride) for height, width in maps}) != 1:
        return None
    # A gate, say, which has seen the whole image, leaves it a map.
    whole = len(maps) < len(tensors(step.input))
    axes = zip(
        zip(*maps, strict=True), windows(step.layer, graph), graph.sides(below[0]), strict=True
    )
    height, width = (joined(seen, whole).through(window, n) for seen, window, n in axes)
    return height, width


def joined(seen: Sequence[Extent], whole: bool) -> Extent:
    """What any of these sees, of one stride."""
    if whole:
        return Extent(seen[0].stride, -inf, inf)
    return Extent(seen[0].stride, min(e.first for e in seen), max(e.last for e in seen))


def under(graph: Graph, step: Step, y: KerasTensor) -> list[KerasTensor]:
    """The inputs of `step` whose pixels lie under those of its output y."""
    op = step.layer
    if isinstance(op, (*IMAGE_CONVOLUTIONS, *POOLS, layers.ZeroPadding2D)):
        return [step.input]
    along_width = isinstance(op, layers.Dense) and graph.axes == (2, 3)
    if isinstance(op, UNALIGNED) or along_width or len(y.shape) != 4:
        return []
    below = [x for x in tensors(step.input) if len(x.shape) == 4]
    return [x for x in below if graph.sides(x) == graph.sides(y)]


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
