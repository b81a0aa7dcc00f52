"""Weights into a model: all of them, each in its place, or none."""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..assembly import Builder
from ..catalog import Entry
from . import hub
from .choosing import Choice
from .contents import Contents, FaultError
from .dialect import Dialect
from .fetching import fetched
from .files import digest, hashed, opened, sound
from .forms import FORMS, SOURCES, build, built_as, check_options, entry, named, network, resolved
from .identity import check_identity
from .matching import Convert, Place, Wishes, matched
from .report import LoadError, Report

log = logging.getLogger("keras_ilsvrc")


def load(
    name: str | Entry,
    source: str,
    /,
    path: str | PathLike[str] | None = None,
    *,
    sha256: str | None = None,
    include_preprocessing: bool = False,
    key: str | None = None,
    prefix: str | None = None,
    rename: Mapping[str | re.Pattern[str], str] | None = None,
    ignore: Sequence[str] = (),
    **options: Any,
) -> keras.Model:
    """The network `name` in the form of `source`, with trained weights.

    Args:
        name: a name of the catalog, such as "resnet50" or "cifar_resnet20", or the builder's, or
            the source's own, such as timm's "legacy_senet154".
        source: as in `entry`: "keras", "torchvision", "timm", "cadene", "qubvel", "caffe",
            "msra", "onnx", "cifar", or "imagenet".
        path: of the file, in whatever format, or of a folder in the layout of Hugging Face's hub
            (config.json and model.safetensors, or the index of its parts), of an index, or "hf://OWNER/NAME",
            which is fetched with huggingface_hub; None fetches the source's own, once, and compares
            its checksum.
        sha256: of the file, to compare: its first digits, 8 or more.
        include_preprocessing: whether the model takes RGB pixels in [0, 255].
        key: of a file of torch.save with several sets of weights the one that is meant, such as
            "state_dict_ema", "teacher", or "callbacks.average.state" of a dictionary in others.
        prefix: what stands before the network's names in the file, as "backbone."; tensors without
            it are left out. None: what wrappers put there is taken off (`module.`, `_orig_mod.`,
            `model.`), and so is what stands before most of the network's names.
        rename: for beginnings of names in the file, as "fc.1.", what the source has for them, as
            "fc."; or for compiled patterns, as in re.sub.
        ignore: beginnings of names, or patterns (fnmatch), that are left out.
        options: the builder's. With other `classes` the classifier stays as initialised; with
            another number of channels in `input_shape` the first kernel is summed over its
            channels and divided by their new number, so that an image of equal channels gives
            what its grey one gave; with include_top=False the file's classifier is left out, of
            whatever dense layers it is. What is not the file's, and what `prefix` and `ignore` left
            out, is logged as a warning (logger "keras_ilsvrc").

    Raises:
        LoadError (a ValueError): the file is damaged, or a weight has no place, or a variable no
            weight; it has a report of all names.
        OSError: it is not there, or cannot be fetched; the message says where to put it.
        ValueError: no such name or source, or an option contradicts the source's form.
    """
    source = resolved(name, source)
    network_entry = network(name, source)
    dialect = entry(network_entry, source)
    check_options(network_entry, source, dialect.options, options)
    choice = Choice(key, prefix, rename or {}, ignore)
    wishes = wished(options)
    if path is None:
        place, integrity = (
            fetched(dialect, network_entry.name, source, wishes.no_top),
            "as published",
        )
    else:
        place, integrity, config = hub.found(path)
        dialect = replace(dialect, contract=hub.images(config, dialect.contract))
        if (number := hub.classes(config)) and options.get("include_top", True):
            options = {"classes": number, **options}
    if sha256 is not None:
        integrity = check_sha256(place, sha256)
    model = built_as(network_entry, source, dialect, include_preprocessing, options)
    others = {option: value for option, value in options.items() if option != "output_stride"}
    undilated = partial(build, network_entry, source, **blank(others))
    fill(model, place, dialect, wishes, integrity, choice, undilated if dilated(options) else None)
    return model


