"""A trained network as a file that other engines run: ONNX, OpenVINO, LiteRT, SavedModel, .pt2.

    report = keras_ilsvrc.export.export(model, "resnet50.onnx")
    print(report)

A file takes its place only after its engine, where installed, gave the model's outputs.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from . import calibration as calibrating
from .anatomy import flat
from .assembly import deep_recursion
from .engines import ENGINES, Run, installed, largest, open_file, require, version
from .inference import drop_auxiliary, fold_batch_norm, own_kind, rewritten, spelled_out

TOLERANCE = 1e-4
# Pixels of the images that try a file of free height and width.
SIDES = (96, 128)


class ExportError(ValueError):
    """No file was written; the message says why, and what to do instead."""


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        suffix: of its path; of a folder none.
        writers: the packages that write it beside the backend's own, by backend.
        refused: why another backend cannot, and what to do instead.
    """

    suffix: str
    writers: Mapping[str, tuple[str, ...]]
    refused: Mapping[str, str] = field(default_factory=dict)


ELSEWHERE = (
    "save the model (model.save), load it in a process with KERAS_BACKEND={} and export it there"
)
FORMATS = {
    "savedmodel": Format(
        "",
        {"tensorflow": (), "jax": ("tensorflow",)},
        {
            "torch": "a SavedModel cannot be written from PyTorch: "
            'choose format="onnx" or "torch", or ' + ELSEWHERE.format("tensorflow"),
            "openvino": "a SavedModel cannot be written from the OpenVINO backend: "
            + ELSEWHERE.format("tensorflow"),
        },
    ),
    "onnx": Format(
        ".onnx",
        {"tensorflow": ("onnx", "tf2onnx"), "torch": ("onnx",)},
        {
            "jax": "ONNX files written from JAX load and cannot run (their max pooling has six "
            "axes): " + ELSEWHERE.format("torch (or tensorflow)"),
            "openvino": "ONNX cannot be written from the OpenVINO backend: "
            + ELSEWHERE.format("torch (or tensorflow)"),
        },
    ),
    "openvino": Format(
        ".xml",
        {
            "tensorflow": ("openvino",),
            "torch": ("openvino", "onnx", "onnxruntime"),
            "jax": ("openvino", "scipy"),
            "openvino": ("openvino",),
        },
    ),
    "litert": Format(
        ".tflite",
        {"tensorflow": (), "torch": ("litert_torch",)},
        {
            name: f"LiteRT cannot be written from {title}: " + ELSEWHERE.format("tensorflow")
            for name, title in (("jax", "JAX"), ("openvino", "the OpenVINO backend"))
        },
    ),
    "torch": Format(
        ".pt2",
        {"torch": ()},
        {
            name: f"a .pt2 file cannot be written from {title}: " + ELSEWHERE.format("torch")
            for name, title in (
                ("tensorflow", "TensorFlow"),
                ("jax", "JAX"),
                ("openvino", "the OpenVINO backend"),
            )
        },
    ),
}
# Names that others have for the formats, Keras' own among them.
ALIASES = {"tf_saved_model": "savedmodel", "saved_model": "savedmodel", "tflite": "litert"}


