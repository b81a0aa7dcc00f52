"""ONNX files: of a graph, the operators that have weights, as modules in PyTorch's layout.

Read through the package `onnx`. Nothing is run: of the graph only that is followed which
converters have made of one layer (a reshaped kernel; normalization and a scale behind it).
"""

import re
from collections import Counter
from contextlib import ExitStack
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from .contents import Contents, FaultError, Tensor, unique
from .messages import extra, left, without_values

# TensorProto: float_data, raw_data and double_data are left in the file, doc_string is dropped.
TENSOR = {4: 9, 9: 9, 10: 9, 12: 0}
# ModelProto: graph: initializer; node: attribute: t.
MODEL = {7: {5: TENSOR, 1: {5: {5: TENSOR}}}}

# What names of weights end in: Caffe2's, PyTorch's.
ENDING = re.compile(r"(_w_0|_s_0|_scale_0|\.weight)$")


def onnx_file(path: Path, stack: ExitStack) -> Contents:
    """The contents of a file, its modules named as their weights are, without the ending."""
    onnx = extra("onnx", "onnx")
    model = onnx.ModelProto.FromString(without_values(path, MODEL))
    if not model.graph.node:
        raise FaultError("is damaged or is none of weights: it has no graph.")
    return Contents("state", Graph(onnx, path, stack, model.graph).tensors())


