"""The same networks by hand in PyTorch, in channels_last, as its users write them."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse


def unit(inputs: int, filters: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, filters, kernel_size, stride, kernel_size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters))


class Block(nn.Module):
    """relu(shortcut(x) + branch(x))."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.branch(x))


class ZeroPadding(nn.Module):
    """Option A: every second pixel, and zeros for the new channels."""

    def forward(self, x: Tensor) -> Tensor:
        quarter = x.shape[1] // 2
        return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))


def basic(inputs: int, filters: int, stride: int) -> Block:
    """Figure 5, left, of arXiv:1512.03385."""
    branch = nn.Sequential(unit(inputs, filters, 3, stride), nn.ReLU(), unit(filters, filters, 3))
    return Block(branch, ZeroPadding() if stride > 1 else nn.Identity())


def bottleneck(inputs: int, filters: int, stride: int) -> Block:
    """Figure 5, right."""
    out = 4 * filters
    branch = nn.Sequential(
        unit(inputs, filters, 1, stride), nn.ReLU(),
        unit(filters, filters, 3), nn.ReLU(),
        unit(filters, out, 1),
    )  # fmt: skip
    return Block(branch, nn.Identity() if inputs == out else unit(inputs, out, 1, stride))


def resnet20() -> nn.Sequential:
    """Section 4.2, n = 3."""
    blocks = [
        basic(inputs if i == 0 else filters, filters, stride if i == 0 else 1)
        for inputs, filters, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2))
        for i in range(3)
    ]
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    return nn.Sequential(unit(3, 16, 3), nn.ReLU(), *blocks, *head)


def resnet50() -> nn.Sequential:
    """Table 1."""
    stem = unit(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
    blocks = [
        bottleneck(inputs if i == 0 else 4 * filters, filters, stride if i == 0 else 1)
        for inputs, filters, depth, stride in (
            (64, 64, 3, 1), (256, 128, 4, 2), (512, 256, 6, 2), (1024, 512, 3, 2),
        )
        for i in range(depth)
    ]  # fmt: skip
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000), nn.Softmax(-1)
    return nn.Sequential(*stem, *blocks, *head)


def training(images: np.ndarray, labels: np.ndarray, batch: int) -> Callable[[], int]:
    """Epochs of SGD with momentum over `images`, (n, h, w, 3)."""
    model = resnet20().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9)
    x, y = torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels)

    def epoch() -> int:
        model.train()
        for i in range(0, len(x), batch):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[i : i + batch]), y[i : i + batch])
            loss.backward()
            optimizer.step()
        return len(x)

    return epoch


def prediction(images: np.ndarray, calls: int, folded: bool) -> Callable[[], int]:
    """Calls on one batch; folded by torch.fx."""
    model = resnet50().eval()
    model = (fuse(model) if folded else model).to(memory_format=torch.channels_last)
    x = torch.from_numpy(images).permute(0, 3, 1, 2)

    def predict() -> int:
        with torch.inference_mode():
            for _ in range(calls):
                model(x)
        return calls * len(x)

    return predict
