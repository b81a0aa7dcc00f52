"""Networks in Caffe's words, described from the papers: as text, as weights, by layers' names.

Names are those that the authors' files have. Blobs are written byte by byte, without protobuf.
"""

import re

import numpy as np


class Net:
    """A network that grows layer by layer; each method gives the name of what its layer gives."""

    def __init__(self, side=224):
        self.side, self.layers, self.channels = side, [], {"data": 3}

    def layer(self, kind, name, bottoms, top, channels, params="", shapes=()):
        self.layers.append((kind, name, bottoms, top, params, shapes))
        self.channels[top] = channels
        return top

    def conv(self, name, x, filters, kernel, stride=1, pad=0, group=1, bias=True):
        words = (
            f"num_output: {filters} kernel_size: {kernel} stride: {stride} pad: {pad} "
            f"group: {group} bias_term: {str(bias).lower()}"
        )
        shapes = [("weight", (filters, self.channels[x] // group, kernel, kernel))]
        shapes += [("bias", (filters,))] * bias
        return self.layer(
            "Convolution", name, [x], name, filters, f"convolution_param {{ {words} }}", shapes
        )

    def norm(self, x, name, scale, top=None):
        """BatchNorm, whose sums have a factor, and Scale."""
        c = self.channels[x]
        top = top or x
        self.layer("BatchNorm", name, [x], top, c, "batch_norm_param { use_global_stats: true }",
                   [("mean", (c,)), ("variance", (c,)), ("factor", (1,))])  # fmt: skip
        return self.layer("Scale", scale, [top], top, c, "scale_param { bias_term: true }",
                          [("scale", (c,)), ("shift", (c,))])  # fmt: skip

    def simple(self, kind, name, x, params=""):
        return self.layer(kind, name, [x], x, self.channels[x], params)

    def relu(self, x, name=None):
        return self.simple("ReLU", name or f"relu_{x}", x)

    def lrn(self, name, x):
        words = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"
        return self.layer("LRN", name, [x], name, self.channels[x], words)

    def pool(self, name, x, kind="MAX", kernel=3, stride=2, pad=0, more=""):
        words = f"pool: {kind} kernel_size: {kernel} stride: {stride} pad: {pad} {more}"
        return self.layer(
            "Pooling", name, [x], name, self.channels[x], f"pooling_param {{ {words} }}"
        )

    def mean(self, name, x):
        words = "pooling_param { pool: AVE global_pooling: true }"
        return self.layer("Pooling", name, [x], name, self.channels[x], words)

    def dense(self, name, x, units, inputs):
        words = f"inner_product_param {{ num_output: {units} }}"
        shapes = [("weight", (units, inputs)), ("bias", (units,))]
        return self.layer("InnerProduct", name, [x], name, units, words, shapes)

    def concat(self, name, *xs):
        return self.layer("Concat", name, list(xs), name, sum(self.channels[x] for x in xs))

    def add(self, name, *xs):
        return self.layer("Eltwise", name, list(xs), name, self.channels[xs[0]])

    # --- as files ----------------------------------------------------------------------------

    def text(self, older=False):
        """The prototxt, of `layer` or of `layers`."""
        rows = ['name: "net" input: "data"', "input_dim: 1 input_dim: 3",
                f"input_dim: {self.side} input_dim: {self.side}"]  # fmt: skip
        for kind, name, bottoms, top, params, _ in self.layers:
            word, kind = ("layers", OLDER[kind][0]) if older else ("layer", f'"{kind}"')
            ends = " ".join(f'bottom: "{b}"' for b in bottoms)
            rows.append(f'{word} {{ name: "{name}" type: {kind} {ends} top: "{top}" {params} }}')
        return "\n".join(rows)

    def blobs(self, seed=0):
        """Random values of each layer, by its name; signals neither die nor burst."""
        draw = np.random.default_rng(seed)
        return {
            name: [drawn(draw, what, shape) for what, shape in shapes]
            for _, name, _, _, _, shapes in self.layers
            if shapes
        }

    def weights(self, blobs, older=False, **options):
        """The caffemodel, of `layer` or of `layers`."""
        message = text(1, "net")
        for kind, name, bottoms, top, _, _ in self.layers:
            arrays = [blob(a, older, **options) for a in blobs.get(name, ())]
            if older:
                inner = b"".join(text(2, b) for b in bottoms) + text(3, top) + text(4, name)
                inner += varint(5 << 3) + varint(OLDER[kind][1])
                message += field(2, inner + b"".join(field(6, a) for a in arrays))
            else:
                inner = text(1, name) + text(2, kind) + b"".join(text(3, b) for b in bottoms)
                inner += text(4, top)
                message += field(100, inner + b"".join(field(7, a) for a in arrays))
        return message

    def names(self):
        """Names and shapes in PyTorch's words."""
        words = {"weight": "weight", "bias": "bias", "mean": "running_mean",
                 "variance": "running_var", "scale": "weight", "shift": "bias"}  # fmt: skip
        found, normalized = {}, {}
        for kind, name, bottoms, top, _, shapes in self.layers:
            if kind == "BatchNorm":
                normalized[top] = name
            module = normalized.get(bottoms[0], name) if kind == "Scale" else name
            found |= {f"{module}.{words[w]}": list(s) for w, s in shapes if w != "factor"}
        return found


# V1LayerParameter's words and numbers.
OLDER = {
    "Concat": ("CONCAT", 3), "Convolution": ("CONVOLUTION", 4), "Dropout": ("DROPOUT", 6),
    "InnerProduct": ("INNER_PRODUCT", 14), "LRN": ("LRN", 15), "Pooling": ("POOLING", 17),
    "ReLU": ("RELU", 18), "Softmax": ("SOFTMAX", 20),
}  # fmt: skip


def drawn(draw, what, shape):
    if what == "factor":
        return np.array([7.0], "float32")  # means and variances are sums of seven
    if what in ("variance", "mean"):
        low, high = (5.6, 8.4) if what == "variance" else (-0.7, 0.7)
        return draw.uniform(low, high, shape).astype("float32")
    if what == "scale":
        return draw.uniform(0.5, 0.9, shape).astype("float32")
    wide = (2 / np.prod(shape[1:])) ** 0.5 if what == "weight" else 0.1
    return draw.normal(0, wide, shape).astype("float32")


# --- Protocol Buffers --------------------------------------------------------------------------


def varint(value):
    low = b""
    while value > 127:
        low, value = low + bytes([value & 127 | 128]), value >> 7
    return low + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def text(number, words):
    return field(number, words.encode())


def blob(array, older=False, packed=True, double=False):
    """A BlobProto; its shape as dimensions, or as the four numbers of older files."""
    number, dtype, wire = (8, "<f8", 1) if double else (5, "<f4", 5)
    data = array.astype(dtype).tobytes()
    if packed:
        values = field(number, data)
    else:
        step = np.dtype(dtype).itemsize
        key = varint(number << 3 | wire)
        values = b"".join(key + data[i : i + step] for i in range(0, len(data), step))
    if older:
        four = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(varint(i << 3) + varint(n) for i, n in enumerate(four, 1))
    else:
        shape = field(7, field(1, b"".join(map(varint, array.shape))))
    return shape + values


# --- networks ------------------------------------------------------------------------------------


def alexnet(side=227, after=False):
    """Section 3.5 of Krizhevsky et al. (2012); `after`: CaffeNet, normalized behind the pools."""
    net, x = Net(side), "data"
    rows = ((96, 11, 4, 0, 1), (256, 5, 1, 2, 2), (384, 3, 1, 1, 1), (384, 3, 1, 1, 2),
            (256, 3, 1, 1, 2))  # fmt: skip
    for i, (filters, kernel, stride, pad, group) in enumerate(rows, 1):
        x = net.relu(net.conv(f"conv{i}", x, filters, kernel, stride, pad, group))
        if i < 3:
            if after:
                x = net.lrn(f"norm{i}", net.pool(f"pool{i}", x))
            else:
                x = net.pool(f"pool{i}", net.lrn(f"norm{i}", x))
    x = net.pool("pool5", x)
    for name, units, inputs in (("fc6", 4096, 9216), ("fc7", 4096, 4096)):
        x = net.relu(net.dense(name, x, units, inputs))
    net.dense("fc8", x, 1000, 4096)
    return net


def vgg(depth=16):
    """Table 1 of arXiv:1409.1556."""
    net, x = Net(), "data"
    counts = (2, 2, 3, 3, 3) if depth == 16 else (2, 2, 4, 4, 4)
    for i, (filters, count) in enumerate(zip((64, 128, 256, 512, 512), counts, strict=True), 1):
        for j in range(1, count + 1):
            x = net.relu(net.conv(f"conv{i}_{j}", x, filters, 3, 1, 1))
        x = net.pool(f"pool{i}", x, kernel=2)
    for name, units, inputs in (("fc6", 4096, 25088), ("fc7", 4096, 4096)):
        x = net.relu(net.dense(name, x, units, inputs))
    net.dense("fc8", x, 1000, 4096)
    return net


# Table 1 of arXiv:1409.4842: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64), "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128), "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}  # fmt: skip


def googlenet(side=224, auxiliary=False):
    net = Net(side)
    x = net.relu(net.conv("conv1/7x7_s2", "data", 64, 7, 2, 3))
    x = net.lrn("pool1/norm1", net.pool("pool1/3x3_s2", x))
    x = net.relu(net.conv("conv2/3x3_reduce", x, 64, 1))
    x = net.lrn("conv2/norm2", net.relu(net.conv("conv2/3x3", x, 192, 3, 1, 1)))
    x = net.pool("pool2/3x3_s2", x)
    for name, (n1, r3, n3, r5, n5, proj) in MODULES.items():
        if name in ("4a", "5a"):
            x = net.pool(f"pool{int(name[0]) - 1}/3x3_s2", x)
        at = f"inception_{name}/"
        one = net.relu(net.conv(f"{at}1x1", x, n1, 1))
        three = net.relu(net.conv(f"{at}3x3_reduce", x, r3, 1))
        three = net.relu(net.conv(f"{at}3x3", three, n3, 3, 1, 1))
        five = net.relu(net.conv(f"{at}5x5_reduce", x, r5, 1))
        five = net.relu(net.conv(f"{at}5x5", five, n5, 5, 1, 2))
        pooled = net.pool(f"{at}pool", x, stride=1, pad=1)
        pooled = net.relu(net.conv(f"{at}pool_proj", pooled, proj, 1))
        x = net.concat(f"{at}output", one, three, five, pooled)
        if auxiliary and name in ("4a", "4d"):
            head = f"loss{1 if name == '4a' else 2}/"
            y = net.pool(f"{head}ave_pool", x, "AVE", 5, 3)
            y = net.relu(net.conv(f"{head}conv", y, 128, 1))
            y = net.relu(net.dense(f"{head}fc", y, 1024, 2048))
            net.dense(f"{head}classifier", y, 1000, 1024)
    net.dense("loss3/classifier", net.mean("pool5/7x7_s1", x), 1000, 1024)
    return net


# Table 1 of arXiv:1512.03385: blocks in the stages.
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet(depth=50, side=224):
    """Stride on the first 1x1 convolution; ResNet-50's first convolution has biases."""
    net = Net(side)
    x = net.conv("conv1", "data", 64, 7, 2, 3, bias=depth == 50)
    x = net.pool("pool1", net.relu(net.norm(x, "bn_conv1", "scale_conv1"), "conv1_relu"))
    for stage, count in enumerate(BLOCKS[depth], 2):
        for i in range(count):
            numbered = depth > 50 and stage in (3, 4) and i
            at = f"{stage}b{i}" if numbered else f"{stage}{'abcdef'[i]}"
            filters, stride = 32 * 2**stage // 2, 2 if stage > 2 and not i else 1

            def unit(x, branch, filters, kernel, stride, at=at):
                name = f"{at}_branch{branch}"
                y = net.conv(f"res{name}", x, filters, kernel, stride, kernel // 2, bias=False)
                return net.norm(y, f"bn{name}", f"scale{name}")

            kept = x if i else unit(x, "1", 4 * filters, 1, stride)
            y = net.relu(unit(x, "2a", filters, 1, stride))
            y = net.relu(unit(y, "2b", filters, 3, 1))
            x = net.relu(net.add(f"res{at}", kept, unit(y, "2c", 4 * filters, 1, 1)))
    net.dense("fc1000", net.mean("pool5", x), 1000, 2048)
    return net


def densenet(blocks=(6, 12, 24, 16), growth=32, side=224):
    """Table 1 of arXiv:1608.06993. The first pool rounds down."""
    net = Net(side)
    x = net.conv("conv1", "data", 2 * growth, 7, 2, 3, bias=False)
    x = net.relu(net.norm(x, "conv1/bn", "conv1/scale", "conv1/bn"), "relu1")
    x = net.pool("pool1", x, pad=1, more="ceil_mode: false")
    for stage, count in enumerate(blocks, 2):
        for i in range(1, count + 1):
            at, y = f"conv{stage}_{i}", x
            for j, (filters, kernel) in enumerate(((4 * growth, 1), (growth, 3)), 1):
                name = f"{at}/x{j}"
                y = net.relu(net.norm(y, f"{name}/bn", f"{name}/scale", f"{name}/bn"), f"r_{name}")
                y = net.conv(name, y, filters, kernel, 1, kernel // 2, bias=False)
            x = net.concat(f"concat_{stage}_{i}", x, y)
        at = f"conv{stage}_blk"
        x = net.relu(net.norm(x, f"{at}/bn", f"{at}/scale", f"{at}/bn"), f"relu_{at}")
        if stage < 5:
            x = net.conv(at, x, net.channels[x] // 2, 1, bias=False)
            x = net.pool(f"pool{stage}", x, "AVE", 2)
    net.conv("fc6", net.mean("pool5", x), 1000, 1)
    return net


def excited(net, x, at, ratio=16):
    """The gate of arXiv:1709.01507, figure 2: x scaled by each channel's factor."""
    c = net.channels[x]
    y = net.mean(f"{at}_global_pool", x)
    y = net.relu(net.conv(f"{at}_1x1_down", y, c // ratio, 1))
    y = net.simple("Sigmoid", f"{at}_prob", net.conv(f"{at}_1x1_up", y, c, 1))
    y = net.layer("Reshape", f"{at}_reshape", [y], f"{at}_reshape", c,
                  "reshape_param { shape { dim: 0 dim: 0 } }")  # fmt: skip
    words = "scale_param { axis: 0 bias_term: false }"
    return net.layer("Scale", f"{at}_scale", [x, y], f"{at}_scale", c, words)


def conv_norm(net, name, x, filters, kernel, stride=1, group=1):
    y = net.conv(name, x, filters, kernel, stride, kernel // 2, group, bias=False)
    return net.norm(y, f"{name}/bn", f"{name}/bn/scale")


def se_resnet(depth=50, side=224, cardinality=None, senet=False):
    """Table 1 of arXiv:1709.01507: SE-ResNet with its stride on the first 1x1, SE-ResNeXt (groups)
    and SENet-154 with theirs on the 3x3.
    """
    net, x = Net(side), "data"
    if senet:
        for i, (filters, stride) in enumerate(((64, 2), (64, 1), (128, 1)), 1):
            name = f"conv1_{i}/3x3" + "_s2" * (stride == 2)
            x = net.relu(conv_norm(net, name, x, filters, 3, stride))
    else:
        x = net.relu(conv_norm(net, "conv1/7x7_s2", x, 64, 7, 2))
    x = net.pool("pool1/3x3_s2", x)
    for stage, count in enumerate(BLOCKS[depth], 2):
        for i in range(1, count + 1):
            at, halves = f"conv{stage}_{i}", stage > 2 and i == 1
            out, stride = 64 * 2**stage, 2 if halves else 1
            first, middle = (out // 4, out // 4)
            if cardinality:
                first, middle = (out // 2, out if senet else out // 2)
            one, three = (1, stride) if cardinality else (stride, 1)
            y = net.relu(conv_norm(net, f"{at}_1x1_reduce", x, first, 1, one))
            y = net.relu(conv_norm(net, f"{at}_3x3", y, middle, 3, three, cardinality or 1))
            y = excited(net, conv_norm(net, f"{at}_1x1_increase", y, out, 1), at)
            if i == 1:
                kernel = 3 if senet and halves else 1
                x = conv_norm(net, f"{at}_1x1_proj", x, out, kernel, stride)
            x = net.relu(net.add(at, y, x))
    net.dense("classifier", net.mean("pool5/7x7_s1", x), 1000, 2048)
    return net


# The released table: #1x1, #3x3 reduce, #3x3, #double 3x3 reduce, #double 3x3, pool, proj.
RELEASED = {
    "3a": (64, 64, 64, 64, 96, "AVE", 32), "3b": (64, 64, 96, 64, 96, "AVE", 64),
    "3c": (0, 128, 160, 64, 96, "MAX", 0), "4a": (224, 64, 96, 96, 128, "AVE", 128),
    "4b": (192, 96, 128, 96, 128, "AVE", 128), "4c": (160, 128, 160, 128, 160, "AVE", 128),
    "4d": (96, 128, 192, 160, 192, "AVE", 128), "4e": (0, 128, 192, 192, 256, "MAX", 0),
    "5a": (352, 192, 320, 160, 224, "AVE", 128), "5b": (352, 192, 320, 192, 224, "MAX", 128),
}  # fmt: skip


def se_inception(side=224):
    net = Net(side)
    x = net.pool("pool1/3x3_s2", net.relu(conv_norm(net, "conv1/7x7_s2", "data", 64, 7, 2)))
    x = net.relu(conv_norm(net, "conv2/3x3_reduce", x, 64, 1))
    x = net.pool("pool2/3x3_s2", net.relu(conv_norm(net, "conv2/3x3", x, 192, 3)))
    for name, (n1, r3, n3, rd, nd, pool, proj) in RELEASED.items():
        at, stride = f"inception_{name}/", 1 if n1 else 2
        three = net.relu(conv_norm(net, f"{at}3x3_reduce", x, r3, 1))
        three = net.relu(conv_norm(net, f"{at}3x3", three, n3, 3, stride))
        double = net.relu(conv_norm(net, f"{at}double3x3_reduce", x, rd, 1))
        double = net.relu(conv_norm(net, f"{at}double3x3a", double, nd, 3))
        double = net.relu(conv_norm(net, f"{at}double3x3b", double, nd, 3, stride))
        parts = [three, double, net.pool(f"{at}pool", x, pool, 3, stride, 1 if n1 else 0)]
        if n1:
            parts[2] = net.relu(conv_norm(net, f"{at}pool_proj", parts[2], proj, 1))
            parts.insert(0, net.relu(conv_norm(net, f"{at}1x1", x, n1, 1)))
        x = excited(net, net.concat(f"{at}concat", *parts), f"inception_{name}")
    net.dense("classifier", net.mean("global_pool", x), 1000, 1024)
    return net


NETWORKS = {
    "alexnet": alexnet,
    "caffenet": lambda: alexnet(after=True),
    "googlenet": googlenet,
    "vgg16": vgg,
    "vgg19": lambda: vgg(19),
    **{f"resnet{d}": lambda d=d: resnet(d) for d in BLOCKS},
    "densenet121": densenet,
    "densenet161": lambda: densenet((6, 12, 36, 24), 48),
    "densenet169": lambda: densenet((6, 12, 32, 32)),
    "densenet201": lambda: densenet((6, 12, 48, 32)),
    **{f"se_resnet{d}": lambda d=d: se_resnet(d) for d in BLOCKS},
    "se_resnext50": lambda: se_resnet(50, cardinality=32),
    "senet154": lambda: se_resnet(152, cardinality=64, senet=True),
    "se_inception_v2": se_inception,
}


# --- run by PyTorch ---------------------------------------------------------------------------


def evaluated(net, blobs, x):
    """What the last layer gives for images (n, height, width, 3), as Caffe computes it."""
    import torch
    from torch.nn import functional as F

    def numbers(words):
        rest = re.findall(r"(\w+): (\S+)", words)
        return dict(rest)

    def pooled(x, words):
        if words.get("global_pooling"):
            return x.mean((2, 3), keepdim=True)
        k, s, p = (int(words[key]) for key in ("kernel_size", "stride", "pad"))
        up = words.get("ceil_mode") != "false"
        if words["pool"] == "MAX":
            return F.max_pool2d(x, k, s, p, ceil_mode=up)
        return F.avg_pool2d(x, k, s, p, ceil_mode=up)

    values = {"data": torch.from_numpy(x.transpose(0, 3, 1, 2).copy())}
    with torch.no_grad():
        for kind, name, bottoms, top, words, _ in net.layers:
            a, *more = (values[b] for b in bottoms)
            w = [torch.from_numpy(b) for b in blobs.get(name, ())]
            given = numbers(words)
            if kind == "Convolution":
                y = F.conv2d(a, *w, stride=int(given["stride"]), padding=int(given["pad"]),
                             groups=int(given["group"]))  # fmt: skip
            elif kind == "InnerProduct":
                y = F.linear(a.flatten(1), *w)
            elif kind == "BatchNorm":
                mean, variance = w[0] / w[2], w[1] / w[2]
                y = F.batch_norm(a, mean, variance, eps=1e-5)
            elif kind == "Scale" and w:
                y = a * w[0][:, None, None] + w[1][:, None, None]
            elif kind == "Scale":
                y = a * more[0][:, :, None, None]
            elif kind == "LRN":
                y = F.local_response_norm(a, 5, 1e-4, 0.75, 1.0)
            else:
                y = {
                    "ReLU": F.relu, "Sigmoid": torch.sigmoid, "Reshape": lambda a: a.flatten(1),
                    "Pooling": lambda a, given=given: pooled(a, given),
                    "Concat": lambda a, more=more: torch.cat([a, *more], 1),
                    "Eltwise": lambda a, more=more: a + more[0],
                }[kind](a)  # fmt: skip
            values[top] = y
    return y.flatten(1).numpy()
