"""Caffe's .caffemodel files: of a network, the layers that have weights, in PyTorch's layout.

Read through the `protobuf` runtime. Of Caffe's messages those few fields are described here that
say where weights belong: of its layers (`layer`), of the older ones (`layers`), and of the first.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from math import isfinite, prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .contents import Contents, FaultError, Tensor, unique
from .messages import Tree, extra, left, without_values

# Message: field: its number, its type (* repeated), as in Caffe's caffe.proto.
MESSAGES = {
    "Shape": {"dim": (1, "int64*")},
    "Blob": {
        "num": (1, "int32"), "channels": (2, "int32"), "height": (3, "int32"),
        "width": (4, "int32"), "data": (5, "bytes*"), "shape": (7, "Shape"),
        "double_data": (8, "bytes*"),
    },
    "First": {"name": (1, "string"), "type": (2, "string"), "blobs": (50, "Blob*")},
    "Older": {
        "layer": (1, "First"), "bottom": (2, "string*"), "top": (3, "string*"),
        "name": (4, "string"), "type": (5, "int32"), "blobs": (6, "Blob*"),
    },
    "Layer": {
        "name": (1, "string"), "type": (2, "string"), "bottom": (3, "string*"),
        "top": (4, "string*"), "blobs": (7, "Blob*"),
    },
    "Net": {"name": (1, "string"), "layers": (2, "Older*"), "layer": (100, "Layer*")},
}  # fmt: skip
# data and double_data are left in the file; their gradients, diff and double_diff, are dropped.
BLOB: Tree = {5: 5, 8: 8, 6: 0, 9: 0}
NET: Tree = {100: {7: BLOB}, 2: {6: BLOB, 1: {50: BLOB}}}

# What the older layers call theirs, by number or word.
OLDER_TYPES = {4: "Convolution", 14: "InnerProduct"}
FIRST_TYPES = {"conv": "Convolution", "innerproduct": "InnerProduct"}


class Layer(NamedTuple):
    """A layer, in whichever form."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    blobs: list[Any]


@cache
def net() -> Any:
    """The class of the message of a whole file."""
    descriptor = extra("google.protobuf.descriptor_pb2", "caffe")
    factory = extra("google.protobuf.message_factory", "caffe")
    pool = extra("google.protobuf.descriptor_pool", "caffe").DescriptorPool()
    kinds = descriptor.FieldDescriptorProto
    file = descriptor.FileDescriptorProto(name="caffemodel", package="caffe", syntax="proto2")
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            field = described.field.add(name=name, number=number)
            word = kind.removesuffix("*")
            field.label = kinds.LABEL_REPEATED if kind != word else kinds.LABEL_OPTIONAL
            if word in MESSAGES:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".caffe.{word}"
            else:
                field.type = getattr(kinds, f"TYPE_{word.upper()}")
    pool.Add(file)
    return factory.GetMessageClass(pool.FindMessageTypeByName("caffe.Net"))


def caffe_file(path: Path, stack: ExitStack) -> Contents:
    """The contents of a file, its modules named as its layers are.

    Scale behind BatchNorm is part of it, and means and variances are divided by the factor that
    BatchNorm keeps beside them.
    """
    kind = net()
    read = kind.FromString(without_values(path, NET))
    if not (read.layer or read.layers):
        raise FaultError("is damaged or is none of weights: it has no layers.")
    file = stack.enter_context(path.open("rb"))
    return Contents("state", unique(parts(file, layers(read))))


def layers(read: Any) -> Iterator[Layer]:
    for layer in read.layers:
        inner, bottoms, tops = layer.layer, tuple(layer.bottom), tuple(layer.top)
        if inner.name:
            kind = FIRST_TYPES.get(inner.type, inner.type)
            yield Layer(inner.name, kind, bottoms, tops, inner.blobs)
        else:
            kind = OLDER_TYPES.get(layer.type, str(layer.type))
            yield Layer(layer.name, kind, bottoms, tops, layer.blobs)
    for layer in read.layer:
        yield Layer(layer.name, layer.type, tuple(layer.bottom), tuple(layer.top), layer.blobs)


def parts(file: BinaryIO, found: Iterator[Layer]) -> Iterator[tuple[str, Tensor]]:
    """The tensors of all layers, in PyTorch's words."""
    normalized: dict[str, str] = {}  # of a value, the BatchNorm that it comes from
    for layer in found:
        blobs = [tensor(file, blob, f"{layer.name}/{i}") for i, blob in enumerate(layer.blobs)]
        module = layer.name
        if layer.type == "Scale" and len(layer.bottoms) == 1:
            module = normalized.get(layer.bottoms[0], module)
        for top in layer.tops:
            normalized.pop(top, None)
        if layer.type == "BatchNorm":
            normalized |= dict.fromkeys(layer.tops, module)
            yield from statistics(module, blobs)
        elif layer.type in ("Convolution", "InnerProduct", "Scale"):
            yield from weights(module, layer.type, blobs)
        else:
            yield from ((f"{module}.{i}", blob) for i, blob in enumerate(blobs))


def tensor(file: BinaryIO, blob: Any, name: str) -> Tensor:
    """A blob's values, of the shape that it has, or of the four sides of older files."""
    old = (blob.num, blob.channels, blob.height, blob.width)
    shape = tuple(blob.shape.dim) if blob.HasField("shape") else old
    pieces, dtype = (blob.double_data, "<f8") if blob.double_data else (blob.data, "<f4")
    return left(file, pieces, shape, dtype, name)


def weights(module: str, kind: str, blobs: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
    for part, blob in zip(("weight", "bias"), blobs, strict=False):
        shape: tuple[int, ...] = (prod(blob.shape),)
        if part == "weight" and kind == "Convolution":
            shape = blob.shape
        elif part == "weight" and kind == "InnerProduct":
            shape = blob.shape[-2:]
        yield f"{module}.{part}", shaped(blob, shape)
    yield from ((f"{module}.{i}", blob) for i, blob in enumerate(blobs) if i > 1)


def statistics(module: str, blobs: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Caffe keeps sums, and in a third blob what they are divided by; 0: nothing was summed."""
    if len(blobs) != 3 or prod(blobs[2].shape) != 1:
        raise FaultError(f"has no mean, variance and factor for {module!r}.")
    factor = float(blobs[2].read().reshape(()))
    if not isfinite(factor) or factor < 0:
        raise FaultError(f"has the factor {factor} for {module!r}.")
    share = np.float32(1 / factor if factor else 0)
    for name, blob in zip(("running_mean", "running_var"), blobs, strict=False):
        vector = shaped(blob, (prod(blob.shape),))
        yield f"{module}.{name}", divided(vector, share)


def divided(tensor: Tensor, share: np.float32) -> Tensor:
    return Tensor(tensor.shape, lambda: tensor.read() * share)


def shaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The same values in another shape, if it has room for them."""
    if prod(shape) != prod(tensor.shape):
        return tensor
    return Tensor(shape, lambda: tensor.read().reshape(shape))
