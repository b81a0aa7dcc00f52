"""The ceremony around a network, written once: its arguments, input, top, name and weights."""

import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from numbers import Integral, Real
from os import PathLike
from types import NoneType
from typing import (
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    Protocol,
    TypedDict,
    get_args,
    get_origin,
)

import keras
import numpy as np
from keras import KerasTensor

from .blocks import Block, Rule, chain, channel_axis, classifier, dropout, global_pool, rules

Shape = tuple[int | None, int | None, int | None]
Pooling = Literal[None, "avg", "max"]


@dataclass(frozen=True)
class Network:
    """What a paper says of a network; `builder` makes Keras models of it.

    Attributes:
        body: images -> feature maps.
        head: feature maps -> what the classifier classifies.
        dropout: share of the head's output that is dropped in training.
        auxiliary: for each auxiliary classifier, by name, the layer whose output it hears and
            what stands between.
        rules: what the paper says of all its layers.
        size: height and width of the paper's images.
        least: the smallest height and width that the body accepts.
        name: of the model, where the builder has none of its own.
    """

    body: Block
    head: Block = field(default_factory=global_pool)
    dropout: float = 0.0
    auxiliary: Mapping[str, tuple[str, Block]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    size: int = 224
    least: int = 32
    name: str | None = None


Weights = str | PathLike[str] | None
Activation = str | Callable[..., Any] | None


class Arguments(TypedDict, total=False):
    """The arguments that all builders take by keyword, for type checkers; see `ARGUMENTS`.

    A network's function ends in `**arguments: Unpack[Arguments]`, which says so, and gets none of
    them: `assemble` does.
    """

    include_top: bool
    weights: Weights
    input_tensor: KerasTensor | None
    input_shape: Shape | None
    pooling: Pooling
    classes: int
    classifier_activation: Activation
    name: str | None
    kernel_initializer: str | keras.Initializer | None
    weight_decay: float
    include_preprocessing: bool


P = ParamSpec("P")


class Builder(Protocol[P]):
    """A function from the arguments P, a network's own and `Arguments`, to a Keras model."""

    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> keras.Model: ...


class StandardBuilder(Protocol[P]):
    """A builder whose own arguments are keyword-only, so that those of keras.applications come
    first, in its order.
    """

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        weights: Weights = None,
        input_tensor: KerasTensor | None = None,
        input_shape: Shape | None = None,
        pooling: Pooling = None,
        classes: int = 1000,
        classifier_activation: Activation = "softmax",
        name: str | None = None,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> keras.Model: ...


ARGUMENTS = """
        include_top: the classifier, or feature maps.
        weights: None (random values); a source of trained ones, "keras", "torchvision", "cadene",
            "timm", "qubvel", "caffe", "msra", "onnx" or "cifar", or "imagenet" for the first of
            these with weights for it, and the model has that source's form (see
            pretrained.load); or the path of a file of a model built as this one is.
        input_tensor: a Keras tensor of images to build on.
        input_shape: (height, width, channels), channels first where Keras is set so. Height and
            width may be None without top. Default: {size}, and any size without top.
        pooling: without top, "avg" or "max" pooling of the feature maps, or None.
        classes: units of the classifier.
        classifier_activation: its activation; None gives logits.
        name: the model's name.
        kernel_initializer: of all convolutions and dense layers, in place of the network's own.
        weight_decay: adds weight_decay / 2 * (sum of squares of each kernel) to the loss, whose
            gradient is weight_decay * kernel.
        include_preprocessing: with a source's weights, whether the model takes RGB pixels in
            [0, 255] and scales them itself (else: pretrained.preprocess).

    Returns:
        A flat keras.Model: images -> (batch, classes), or feature maps (pooled: vectors).

    Raises:
        ValueError: an argument is wrong; the message says what would be right.
    """


def builder(
    public: str,
    title: str,
    name: str | None = None,
    classes: int = 1000,
    size: str = "224 x 224 x 3",
) -> Callable[[Callable[P, Network]], StandardBuilder[P]]:
    """Turn a function from options to a `Network` into one from options to a Keras model.

    Args:
        public: the builder's name.
        title: the first line of its documentation.
        name: the default name of its models; None takes the network's own.
        classes: default of the argument.
        size: default of `input_shape`, in words.
    """

    def decorate(describe: Callable[P, Network]) -> StandardBuilder[P]:
        document = documentation(title, describe.__doc__, size)
        return make_builder(describe, public, describe.__module__, document, name, classes)

    return decorate


def family(
    public: str, title: str, name: str
) -> Callable[[Callable[Concatenate[int, P], Network]], Callable[[int], StandardBuilder[P]]]:
    """`builder` for networks that differ in depth: it gives a function from a depth to a builder.

    Args:
        public: the builders' names, with {} for the depth, as the title and the models' names.
        title: as in `builder`.
        name: as in `builder`.
    """

    def decorate(
        describe: Callable[Concatenate[int, P], Network],
    ) -> Callable[[int], StandardBuilder[P]]:
        def member(depth: int) -> StandardBuilder[P]:
            document = documentation(title.format(depth), describe.__doc__)
            names = public.format(depth), describe.__module__, document, name.format(depth)
            return make_builder(partial(describe, depth), *names)

        return member

    return decorate


def documentation(title: str, options: str | None, size: str = "224 x 224 x 3") -> str:
    """A builder's documentation: its title, its own arguments, those of all, what it gives."""
    own = inspect.cleandoc(options or "").replace("\n", "\n        ")
    return (
        f"{title}\n\n    Args:" + (f"\n        {own}" if own else "") + ARGUMENTS.format(size=size)
    )


def make_builder(
    describe: Callable[..., Network],
    public: str,
    module: str,
    document: str,
    name: str | None = None,
    classes: int = 1000,
) -> Builder[...]:
    """The builder: a function of a merged signature, which checks and sorts its arguments."""
    signature = merged(inspect.signature(describe), name, classes)

    def build(*args: Any, **kwargs: Any) -> keras.Model:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(
                f"{public}: {error}; it takes {', '.join(signature.parameters)}."
            ) from None
        given = dict(bound.arguments)
        bound.apply_defaults()
        check_kinds(signature.parameters, bound.arguments)
        standard = {key: bound.arguments.pop(key) for key in STANDARD}
        if standard["weights"] is not None:
            return weights_loader(build, given)
        return assemble(describe(*bound.args, **bound.kwargs), **standard)

    build.__name__ = build.__qualname__ = public
    build.__module__, build.__doc__ = module, document
    vars(build)["__signature__"] = signature
    return build


def no_loader(builder: Builder[...], arguments: Mapping[str, Any]) -> keras.Model:
    """What stands in for the loader until the package is whole."""
    raise RuntimeError(
        "the package keras_ilsvrc, which has the loader of weights, is not imported."
    )


# (a builder, the arguments it was given) -> its model with the weights asked for. Loading builds
# networks, so it stands above them; the package's __init__ hands it down.
weights_loader: Callable[[Builder[...], Mapping[str, Any]], keras.Model] = no_loader


def merged(own: inspect.Signature, name: str | None, classes: int) -> inspect.Signature:
    """A network's positional arguments, keras.applications', then its options, keyword-only."""
    defaults = {"name": name, "classes": classes}
    mine = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
    standard = [
        p.replace(default=defaults.get(p.name, p.default))
        for p in inspect.signature(assemble).parameters.values()
        if p.name in STANDARD
    ]

    def by_keyword(parameters: list[inspect.Parameter], only: bool) -> list[inspect.Parameter]:
        return [p for p in parameters if (p.kind is p.KEYWORD_ONLY) == only]

    return inspect.Signature(
        [
            *by_keyword(mine, False), *by_keyword(standard, False),
            *by_keyword(mine, True), *by_keyword(standard, True),
        ],
        return_annotation=keras.Model,
    )  # fmt: skip


def assemble(
    network: Network,
    include_top: bool = True,
    weights: Weights = None,
    input_tensor: KerasTensor | None = None,
    input_shape: Shape | None = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Activation = "softmax",
    name: str | None = None,
    *,
    kernel_initializer: str | keras.Initializer | None = None,
    weight_decay: float = 0.0,
    include_preprocessing: bool = False,
) -> keras.Model:
    """`network` between an image input and its classifiers, as a flat functional model."""
    check(network, include_top, include_preprocessing)
    known("classifier_activation", keras.activations, classifier_activation)
    image = image_input(network, include_top, input_tensor, input_shape)
    wishes = kernel_rules(kernel_initializer, weight_decay)
    with rules(*wishes, above=True), rules(*network.rules):
        outputs = network_outputs(
            network, image, include_top, pooling, classes, classifier_activation
        )
    with deep_recursion():
        return keras.Model(source(image), outputs, name=name or network.name)


# The limit is the process's, and models may be built in threads: the first raises it, the last one
# puts it back.
_depth_lock = threading.Lock()
_deep: list[int] = []


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Keras walks a graph by recursion; ResNet-1202 is deeper than Python's default limit."""
    with _depth_lock:
        _deep.append(_deep[0] if _deep else sys.getrecursionlimit())
        sys.setrecursionlimit(max(_deep[0], 20_000))
    try:
        yield
    finally:
        with _depth_lock:
            before = _deep.pop()
            if not _deep:
                sys.setrecursionlimit(before)


STANDARD = tuple(inspect.signature(assemble).parameters)[1:]


def network_outputs(
    network: Network,
    image: KerasTensor,
    include_top: bool,
    pooling: Pooling,
    classes: int,
    activation: Activation,
) -> KerasTensor | list[KerasTensor]:
    """Feature maps, pooled or not; or predictions; or a list of these and the auxiliary ones."""
    features = network.body(image)
    if not include_top:
        return global_pool(pooling)(features) if pooling else features
    last = chain(network.head, dropout(network.dropout))
    predictions = chain(last, classifier(int(classes), activation))(features)
    if not network.auxiliary:
        return predictions
    trunk = keras.Model(source(image), features)
    heads = [
        chain(head, classifier(int(classes), activation, name=name))(trunk.get_layer(at).output)
        for name, (at, head) in network.auxiliary.items()
    ]
    return [predictions, *heads]


def kernel_rules(initializer: str | keras.Initializer | None, decay: float) -> tuple[Rule, ...]:
    """What a reader wishes for the kernels of convolutions and dense layers."""
    wishes: dict[str, Any] = {}
    if initializer is not None:
        wishes["kernel_initializer"] = known("kernel_initializer", keras.initializers, initializer)
    if decay:
        wishes["kernel_regularizer"] = keras.regularizers.L2(float(decay) / 2)
    return (Rule("conv", wishes), Rule("dense", wishes))


def known(argument: str, kind: Any, name: Any) -> Any:
    """What Keras has of a kind (initializers, activations) under `name`."""
    try:
        return kind.get(name)
    except ValueError:
        raise ValueError(
            f"{argument} is one of keras.{kind.__name__.split('.')[-1]} or its name, not {name!r}."
        ) from None


def image_shape(size: int | None, depth: int = 3) -> Shape:
    """A square image's shape in `keras.config.image_data_format()`."""
    return (size, size, depth) if channel_axis() == -1 else (depth, size, size)


def image_input(
    network: Network,
    include_top: bool,
    tensor: KerasTensor | None,
    shape: Shape | None,
) -> KerasTensor:
    """The images: `tensor`, or a new input of `shape`, either of which must fit the network."""
    if tensor is None:
        shape = shape or image_shape(network.size if include_top else None)
        check_shape("input_shape", shape, network.least, include_top)
        return keras.Input(shape)
    if not isinstance(tensor, KerasTensor):
        raise ValueError(
            f"input_tensor is a Keras tensor, such as keras.Input gives, not a "
            f"{type(tensor).__name__}."
        )
    check_shape("input_tensor's shape", tensor.shape[1:], network.least, include_top)
    if shape is not None and not agree(shape, tensor.shape[1:]):
        raise ValueError(
            f"input_shape {shape!r} contradicts the input_tensor's {tensor.shape[1:]}: give one."
        )
    return tensor


def source(image: KerasTensor) -> KerasTensor | list[KerasTensor]:
    """What `image` was made from: the model's input, or its inputs."""
    inputs = keras.utils.get_source_inputs(image)
    return inputs[0] if len(inputs) == 1 else inputs


def agree(shape: Shape, other: Shape) -> bool:
    """Whether two shapes can be one image's."""
    pairs = zip(shape, other, strict=False)
    return len(shape) == len(other) and all(None in pair or len({*pair}) == 1 for pair in pairs)


def check(network: Network, include_top: bool, include_preprocessing: bool) -> None:
    if network.auxiliary and not include_top:
        raise ValueError("auxiliary=True adds classifiers, and needs include_top=True.")
    if include_preprocessing:
        raise ValueError("include_preprocessing=True needs weights of a source, which says how.")


def check_shape(what: str, shape: Any, least: int, include_top: bool) -> None:
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        raise ValueError(f"{what} has three members, as {image_shape(224)}; got {shape!r}.")
    depth = shape[-1] if channel_axis() == -1 else shape[0]
    sides = shape[:2] if channel_axis() == -1 else shape[1:]
    if not isinstance(depth, Integral) or depth < 1:
        raise ValueError(
            f"{what} {shape!r} must state its number of channels, 1 or more, "
            f"{'last' if channel_axis() == -1 else 'first'}."
        )
    if include_top and None in sides:
        raise ValueError(
            f"{what} {shape!r} must state height and width: only without top "
            f"(include_top=False) may they vary."
        )
    if not all(side is None or isinstance(side, Integral) for side in sides):
        raise ValueError(f"{what} {shape!r} must state height and width as whole numbers, or None.")
    if any(side is not None and int(side) < least for side in sides):
        raise ValueError(
            f"{what} {shape!r} is too small: height and width are at least {least} in this network "
            f"(channels are {'last' if channel_axis() == -1 else 'first'})."
        )


# What an option of a type is, in words, and whether a value is.
KINDS: dict[type, tuple[str, Callable[[Any], bool]]] = {
    bool: ("True or False", lambda value: isinstance(value, bool | np.bool_)),
    int: (
        "a positive whole number",
        lambda value: (
            isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0
        ),
    ),
    float: (
        "0 or a positive number",
        lambda value: isinstance(value, Real) and isfinite(value) and float(value) >= 0,
    ),
}


def check_kinds(parameters: Mapping[str, inspect.Parameter], arguments: Mapping[str, Any]) -> None:
    """Raise ValueError unless each number, truth value and literal is one, as annotated."""
    for name, value in arguments.items():
        annotation = parameters[name].annotation
        if get_origin(annotation) is Literal:
            among(name, value, get_args(annotation))
        kinds = get_args(annotation) or (annotation,)
        words, right = KINDS.get(kinds[0], ("", lambda value: True))
        optional = NoneType in kinds
        if not (right(value) or (optional and value is None)):
            raise ValueError(f"{name} is {words}{' or None' * optional}, not {value!r}.")


def among(name: str, value: Any, right: Any) -> None:
    """Raise ValueError unless `value` is one of the right ones."""
    if value not in tuple(right) or isinstance(value, bool | float):
        *first, last = map(repr, right)
        choice = f"{', '.join(first)} or {last}" if first else last
        raise ValueError(f"{name} is {choice}, not {value!r}.")
