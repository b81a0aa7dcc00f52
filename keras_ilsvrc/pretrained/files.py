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
import ml_dtypes
import numpy as np
import safetensors

from .caffe_files import caffe_file
from .choosing import unwrapped
from .contents import Contents, FaultError, T, Tensor, each, unique
from .onnx_files import onnx_file
from .pickled import archived, unzipped
from .report import LoadError

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
PYTORCH_UNZIPPED = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
KINDS = (
    "HDF5 (.h5, .weights.h5), .keras, .safetensors, PyTorch's (.pth, .pt, .th, .bin), .onnx, "
    ".caffemodel, or the index of parts (.index.json, .weights.json)"
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
            yield ready(contents)
    except FaultError as fault:
        raise LoadError(f"the file {str(path)!r} {fault}") from fault.__cause__


def ready(contents: Contents, bare: bool = True) -> Contents:
    """The damages of whose values are said, and whose names are without what wrappers put there."""

    def change(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        named = unwrapped(tensors) if bare and contents.kind == "state" else tensors
        return guarded(named)

    sets = each(contents.sets, change)
    one = {id(tensors): tensors for tensors in sets.values()}
    tensors = next(iter(one.values())) if len(one) == 1 else {}
    return replace(contents, tensors=tensors if sets else change(contents.tensors), sets=sets)


def guarded(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, the damages of whose values are said."""
    return {name: Tensor(t.shape, partial(sound, t.read)) for name, t in tensors.items()}


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
    if head.lstrip().startswith(b"{") and head[:8].isascii():
        return sharded
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
        name: Tensor(tuple(file.get_slice(name).get_shape()), partial(values, file, path, name))
        for name in file.keys()  # noqa: SIM118 (it is no mapping)
    }
    known = "SHA-256 in the file" if "sha256" in metadata else "not checked"
    return Contents("state", tensors, known, metadata)


# Types that safetensors has and does not give to NumPy.
EIGHT_BITS = {
    "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu, "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
}  # fmt: skip


def values(file: Any, path: Path, name: str) -> np.ndarray:
    """A tensor of a safetensors file."""
    kind = file.get_slice(name).get_dtype()
    if kind not in EIGHT_BITS:
        array: np.ndarray = file.get_tensor(name)
        return array
    with path.open("rb") as raw:
        length = int.from_bytes(raw.read(8), "little")
        told = json.loads(raw.read(length))[name]
        start, end = told["data_offsets"]
        raw.seek(8 + length + start)
        return np.frombuffer(raw.read(end - start), EIGHT_BITS[kind]).reshape(told["shape"])


# --- parts, and their index -------------------------------------------------------------------


def sharded(path: Path, stack: ExitStack) -> Contents:
    """The tensors of several files, by an index: {"weight_map": {name: file, or files}}."""
    index = json.loads(path.read_text("utf-8"))
    names = parts_of(index)
    for name in names:
        if not path.with_name(name).is_file():
            raise FaultError(f"is an index of parts, of which {name!r} is not beside it.")

    def part(name: str) -> Contents:
        place = path.with_name(name)
        with place.open("rb") as file:
            head = file.read(16)
        if head.startswith(HDF5):
            return hdf5(stack.enter_context(h5py.File(place, "r")), part=True)
        kind = reader(head, place.suffix)
        if kind is sharded:
            raise FaultError(f"has an index, {name!r}, for a part.")
        return ready(kind(place, stack), bare=False)

    return joined(index, {name: part(name) for name in names})


def parts_of(index: Any) -> list[str]:
    """The names of the files of an index, all of its own folder."""
    if not isinstance(index, dict) or not isinstance(index.get("weight_map"), dict):
        raise FaultError("is JSON without a weight_map: of no known kind of weights.")
    listed = index["weight_map"].values()
    names = [*dict.fromkeys(n for v in listed for n in (v if isinstance(v, list) else [v]))]
    for name in names:
        if not isinstance(name, str) or name in ("", ".", "..") or {*name} & {*"/\\\0"}:
            raise FaultError(f"has a part outside its folder: {name!r}.")
    if not names:
        raise FaultError("is an index of no parts.")
    return names


def joined(index: Mapping[str, Any], parts: Mapping[str, Contents]) -> Contents:
    """One file's contents of the parts'; each tensor must be in the part that the index says."""
    (kind, *others) = {part.kind for part in parts.values()}
    if others or kind == "legacy" or any(not part.tensors for part in parts.values()):
        raise FaultError("is an index of parts of different kinds.")
    tensors = unique(pair for part in parts.values() for pair in part.tensors.items())
    if kind == "state":
        for name, where in index["weight_map"].items():
            if not isinstance(where, str) or name not in parts[where].tensors:
                raise FaultError(f"has {name!r} in its index, and not in {where!r}.")
    checked = {part.integrity for part in parts.values()}
    integrity = checked.pop() if len(checked) == 1 else "not checked"
    layers = tuple(row for part in parts.values() for row in part.layers)
    return Contents(kind, tensors, integrity.replace("SHA-256 in the file", "not checked"),
                    layers=layers)  # fmt: skip


# --- zip archives: .keras, and PyTorch's --------------------------------------------------------


def zipped(path: Path, stack: ExitStack) -> Contents:
    """Reading a member compares its CRC-32; those that hold no tensors are read here."""
    archive = stack.enter_context(zipfile.ZipFile(path))
    for member in archive.infolist():
        check_member(member)
    names = [*unique((name, None) for name in archive.namelist())]
    pickles = [name for name in names if PurePosixPath(name).name == "data.pkl"]
    if len(pickles) == 1:
        check_stored(archive)
        return archived(archive, pickles[0])
    weights = [name for name in names if PurePosixPath(name).name in KERAS_WEIGHTS]
    if len(weights) == 1 and not pickles:
        return keras_archive(archive, weights[0], stack)
    raise FaultError("is an archive of neither Keras' nor PyTorch's weights.")


KERAS_WEIGHTS = ("model.weights.h5", "model.weights.json")
# Archives that were packed again are compressed; weights shrink little, what is made for harm much.
MOST, RATIO = 2**30, 20


def keras_archive(archive: zipfile.ZipFile, weights: str, stack: ExitStack) -> Contents:
    """A .keras file, the members of which a folder may stand around."""
    root = weights.rpartition("model.weights")[0]
    config = f"{root}config.json"
    data = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}

    def inside(name: str) -> Contents:
        if name not in data:
            raise FaultError(f"is an index of parts, of which {name!r} is not there.")
        file = stack.enter_context(h5py.File(io.BytesIO(data[name]), "r"))
        return hdf5(file, part=weights.endswith(".json"))

    if weights.endswith(".json"):
        index = json.loads(data[weights])
        contents = joined(index, {name: inside(root + name) for name in parts_of(index)})
    else:
        contents = inside(weights)
    metadata = {"config": data.get(config, b"{}").decode()}
    return replace(contents, integrity="CRC-32", metadata=metadata)


def check_member(member: zipfile.ZipInfo) -> None:
    """Nothing is ever unpacked, but an archive made for harm is none of weights."""
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise FaultError(f"is an archive with the path {member.filename!r} outside itself.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FaultError("is compressed, and not as zip usually does: pack it again.")
    if member.file_size > MOST and member.file_size > RATIO * member.compress_size:
        raise FaultError(f"is an archive whose {member.filename!r} swells when it is unpacked.")


def check_stored(archive: zipfile.ZipFile) -> None:
    if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
        raise FaultError("is compressed; PyTorch stores weights as they are.")


# --- HDF5: Keras' -----------------------------------------------------------------------------


def hdf5(file: h5py.File, part: bool = False) -> Contents:
    """In a part of a file layers without names stand under their group, as "?conv2d_1"."""
    datasets = dict(walk(file, set()))
    if "layer_names" in file.attrs or "layer_names0" in file.attrs or "model_weights" in file:
        found = legacy(file.get("model_weights", file), datasets)
        return replace(found, metadata={"config": text(file.attrs.get("model_config", "{}"))})
    pairs: list[tuple[str, Tensor]] = []
    rows: dict[str, list[str]] = {}
    for path, dataset in datasets.items():
        if path.startswith("/optimizer/") or "/seed_generator/" in path:
            continue
        layer, _, number = path.rpartition("/")
        if "name" not in file[layer].attrs and not part:
            raise FaultError(f"does not say whose {path!r} is: save it with Keras 3.15.")
        group = layer.removesuffix("/vars").rpartition("/")[2]
        name = f"{text(file[layer].attrs.get('name', '?' + group))}/{number}"
        pairs.append((name, tensor(dataset)))
        rows.setdefault(layer.removesuffix("/vars"), []).append(name)
    ordered = sorted(rows, key=place_of_class)
    return Contents("keras", unique(pairs), layers=tuple(tuple(rows[n]) for n in ordered))


def place_of_class(group: str) -> tuple[str, int]:
    """Keras 3 calls groups by class and place in the model: layers/conv2d, layers/conv2d_1, ..."""
    name, _, number = group.rpartition("_")
    return (name, int(number)) if number.isdecimal() else (group, 0)


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
    return Tensor(dataset.shape, partial(read, dataset))


# HDF5 has no such types, and keeps their bytes.
OPAQUE = {2: ml_dtypes.bfloat16, 1: ml_dtypes.float8_e4m3fn}


def read(dataset: h5py.Dataset) -> np.ndarray:
    """The values; bytes of a type that HDF5 does not know in that type."""
    array = np.asarray(dataset[()])
    if array.dtype.kind != "V" or array.dtype.names:
        return array
    typed: np.ndarray = np.ascontiguousarray(array).view(OPAQUE[array.dtype.itemsize])
    return typed.reshape(array.shape)
