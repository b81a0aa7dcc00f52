"""PyTorch's files without PyTorch, and without what makes pickles dangerous.

A pickle is a program for a small machine, most of whose instructions build containers, numbers and
strings; others call whatever Python function the pickle names. The machine here has the former, and
of functions those that PyTorch's tensors need, by name: none is imported.
"""

import io
import pickletools
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from .contents import Contents, FaultError, Tensor, unique

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


class Name(NamedTuple):
    """What a pickle calls by name."""

    name: str


class Mark(NamedTuple):
    """Where, on the stack, the members of a container begin."""


# --- the machine ---------------------------------------------------------------------------------

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
NUMBERS_AND_STRINGS = {
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "SHORT_BINSTRING", "BINSTRING",
}  # fmt: skip
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
WITHOUT_EFFECT = {"PROTO", "FRAME", "STOP"}


class Machine:
    """Runs one pickle; afterwards its value is on top of the stack."""

    def __init__(self, file: IO[bytes]):
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        for opcode, argument, _ in pickletools.genops(file):
            self.do(opcode.name, argument)

    def do(self, name: str, argument: Any) -> None:
        if name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in NUMBERS_AND_STRINGS:
            self.stack.append(argument)
        elif name in TUPLES:
            self.stack.append(tuple(self.popped(TUPLES[name])))
        elif name in INSTRUCTIONS:
            INSTRUCTIONS[name](self, argument)
        elif name not in WITHOUT_EFFECT:
            raise FaultError(f"wants {name} done: only tensors and containers are read.")

    def popped(self, count: int) -> list[Any]:
        """The topmost members, in their order."""
        at = len(self.stack) - count
        members = self.stack[at:]
        del self.stack[at:]
        return members

    def since_mark(self) -> list[Any]:
        """The members above the topmost mark, which goes too."""
        members = []
        while not isinstance(member := self.stack.pop(), Mark):
            members.append(member)
        return members[::-1]

    def remember(self, place: Any) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def fill(self, members: list[Any]) -> None:
        """Into the dictionary below, or the list."""
        container = self.stack[-1]
        if isinstance(container, list):
            container.extend(members)
            return
        if not isinstance(container, dict):
            raise FaultError("has a container of unknown kind.")
        container.update(keyed(zip(members[::2], members[1::2], strict=True)))

    def call(self) -> None:
        function, arguments = self.popped(2)
        self.stack.append(FUNCTIONS[named(function)](*arguments))

    def build(self) -> None:
        """State of an OrderedDict, such as PyTorch's metadata, which no tensor needs."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict):
            raise FaultError("sets attributes of what is no container.")

    def load_storage(self) -> None:
        what, kind, key, _, count = self.stack.pop()[:5]
        kind = named(kind).removeprefix("torch.")
        if what != "storage" or kind not in TYPES:
            raise FaultError(f"has a storage of unknown kind {kind!r}.")
        storage = Storage(kind, str(key), int(count))
        if self.storages.setdefault(storage.key, storage) != storage:
            raise FaultError(f"has two storages {storage.key!r}.")
        self.stack.append(storage)

    @property
    def value(self) -> Any:
        """What the pickle is of."""
        (value,) = self.stack
        return value


def keyed(pairs: Iterable[Iterable[Any]] = ()) -> dict[str | int, Any]:
    """Under words and numbers: to hash nested tuples can take for ever."""
    found = {}
    for key, value in pairs:
        if not isinstance(key, str | int):
            raise FaultError(f"has a {type(key).__name__} for a key.")
        found[key] = value
    return found


def named(value: Any) -> str:
    """The name that stands for a function or a class, one of the admitted."""
    if isinstance(value, Name):
        return value.name
    raise FaultError(f"calls a {type(value).__name__}.")


def admitted(words: str) -> Name:
    name = words.replace(" ", ".")
    if name not in FUNCTIONS and name.removeprefix("torch.") not in TYPES:
        raise FaultError(
            f"wants to run {name}: only tensors and containers are read. Where you trust it, load "
            f"it in PyTorch and save its state_dict alone."
        )
    return Name(name)


def rebuilt(
    storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: Any
) -> View:
    if not isinstance(storage, Storage):
        raise FaultError("has a tensor without a storage.")
    return View(storage, int(offset), tuple(map(int, size)), tuple(map(int, stride)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": keyed,
    "torch._utils._rebuild_tensor": rebuilt,
    "torch._utils._rebuild_tensor_v2": rebuilt,
    "torch._utils._rebuild_parameter": lambda data, *rest: data,
}
INSTRUCTIONS: dict[str, Callable[[Machine, Any], Any]] = {
    "MARK": lambda m, _: m.stack.append(Mark()),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.since_mark())),
    "SETITEM": lambda m, _: m.fill(m.popped(2)),
    "SETITEMS": lambda m, _: m.fill(m.since_mark()),
    "APPEND": lambda m, _: m.fill(m.popped(1)),
    "APPENDS": lambda m, _: m.fill(m.since_mark()),
    "BINPUT": lambda m, place: m.remember(place),
    "LONG_BINPUT": lambda m, place: m.remember(place),
    "MEMOIZE": lambda m, _: m.remember(None),
    "BINGET": lambda m, place: m.stack.append(m.memo[place]),
    "LONG_BINGET": lambda m, place: m.stack.append(m.memo[place]),
    "GLOBAL": lambda m, words: m.stack.append(admitted(words)),
    "STACK_GLOBAL": lambda m, _: m.stack.append(admitted(".".join(m.popped(2)))),
    "REDUCE": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.build(),
    "BINPERSID": lambda m, _: m.load_storage(),
}


# --- files ---------------------------------------------------------------------------------------


def archived(archive: zipfile.ZipFile, pickle: str) -> Contents:
    """torch.save's archive: data.pkl, and a member a storage."""
    root = pickle.removesuffix("data.pkl")
    inside = {n for n in archive.namelist() if n.startswith(f"{root}data/")}
    others = {n: archive.read(n) for n in archive.namelist() if n not in inside}
    if any("/code/" in n for n in others):
        raise FaultError("is a TorchScript program: save its state_dict in PyTorch.")
    order: Order = ">" if others.get(f"{root}byteorder") == b"big" else "<"
    machine = Machine(io.BytesIO(others[pickle]))

    def values(storage: Storage) -> np.ndarray:
        return valued(archive.read(f"{root}data/{storage.key}"), storage, order)

    unused = inside - {f"{root}data/{key}" for key in machine.storages}
    tensors = {f"storage {name}": Tensor((), lambda: np.empty(())) for name in sorted(unused)}
    for name, view in state(machine.value).items():
        tensors[name] = Tensor(view.size, partial(array, view, values))
    return Contents("state", tensors, "CRC-32")


