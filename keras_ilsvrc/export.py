"""Networks as files for other engines: ONNX, OpenVINO, LiteRT, SavedModel, and PyTorch's .pt2.

Keras writes the files. What is done here is what a user would do by hand before and afterwards:
choose what to write, refuse what is known to give a file that loads and cannot run, run the file
once in its engine, and compare the outputs with Keras'.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from .assembly import deep_recursion
from .inference import drop_auxiliary, fold_batch_norm, plain, rewritten

Run = Callable[[np.ndarray], list[np.ndarray]]

# Of an output's largest magnitude: what an engine's other order of sums may change.
TOLERANCE = 1e-4
# Sides of the sample images where a model takes any size.
SIDES = (96, 128)
BATCHES = (1, 3)


class ExportError(ValueError):
    """No file was written; the message says why, and what to do instead."""


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        suffix: of its path; "" for a folder.
        writers: by Keras backend that can write it, the packages that this takes, as imported.
        engine: the package that runs it, as imported.
        refused: by backend, why it writes none that can be run.
    """

    suffix: str
    writers: Mapping[str, tuple[str, ...]]
    engine: str
    refused: Mapping[str, str]


NO_WRITER = "Keras cannot write it on this backend"
FORMATS = {
    "onnx": Format(
        ".onnx",
        {"tensorflow": ("onnx", "tf2onnx"), "torch": ("onnx",)},
        "onnxruntime",
        {"jax": "the files that Keras writes on JAX load and cannot be run", "openvino": NO_WRITER},
    ),
    "openvino": Format(
        ".xml",
        {"tensorflow": ("openvino",), "torch": ("openvino", "scipy"), "openvino": ("openvino",)},
        "openvino",
        {"jax": NO_WRITER},
    ),
    "litert": Format(
        ".tflite",
        {"tensorflow": (), "torch": ("litert_torch",)},
        "ai_edge_litert",
        {"jax": NO_WRITER, "openvino": NO_WRITER},
    ),
    "savedmodel": Format(
        "",
        {"tensorflow": (), "jax": ("tensorflow",)},
        "tensorflow",
        {"torch": NO_WRITER, "openvino": NO_WRITER},
    ),
    "torch": Format(
        ".pt2",
        {"torch": ()},
        "torch",
        {"tensorflow": NO_WRITER, "jax": NO_WRITER, "openvino": NO_WRITER},
    ),
}
# How a package is installed, where it is imported under another name.
INSTALLED_AS = {"ai_edge_litert": "ai-edge-litert", "litert_torch": "litert-torch"}


@dataclass(frozen=True)
class Exported:
    """A file that was written. `str` gives sentences.

    Attributes:
        path: of the file, or the folder.
        format: a name of FORMATS.
        size: of the file, or all files, in bytes.
        engine: name and version of the engine that ran it; None: it is not installed here.
        difference: the largest difference from Keras' outputs, as a share of the largest output;
            None where it was not run.
    """

    path: Path
    format: str
    size: int
    engine: str | None
    difference: float | None

    def __str__(self) -> str:
        head = f"{self.path}: {self.format}, {self.size / 2**20:.1f} MiB."
        if self.difference is None:
            package = package_name(FORMATS[self.format].engine)
            return f"{head} It was not run, as {package} is not installed: pip install {package}."
        return (
            f"{head} Run by {self.engine} on random images, it gives Keras' outputs but for "
            f"{self.difference:.1e} of the largest."
        )


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    auxiliary: bool = False,
    fold: bool = True,
) -> Exported:
    """Write `model` for inference in another engine, run the file there, and compare the outputs.

    Auxiliary classifiers are left out, normalization is folded into convolutions, the input is
    called "images" and each output as its layer. The batch is free in all formats, and height and
    width are where the model's are.

    Args:
        model: functional, of one input of images (batch, height, width, channels), or channels
            first; computed in float32.
        path: of the file; for "savedmodel" of a folder that is not there yet.
        format: "onnx", "openvino", "litert", "savedmodel" or "torch"; None: as the path ends
            (.onnx, .xml, .tflite, no suffix, .pt2).
        auxiliary: whether to keep auxiliary classifiers.
        fold: whether to fold normalization; False writes Keras' own layers.

    Returns:
        What was written, and how near its outputs are to Keras'.

    Raises:
        ExportError (a ValueError): the format cannot be written on this backend or from this model,
            or the file's outputs are others; nothing is left at `path`.
        ModuleNotFoundError: a package is missing that writes the format; the message names it.
    """
    place = Path(path)
    name = format_of(place, format)
    kind = FORMATS[name]
    backend = keras.backend.backend()
    check_backend(name, backend)
    check_model(model, name, backend)
    check_place(place, kind)
    need(kind.writers[backend], f"writing {name} on {backend}")
    network = prepare(model, name, backend, auxiliary, fold)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".export-") as folder:
        draft = Path(folder) / place.name
        WRITERS[name](network, draft)
        difference = None
        if find_spec(kind.engine):
            difference = compare(network, RUNNERS[name](draft), name)
        size = sum(part.stat().st_size for part in Path(folder).rglob("*") if part.is_file())
        for part in sorted(Path(folder).iterdir(), key=lambda p: p.name == place.name):
            part.replace(place.parent / part.name)
    engine = None if difference is None else f"{package_name(kind.engine)} {version(kind.engine)}"
    return Exported(place, name, size, engine, difference)


