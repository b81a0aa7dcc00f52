"""A model's weights in the names and layouts of a source."""

import os
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors.numpy
from keras import layers, ops

from ..catalog import entry as catalog_entry
from .dialect import Dialect
from .files import digest, hashed
from .forms import FORMS, Form, build, entry, resolved
from .matching import flattened, module_name

# What a layer computes, beside its weights.
COMPUTED = (
    "kernel_size", "strides", "padding", "pool_size", "groups", "dilation_rate", "use_bias",
    "epsilon", "scale", "offset",
)  # fmt: skip


def save(
    model: keras.Model,
    path: str | PathLike,
    source: str | None = None,
    *,
    name: str | None = None,
) -> None:
    """Write the weights as a state dict that the source's own network loads strictly.

    Args:
        model: in the form of `source`, with its classifier.
        path: .safetensors, or .pth or .pt where PyTorch is installed.
        source: "torchvision", "timm", "cadene" or "cifar"; None: that which `load` or `build` had.
        name: the network's, in the catalog; None: as loaded or built.

    Raises:
        ValueError: the model has another form than the source's, or the source or path is of
            another kind; the message says which.
        ModuleNotFoundError: .pth without PyTorch.
    """
    form = FORMS.get(model)
    name = catalog_entry(name or (form.name if form else model.name)).name
    if source is None and form is None:
        raise ValueError(f"source: {model.name!r} was not loaded from one; say whose names to use.")
    source = resolved(name, source or (form.source if form else ""))
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
    value = ops.convert_to_numpy(variable.value)
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
    beside = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".safetensors":
            metadata = {**metadata, "sha256": digest({n: hashed(a) for n, a in tensors.items()})}
            safetensors.numpy.save_file(tensors, beside, metadata)
        elif path.suffix in (".pth", ".pt"):
            import torch

            torch.save({name: torch.from_numpy(value) for name, value in tensors.items()}, beside)
        else:
            raise ValueError(f"path ends in .safetensors, .pth or .pt, not {path.name!r}.")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


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
    for ours, theirs in zip(described(model), described(twin), strict=False):
        if ours != theirs:
            raise ValueError(
                f"{model.name!r} is not {form.name!r} in the form of {form.source!r}, as "
                f"pretrained.build gives it: layer {ours[0]!r} is {ours[1:]}, there {theirs}."
            )


def described(model: keras.Model) -> list[tuple[Any, ...]]:
    """Of each operation its name, class, settings, and what it takes; dropout computes nothing."""
    operations = [op for op in model.operations if not isinstance(op, layers.Dropout)]
    makers = {id(op.output): op for op in model.operations}

    def maker(tensor: keras.KerasTensor) -> str:
        while isinstance(op := makers[id(tensor)], layers.Dropout):
            tensor = op.input
        return "" if isinstance(op, layers.InputLayer) else op.name

    rows = []
    for op in operations:
        config = op.get_config() if isinstance(op, keras.Layer) else {}
        settings = {key: config[key] for key in COMPUTED if key in config}
        if config.get("name") not in ("predictions", "aux1", "aux2"):
            settings["activation"] = config.get("activation")
        taken = op.input if isinstance(op.input, list) else [op.input]
        name = "" if isinstance(op, layers.InputLayer) else op.name
        makers_of = [] if isinstance(op, layers.InputLayer) else [maker(x) for x in taken]
        rows.append((name, type(op).__name__, settings, makers_of))
    return rows
