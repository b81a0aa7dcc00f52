"""The ceremony around a network, written once: its arguments, input, top, name and weights."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from math import isfinite
from numbers import Integral, Real
from os import PathLike
from types import NoneType
from typing import Any, Literal, Protocol, get_args, get_origin

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


class Builder(Protocol):
    """A function with the signature of keras.applications, and a network's own options."""

    __name__: str

    def __call__(
        self,
        *args: Any,
        include_top: bool = True,
        weights: str | PathLike | None = None,
        input_tensor: KerasTensor | None = None,
        input_shape: Shape | None = None,
        pooling: Pooling = None,
        classes: int = 1000,
        classifier_activation: str | Callable | None = "softmax",
        name: str | None = None,
        **options: Any,
    ) -> keras.Model: ...


ARGUMENTS = """
        include_top: the classifier, or feature maps.
        weights: None (random values); a source of trained ones, "keras", "torchvision", "cadene",
            "timm", "qubvel" or "cifar", or "imagenet" for the first of these with weights for it,
            and the model has that source's form (see pretrained.load); or the path of a file of a
            model built as this one is.
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
) -> Callable[[Callable[..., Network]], Builder]:
    """Turn a function from options to a `Network` into one from options to a Keras model.

    Args:
        public: the builder's name.
        title: the first line of its documentation.
        name: the default name of its models; None takes the network's own.
        classes: default of the argument.
        size: default of `input_shape`, in words.
    """

    def decorate(describe: Callable[..., Network]) -> Builder:
        signature = merged(inspect.signature(describe), name, classes)

        @wraps(describe)
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
                from .pretrained.loading import with_weights  # it builds with the builders

                return with_weights(build, given)
            return assemble(describe(*bound.args, **bound.kwargs), **standard)

        build.__name__ = build.__qualname__ = public
        build.__signature__ = signature  # type: ignore[attr-defined]
        options = inspect.cleandoc(describe.__doc__ or "").replace("\n", "\n        ")
        head = f"{title}\n\n    Args:" + (f"\n        {options}" if options else "")
        build.__doc__ = head + ARGUMENTS.format(size=size)
        return build  # type: ignore[return-value]

    return decorate


def merged(own: inspect.Signature, name: str | None, classes: int) -> inspect.Signature:
    """A network's positional arguments, keras.applications', then its options, keyword-only."""
    mine = list(own.parameters.values())
    theirs = inspect.signature(assemble).parameters
    defaults = {"name": name, "classes": classes}
    middle = [theirs[k].replace(default=defaults.get(k, theirs[k].default)) for k in STANDARD]
    common = [p.replace(kind=p.KEYWORD_ONLY) for p in middle[8:]]
    first = [p for p in mine if p.kind is not p.KEYWORD_ONLY]
    last = [p for p in mine if p.kind is p.KEYWORD_ONLY]
    return inspect.Signature([*first, *middle[:8], *last, *common], return_annotation=keras.Model)


def assemble(
    network: Network,
    include_top: bool = True,
    weights: str | PathLike | None = None,
    input_tensor: KerasTensor | None = None,
    input_shape: Shape | None = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: str | Callable | None = "softmax",
    name: str | None = None,
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


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Keras walks a graph by recursion; ResNet-1202 is deeper than Python's default limit."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 20_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


STANDARD = tuple(inspect.signature(assemble).parameters)[1:]


def network_outputs(
    network: Network,
    image: KerasTensor,
    include_top: bool,
    pooling: Pooling,
    classes: int,
    activation: str | Callable | None,
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
    depth = shape[channel_axis()]
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
        raise ValueError(f"{name} is {', '.join(first)} or {last}, not {value!r}.")