# --- what is asked for -------------------------------------------------------------------------


def format_of(path: Path, asked: str | None) -> str:
    """The format by its name, or by the path's suffix.

    Raises:
        ExportError: there is no such format, or the path does not end as its files do.
    """
    by_suffix = {kind.suffix: name for name, kind in FORMATS.items()}
    name = by_suffix.get(path.suffix) if asked is None else asked
    if name not in FORMATS:
        raise ExportError(
            f"format is one of {', '.join(FORMATS)}, or path ends in one of "
            f"{', '.join(filter(None, by_suffix))}; got format={asked!r} and {path.name!r}."
        )
    if path.suffix != FORMATS[name].suffix:
        wanted = FORMATS[name].suffix
        right = f"ends in {wanted}" if wanted else "is a folder, without a suffix"
        raise ExportError(f"the path of {name} {right}, not {path.name!r}.")
    return name


def check_backend(name: str, backend: str) -> None:
    kind = FORMATS[name]
    if backend in kind.writers:
        return
    raise ExportError(
        f"no {name} file can be written on {backend}: {kind.refused[backend]}. Save the model with "
        f"model.save, and export it in a process with KERAS_BACKEND={' or '.join(kind.writers)}; "
        f"on {backend} there are {', '.join(written_on(backend)) or 'no formats'}."
    )


def written_on(backend: str) -> list[str]:
    """The formats that a backend writes."""
    return [name for name, kind in FORMATS.items() if backend in kind.writers]


def check_model(model: keras.Model, name: str, backend: str) -> None:
    if not isinstance(model, keras.Model) or not hasattr(model, "operations"):
        raise ExportError(f"model is a functional keras.Model, not {model!r}.")
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        shapes = ", ".join(str(x.shape) for x in model.inputs)
        raise ExportError(f"model takes one input of images, of four axes, not {shapes}.")
    other = sorted({
        str(layer.compute_dtype) for layer in model.layers
        if getattr(layer, "compute_dtype", "float32") not in ("float32", None)
    })  # fmt: skip
    if other or any(getattr(layer, "quantization_mode", None) for layer in model.layers):
        what = f"computes in {', '.join(other)}" if other else "is quantized"
        raise ExportError(
            f"'{model.name}' {what}, of which most engines' files are invalid: build it under the "
            f"policy float32, set its weights, and export that."
        )
    if name == "savedmodel" and backend == "jax" and None in model.inputs[0].shape[1:]:
        raise ExportError(
            f"on JAX a SavedModel has images of one size: build '{model.name}' with input_shape, "
            f"or export it on TensorFlow."
        )


def check_place(place: Path, kind: Format) -> None:
    if not place.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(place.parent)!r} to export to.")
    if not kind.suffix and place.exists():
        raise ExportError(f"{str(place)!r} is there already: name a folder that is not.")


