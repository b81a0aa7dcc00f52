"""Networks in the form of other zoos: the catalog's names, the sources, and which has which."""

from collections.abc import Collection, Iterator, Mapping
from contextvars import Context
from difflib import get_close_matches
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import keras

from ..assembly import Builder, image_shape
from ..blocks import rules
from ..catalog import ENTRIES, WEIGHTS, Entry
from ..catalog import entry as catalog_entry
from . import cadene, caffe, cifar, keras_applications, msra, onnx_zoo, qubvel, timm, torchvision
from .dialect import Contract, Dialect
from .preprocessing import scale, scaled

# In the order in which "imagenet" chooses.
SOURCES: dict[str, Mapping[str, Dialect]] = {
    "keras": keras_applications.DIALECTS,
    "torchvision": torchvision.DIALECTS,
    "cadene": cadene.DIALECTS,
    "timm": timm.DIALECTS,
    "qubvel": qubvel.DIALECTS,
    "caffe": caffe.DIALECTS,
    "msra": msra.DIALECTS,
    "onnx": onnx_zoo.DIALECTS,
    "cifar": cifar.DIALECTS,
}
WEIGHTS |= {
    source: frozenset(name for name, dialect in dialects.items() if dialect.file)
    for source, dialects in SOURCES.items()
}
# Sources that "imagenet" does not mean: of other images, and on hosts that may be gone.
UNASKED = ("cifar", "caffe")
# How a source itself calls its networks, where the catalog has another name.
OWN: dict[str, Mapping[str, str]] = {
    "torchvision": torchvision.OWN,
    "cadene": cadene.OWN,
    "timm": timm.OWN,
    "qubvel": qubvel.OWN,
    "caffe": caffe.OWN,
    "msra": msra.OWN,
    "onnx": onnx_zoo.OWN,
    "cifar": cifar.OWN,
}


class Form(NamedTuple):
    """What a model of this room is: a network, whose form, and whether it scales its images."""

    name: str
    source: str
    preprocessing: bool = False
    contract: Contract | None = None  # of its images, where the weights have one of their own


FORMS: WeakKeyDictionary[keras.Model, Form] = WeakKeyDictionary()
# By the first layer with weights, which a larger model around the network has too.
STEMS: WeakKeyDictionary[keras.Layer, Form] = WeakKeyDictionary()


def sources(name: str | Entry) -> list[str]:
    """The sources that have the network `name`, a name of the catalog or a builder's."""
    found = catalog_entry(name).name
    return [source for source, dialects in SOURCES.items() if found in dialects]


def entry(name: str | Entry, source: str) -> Dialect:
    """What `source` says of the network `name`: its images, its files, its form.

    Args:
        name: a name of the catalog, or the builder's, or the source's own ("legacy_senet154").
        source: "keras", "torchvision", "cadene", "timm", "qubvel", "caffe", "msra", "onnx" or
            "cifar"; "imagenet" is the first of them that has a file of the network to fetch.

    Raises:
        ValueError: there is no such source, or it has no such network.
    """
    source = resolved(name, source)
    return SOURCES[source][network(name, source).name]


def network(name: str | Entry, source: str) -> Entry:
    """The entry of what `source` itself, or else the catalog, calls `name`.

    Raises:
        ValueError: neither has the name; the message has the nearest of the source's.
    """
    if isinstance(name, Entry):
        return name
    key = str(name).lower()
    own = OWN.get(source, {})
    if key in own:
        return ENTRIES[own[key]]
    try:
        return catalog_entry(key)
    except ValueError:
        if source not in SOURCES:
            raise
        raise ValueError(
            f"{source!r} has no network {name!r}; the nearest that it has: "
            f"{nearest(key, {*SOURCES[source], *own})}."
        ) from None


def nearest(name: str, there: Collection[str]) -> str:
    """Those names that are most like `name`."""
    return ", ".join(get_close_matches(name, sorted(there), cutoff=0))


def resolved(name: str | Entry, source: str) -> str:
    """The source itself, or the one that "imagenet" means for a network."""
    if source != "imagenet" and source not in SOURCES:
        raise ValueError(f"source is {', '.join(map(repr, SOURCES))}, not {source!r}.")
    found = network(name, source).name
    there = sources(found)
    if source == "imagenet":
        there = [s for s in there if s not in UNASKED and fetchable(SOURCES[s][found])]
        if there:
            return there[0]
        raise ValueError(
            f"no known source has weights of {found!r} for ImageNet; use weights=None."
        )
    if source not in there:
        have = f"these sources have it: {', '.join(there)}" if there else "no source has it"
        raise ValueError(
            f"{source!r} has no {found!r} ({have}); the nearest that it has: "
            f"{nearest(found, SOURCES[source])}."
        )
    return source


def fetchable(dialect: Dialect) -> bool:
    return dialect.file is not None and dialect.file.digest is not None


