"""M. Zeiler, R. Fergus: Visualizing and Understanding Convolutional Networks, arXiv:1311.2901.

AlexNet with smaller filters and a smaller stride in its first layers (figure 3). The paper says
"contrast normalized across feature maps" without constants: AlexNet's are used.
"""

from typing import Unpack

from .alexnet import fully_connected, gaussian
from .assembly import Arguments, Network, builder
from .blocks import Block, chain, conv, lrn, max_pool, pad, under

# Figure 3. columns: filters, kernel, stride -> side
FIGURE_3 = {
    "conv1": ( 96, 7, 2),  # 110, pooled 55
    "conv2": (256, 5, 2),  #  26, pooled 13
    "conv3": (384, 3, 1),  #  13
    "conv4": (384, 3, 1),  #  13
    "conv5": (256, 3, 1),  #  13, pooled 6
}  # fmt: skip


def convolution(name: str, filters: int, kernel: int, stride: int) -> Block:
    """A row of the figure, and its ReLU."""
    padding = "valid" if stride > 1 else "symmetric"
    return conv(
        filters, kernel, stride, name=name, padding=padding, activation="relu", use_bias=True
    )


def body() -> Block:
    """110 pixels from 224 need one pixel of padding; 55 from 110 a window over the edge."""
    one, two, three, four, five = (convolution(n, *row) for n, row in FIGURE_3.items())
    return chain(
        under("conv1", pad(3)),
        one, max_pool(3, 2, name="pool1", padding="same"), lrn(name="norm1"),
        two, max_pool(3, 2, name="pool2", padding="same"), lrn(name="norm2"),
        three, four, five, max_pool(3, 2, name="pool5", padding="valid"),
    )  # fmt: skip


@builder("ZFNet", "ZFNet, arXiv:1311.2901, figure 3.", "zfnet")
def ZFNet(*, dropout: float = 0.5, **arguments: Unpack[Arguments]) -> Network:
    """dropout: after each of the two fully connected layers."""
    return Network(body(), fully_connected(dropout), rules=gaussian(), least=53)