@dataclass(frozen=True)
class Exported:
    """What was written. `str` gives sentences.

    Attributes:
        path: of the file or, of a SavedModel, the folder. OpenVINO's weights lie beside it, in
            a file of the same name that ends with .bin.
        format: "savedmodel", "onnx", "openvino", "litert" or "torch".
        precision: "f32" or "int8".
        size: of all its files, in bytes.
        engine: the name and version of the engine that ran it; None where it is not installed.
        inputs, outputs: their names in the file, in the model's order.
        difference: the largest between the outputs of the file, run in its engine, and those of
            the model, over the model's largest output; None where the engine is not installed.
        agreement: of an int8 file, the share of images on which its largest output is the
            model's; None of others.
        notes: sentences on what was done to the model, and what the format cannot hold.
    """

    path: Path
    format: str
    precision: str
    size: int
    engine: str | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    difference: float | None
    agreement: float | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.path}: {self.format}, {self.precision}, {self.size / 1e6:.1f} MB, "
                f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}.",
                *self.notes,
            ]
        )


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    precision: str = "f32",
    calibration: Any = None,
    preprocess: Callable[[np.ndarray], Any] | None = None,
    auxiliary: bool = False,
    fold: bool = True,
    batch: int | None = None,
    size: tuple[int, int] | None = None,
) -> Exported:
    """Write `model` for inference elsewhere, and compare what the file computes with the model.

    Auxiliary classifiers are dropped, batch normalization is folded into convolutions, inputs and
    outputs get names that do not depend on what else was built, and the file is float32 (a model
    of mixed precision has float32 weights). The file is written beside `path`, run once in its
    engine where that is installed, and takes its place if its outputs are the model's.

    Args:
        model: functional or sequential, trained, on any backend; not changed.
        path: of the new file, or folder of a SavedModel. What was there is replaced.
        format: "onnx", "openvino", "litert", "torch" (.pt2) or "savedmodel"; by default what
            the ending of `path` says (.onnx, .xml, .tflite, .pt2, none).
        precision: "f32", or "int8": of formats "onnx" (by ONNX Runtime) and "openvino" (by NNCF).
        calibration: for int8, at least 10 images: an array of images as the model takes them,
            or a folder of picture files. A fifth is held out to measure the agreement.
        preprocess: of a folder's pictures, scaled to the model's size: from (n, height, width,
            3), RGB, 0 to 255, to what the model takes; by default they are taken as they are.
        auxiliary: keep auxiliary classifiers.
        fold: fold batch normalization.
        batch: images a call; by default free, but 1 in LiteRT's files from PyTorch.
        size: height and width of the images, for a model that leaves them free.

    Returns:
        The report.

    Raises:
        ValueError: the arguments are wrong.
        ModuleNotFoundError: a package is missing.
        ExportError (a ValueError): the backend cannot write the format, or the file computes
            something else than the model; none is left behind.
    """
    path = Path(path)
    format = format_of(path, format)
    model = check_model(model)
    check_options(format, precision, calibration, batch, size)
    check_packages(format, precision)
    images = calibrating.read(calibration, model, preprocess) if precision == "int8" else None
    ready, reference, notes = prepared(model, format, auxiliary, fold, batch, size)
    names = names_of(ready)
    engine, agreement = ENGINES[format], None
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        file = Path(folder) / f"model{FORMATS[format].suffix}"
        with quiet():
            write(ready, file, format)
            difference = compare(model.name, file, format, ready, reference)
        if difference is None:
            notes.append(
                f"It was not run: {engine.title} is not installed (pip install {engine.package})."
            )
        else:
            notes.append(
                f"In {engine.title} its outputs differ from the model's by at most "
                f"{difference:.1e} of the largest."
            )
        if images is not None:
            learn, test = calibrating.split(images)
            before = size_of(file)
            with quiet():
                calibrating.quantize(file, format, learn)
                run = open_file(file, format, names[1])
                agreement, difference = calibrating.compare(reference, run, test)
            notes.append(
                f"int8 after calibration on {len(learn)} images: the largest output is the "
                f"model's on {agreement:.1%} of {len(test)} other images, outputs differ by at "
                f"most {difference:.1e} of the largest, and the file has "
                f"{size_of(file) / before:.2f} of the float32 file's size."
            )
        written = size_of(file)
        put(file, path)
    ran = None if difference is None else f"{engine.title} {version(engine.package)}"
    return Exported(
        path, format, precision, written, ran, *names, difference, agreement, tuple(notes)
    )


def write(model: keras.Model, file: Path, format: str) -> None:
    """Write the file, or say in one sentence that the converter does not take the model."""
    try:
        WRITERS[format](model, file)
    except ExportError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise ExportError(
            f"No file is written: '{model.name}' cannot be converted to {format} from "
            f"{keras.backend.backend()} ({said}); another format or backend may take it."
        ) from error