def with_weights(builder: Builder[...], arguments: Mapping[str, Any]) -> keras.Model:
    """What `builder` makes of `arguments`, whose weights are a source or a file of its own form."""
    options = dict(arguments)
    weights = options.pop("weights")
    if isinstance(weights, str) and (weights in SOURCES or weights == "imagenet"):
        return load(named(builder, options), weights, **options)
    if options.pop("include_preprocessing", False):
        raise ValueError("include_preprocessing=True needs weights of a source, which says how.")
    if not isinstance(weights, str | PathLike) or not Path(weights).is_file():
        raise ValueError(
            f"weights is None, a source ({', '.join(SOURCES)}), 'imagenet', or the path of a "
            f"weights file; there is no file {str(weights)!r}."
        )
    path = Path(weights)
    model = builder(**options)
    others = {option: value for option, value in options.items() if option != "output_stride"}
    undilated = partial(builder, **blank(others))
    fill(model, path, None, wished(options), undilated=undilated if dilated(options) else None)
    return model


def dilated(options: Mapping[str, Any]) -> bool:
    return bool(options.get("output_stride", 32) != 32)


def blank(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a network whose values do not matter."""
    return {**options, "kernel_initializer": "zeros"}


def wished(options: Mapping[str, Any]) -> Wishes:
    shape = options.get("input_shape") or getattr(options.get("input_tensor"), "shape", (0,))[1:]
    last = keras.config.image_data_format() == "channels_last"
    other = bool(shape) and shape[-1 if last else 0] != 3
    return Wishes("classes" in options, other, not options.get("include_top", True))


def fill(
    model: keras.Model,
    path: Path,
    dialect: Dialect | None,
    wishes: Wishes,
    integrity: str = "",
    choice: Choice = Choice(),  # noqa: B008 (it does not change)
    undilated: Callable[[], keras.Model] | None = None,
) -> Report:
    """Every tensor of the file into its variable, once all are known to fit and to be sound.

    They are read twice, so that no more than one stands in memory beside the model.
    """
    with opened(path) as found:
        identity = check_identity(found, path, FORMS.get(model))
        report, plan, contents = matched(model, path, found, dialect, wishes, choice)
        notes = (*report.notes, *([identity] if identity else []))
        report = replace(report, integrity=integrity or report.integrity, notes=notes)
        if not report.complete:
            raise LoadError(
                f"the file {str(path)!r} does not fit {model.name!r} as asked for.", report
            )
        sound(lambda: check_settings(model, found, undilated))
        check_integrity(found, contents, [place for place, _ in plan])
        for place, convert in plan:
            check_values(place.variable, value_of(place, convert, contents))
        for place, convert in plan:
            place.variable.assign(value_of(place, convert, contents))
    asked = choice != Choice()
    level = logging.WARNING if report.fresh or report.reshaped or asked else logging.INFO
    log.log(level, "%s", report)
    return report


def check_sha256(path: Path, wanted: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{8,64}", wanted):
        raise ValueError(f"sha256 is 8 to 64 hexadecimal digits, not {wanted!r}.")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(wanted.lower()):
        raise LoadError(f"the file {str(path)!r} has another SHA-256 than {wanted}.")
    return "SHA-256"


# What a layer computes beside its weights.
COMPUTED = ("strides", "dilation_rate", "groups", "pool_size", "epsilon", "scale")


def check_settings(
    model: keras.Model, contents: Contents, undilated: Callable[[], keras.Model] | None = None
) -> None:
    """Of a file that has its model's: names and shapes would fit a form of other strides, too. Into
    a dilated network go its own weights and those of the network that is not.
    """
    try:
        compare_settings(model, contents)
    except FaultError:
        if undilated is None:
            raise
        compare_settings(undilated(), contents)


def compare_settings(model: keras.Model, contents: Contents) -> None:
    found = json.loads(contents.metadata.get("config", "{}")).get("config", {}).get("layers", [])
    saved = {layer["config"].get("name"): layer for layer in found}
    before = {id(layer.output): layer for layer in model.layers} if saved else {}
    for layer in model.layers if saved else ():  # a config costs an import of TensorFlow
        if layer.name not in saved:
            continue
        here = json.loads(json.dumps(settings(layer)))
        there = saved[layer.name]["config"]
        pairs = [(key, here[key], there[key]) for key in here.keys() & there.keys()]
        if isinstance(layer, keras.layers.MaxPooling2D) and "padding" in there:
            ours, theirs = before.get(id(layer.input)), saved.get(inbound(saved[layer.name]))
            pairs.append((
                "pixels before the image",
                margin(layer.get_config(), ours and ours.get_config()),
                margin(there, theirs and theirs["config"]),
            ))  # fmt: skip
        for key, ours, theirs in pairs:
            if ours != theirs:
                raise FaultError(
                    f"is of another form: its {layer.name!r} has {key}={theirs!r}, not {ours!r}."
                )


def settings(layer: keras.Layer) -> dict[str, Any]:
    """What counts of a layer's configuration, as far as the layer has it."""
    return {key: value for key, value in layer.get_config().items() if key in COMPUTED}


def margin(pool: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[int]:
    """How many pixels above and left of the image the first window of a pooling begins: by the
    zeros of the layer before, or by Keras' "same" of sides that the stride divides.

    A convolution's zeros do not count: its "same" may be "valid" behind zeros in another form.
    """
    if pool["padding"] == "same":
        sizes = zip(pool["pool_size"], pool["strides"], strict=True)
        return [max(size - stride, 0) // 2 for size, stride in sizes]
    zeros = (before or {}).get("padding")
    return [int(side[0]) for side in zeros] if isinstance(zeros, list | tuple) else [0, 0]


def inbound(layer: Mapping[str, Any]) -> str | None:
    """The name of the layer before, of a layer in a model's configuration of Keras 3 or 2."""
    match layer.get("inbound_nodes"):
        case [{"args": [{"config": {"keras_history": [str(name), *_]}}, *_]}, *_]:
            return name
        case [[[str(name), *_], *_], *_]:
            return name
    return None


def check_integrity(found: Contents, contents: Contents, places: list[Place]) -> None:
    """Compare the SHA-256 that the file has of itself; or read what no variable takes, by which an
    archive compares its own.
    """
    if "sha256" in found.metadata:
        hashes = {name: hashed(tensor.read()) for name, tensor in found.tensors.items()}
        if digest(hashes) != found.metadata["sha256"]:
            raise FaultError("has other values than were saved in it.")
    if contents.integrity == "CRC-32":
        for name in {*contents.tensors} - {name for place in places for name in place.names}:
            contents.tensors[name].read()


def value_of(place: Place, convert: Convert, contents: Contents) -> np.ndarray:
    """A variable's value; of a convolution in groups, stored as one a group, all together."""
    parts = [widened(contents.tensors[name].read()) for name in place.names]
    return convert(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1))


def widened(array: np.ndarray) -> np.ndarray:
    """Of a type that NumPy itself has; bfloat16 and the types of 8 bits as float32."""
    own = array.dtype.type.__module__.startswith("numpy")
    return array if own else array.astype("float32")


def check_values(variable: keras.Variable, value: np.ndarray) -> None:
    if value.shape != tuple(variable.shape):
        raise FaultError(f"has values of shape {value.shape} for {variable.path!r}.")
    if value.dtype.kind not in "fiu":
        raise FaultError(f"has no numbers for {variable.path!r}.")
    with np.errstate(over="ignore"):  # said below
        finite = np.isfinite(value.astype(variable.dtype, copy=False)).all()
    if not finite:
        raise FaultError(f"has no finite numbers for {variable.path!r}.")
    if variable.path.endswith("moving_variance") and (value < 0).any():
        raise FaultError(f"has variances below 0 for {variable.path!r}.")