def need(packages: tuple[str, ...], purpose: str) -> None:
    missing = [package_name(package) for package in packages if not find_spec(package)]
    if missing:
        raise ModuleNotFoundError(
            f"{purpose} needs {' and '.join(missing)}: pip install {' '.join(missing)}."
        )


def package_name(module: str) -> str:
    return INSTALLED_AS.get(module, module)


def version(module: str) -> str:
    names = metadata.packages_distributions().get(module, [package_name(module)])
    return metadata.version(names[0])


# --- the network that is written ---------------------------------------------------------------


def prepare(
    model: keras.Model, name: str, backend: str, auxiliary: bool, fold: bool
) -> keras.Model:
    """The model in Keras' own layers, with its input called "images"."""
    network = model if auxiliary else drop_auxiliary(model)
    network = fold_batch_norm(network) if fold else plain(network)
    if (name, backend) == ("onnx", "tensorflow"):
        network = split_groups(network)
    image = keras.Input(batch_shape=network.inputs[0].shape, name="images")
    with deep_recursion():
        return keras.models.clone_model(network, image, lambda layer: layer)


def split_groups(model: keras.Model) -> keras.Model:
    """The same with each grouped convolution as one of each group, side by side: the files that
    tf2onnx makes of grouped ones are invalid.
    """
    grouped = {
        layer.name: layer
        for layer in model.layers
        if isinstance(layer, layers.Conv2D) and layer.groups > 1
    }
    if not grouped:
        return model
    parts: dict[str, list[layers.Conv2D]] = {}

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        if layer.name not in grouped:
            return layer(*inputs, **options)
        made, axis = side_by_side(layer, inputs[0])
        parts[layer.name] = [conv for conv, _ in made]
        return layers.Concatenate(axis, name=f"{layer.name}_groups")([y for _, y in made])

    copy = rewritten(model, lambda layer: type(layer).from_config(layer.get_config()), call)
    for layer in copy.layers:
        if layer.weights and layer.name in {x.name for x in model.layers}:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    for name, convolutions in parts.items():
        kernel, *bias = grouped[name].get_weights()
        pieces = [np.split(value, len(convolutions), axis=-1) for value in (kernel, *bias)]
        for conv, *values in zip(convolutions, *pieces, strict=True):
            conv.set_weights(values)
    return copy


