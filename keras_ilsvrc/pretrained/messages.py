"""Files of Protocol Buffers, whose large fields stay in the file until they are asked for."""

import mmap
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import import_module
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .contents import FaultError, Tensor

# What is done with a field of a message, by its number; others are copied. A tree: it is a message
# of which that is done. A number: its values are left in the file, and the field of that number
# says where they lie. 0: it is dropped.
Tree = Mapping[int, Any]

VARINT, BYTES = 0, 2
SIZES = {1: 8, 5: 4}  # of the types of fixed size
ROWS = 10**6  # fields that are looked at together


def extra(package: str, name: str) -> ModuleType:
    """An optional package; its absence is one error that names the extra."""
    try:
        return import_module(package)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"reading this kind of file needs {package.partition('.')[0]}: "
            f"pip install 'keras_ilsvrc[{name}]'."
        ) from None


class Field(NamedTuple):
    """Where a field of a message lies: its key's start, its value's, its end."""

    number: int
    wire: int
    start: int
    value: int
    end: int


class Place(NamedTuple):
    """Where values lie in a file: their start, their bytes, and of how many bytes each is a field
    of its own (0: they are packed in one).
    """

    start: int
    size: int
    step: int


def without_values(path: Path, tree: Tree) -> bytes:
    """The message of a file without the fields that are left there."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return reduced(data, tree, 0, len(data))


def reduced(data: mmap.mmap, tree: Tree, start: int, end: int) -> bytes:
    parts = []
    many = {number for number, what in tree.items() if isinstance(what, int)}
    for field in fields(data, start, end, many):
        within = tree.get(field.number)
        if within is None or field.wire == VARINT:
            parts.append(data[field.start : field.end])
        elif isinstance(within, int):
            if within:
                parts.append(of_bytes(within, place(field)))
        elif field.wire == BYTES:
            value = reduced(data, within, field.value, field.end)
            parts.append(of_bytes(field.number, value))
    return b"".join(parts)


def fields(data: mmap.mmap, start: int, end: int, many: Collection[int]) -> Iterator[Field]:
    """The fields of the message between two places, each of which must end inside it.

    Values of fixed size that stand one by one in a row are, of the fields `many`, one field.
    """
    at = start
    while at < end:
        first = at
        key, at = number(data, at, end)
        wire = key & 7
        if wire == VARINT:
            value, (_, at) = at, number(data, at, end)
        elif wire == BYTES:
            size, value = number(data, at, end)
            at = value + size
        elif wire in SIZES:
            value, at = at, at + SIZES[wire]
            if key >> 3 in many and at <= end:
                at = first + repeated(data, first, at, end) * (at - first)
        else:
            raise FaultError("is damaged or is none of weights: no Protocol Buffers message.")
        if at > end:
            raise FaultError("is damaged or is none of weights: it is cut off, or a size lies.")
        yield Field(key >> 3, wire, first, value, at)


def repeated(data: mmap.mmap, first: int, second: int, end: int) -> int:
    """How many fields in a row have the key, and so the size, of the first."""
    step = second - first
    keys = step - SIZES[data[first] & 7]
    key, count = data[first : first + keys], 0
    while rows := min(ROWS, (end - first) // step - count):
        block = np.frombuffer(data, "u1", rows * step, first + count * step).reshape(-1, step)
        other = (block[:, :keys] != np.frombuffer(key, "u1")).any(1)
        if other.any():
            return count + int(other.argmax())
        count += rows
    return count


def number(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place behind it."""
    value = 0
    for i in range(10):
        if at + i >= end:
            break
        byte = data[at + i]
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, at + i + 1
    raise FaultError("is damaged or is none of weights: it is cut off, or a size lies.")


def varint(value: int) -> bytes:
    """A number as `number` reads it."""
    low = []
    while value > 127:
        low.append(value & 127 | 128)
        value >>= 7
    return bytes([*low, value])


def of_bytes(number: int, value: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def place(field: Field) -> bytes:
    """What stands for the values of a field: the three numbers of their `Place`."""
    if field.wire == BYTES:
        return f"{field.value} {field.end - field.value} 0".encode()
    step = field.value - field.start + SIZES[field.wire]
    return f"{field.start} {field.end - field.start} {step}".encode()


def left(
    file: BinaryIO, places: Sequence[bytes], shape: tuple[int, ...], dtype: Any, name: str
) -> Tensor:
    """The tensor whose values `without_values` has left in places of the file."""
    dtype = np.dtype(dtype)
    rows = [Place(*map(int, where.split())) for where in places]
    size = sum(row.size // row.step * dtype.itemsize if row.step else row.size for row in rows)
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != size:
        raise FaultError(f"has {size} bytes for {name!r}, whose shape is {shape}.")

    def read() -> np.ndarray:
        found = [values(file, row, dtype) for row in rows] or [np.zeros(0, dtype)]
        return (found[0] if len(found) == 1 else np.concatenate(found)).reshape(shape)

    return Tensor(shape, read)


def values(file: BinaryIO, place: Place, dtype: np.dtype[Any]) -> np.ndarray:
    """Values of a file; those of types that NumPy does not know, such as bfloat16, as float32."""
    data = np.frombuffer(os.pread(file.fileno(), place.size, place.start), "u1")
    if place.step:
        data = np.ascontiguousarray(data.reshape(-1, place.step)[:, -dtype.itemsize :]).reshape(-1)
    array = data.view(dtype)
    return array if array.dtype.kind in "fiu" else array.astype("float32")
