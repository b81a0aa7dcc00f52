"""The ONNX package's own graphs of the Model Zoo, with random weights in place of constants."""

from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test.data
from onnx import numpy_helper

LIGHT = Path(onnx.backend.test.data.__path__[0]) / "light"
# Our name: its graph in the package.
GRAPHS = {
    "alexnet": "bvlc_alexnet", "zfnet": "zfnet512", "vgg19": "vgg19", "googlenet": "inception_v1",
    "inception_v2": "inception_v2", "resnet50": "resnet50", "densenet121": "densenet121",
}  # fmt: skip


def graph(name):
    return onnx.load(LIGHT / f"light_{GRAPHS[name]}.onnx")


def random_weights(model, seed=0):
    """Each ConstantOfShape, and each constant of floats, becomes random values of its shape, such
    that signals neither die nor burst.
    """
    draw = np.random.default_rng(seed)
    graph = model.graph
    kept = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    shapes = {}
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            shapes[node.output[0]] = tuple(int(n) for n in kept.pop(node.input[0]))
    shapes |= {n: a.shape for n, a in kept.items() if a.dtype.kind == "f"}
    roles = roles_of(graph)
    nodes = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    weights = {name: drawn(draw, shape, roles.get(name, "")) for name, shape in shapes.items()}
    rest = {name: a for name, a in kept.items() if name not in shapes}
    inputs = [i for i in graph.input if not i.name.endswith("__SHAPE")]
    del graph.node[:], graph.initializer[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in (weights | rest).items())
    return weights


def roles_of(graph):
    """Of each weight what it is: a variance or factor must be positive."""
    roles, made = {}, {}
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            roles |= dict(zip(node.input[1:], ("factor", "", "", "variance"), strict=True))
        if node.op_type == "Unsqueeze":
            made[node.output[0]] = node.input[0]
        if node.op_type == "Mul":
            roles |= {made[name]: "factor" for name in node.input if name in made}
    return roles


def drawn(draw, shape, role):
    if role == "variance":
        return draw.uniform(0.8, 1.2, shape).astype("float32")
    if role == "factor":
        return draw.uniform(0.5, 0.9, shape).astype("float32")
    wide = len(shape) > 1
    scale = (2 / np.prod(shape[1:] if max(shape[1:]) > 1 else shape)) ** 0.5 if wide else 0.1
    return (draw.normal(0, scale, shape)).astype("float32")


def logits(model):
    """The graph without a softmax at its end, so that small values are compared, too."""
    last = model.graph.node[-1]
    if last.op_type == "Softmax":
        model.graph.node.pop()
        model.graph.output[0].name = last.input[0]
    return model


def features(model):
    """The graph's body: what goes into its last pooling, or into the first dense layer."""
    ends = ("AveragePool", "GlobalAveragePool", "Reshape")
    last = [n for n in model.graph.node if n.op_type in ends and n.output[0] in heads(model)]
    output = last[0].input[0]
    keep = [n.output[0] for n in model.graph.node].index(output) + 1
    del model.graph.node[keep:]
    model.graph.output[0].name = output
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    used = {name for node in model.graph.node for name in node.input}
    weights = [t for t in model.graph.initializer if t.name in used]
    images = [i for i in model.graph.input if i.name in used and "data" in i.name]
    del model.graph.initializer[:], model.graph.input[:]
    model.graph.initializer.extend(weights)
    model.graph.input.extend(images)
    return model


def heads(model):
    """Values behind which no convolution or concatenation of maps follows, but a 1x1 classifier."""
    names = set()
    for node in reversed(model.graph.node):
        if node.op_type in ("Concat", "MaxPool", "Sum", "LRN"):
            break
        names |= {*node.output}
    return names


def named_state(path, arrays):
    """A graph whose weights have PyTorch's names: an operator for each module."""
    from onnx import TensorProto, helper

    modules = {}
    for name, array in arrays.items():
        module, _, part = name.rpartition(".")
        modules.setdefault(module, {})[part] = array
    nodes, x = [], "x"
    for i, (module, parts) in enumerate(modules.items()):
        kind = "Conv" if parts["weight"].ndim == 4 else "Gemm"
        kind = "BatchNormalization" if "running_mean" in parts else kind
        order = [p for p in ("weight", "bias", "running_mean", "running_var") if p in parts]
        options = {"transB": 1} if kind == "Gemm" else {}
        nodes.append(helper.make_node(kind, [x, *(f"{module}.{p}" for p in order)], [f"y{i}"],
                                      **options))  # fmt: skip
        x = f"y{i}"
    tensors = [numpy_helper.from_array(a, n) for n, a in arrays.items()]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", x)]
    graph = helper.make_graph(nodes, "net", values[:1], values[1:], tensors)
    onnx.save(helper.make_model(graph), path)


# --- run by PyTorch ---------------------------------------------------------------------------

# The reference evaluator of onnx 1.23.2 is no help: its LRN loops over the images of a batch in
# place of the channels.


def evaluated(model, x):
    """What the graph gives for images (n, height, width, 3), its operators being PyTorch's."""
    import torch

    graph = model.graph
    values = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    (image,) = {i.name for i in graph.input} - {*values}
    values[image] = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        for node in graph.node:
            given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            inputs = [values[name] for name in node.input]
            values[node.output[0]] = OPERATORS[node.op_type](given, *inputs)
    return values[graph.output[0].name].numpy()


def padded(given, x, value=0.0):
    import torch

    top, left, bottom, right = given.get("pads", (0, 0, 0, 0))
    return torch.nn.functional.pad(x, (left, right, top, bottom), value=value)


def conv(given, x, weight, bias=None):
    import torch

    groups, strides = given.get("group", 1), given.get("strides", 1)
    return torch.nn.functional.conv2d(padded(given, x), weight, bias, strides, groups=groups)


def maximum(given, x):
    import torch

    x = padded(given, x, -torch.inf)
    return torch.nn.functional.max_pool2d(x, given["kernel_shape"], given["strides"])


def mean(given, x):
    """Of what lies inside the image."""
    import torch

    sums, counts = (
        torch.nn.functional.avg_pool2d(padded(given, a), given["kernel_shape"], given["strides"])
        for a in (x, torch.ones_like(x))
    )
    return sums / counts


def normalized(given, x, weight, bias, mean, variance):
    import torch

    return torch.nn.functional.batch_norm(
        x, mean, variance, weight, bias, eps=given.get("epsilon", 1e-5)
    )


def lrn(given, x):
    import torch

    constants = given["size"], given["alpha"], given["beta"], given["bias"]
    return torch.nn.functional.local_response_norm(x, *constants)


def unsqueezed(given, x):
    for axis in given["axes"]:
        x = x.unsqueeze(axis)
    return x


def concatenated(given, *parts):
    import torch

    return torch.cat(parts, given["axis"])


OPERATORS = {
    "Conv": conv, "MaxPool": maximum, "AveragePool": mean, "BatchNormalization": normalized,
    "LRN": lrn, "Unsqueeze": unsqueezed, "Concat": concatenated,
    "Relu": lambda given, x: x.relu(), "Dropout": lambda given, x: x,
    "GlobalAveragePool": lambda given, x: x.mean((2, 3), keepdim=True),
    "Gemm": lambda given, x, weight, bias: x @ weight.T + bias,
    "Mul": lambda given, a, b: a * b, "Add": lambda given, a, b: a + b,
    "Sum": lambda given, a, b: a + b,
    "Reshape": lambda given, x, shape: x.reshape(shape.tolist()),
}  # fmt: skip
