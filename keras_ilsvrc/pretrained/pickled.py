"""PyTorch's files without PyTorch, and without what makes pickles dangerous.

A pickle is a program. The one that is run here may build containers, numbers, strings and tensors:
the few names that it may ask for are those of `ADMITTED`, and whatever else it names is refused.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from .contents import Contents, FaultError, Tensor

# Storages and the types of their values; bfloat16 is widened when it is read.
TYPES = {
    "FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "BFloat16Storage": "u2",
    "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip


Order = Literal["<", ">"]


class Storage(NamedTuple):
    """A run of values of one type, by its key in the file."""

    kind: str
    key: str
    values: int


class View(NamedTuple):
    """A tensor: what it is of which storage, in values."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def rebuilt(storage: Storage, offset: int, size: tuple, stride: tuple, *rest: Any) -> View:
    return View(storage, offset, tuple(size), tuple(stride))


# Made anew each time: a pickle can set attributes of what it got.
ADMITTED: dict[str, Callable[[], Any]] = {
    "collections.OrderedDict": lambda: OrderedDict,
    "torch._utils._rebuild_tensor": lambda: partial(rebuilt),
    "torch._utils._rebuild_tensor_v2": lambda: partial(rebuilt),
    "torch._utils._rebuild_parameter": lambda: lambda data, *rest: data,
    **{f"torch.{name}": partial(str, name) for name in TYPES},
}


class Reader(pickle.Unpickler):
    """Of containers and tensors."""

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in ADMITTED:
            raise FaultError(
                f"wants to run {module}.{name}: only tensors and containers are read. "
                f"Where you trust it, load it in PyTorch and save its state_dict alone."
            )
        return ADMITTED[f"{module}.{name}"]()

    def persistent_load(self, pid: Any) -> Storage:
        what, kind, key, _, count = pid[:5]
        if what != "storage" or kind not in TYPES:
            raise FaultError(f"has a storage of unknown kind {kind!r}.")
        return Storage(kind, str(key), int(count))


def archived(archive: zipfile.ZipFile, pickles: list[str]) -> Contents:
    """torch.save's archive: data.pkl, and a member a storage."""
    root = pickles[0].removesuffix("data.pkl")
    inside = {n for n in archive.namelist() if n.startswith(f"{root}data/")}
    others = {n: archive.read(n) for n in archive.namelist() if n not in inside}
    order: Order = ">" if others.get(f"{root}byteorder") == b"big" else "<"
    views = state(Reader(io.BytesIO(others[pickles[0]])).load())

    def values(storage: Storage) -> np.ndarray:
        return valued(archive.read(f"{root}data/{storage.key}"), storage, order)

    unused = inside - {f"{root}data/{view.storage.key}" for view in views.values()}
    tensors = {f"storage {name}": Tensor((), lambda: np.empty(())) for name in sorted(unused)}
    tensors |= {name: Tensor(v.size, partial(array, v, values)) for name, v in views.items()}
    return Contents("state", tensors, "CRC-32")


def unzipped(path: Path, stack: ExitStack) -> Contents:
    """torch.save's format before version 1.6: five pickles, then the storages one by one."""
    file = stack.enter_context(path.open("rb"))
    _, _, system, content, keys = (Reader(file).load() for _ in range(5))
    order: Order = "<" if system["little_endian"] else ">"
    views = state(content)
    storages = {view.storage.key: view.storage for view in views.values()}
    places = located(file, path, keys, storages)

    def values(storage: Storage) -> np.ndarray:
        file.seek(places[storage.key])
        width = np.dtype(TYPES[storage.kind]).itemsize
        return valued(file.read(width * storage.values), storage, order)

    return Contents(
        "state", {name: Tensor(v.size, partial(array, v, values)) for name, v in views.items()}
    )


def located(
    file: IO[bytes], path: Path, keys: list, storages: Mapping[str, Storage]
) -> dict[str, int]:
    """Where the values of each storage begin; they must fill the rest of the file."""
    places, at = {}, file.tell()
    for key in map(str, keys):
        file.seek(at)
        count = int.from_bytes(file.read(8), "little")
        if key not in storages or count != storages[key].values:
            raise FaultError("has other storages than its tensors.")
        places[key] = at + 8
        at += 8 + count * np.dtype(TYPES[storages[key].kind]).itemsize
    if at != path.stat().st_size or places.keys() != storages.keys():
        raise FaultError("is cut off, or longer than its tensors.")
    return places


def valued(data: bytes, storage: Storage, order: Order) -> np.ndarray:
    """The values of a storage, of which there must be as many as promised."""
    values = np.frombuffer(data, np.dtype(TYPES[storage.kind]).newbyteorder(order))
    if len(values) != storage.values:
        raise FaultError(f"has a storage of {len(values)} values that says {storage.values}.")
    if storage.kind == "BFloat16Storage":  # the upper half of a float32
        return (values.astype("u4") << 16).view("f4")
    return values


def array(view: View, values: Callable[[Storage], np.ndarray]) -> np.ndarray:
    """The tensor, which must lie within its storage."""
    whole = values(view.storage)
    reach = sum((n - 1) * step for n, step in zip(view.size, view.stride, strict=True))
    if min(view.offset, *view.stride, 0) < 0 or (
        0 not in view.size and view.offset + reach >= len(whole)
    ):
        raise FaultError("has a tensor that reaches beyond its storage.")
    steps = [step * whole.itemsize for step in view.stride]
    return np.lib.stride_tricks.as_strided(whole[view.offset :], view.size, steps, writeable=False)


def state(content: Any) -> dict[str, View]:
    """The tensors by name: `content` itself, or what it has under one name (state_dict, model)."""
    if not isinstance(content, dict):
        raise FaultError(f"holds a {type(content).__name__}, not tensors by name.")
    inner = {k: v for k, v in content.items() if isinstance(v, dict) and views(v)}
    found = [v for v in ({"": content} | inner).values() if views(v)]
    if len(found) != 1:
        raise FaultError(
            f"holds {len(found)} sets of tensors ({', '.join(map(str, inner))}), not one."
        )
    named = views(found[0])
    prefixed = all(name.startswith("module.") for name in named)  # by DataParallel
    return {name.removeprefix("module.") if prefixed else name: v for name, v in named.items()}


def views(content: Mapping) -> dict[str, View]:
    return {str(name): value for name, value in content.items() if isinstance(value, View)}