class Graph:
    """A graph, walked once from its inputs to its outputs."""

    def __init__(self, onnx: Any, path: Path, stack: ExitStack, graph: Any):
        self.onnx, self.path, self.stack, self.graph = onnx, path, stack, graph
        self.file = stack.enter_context(path.open("rb"))
        self.constants = {t.name: self.tensor(t) for t in graph.initializer}
        self.used: set[str] = set()
        self.uses = Counter(name for node in graph.node for name in node.input)
        self.kinds = {t.name: t.data_type for t in graph.initializer}
        self.found: dict[str, Tensor] = {}
        self.modules: dict[str, str] = {}  # of a value, the module that it comes from

    def tensors(self) -> dict[str, Tensor]:
        """Those of modules, and under their own names those that are of none."""
        for node in self.graph.node:
            self.OPERATORS.get(node.op_type, Graph.other)(self, node)
        rest = [(n, t) for n, t in self.constants.items() if n not in self.used]
        return unique([*self.found.items(), *rest])

    # --- values ----------------------------------------------------------------------------------

    def tensor(self, proto: Any) -> Tensor:
        shape = tuple(proto.dims)
        if proto.data_location == self.onnx.TensorProto.EXTERNAL:
            return self.external(proto, shape)
        dtype = self.onnx.helper.tensor_dtype_to_np_dtype(proto.data_type)
        if proto.raw_data:
            return left(self.file, [proto.raw_data], shape, dtype, proto.name)
        return Tensor(shape, lambda: self.onnx.numpy_helper.to_array(proto))

    def external(self, proto: Any, shape: tuple[int, ...]) -> Tensor:
        """Values in another file, which must lie beside this one."""
        entries = {entry.key: entry.value for entry in proto.external_data}
        name = PurePosixPath(entries.get("location", ""))
        beside = self.path.parent.joinpath(*name.parts)
        inside = beside.resolve().is_relative_to(self.path.parent.resolve())
        if name.is_absolute() or ".." in name.parts or not inside or not beside.is_file():
            raise FaultError(f"has values in {str(name)!r}, which is no file beside it.")
        dtype = self.onnx.helper.tensor_dtype_to_np_dtype(proto.data_type)
        start = int(entries.get("offset", 0))
        size = int(entries.get("length", 0)) or beside.stat().st_size - start
        if start < 0 or start + size > beside.stat().st_size:
            raise FaultError(f"has values beyond the end of {str(name)!r}.")
        file = self.stack.enter_context(beside.open("rb"))
        return left(file, [f"{start} {size} 0".encode()], shape, dtype, proto.name)

    def attributes(self, node: Any) -> dict[str, Any]:
        return {a.name: self.onnx.helper.get_attribute_value(a) for a in node.attribute}

    def constant(self, name: str) -> Tensor | None:
        """A constant, which from now on is used."""
        if name in self.constants:
            self.used.add(name)
        return self.constants.get(name)

    def needed(self, node: Any, i: int) -> Tensor:
        """An input that must be a constant."""
        tensor = self.constant(node.input[i]) if i < len(node.input) else None
        if tensor is None:
            raise FaultError(f"has no constant for input {i} of a {node.op_type}.")
        return tensor

    def integers(self, node: Any, i: int, attribute: str) -> list[int]:
        """Whole numbers that are an attribute, or, in newer graphs, an input."""
        given = self.attributes(node).get(attribute)
        return list(given) if given is not None else self.needed(node, i).read().tolist()

    def put(self, module: str, part: str, tensor: Tensor) -> None:
        if f"{module}.{part}" in self.found:
            raise FaultError(f"has {f'{module}.{part}'!r} twice.")
        self.found[f"{module}.{part}"] = tensor

    # --- operators -------------------------------------------------------------------------------

    def other(self, node: Any) -> None:
        """Settings, such as a shape or a ratio, are no weights."""
        for name in node.input:
            tensor = self.constants.get(name)
            if tensor is not None and (not tensor.shape or self.is_setting(name)):
                self.used.add(name)

    def is_setting(self, name: str) -> bool:
        types = self.onnx.TensorProto
        return self.kinds.get(name) in (types.INT64, types.INT32, types.BOOL)

    def made(self, node: Any) -> None:
        """Constant, and ConstantOfShape: a value repeated, made when it is read."""
        given = self.attributes(node)
        if node.op_type == "Constant":
            if "value" in given:
                self.constants[node.output[0]] = self.tensor(given["value"])
            return
        shape = tuple(int(side) for side in self.needed(node, 0).read())
        value = self.tensor(given["value"]) if "value" in given else None
        self.constants[node.output[0]] = Tensor(
            shape, lambda: np.full(shape, value.read()[0] if value else 0, "float32")
        )

    def reshaped(self, node: Any) -> None:
        """Of a constant: the same values in another shape."""
        tensor = self.constant(node.input[0])
        if tensor is None:
            return self.other(node)
        if node.op_type == "Reshape":
            wanted = self.integers(node, 1, "shape")
        elif node.op_type == "Unsqueeze":
            wanted = list(tensor.shape)
            for axis in sorted(self.integers(node, 1, "axes")):
                wanted.insert(axis, 1)
        else:
            wanted = list(tensor.shape)
        shape = sized(tensor.shape, wanted)
        self.constants[node.output[0]] = Tensor(shape, lambda: tensor.read().reshape(shape))
        return None

    def layer(self, node: Any) -> None:
        """Conv and Gemm. Kernels are as PyTorch's but where a matrix is not transposed."""
        weight = self.needed(node, 1)
        given = self.attributes(node)
        if node.op_type == "Gemm":
            if given.get("transA") or {given.get("alpha", 1.0), given.get("beta", 1.0)} != {1.0}:
                raise FaultError("has a Gemm that is no dense layer.")
            if not given.get("transB"):
                weight = turned(weight)
        module = self.named(node.input[1])
        self.put(module, "weight", weight)
        if len(node.input) > 2:
            self.put(module, "bias", flat(self.needed(node, 2)))

    def matrix(self, node: Any) -> None:
        """MatMul by a constant: a dense layer whose bias, if it has one, is added behind it."""
        weight = self.constant(node.input[1])
        if weight is None:
            return
        module = self.named(node.input[1])
        self.put(module, "weight", turned(weight))
        self.modules[node.output[0]] = module

    def normalization(self, node: Any) -> None:
        module = self.named(node.input[1])
        for i, part in enumerate(("weight", "bias", "running_mean", "running_var"), 1):
            self.put(module, part, self.needed(node, i))
        self.modules[node.output[0]] = module

    def scale(self, node: Any) -> None:
        """Mul and Add by a constant for each channel, behind normalization: part of it."""
        a, b = node.input
        value, constant = (a, b) if b in self.constants else (b, a)
        module = self.modules.get(value)
        if module is None or constant not in self.constants or self.uses[value] > 1:
            return self.other(node)
        vector = flat(self.needed(node, [a, b].index(constant)))
        if f"{module}.bias" not in self.found:
            self.put(module, "bias", vector)
        else:
            for part in ("weight", "bias") if node.op_type == "Mul" else ("bias",):
                name = f"{module}.{part}"
                self.found[name] = combined(self.found[name], vector, node.op_type, name)
        self.modules[node.output[0]] = module
        return None

    def named(self, weight: str) -> str:
        """A module's name: its weight's, also behind a reshape."""
        made = {out: node.input[0] for node in self.graph.node
                if node.op_type in ("Reshape", "Identity") for out in node.output}  # fmt: skip
        return ENDING.sub("", made.get(weight, weight))

    OPERATORS = {
        "Conv": layer, "Gemm": layer, "MatMul": matrix,
        "BatchNormalization": normalization, "Mul": scale, "Add": scale,
        "Constant": made, "ConstantOfShape": made,
        "Reshape": reshaped, "Unsqueeze": reshaped, "Identity": reshaped,
    }  # fmt: skip


def turned(matrix: Tensor) -> Tensor:
    return Tensor(matrix.shape[::-1], lambda: matrix.read().T)


def flat(tensor: Tensor) -> Tensor:
    """A vector, whatever sides of 1 it had."""
    size = prod(tensor.shape)
    return Tensor((size,), lambda: tensor.read().reshape(size))


def sized(old: tuple[int, ...], wanted: list[int]) -> tuple[int, ...]:
    """The shape that Reshape makes: 0 keeps a side, -1 is the side that is left over."""
    sides = [old[i] if side == 0 and i < len(old) else side for i, side in enumerate(wanted)]
    known = prod(side for side in sides if side != -1)
    shape = tuple(prod(old) // known if side == -1 and known else side for side in sides)
    if min(shape, default=1) < 0 or prod(shape) != prod(old):
        raise FaultError(f"reshapes a constant of shape {old} to {tuple(wanted)}.")
    return shape


def combined(old: Tensor, vector: Tensor, operator: str, name: str) -> Tensor:
    if old.shape != vector.shape:
        raise FaultError(f"has a factor or summand of shape {vector.shape} for {name!r}.")
    compute = np.multiply if operator == "Mul" else np.add
    return Tensor(old.shape, lambda: compute(old.read(), vector.read()))
