"""Networks in plain PyTorch, under the names of torchvision, timm and pretrainedmodels.

Written for comparison; what the zoos do differently is an argument.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Bottleneck(nn.Module):
    def __init__(self, channels, filters, stride, *, stride_on, ratio, gate):
        super().__init__()
        out = 4 * filters
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        self.conv1 = nn.Conv2d(channels, filters, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, second, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.conv3 = nn.Conv2d(filters, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.gate = gate
        if ratio:
            dense = nn.Module()
            dense.fc1, dense.fc2 = nn.Conv2d(out, out // ratio, 1), nn.Conv2d(out // ratio, out, 1)
            self.add_module(gate, dense)
        self.ratio = ratio
        self.downsample = None
        if stride > 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.ratio:
            dense = getattr(self, self.gate)
            y = y * dense.fc2(F.relu(dense.fc1(y.mean((2, 3), keepdim=True)))).sigmoid()
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class Basic(nn.Module):
    def __init__(self, channels, filters, stride, **_):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = None
        if stride > 1 or channels != filters:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
    """stride_on: v1 "1x1" or v1.5 "3x3"; grid: of the first pooling, "padded" or "ceil"."""

    def __init__(self, block=Bottleneck, blocks=(3, 4, 6, 3), *, stride_on="3x3", grid="padded",
                 ratio=None, gate="se", stem="", fc="fc"):  # fmt: skip
        super().__init__()
        conv1, bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        home = self
        if stem:
            home = nn.Module()
            self.add_module(stem, home)
        home.conv1, home.bn1 = conv1, bn1
        self.stem, self.grid, self.fc_name = stem, grid, fc
        expansion = 4 if block is Bottleneck else 1
        channels = 64
        for i, count in enumerate(blocks):
            filters = 64 * 2**i
            units = []
            for j in range(count):
                stride = 2 if i and not j else 1
                units.append(
                    block(channels, filters, stride, stride_on=stride_on, ratio=ratio, gate=gate)
                )
                channels = expansion * filters
            self.add_module(f"layer{i + 1}", nn.Sequential(*units))
        self.add_module(fc, nn.Linear(channels, 1000))

    def forward(self, x):
        home = getattr(self, self.stem) if self.stem else self
        x = F.relu(home.bn1(home.conv1(x)))
        ceil = self.grid == "ceil"
        x = F.max_pool2d(x, 3, 2, padding=0 if ceil else 1, ceil_mode=ceil)
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
        return getattr(self, self.fc_name)(x.mean((2, 3)))


class DenseLayer(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(4 * growth)
        self.conv1 = nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, 1, 1, bias=False)

    def forward(self, x):
        y = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return torch.cat((x, y), 1)


class Transition(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, blocks=(6, 12, 24, 16), growth=32):
        super().__init__()
        channels = 2 * growth
        self.features = features = nn.Sequential()
        features.add_module("conv0", nn.Conv2d(3, channels, 7, 2, 3, bias=False))
        features.add_module("norm0", nn.BatchNorm2d(channels))
        features.add_module("relu0", nn.ReLU())
        features.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        for i, count in enumerate(blocks, 1):
            block = nn.Sequential()
            for j in range(1, count + 1):
                block.add_module(f"denselayer{j}", DenseLayer(channels, growth))
                channels += growth
            features.add_module(f"denseblock{i}", block)
            if i < len(blocks):
                features.add_module(f"transition{i}", Transition(channels))
                channels //= 2
        features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, 1000)

    def forward(self, x):
        return self.classifier(F.relu(self.features(x)).mean((2, 3)))


class VGG(nn.Module):
    """As torchvision's, or with convolutions for the dense layers, as timm's."""

    def __init__(self, counts=(1, 1, 2, 2, 2), *, normalized=False, windows=False):
        super().__init__()
        layers, channels = [], 3
        for filters, count in zip((64, 128, 256, 512, 512), counts, strict=True):
            for _ in range(count):
                layers.append(nn.Conv2d(channels, filters, 3, 1, 1))
                layers += [nn.BatchNorm2d(filters)] if normalized else []
                layers.append(nn.ReLU())
                channels = filters
            layers.append(nn.MaxPool2d(2))
        self.features, self.windows = nn.Sequential(*layers), windows
        if windows:
            self.pre_logits, self.head = nn.Module(), nn.Module()
            self.pre_logits.fc1 = nn.Conv2d(512, 4096, 7)
            self.pre_logits.fc2 = nn.Conv2d(4096, 4096, 1)
            self.head.fc = nn.Linear(4096, 1000)
        else:
            one, two, three = nn.Linear(25088, 4096), nn.Linear(4096, 4096), nn.Linear(4096, 1000)
            between = nn.ReLU(), nn.Dropout()
            self.classifier = nn.Sequential(one, *between, two, *between, three)

    def forward(self, x):
        x = self.features(x)
        if not self.windows:
            return self.classifier(x.flatten(1))
        x = F.relu(self.pre_logits.fc2(F.relu(self.pre_logits.fc1(x))))
        return self.head.fc(x.mean((2, 3)))


# 1x1, 3x3 reduce, 3x3, double 3x3 reduce, double 3x3, pooling, pool proj
MODULES = {
    "3a": (64, 64, 64, 64, 96, "avg", 32), "3b": (64, 64, 96, 64, 96, "avg", 64),
    "3c": (0, 128, 160, 64, 96, "max", 0), "4a": (224, 64, 96, 96, 128, "avg", 128),
    "4b": (192, 96, 128, 96, 128, "avg", 128), "4c": (160, 128, 160, 128, 160, "avg", 128),
    "4d": (96, 128, 192, 160, 192, "avg", 128), "4e": (0, 128, 192, 192, 256, "max", 0),
    "5a": (352, 192, 320, 160, 224, "avg", 128), "5b": (352, 192, 320, 192, 224, "max", 128),
}  # fmt: skip


class BNInception(nn.Module):
    """Its average pooling counts the zeros around the image, unless told otherwise."""

    def __init__(self, counted=True):
        super().__init__()
        self.counted = counted
        self.unit("conv1_7x7_s2", 3, 64, 7)
        self.unit("conv2_3x3_reduce", 64, 64, 1)
        self.unit("conv2_3x3", 64, 192, 3)
        channels = 192
        for name, (n1, r3, n3, rd, nd, _, proj) in MODULES.items():
            at = f"inception_{name}_"
            if n1:
                self.unit(f"{at}1x1", channels, n1, 1)
                self.unit(f"{at}pool_proj", channels, proj, 1)
            self.unit(f"{at}3x3_reduce", channels, r3, 1)
            self.unit(f"{at}3x3", r3, n3, 3)
            self.unit(f"{at}double_3x3_reduce", channels, rd, 1)
            self.unit(f"{at}double_3x3_1", rd, nd, 3)
            self.unit(f"{at}double_3x3_2", nd, nd, 3)
            channels = n1 + n3 + nd + proj if n1 else n3 + nd + channels
        self.last_linear = nn.Linear(channels, 1000)

    def unit(self, name, channels, filters, kernel):
        self.add_module(name, nn.Conv2d(channels, filters, kernel, padding=kernel // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(filters))

    def run(self, name, x, stride=1):
        conv = getattr(self, name)
        y = F.conv2d(x, conv.weight, conv.bias, stride, conv.padding)
        return F.relu(getattr(self, f"{name}_bn")(y))

    def forward(self, x):
        x = F.max_pool2d(self.run("conv1_7x7_s2", x, 2), 3, 2, ceil_mode=True)
        x = self.run("conv2_3x3", self.run("conv2_3x3_reduce", x))
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        for name, (n1, *_, pool, _) in MODULES.items():
            x = self.module(f"inception_{name}_", x, 1 if n1 else 2, pool)
        return self.last_linear(x.mean((2, 3)))

    def module(self, at, x, stride, pool):
        three = self.run(f"{at}3x3", self.run(f"{at}3x3_reduce", x), stride)
        double = self.run(f"{at}double_3x3_1", self.run(f"{at}double_3x3_reduce", x))
        double = self.run(f"{at}double_3x3_2", double, stride)
        if stride == 2:
            return torch.cat((three, double, F.max_pool2d(x, 3, 2, ceil_mode=True)), 1)
        if pool == "max":
            pooled = F.max_pool2d(x, 3, 1, 1)
        else:
            pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=self.counted)
        return torch.cat((self.run(f"{at}1x1", x), three, double,
                          self.run(f"{at}pool_proj", pooled)), 1)  # fmt: skip


# --- comparing ------------------------------------------------------------------------------


def scrambled(network, seed=0):
    """In evaluation, every weight random; signals neither die nor burst."""
    draw = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.ndim > 1:
            value.copy_(torch.randn(value.shape, generator=draw) * (2 / value[0].numel()) ** 0.5)
        elif value.ndim:
            low = 0.8 if name.endswith("running_var") else 0.3
            spread = torch.rand(value.shape, generator=draw) * 0.4
            small = torch.randn(value.shape, generator=draw) * 0.1
            value.copy_(spread + low if name.endswith(("var", "weight")) else small)
    return network.eval()


def theirs(network, x):
    with torch.no_grad():
        return network(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()


def apart(a, b):
    return np.abs(a - b).max() / np.abs(a).max()