def compare(name: str, file: Path, format: str, ready: keras.Model, reference: Run) -> float | None:
    """The largest difference of the file's outputs; None where its engine is not installed.

    Raises:
        ExportError: it is above the tolerance, or the engine does not run the file.
    """
    engine = ENGINES[format]
    if not installed(engine.module):
        return None
    worst = 0.0
    try:
        run = open_file(file, format, names_of(ready)[1])
        for images, side in ((2, SIDES[0]), (1, SIDES[1])):
            x = sample(ready, images, side)
            worst = max(worst, largest(reference(x), run(x)))
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise ExportError(
            f"No file is written: {engine.title} does not run the {format} file of '{name}' "
            f"({said}); another format may be right."
        ) from error
    if not worst <= TOLERANCE:
        raise ExportError(
            f"No file is written: in {engine.title} the {format} file of '{name}' gives outputs "
            f"that differ from the model's by {worst:.1e} of the largest, more than "
            f"{TOLERANCE:.0e}; another format may be right."
        )
    return worst


# --- what can be exported --------------------------------------------------------------------


def format_of(path: Path, format: str | None) -> str:
    """The format that is meant, if the path fits it."""
    if format is None:
        by_suffix = {kind.suffix: name for name, kind in FORMATS.items()}
        if path.suffix not in by_suffix:
            raise ExportError(
                f"'{path}' ends with none of .onnx, .xml (OpenVINO), .tflite, .pt2, and is no "
                f"folder's name: give format=, one of {', '.join(FORMATS)}."
            )
        format = by_suffix[path.suffix]
    name = ALIASES.get(format, format)
    if name not in FORMATS:
        raise ExportError(f"format is one of {', '.join(FORMATS)}, not {format!r}.")
    if (suffix := FORMATS[name].suffix) and path.suffix != suffix:
        raise ExportError(f"The path of format={format!r} ends with {suffix}, not '{path.name}'.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder '{path.parent}' to write into.")
    if path.is_dir() and (suffix or holds_other_things(path)):
        raise ExportError(f"'{path}' is a folder with other things in it; choose another path.")
    return name


def holds_other_things(folder: Path) -> bool:
    """Whether the folder is neither empty nor a SavedModel."""
    return any(folder.iterdir()) and not (folder / "saved_model.pb").exists()


def check_model(model: Any) -> keras.Model:
    """`model` without models for layers, if it can be exported."""
    try:
        whole = flat(model)
    except ValueError as why:
        raise ExportError(f"No file is written: {why}") from None
    for layer in whole.layers:
        if mode := getattr(layer, "quantization_mode", None):
            raise ExportError(
                f"'{model.name}' was quantized by Keras ({layer.name} is {mode}): export the "
                f'float model, with precision="int8" and calibration images if it is to be small.'
            )
    return whole


def check_packages(format: str, precision: str) -> None:
    """Raise where the backend cannot write the format, or a package is missing."""
    backend = keras.backend.backend()
    if backend not in FORMATS[format].writers:
        able = [name for name, kind in FORMATS.items() if backend in kind.writers]
        raise ExportError(
            f"No file is written: {FORMATS[format].refused[backend]}; on {backend} there are "
            f"{', '.join(able)}."
        )
    packages = [*FORMATS[format].writers[backend]]
    if precision == "int8":
        packages += ["onnx", "onnxruntime"] if format == "onnx" else ["openvino", "nncf"]
    require(packages, f"to write {precision} {format} from {backend}")


def check_options(format: str, precision: str, calibration: Any, batch: Any, size: Any) -> None:
    """Raise where options do not go together."""
    if precision not in ("f32", "int8"):
        raise ExportError(f'precision is "f32" or "int8", not {precision!r}.')
    if precision == "int8" and format not in ("onnx", "openvino"):
        raise ExportError(f'precision="int8" is of formats "onnx" and "openvino", not {format!r}.')
    if (precision == "int8") != (calibration is not None):
        raise ExportError(
            'precision="int8" needs calibration=, images to calibrate on.'
            if calibration is None
            else f'calibration is for precision="int8", and precision is {precision!r}.'
        )
    if batch is not None and (not isinstance(batch, int) or batch < 1):
        raise ExportError(f"batch is a positive number of images, or None for any, not {batch!r}.")
    if size is not None and not (
        isinstance(size, tuple | list)
        and len(size) == 2
        and all(isinstance(n, int) and n > 0 for n in size)
    ):
        raise ExportError(f"size is (height, width) in pixels, not {size!r}.")