def build(
    name: str | Entry,
    source: str = "keras",
    /,
    *,
    include_preprocessing: bool = False,
    **options: Any,
) -> keras.Model:
    """The network `name` as another zoo has it, with random weights.

    Args:
        name, source: as in `entry`.
        include_preprocessing: whether the model takes pixels in [0, 255] and RGB, and makes of them
            what its network wants.
        options: the builder's.

    Raises:
        ValueError: there is no such source, it has no such network, or an option is wrong or
            contradicts the source's form.
    """
    source = resolved(name, source)
    found = network(name, source)
    return built_as(found, source, entry(found, source), include_preprocessing, options)


def built_as(
    found: Entry,
    source: str,
    dialect: Dialect,
    include_preprocessing: bool,
    options: Mapping[str, Any],
) -> keras.Model:
    """What `build` gives, of a dialect that may have other images than the source's."""
    check_options(found, source, dialect.options, options)
    if include_preprocessing:
        options = with_scaled_images(found, dialect, dict(options))
    options = {**found.options, **dialect.options, **options}
    given = options.get("input_tensor") is not None or options.get("input_shape") is not None
    size = dialect.contract.size
    if not given and size != found.input_size and options.get("include_top", True):
        options["input_shape"] = image_shape(size)
    # In a context of its own: rules and scopes around it would change the form.
    model = Context().run(built, found.builder, dialect, options)
    FORMS[model] = Form(found.name, source, include_preprocessing, dialect.contract)
    STEMS[next(layer for layer in model.layers if layer.weights)] = FORMS[model]
    return model


def built(builder: Builder[...], dialect: Dialect, options: Mapping[str, Any]) -> keras.Model:
    with rules(*dialect.rules):
        return builder(**options)


def check_options(
    found: Entry, source: str, form: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    if "weights" in options:
        raise ValueError("weights: `build` draws them, `load` has them from its source.")
    for option, value in {**found.options, **form}.items():
        if options.get(option, value) != value:
            raise ValueError(
                f"{found.name!r} of {source!r} has {option}={value!r}, not {options[option]!r}: "
                f"leave it out, or take other weights."
            )


def with_scaled_images(found: Entry, dialect: Dialect, options: dict[str, Any]) -> dict[str, Any]:
    """The options, their images an input of pixels behind which they are scaled."""
    options = dict(options)
    pixels = options.pop("input_tensor", None)
    shape = options.pop("input_shape", None)
    if pixels is None:
        size = dialect.contract.size if options.get("include_top", True) else None
        pixels = keras.Input(shape or image_shape(size))
    return {**options, "input_tensor": scaled(dialect.contract)(pixels)}


def preprocess(images: Any, of: keras.Model | Dialect | Contract) -> Any:
    """`images` as weights want them: a new float32 array, or a tensor of a tensor.

    Args:
        images: RGB pixels in [0, 255], (..., height, width, 3), or (..., 3, height, width) where
            Keras is set so; an array or a tensor. They are neither changed nor resized.
        of: a model as `load` or `build` gave it, or a larger one around it, such as a transfer
            model; or what `entry` says of its weights (of a model that came from elsewhere, such
            as a file).

    Raises:
        ValueError: there are not three channels, or nothing is known of the model's images.

    Warns where the values of an array are clearly in another range.
    """
    return scale(images, contract_of(of))


def contract_of(of: Any) -> Contract:
    if isinstance(of, Contract | Dialect):
        return of.contract if isinstance(of, Dialect) else of
    if not isinstance(of, keras.Model):
        raise TypeError(
            f"preprocess takes images, and then a model or pretrained.entry(name, source), not a "
            f"{type(of).__name__}."
        )
    return contract_of_model(of)


def contract_of_model(model: keras.Model) -> Contract:
    known = {STEMS[layer] for layer in layers_of(model) if layer in STEMS}
    if not known:
        raise ValueError(
            f"nothing is known of the images of {model.name!r}, which is not as pretrained.load "
            f"gave it: pass pretrained.entry(name, source) instead."
        )
    if len(known) > 1:
        names = ", ".join(sorted(f"{form.name} of {form.source}" for form in known))
        raise ValueError(
            f"{model.name!r} holds several networks ({names}): pass pretrained.entry(name, source) "
            f"of one of them."
        )
    form = known.pop()
    if form.preprocessing:
        raise ValueError(f"{model.name!r} scales its images itself: give it pixels in [0, 255].")
    return form.contract or SOURCES[form.source][form.name].contract


def layers_of(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers, those of models for layers with them."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def named(builder: Builder[...], arguments: Mapping[str, Any]) -> Entry:
    """The catalog's entry of what a builder makes of arguments: the most special that fits."""
    fitting = [
        e
        for e in ENTRIES.values()
        if e.builder is builder and all(arguments.get(k) == v for k, v in e.options.items())
    ]
    if not fitting:
        raise ValueError(
            f"no source has weights of {builder.__name__} with these options; weights may be None "
            f"or a file of its own."
        )
    return max(fitting, key=lambda e: len(e.options))