def unzipped(path: Path, stack: ExitStack) -> Contents:
    """torch.save's format before version 1.6: five pickles, then the storages one by one."""
    file = stack.enter_context(path.open("rb"))
    _, _, system, content, keys = (Machine(file) for _ in range(5))
    order: Order = "<" if system.value["little_endian"] else ">"
    places = located(file, path, keys.value, content.storages)

    def values(storage: Storage) -> np.ndarray:
        file.seek(places[storage.key])
        width = np.dtype(TYPES[storage.kind]).itemsize
        return valued(file.read(width * storage.values), storage, order)

    views = state(content.value)
    return Contents(
        "state", {name: Tensor(v.size, partial(array, v, values)) for name, v in views.items()}
    )


def located(
    file: IO[bytes], path: Path, keys: list[str], storages: Mapping[str, Storage]
) -> dict[str, int]:
    """Where the values of each storage begin; they must fill the rest of the file."""
    places, at = {}, file.tell()
    for key in map(str, keys):
        file.seek(at)
        count = int.from_bytes(file.read(8), "little")
        if file.tell() < at + 8:
            raise FaultError("is cut off.")
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


# What DataParallel, torch.compile and Lightning put before all names.
PREFIXES = ("module.", "_orig_mod.", "model.")


def state(content: Any) -> dict[str, View]:
    """The tensors by name: `content` itself, or what it has under one name (state_dict, model)."""
    if not isinstance(content, dict):
        what = "tensor" if isinstance(content, View) else type(content).__name__
        raise FaultError(f"holds a {what}, not tensors by name.")
    places = {"at its top": content} | {k: v for k, v in content.items() if isinstance(v, dict)}
    places = {k: v for k, v in places.items() if views(v)}
    found = [*places.values()]
    if len(found) != 1:
        raise FaultError(
            f"holds {len(found)} sets of tensors ({', '.join(map(str, places))}), not one: save "
            f"the state_dict that you mean alone."
        )
    named = views(found[0])
    while prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in named)), None):
        named = {name.removeprefix(prefix): view for name, view in named.items()}
    return named


def views(content: Mapping[Any, Any]) -> dict[str, View]:
    return unique((str(k), v) for k, v in content.items() if isinstance(v, View))