# --- the model that is written ---------------------------------------------------------------


def prepared(
    model: keras.Model,
    format: str,
    auxiliary: bool,
    fold: bool,
    batch: int | None,
    size: tuple[int, int] | None,
) -> tuple[keras.Model, Run, list[str]]:
    """The model to write, what computes the right outputs, and what was done, in sentences."""
    notes = []
    if not auxiliary and model is not (model := without_auxiliary(model)):
        notes.append("The auxiliary classifiers are dropped.")
    if lower := lower_precision(model):
        model = of_type(model, "float32")
        notes.append(
            f"The model computes in {lower}; the file, and the model that it is compared with, "
            f"in float32."
        )
    reference = outputs_of(model)
    free = [x for x in model.inputs if None in x.shape[1:]]
    if free and size is None and (format, keras.backend.backend()) in FIXED_SIZE:
        raise ExportError(
            f"'{model.name}' leaves height and width free, which {format} from "
            f"{keras.backend.backend()} cannot: give size=(height, width)."
        )
    if fold:
        try:
            model = fold_batch_norm(model)
        except ValueError as why:
            notes.append(f"No normalization is folded: {why}")
    model = with_shape(model, batch or (1 if needs_batch(format) else None), size)
    if needs_batch(format) and batch is None:
        notes.append("LiteRT's files from PyTorch have a fixed batch, here 1 image; see batch=.")
    return model, reference, notes


def without_auxiliary(model: keras.Model) -> keras.Model:
    """`model`, or what is left of it without auxiliary classifiers."""
    has = any(name.startswith("aux") for name in output_names(model)[1:])
    return drop_auxiliary(model) if has else model


FIXED_SIZE = (("savedmodel", "jax"), ("litert", "torch"))


def needs_batch(format: str) -> bool:
    """Whether the backend writes no file of a free batch."""
    return format == "litert" and keras.backend.backend() == "torch"


def lower_precision(model: keras.Model) -> str | None:
    """The type of less than float32 in which a layer computes."""
    found = {str(getattr(x, "compute_dtype", None)) for x in model.layers}
    return min(found & {"bfloat16", "float16"}, default=None)


def of_type(model: keras.Model, dtype: str) -> keras.Model:
    """A copy that keeps and computes all in that type."""

    def layer(old: keras.layers.Layer) -> keras.layers.Layer:
        return type(old).from_config({**old.get_config(), "dtype": dtype})

    with deep_recursion():
        copy = keras.models.clone_model(model, clone_function=layer)
    for new, old in zip(copy.weights, model.weights, strict=True):
        new.assign(ops.cast(old.value, new.dtype))
    return copy


def outputs_of(model: keras.Model) -> Run:
    """What computes the model's outputs, in float32."""

    def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        x = keras.tree.pack_sequence_as(model.input, list(inputs))
        found = keras.tree.flatten(model(x, training=False))
        return [np.asarray(ops.convert_to_numpy(ops.cast(y, "float32"))) for y in found]

    return run


