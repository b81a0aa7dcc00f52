"""Weights files as tensors by name. What a file holds is data: none of it is executed, and no
tensor is read before it is asked for.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np
import safetensors

from .caffe_files import caffe_file
from .contents import Contents, FaultError, T, Tensor, unique
from .onnx_files import onnx_file
from .pickled import archived, unzipped
from .report import LoadError

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
PYTORCH_UNZIPPED = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
KINDS = (
    "HDF5 (.h5, .weights.h5), .keras, .safetensors, PyTorch's (.pth, .pt, .th), .onnx, or "
    ".caffemodel"
)

# Kinds that are told by the end of their name.
OTHERS = {".onnx": onnx_file, ".caffemodel": caffe_file}


@contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """The contents of a weights file of whatever kind, told by its first bytes, or, of
    those that have no first bytes of their own, by the end of its name.

    Raises:
        ModuleNotFoundError: it is of a kind that needs an optional package; the message says which.
        LoadError: it is damaged, or of another kind, or holds what is not data. So does reading a
            tensor inside the context.
    """
    try:
        with path.open("rb") as file, ExitStack() as stack:
            contents = sound(lambda: reader(file.read(16), path.suffix)(path, stack))
            tensors = {
                name: Tensor(tensor.shape, partial(sound, tensor.read))
                for name, tensor in contents.tensors.items()
            }
            yield replace(contents, tensors=tensors)
    except FaultError as fault:
        raise LoadError(f"the file {str(path)!r} {fault}") from fault.__cause__


def sound(read: Callable[[], T]) -> T:
    """What `read` gives; a damaged file can raise anything."""
    try:
        return read()
    except (FaultError, ModuleNotFoundError):
        raise
    except Exception as error:
        words = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FaultError(f"is damaged or is none of weights: {words}") from error


def reader(head: bytes, suffix: str) -> Callable[[Path, ExitStack], Contents]:
    if head.startswith(HDF5):
        return lambda path, stack: hdf5(stack.enter_context(h5py.File(path, "r")))
    if head.startswith(ZIP):
        return zipped
    if head.startswith(PYTORCH_UNZIPPED):
        return unzipped
    if len(head) > 8 and head[8:9] == b"{":
        return tensors_file
    if suffix in OTHERS:
        return OTHERS[suffix]
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
        name: Tensor(tuple(file.get_slice(name).get_shape()), partial(widened, file, name))
        for name in file.keys()  # noqa: SIM118 (it is no mapping)
    }
    known = "SHA-256 in the file" if "sha256" in metadata else "not checked"
    return Contents("state", tensors, known, metadata)


def widened(file: Any, name: str) -> np.ndarray:
    """A tensor; bfloat16, which NumPy does not know, as float32."""
    array: np.ndarray = file.get_tensor(name)
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


# --- zip archives: .keras, and PyTorch's --------------------------------------------------------


def zipped(path: Path, stack: ExitStack) -> Contents:
    """Reading a member compares its CRC-32; those that hold no tensors are read here."""
    archive = stack.enter_context(zipfile.ZipFile(path))
    for member in archive.infolist():
        check_member(member)
    names = [*unique((name, None) for name in archive.namelist())]
    if "model.weights.h5" in names:
        others = {name: archive.read(name) for name in {*names} - {"model.weights.h5"}}
        config = others.get("config.json", b"{}").decode()
        inside = io.BytesIO(archive.read("model.weights.h5"))
        contents = hdf5(stack.enter_context(h5py.File(inside, "r")))
        return Contents(contents.kind, contents.tensors, "CRC-32", {"config": config})
    pickles = [name for name in names if PurePosixPath(name).name == "data.pkl"]
    if len(pickles) == 1:
        return archived(archive, pickles[0])
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
    datasets = dict(walk(file, set()))
    if "layer_names" in file.attrs or "layer_names0" in file.attrs or "model_weights" in file:
        found = legacy(file.get("model_weights", file), datasets)
        return replace(found, metadata={"config": text(file.attrs.get("model_config", "{}"))})
    pairs = []
    for path, dataset in datasets.items():
        if path.startswith("/optimizer/") or "/seed_generator/" in path:
            continue
        layer, _, number = path.rpartition("/")
        if "name" not in file[layer].attrs:
            raise FaultError(f"does not say whose {path!r} is: save it with Keras 3.15.")
        pairs.append((f"{text(file[layer].attrs['name'])}/{number}", tensor(dataset)))
    return Contents("keras", unique(pairs))


def walk(group: h5py.Group, met: set[int]) -> Iterator[tuple[str, h5py.Dataset]]:
    """All datasets below, each once; links into other files are refused."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise FaultError(f"has a link in the place of {group.name}/{name}.")
        inner = group[name]
        address = h5py.h5o.get_info(inner.id).addr
        if address in met:
            raise FaultError(f"has {inner.name} in two places.")
        met.add(address)
        if isinstance(inner, h5py.Group):
            yield from walk(inner, met)
        elif inner.is_virtual or inner.external:
            raise FaultError(f"has the values of {inner.name} in another file.")
        else:
            yield inner.name, inner


def legacy(group: h5py.Group, datasets: Mapping[str, h5py.Dataset]) -> Contents:
    """Keras 2's: layers in their order, each with its weights in theirs."""
    layers = []
    for layer in attribute(group, "layer_names"):
        weights = attribute(group[layer], "weight_names")
        layers.append(tuple(group[layer][weight].name for weight in weights))
    listed = unique((path, tensor(datasets[path])) for layer in layers for path in layer)
    others = {
        path: tensor(dataset)
        for path, dataset in datasets.items()
        if path not in listed and not path.startswith("/optimizer_weights/")
    }
    start = "" if group.name == "/" else group.name

    def short(path: str) -> str:
        return path.removeprefix(start).removeprefix("/")

    return Contents(
        "legacy",
        {short(path): found for path, found in (listed | others).items()},
        layers=tuple(tuple(map(short, layer)) for layer in layers if layer),
    )


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
