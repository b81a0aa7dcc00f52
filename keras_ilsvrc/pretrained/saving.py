"""A model's weights in the names and layouts of a source."""

import os
import secrets
from itertools import zip_longest
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors.numpy
from keras import layers, ops

from .dialect import Dialect
from .files import digest, hashed
from .forms import FORMS, Form, build, entry, network, resolved
from .matching import CLASSIFIERS, flattened, module_name


def save(
    model: keras.Model,
    path: str | PathLike[str],
    source: str | None = None,
    *,
    name: str | None = None,
) -> None:
    """Write the weights as a state dict that the source's own network loads strictly.

    Args:
        model: in the form of `source`, with its classifier.
        path: .safetensors, or .pth or .pt where PyTorch is installed.
        source: "torchvision", "timm", "cadene" or "cifar"; None: that which `load` or `build` had.
        name: the network's, in the catalog; None: that which was loaded or built, or the
            model's.

    Raises:
        ValueError: the model has another form than the source's, or the source or path is of
            another kind; the message says which.
        FileNotFoundError: the folder is not there.
        ModuleNotFoundError: .pth without PyTorch.
    """
    form = FORMS.get(model)
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(Path(path).parent)!r} to save in.")
    if source is None and form is None:
        raise ValueError(f"source: {model.name!r} was not loaded from one; say whose names to use.")
    asked = name or (form.name if form else model.name)
    source = resolved(asked, source or (form.source if form else ""))
    name = network(asked, source).name
    dialect = entry(name, source)
    if dialect.names is None:
        raise ValueError(
            f"{source!r} reads Keras' files: use model.save_weights('name.weights.h5')."
        )
    check_form(model, Form(name, source, bool(form and form.preprocessing)))
    write(Path(path), state(model, dialect), {"format": "pt", "network": name, "source": source})


def state(model: keras.Model, dialect: Dialect) -> dict[str, np.ndarray]:
    return {
        module_name(dialect, layer, variable): outward(model, layer, variable, dialect)
        for layer in model.layers
        for variable in layer.weights
    }


def outward(
    model: keras.Model, layer: keras.Layer, variable: keras.Variable, dialect: Dialect
) -> np.ndarray:
    """A variable's value in PyTorch's layout."""
    value: np.ndarray = ops.convert_to_numpy(variable.value)
    if variable.name != "kernel":
        return value
    if isinstance(layer, layers.Conv2D):
        return np.ascontiguousarray(value.transpose(3, 2, 0, 1))
    units = value.shape[1]
    window = value.reshape(*flattened(model, layer), units).transpose(3, 2, 0, 1)
    return np.ascontiguousarray(
        window if layer.name in dialect.windows else window.reshape(units, -1)
    )


def write(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Whole or not at all: written beside its place, then moved there."""
    # A name of its own: several processes may write to one path.
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        if path.suffix == ".safetensors":
            metadata = {**metadata, "sha256": digest({n: hashed(a) for n, a in tensors.items()})}
            safetensors.numpy.save_file(tensors, beside, metadata)
        elif path.suffix in (".pth", ".pt"):
            import torch

            torch.save({name: torch_tensor(value) for name, value in tensors.items()}, beside)
        else:
            raise ValueError(f"path ends in .safetensors, .pth or .pt, not {path.name!r}.")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def torch_tensor(value: np.ndarray) -> Any:
    """PyTorch's tensor, also of a type that NumPy has not, such as bfloat16."""
    import torch

    if value.dtype.type.__module__.startswith("numpy"):
        return torch.from_numpy(value)
    plain = torch.from_numpy(value.view({1: "u1", 2: "i2"}[value.dtype.itemsize]))
    return plain.view(getattr(torch, value.dtype.name))


# --- forms -----------------------------------------------------------------------------------


def check_form(model: keras.Model, form: Form) -> None:
    """Compare what is computed: names would fit another form too, with other outputs."""
    there = [x.name for x in model.layers]
    options: dict[str, Any] = {"auxiliary": True} if "aux1" in there else {}
    if "predictions" not in there:
        raise ValueError(f"{model.name!r} has no classifier; {form.source!r} wants one.")
    twin = build(
        form.name,
        form.source,
        include_preprocessing=form.preprocessing,
        input_shape=model.input_shape[1:],
        classes=model.get_layer("predictions").units,
        kernel_initializer="zeros",
        **options,
    )
    mine, its = described(model), described(twin)
    for ours, theirs in zip_longest(mine, its, fillvalue=("nothing",)):
        if ours != theirs:
            raise ValueError(
                f"{model.name!r} is not {form.name!r} in the form of {form.source!r}, as "
                f"pretrained.build gives it: layer {ours[0]!r} is {ours[1:]}, there {theirs}."
            )


# What a layer's settings say beside what it computes.
BESIDE = (
    "name", "dtype", "trainable", "batch_shape", "batch_input_shape", "momentum", "seed",
    "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer",
)  # fmt: skip


def described(model: keras.Model) -> list[tuple[Any, ...]]:
    """Of each operation its name, class, settings, and what it takes; last, what the model gives.

    Dropout computes nothing once a network is trained.
    """
    makers = {id(op.output): op for op in model.operations}

    def maker(tensor: keras.KerasTensor) -> str:
        while isinstance(op := makers[id(tensor)], layers.Dropout):
            tensor = op.input
        return "" if isinstance(op, layers.InputLayer) else op.name

    rows: list[tuple[Any, ...]] = []
    for op in model.operations:
        if isinstance(op, layers.Dropout | layers.InputLayer):
            continue
        config = op.get_config() if isinstance(op, keras.Layer) else vars_of(op)
        beside = (*BESIDE, "activation") if op.name in CLASSIFIERS else BESIDE
        settings = {key: value for key, value in config.items() if key not in beside}
        taken = op.input if isinstance(op.input, list) else [op.input]
        rows.append((op.name, type(op).__name__, settings, [maker(x) for x in taken]))
    return [*rows, ("outputs", [maker(y) for y in model.outputs])]


def vars_of(operation: Any) -> dict[str, Any]:
    """The settings of what is no layer, such as a flip of the channels."""
    return {"axis": getattr(operation, "axis", None)}