def with_shape(model: keras.Model, batch: int | None, size: tuple[int, int] | None) -> keras.Model:
    """`model` of inputs of that many images, and of that size."""
    if batch is None and size is None:
        return model

    def new_input(x: Any) -> Any:
        shape = list(x.shape)
        if batch is not None:
            if shape[0] not in (None, batch):
                raise ExportError(f"'{model.name}' takes {shape[0]} images a call, not {batch}.")
            shape[0] = batch
        if size is not None:
            sides = [i for i in (1, 2, 3) if shape[i] is None] if len(shape) == 4 else []
            if len(sides) != 2:
                raise ExportError(
                    f"size= is for models that leave height and width free, and '{model.name}' "
                    f"takes {tuple(shape[1:])}."
                )
            for axis, side in zip(sides, size, strict=True):
                shape[axis] = side
        return keras.Input(batch_shape=tuple(shape), dtype=x.dtype, name=x.name)

    inputs = keras.tree.map_structure(new_input, model.input)
    return flat(keras.Model(inputs, model(inputs), name=model.name))


AUTOMATIC = re.compile(r"(keras_tensor|input_layer|input|args|functional|sequential)(_\d+)?")


def names_of(model: keras.Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of inputs and outputs in files: the user's, where Keras did not make them up."""
    inputs = stable([x.name for x in model.inputs], "images")
    return inputs, stable(output_names(model), "outputs")


def output_names(model: keras.Model) -> list[str]:
    """The names of the layers that give the outputs."""
    names = getattr(model, "output_names", None)
    if names and len(names) == len(model.outputs):
        return list(names)
    return [y.name for y in model.outputs]


def stable(names: Sequence[str], word: str) -> tuple[str, ...]:
    """`names`, or the word in place of those that Keras numbers as it goes."""
    fallback = [word] if len(names) == 1 else [f"{word}_{i}" for i in range(len(names))]
    kept = [
        instead if AUTOMATIC.fullmatch(name) or is_automatic(name) else re.sub(r"\W", "_", name)
        for name, instead in zip(names, fallback, strict=True)
    ]
    return tuple(kept) if len({*kept}) == len(kept) else tuple(fallback)


def is_automatic(name: str) -> bool:
    """Whether Keras makes such names: a layer's class in small letters, and a number."""
    words = re.sub(r"_\d+$", "", name)
    return any(snake(kind) == words for kind in dir(layers) if kind[0].isupper())


def snake(name: str) -> str:
    """A class' name as Keras names its layers."""
    half = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", half).lower()


def sample(model: keras.Model, images: int = 2, side: int = SIDES[0]) -> list[np.ndarray]:
    """Noise that the model takes."""
    draw = np.random.default_rng(0)
    found = []
    for x in model.inputs:
        batch, *rest = x.shape
        shape = (batch or images, *(n or side for n in rest))
        noise = draw.random(shape) * (255 if "int" in str(x.dtype) else 1)
        found.append(noise.astype(str(x.dtype)))
    return found


# --- writers, by format ------------------------------------------------------------------------


def write_savedmodel(model: keras.Model, path: Path) -> None:
    """A SavedModel with one endpoint, "serve", whose outputs have names."""
    inputs, outputs = names_of(model)

    def serve(*arrays: Any) -> dict[str, Any]:
        x = keras.tree.pack_sequence_as(model.input, list(arrays))
        found = keras.tree.flatten(model(x, training=False))
        return dict(zip(outputs, found, strict=True))

    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [
        keras.InputSpec(shape=x.shape, dtype=x.dtype, name=name)
        for x, name in zip(model.inputs, inputs, strict=True)
    ]
    archive.add_endpoint("serve", serve, input_signature=signature)
    archive.write_out(str(path), verbose=False)


def write_litert(model: keras.Model, path: Path) -> None:
    """A LiteRT file; from TensorFlow its signature names the outputs."""
    if keras.backend.backend() == "torch":
        model.export(str(path), format="litert", verbose=False)
        return
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        write_savedmodel(model, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        path.write_bytes(converter.convert())


def write_onnx(model: keras.Model, path: Path) -> None:
    """An ONNX file that a checker has read, with names of inputs and outputs."""
    import onnx

    outputs_of(model)(sample(model))  # Keras exports what was called
    model.export(str(path), format="onnx", verbose=False)
    file = onnx.load(str(path))
    if keras.backend.backend() == "tensorflow":
        mend_groups(file.graph, model)
    rename(file.graph, names_of(model))
    onnx.checker.check_model(file)
    onnx.save(file, str(path))


def rename(graph: Any, names: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    """Name the inputs and outputs of an ONNX graph, and their batch."""
    new = {}
    for ends, called in zip((graph.input, graph.output), names, strict=True):
        for end, name in zip(ends, called, strict=True):
            new[end.name] = name
            end.name = name
            batch = end.type.tensor_type.shape.dim[0]
            if not batch.dim_value:
                batch.dim_param = "batch"
    for node in graph.node:
        for side in (node.input, node.output):
            side[:] = [new.get(x, x) for x in side]


def mend_groups(graph: Any, model: keras.Model) -> None:
    """Write grouped convolutions, which tf2onnx leaves as calls of TensorFlow, as ONNX has them."""
    from onnx import helper, numpy_helper

    dilated = [
        x.name
        for x in flat(model).layers
        if getattr(x, "groups", 1) > 1 and tuple(x.dilation_rate) != (1, 1)
    ]
    if dilated:
        raise ExportError(
            f"No file is written: TensorFlow gives no ONNX of convolutions with groups and "
            f"dilation ({dilated[0]}): {ELSEWHERE.format('torch')}."
        )
    grouped = [x for x in flat(model).layers if getattr(x, "groups", 1) > 1]
    if not grouped:
        return
    values = {x.name: x for x in graph.initializer}
    left = [(x, np.asarray(ops.convert_to_numpy(x.kernel))) for x in grouped]
    nodes = []
    for node in graph.node:
        kernel = values.get(node.input[0]) if node.op_type == "StatefulPartitionedCall" else None
        if kernel is None:
            nodes.append(node)
            continue
        array = numpy_helper.to_array(kernel)
        at = next(i for i, (_, own) in enumerate(left) if np.array_equal(own, array))
        layer, _ = left.pop(at)
        name = node.name
        weight = numpy_helper.from_array(
            np.ascontiguousarray(array.transpose(3, 2, 0, 1)), f"{name}/kernel"
        )
        graph.initializer.append(weight)
        first = layer.data_format == "channels_first"
        image, result = (
            (node.input[1], node.output[0]) if first else (f"{name}/image", f"{name}/result")
        )
        if not first:
            nodes.append(helper.make_node("Transpose", [node.input[1]], [image], perm=[0, 3, 1, 2]))
        nodes.append(
            helper.make_node(
                "Conv",
                [image, weight.name],
                [result],
                name=name,
                group=layer.groups,
                strides=layer.strides,
                dilations=layer.dilation_rate,
                kernel_shape=layer.kernel_size,
                auto_pad="SAME_UPPER" if layer.padding == "same" else "VALID",
            )
        )
        if not first:
            nodes.append(
                helper.make_node("Transpose", [result], [node.output[0]], perm=[0, 2, 3, 1])
            )
    del graph.node[:]
    graph.node.extend(nodes)
    used = {x for node in graph.node for x in node.input}
    kept = [x for x in graph.initializer if x.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def write_openvino(model: keras.Model, path: Path) -> None:
    """OpenVINO's two files, with names of inputs and outputs."""
    import openvino

    backend = keras.backend.backend()
    raw = path.with_name("raw.xml")
    if backend == "torch":
        # Straight from PyTorch a hundred transposes stay between channels last and first, at
        # half the speed; ONNX Runtime removes them.
        file = path.with_name("raw.onnx")
        write_onnx(model, file)
        without_transposes(file)
        graph = openvino.convert_model(file)
    elif backend == "jax":
        by_openvino(of_any_batch(model), raw)
        graph = openvino.Core().read_model(raw)
    else:
        (of_any_batch(model) if backend == "openvino" else model).export(
            str(raw), format="openvino", verbose=False
        )
        graph = openvino.Core().read_model(raw)
    for ports, names in zip((graph.inputs, graph.outputs), names_of(model), strict=True):
        for port, name in zip(ports, names, strict=True):
            port.get_tensor().set_names({name})
    openvino.save_model(graph, path, compress_to_fp16=False)


def without_transposes(path: Path) -> None:
    """The ONNX file as ONNX Runtime simplifies it, in standard operations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def of_any_batch(model: keras.Model) -> keras.Model:
    """`model` in Keras' layers, and operations that Keras' OpenVINO backend does not tie to the
    batch of one image that it traces, as it does Flatten.
    """

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        if isinstance(layer, layers.Flatten) and layer.data_format == "channels_last":
            return ops.reshape(inputs[0], (-1, prod(inputs[0].shape[1:])))
        return spelled_out(layer, *inputs, **options)

    copy, origins = rewritten(model, own_kind, call)
    for new in copy.layers:
        if new.weights:
            new.set_weights(origins[new.name].get_weights())
    return copy


def by_openvino(model: keras.Model, path: Path) -> None:
    """Write the model in a process of its own, whose backend is OpenVINO."""
    saved = path.with_suffix(".keras")
    model.save(saved)
    code = (
        "import sys, keras; keras.config.set_image_data_format(sys.argv[3]);"
        "keras.models.load_model(sys.argv[1])"
        ".export(sys.argv[2], format='openvino', verbose=False)"
    )
    command = [sys.executable, "-c", code, str(saved), str(path), keras.config.image_data_format()]
    done = subprocess.run(
        command, env={**os.environ, "KERAS_BACKEND": "openvino"}, capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ExportError(f"OpenVINO does not take '{model.name}': {last}")


def write_torch(model: keras.Model, path: Path) -> None:
    """A .pt2 file whose weights are named parameters, and are those that it computes with."""
    import torch

    class Network(torch.nn.Module):  # type: ignore[misc]
        """Keras' variables as parameters: otherwise they are constants, in the file twice."""

        def __init__(self) -> None:
            super().__init__()
            self.trained, self.other = (
                [self.adopt(v) for v in variables]
                for variables in (model.trainable_variables, model.non_trainable_variables)
            )

        def adopt(self, variable: Any) -> str:
            name = re.sub(r"\W", "_", variable.path)
            self.register_parameter(name, torch.nn.Parameter(variable.value.detach(), False))
            return name

        def forward(self, *arrays: Any) -> Any:
            x = keras.tree.pack_sequence_as(model.input, list(arrays))
            trained, other = (
                [getattr(self, n) for n in names] for names in (self.trained, self.other)
            )
            found, _ = model.stateless_call(trained, other, x, training=False)
            found = keras.tree.flatten(found)
            return found[0] if len(found) == 1 else tuple(found)

    samples = [torch.from_numpy(x) for x in sample(model)]
    batch = torch.export.Dim("batch", min=1)
    shapes = tuple(
        {
            axis: batch if axis == 0 else torch.export.Dim.AUTO
            for axis, side in enumerate(x.shape)
            if side is None
        }
        for x in model.inputs
    )
    program = torch.export.export(
        Network().eval(), tuple(samples), dynamic_shapes={"arrays": shapes}, strict=False
    )
    torch.export.save(program, path)


WRITERS: Mapping[str, Callable[[keras.Model, Path], None]] = {
    "savedmodel": write_savedmodel,
    "onnx": write_onnx,
    "openvino": write_openvino,
    "litert": write_litert,
    "torch": write_torch,
}


# --- files ---------------------------------------------------------------------------------------


@contextmanager
def quiet() -> Any:
    """Without the warnings and the output of converters, which speak of their own internals."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def size_of(path: Path) -> int:
    """Bytes of all files of an export."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    weights = path.with_suffix(".bin")
    beside = weights.stat().st_size if path.suffix == ".xml" and weights.exists() else 0
    return path.stat().st_size + beside


def put(file: Path, path: Path) -> None:
    """Move a whole export to its place; what was there is replaced."""
    if file.is_dir():
        if path.exists():
            os.replace(path, file.with_name("old"))
        os.replace(file, path)
        return
    if file.suffix == ".xml":
        os.replace(file.with_suffix(".bin"), path.with_suffix(".bin"))
    os.replace(file, path)