def side_by_side(
    layer: layers.Conv2D, x: keras.KerasTensor
) -> tuple[list[tuple[layers.Conv2D, keras.KerasTensor]], int]:
    """For each group of channels a convolution and its output; and the axis of the channels."""
    axis = 3 if layer.data_format == "channels_last" else 1
    share = x.shape[axis] // layer.groups
    config = {**layer.get_config(), "groups": 1, "filters": layer.filters // layer.groups}
    made = []
    for i in range(layer.groups):
        channels = slice(i * share, (i + 1) * share)
        part = x[..., channels] if axis == 3 else x[:, channels]
        conv = layers.Conv2D.from_config({**config, "name": f"{layer.name}_{i}"})
        made.append((conv, conv(part)))
    return made, axis


# --- writing -----------------------------------------------------------------------------------


def signature(model: keras.Model) -> list[keras.InputSpec]:
    return [keras.InputSpec(shape=model.inputs[0].shape, dtype="float32", name="images")]


def write_onnx(model: keras.Model, path: Path) -> None:
    model.export(path, format="onnx", input_signature=signature(model), verbose=False)
    rename_tensors(path, model.output_names)


def rename_tensors(path: Path, outputs: list[str]) -> None:
    """Call the graph's input "images", and its outputs as their layers."""
    import onnx

    file = onnx.load(path)
    graph = file.graph
    names = {graph.input[0].name: "images"}
    names |= {value.name: name for value, name in zip(graph.output, outputs, strict=True)}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = names.get(value.name, value.name)
    onnx.checker.check_model(file)
    onnx.save(file, path)


def write_openvino(model: keras.Model, path: Path) -> None:
    model.export(str(path), format="openvino", verbose=False)


def write_litert(model: keras.Model, path: Path) -> None:
    model.export(path, format="litert", verbose=False)


def write_savedmodel(model: keras.Model, path: Path) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def write_torch(model: keras.Model, path: Path) -> None:
    """With a free batch; and free sides, traced with those of a sample: Keras would take 1."""
    import torch

    shape = sample_shape(model, 1, SIDES[0])
    free: dict[int, Any] = {0: torch.export.Dim("batch", min=1)}
    free |= {
        axis: torch.export.Dim.AUTO for axis, n in enumerate(model.inputs[0].shape)
        if n is None and axis
    }  # fmt: skip
    spec = [keras.InputSpec(shape=(None, *shape[1:]), dtype="float32", name="images")]
    model.export(path, format="torch", input_signature=spec, dynamic_shapes=free, verbose=False)


WRITERS: Mapping[str, Callable[[keras.Model, Path], None]] = {
    "onnx": write_onnx,
    "openvino": write_openvino,
    "litert": write_litert,
    "savedmodel": write_savedmodel,
    "torch": write_torch,
}

# --- running -----------------------------------------------------------------------------------


def run_onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: list(session.run(None, {"images": x}))


def run_openvino(path: Path) -> Run:
    import openvino

    # Where the processor has the instruction, the default would be bfloat16.
    compiled = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda x: list(compiled(x).values())


def run_litert(path: Path) -> Run:
    """By the names of its signature: by position outputs are in another order than Keras'."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    (names,) = interpreter.get_signature_list().values()

    def run(x: np.ndarray) -> list[np.ndarray]:
        index = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(index, x.shape)
        outputs = interpreter.get_signature_runner()(**{names["inputs"][0]: x})
        return [outputs[name] for name in sorted(outputs)]

    return run


def run_savedmodel(path: Path) -> Run:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda x: [np.asarray(y) for y in keras.tree.flatten(loaded.serve(x))]


def run_torch(path: Path) -> Run:
    import torch

    module = torch.export.load(path).module()

    def run(x: np.ndarray) -> list[np.ndarray]:
        with torch.no_grad():
            outputs = module(torch.from_numpy(x))
        return [y.numpy() for y in keras.tree.flatten(outputs)]

    return run


RUNNERS: Mapping[str, Callable[[Path], Run]] = {
    "onnx": run_onnx,
    "openvino": run_openvino,
    "litert": run_litert,
    "savedmodel": run_savedmodel,
    "torch": run_torch,
}


def sample_shape(model: keras.Model, batch: int, side: int) -> tuple[int, ...]:
    return (batch, *(side if n is None else n for n in model.inputs[0].shape[1:]))


def compare(model: keras.Model, run: Run, name: str) -> float:
    """The largest difference of the file's outputs from Keras', as a share of the largest.

    Raises:
        ExportError: it is above TOLERANCE, or the engine cannot run the file.
    """
    draw, worst = np.random.default_rng(0), 0.0
    free = None in model.inputs[0].shape[1:]
    for side in SIDES if free else SIDES[:1]:
        for batch in BATCHES:
            x = draw.normal(size=sample_shape(model, batch, side)).astype("float32")
            right = [np.asarray(y) for y in keras.tree.flatten(model.predict(x, verbose=0))]
            try:
                found = run(x)
            except Exception as error:
                words = " ".join(str(error).split())[:200]
                raise ExportError(
                    f"the {name} file cannot be run on images of {x.shape}: {words}"
                ) from error
            worst = max(worst, difference(matched_outputs(found, right), right))
    if not worst <= TOLERANCE:
        raise ExportError(
            f"the {name} file gives other outputs than Keras: by {worst:.1e} of the largest, where "
            f"{TOLERANCE:.0e} is allowed. Nothing was written."
        )
    return worst


def matched_outputs(found: list[np.ndarray], right: list[np.ndarray]) -> list[np.ndarray]:
    """The engine's outputs in Keras' order."""
    if [y.shape for y in found] != [y.shape for y in right]:
        shapes = [tuple(y.shape) for y in found], [tuple(y.shape) for y in right]
        raise ExportError(f"the file gives outputs of shapes {shapes[0]}, not {shapes[1]}.")
    return found


def difference(found: list[np.ndarray], right: list[np.ndarray]) -> float:
    return max(
        float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))
        for a, b in zip(found, right, strict=True)
    )
