"""Weights files as tensors by name. What a file holds is data: none of it is executed, and no
tensor is read before it is asked for.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np
import safetensors

from .contents import Contents, FaultError, Tensor
from .pickled import archived, unzipped
from .report import LoadError

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
PYTORCH_UNZIPPED = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
KINDS = "HDF5 (.h5, .weights.h5), .keras, .safetensors, or PyTorch's (.pth, .pt, .th)"


@contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """The contents of a weights file of whatever kind, told by its first bytes.

    Raises:
        LoadError: it is damaged, or of another kind, or holds what is not data. So does reading a
            tensor inside the context.
    """
    try:
        with path.open("rb") as file, ExitStack() as stack:
            yield reader(file.read(16))(path, stack)
    except LoadError:
        raise
    except Exception as error:  # a damaged file can raise anything
        words = (str(error).strip() or type(error).__name__).splitlines()[0]
        known = isinstance(error, FaultError)
        reason = words if known else f"is damaged or is none of weights: {words}"
        raise LoadError(f"the file {str(path)!r} {reason}") from error


def reader(head: bytes) -> Callable[[Path, ExitStack], Contents]:
    if head.startswith(HDF5):
        return lambda path, stack: hdf5(stack.enter_context(h5py.File(path, "r")))
    if head.startswith(ZIP):
        return zipped
    if head.startswith(PYTORCH_UNZIPPED):
        return unzipped
    if len(head) > 8 and head[8:9] == b"{":
        return tensors_file
    raise FaultError(f"is of no known kind of weights: {KINDS}.")


def hashed(array: np.ndarray) -> str:
    """SHA-256 of type, shape and values."""
    sha = hashlib.sha256(json.dumps([array.dtype.str, array.shape]).encode())
    sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def digest(hashes: Mapping[str, str]) -> str:
    """SHA-256 of all tensors' names and hashes."""
    return hashlib.sha256(json.dumps(sorted(hashes.items())).encode()).hexdigest()


# --- safetensors ------------------------------------------------------------------------------


def tensors_file(path: Path, stack: ExitStack) -> Contents:
    file = stack.enter_context(safetensors.safe_open(path, "numpy"))
    metadata = file.metadata() or {}
    tensors = {
        name: Tensor(tuple(file.get_slice(name).get_shape()), partial(file.get_tensor, name))
        for name in file.keys()  # noqa: SIM118 (it is no mapping)
    }
    known = "SHA-256 in the file" if "sha256" in metadata else "not checked"
    return Contents("state", tensors, known, metadata)


# --- zip archives: .keras, and PyTorch's --------------------------------------------------------


def zipped(path: Path, stack: ExitStack) -> Contents:
    """Reading a member compares its CRC-32; those that hold no tensors are read here."""
    archive = stack.enter_context(zipfile.ZipFile(path))
    for member in archive.infolist():
        check_member(member)
    names = archive.namelist()
    if "model.weights.h5" in names:
        for name in {*names} - {"model.weights.h5"}:
            archive.read(name)
        inside = io.BytesIO(archive.read("model.weights.h5"))
        contents = hdf5(stack.enter_context(h5py.File(inside, "r")))
        return Contents(contents.kind, contents.tensors, "CRC-32")
    if pickles := [name for name in names if PurePosixPath(name).name == "data.pkl"]:
        return archived(archive, pickles)
    raise FaultError("is an archive of neither Keras' nor PyTorch's weights.")


def check_member(member: zipfile.ZipInfo) -> None:
    """Nothing is ever unpacked, but an archive made for harm is none of weights."""
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise FaultError(f"is an archive with the path {member.filename!r} outside itself.")
    if member.compress_type != zipfile.ZIP_STORED:
        raise FaultError("is compressed; Keras and PyTorch store weights as they are.")


# --- HDF5: Keras' -----------------------------------------------------------------------------


def hdf5(file: h5py.File) -> Contents:
    datasets = dict(walk(file))
    if "layer_names" in file.attrs or "layer_names0" in file.attrs or "model_weights" in file:
        return legacy(file.get("model_weights", file), datasets)
    tensors = {}
    for path, dataset in datasets.items():
        if path.startswith("/optimizer/") or "/seed_generator/" in path:
            continue
        layer, _, number = path.rpartition("/")
        if "name" not in file[layer].attrs:
            raise FaultError(f"does not say whose {path!r} is: save it with Keras 3.15.")
        tensors[f"{text(file[layer].attrs['name'])}/{number}"] = tensor(dataset)
    return Contents("keras", tensors)


def walk(group: h5py.Group) -> Iterator[tuple[str, h5py.Dataset]]:
    """All datasets below; links into other files are refused."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise FaultError(f"has a link in the place of {group.name}/{name}.")
        inner = group[name]
        if isinstance(inner, h5py.Group):
            yield from walk(inner)
        elif inner.is_virtual or inner.external:
            raise FaultError(f"has the values of {inner.name} in another file.")
        else:
            yield inner.name, inner


def legacy(group: h5py.Group, datasets: Mapping[str, h5py.Dataset]) -> Contents:
    """Keras 2's: layers in their order, each with its weights in theirs."""
    tensors = {}
    for layer in attribute(group, "layer_names"):
        for weight in attribute(group[layer], "weight_names"):
            dataset = group[layer][weight]
            tensors[dataset.name.removeprefix(group.name).strip("/")] = tensor(dataset)
    listed = {group[name].name for name in tensors}
    others = {
        path.strip("/"): tensor(dataset)
        for path, dataset in datasets.items()
        if path.startswith(group.name) and path not in listed and "optimizer_weights" not in path
    }
    return Contents("legacy", tensors | others)


def attribute(group: h5py.Group, name: str) -> list[str]:
    """A list of names; long ones are stored in pieces, `name`0, `name`1, ..."""
    if name in group.attrs:
        return [text(x) for x in group.attrs[name]]
    pieces = sorted(
        (k for k in group.attrs if k.startswith(name)), key=lambda k: int(k[len(name) :])
    )
    return [text(x) for piece in pieces for x in group.attrs[piece]]


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def tensor(dataset: h5py.Dataset) -> Tensor:
    return Tensor(dataset.shape, lambda: dataset[()])
