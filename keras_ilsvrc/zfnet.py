"""M. Zeiler, R. Fergus: Visualizing and Understanding Convolutional Networks, arXiv:1311.2901.

AlexNet with smaller filters and a smaller stride in its first layers (figure 3). The paper says
"contrast normalized across feature maps" without constants: AlexNet's are used.
"""

from typing import Unpack

from keras import KerasTensor

from .alexnet import Order, fully_connected, gaussian, pooled
from .assembly import Arguments, Network, builder
from .blocks import Block, Rule, chain, conv, given, max_pool, pad, under

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


# 55 pixels from 110 need a window over the edge, and so do 13 from 26; 6 from 13 do not.
POOLS = (
    Rule("max_pool", {"padding": "same"}, "*pool[12]"),
    Rule("max_pool", {"padding": "valid"}, "*pool5"),
)


def padded(x: KerasTensor) -> KerasTensor:
    """110 pixels from 224 need one pixel of padding; a source's form may leave it out."""
    absent = given("pad", "conv1_pad", {}).get("absent", False)
    return x if absent else under("conv1", pad(3))(x)


def body(order: Order) -> Block:
    one, two, three, four, five = (convolution(n, *row) for n, row in FIGURE_3.items())
    return chain(
        padded,
        one, pooled(1, max_pool(3, 2, name="pool1"), order),
        two, pooled(2, max_pool(3, 2, name="pool2"), order),
        three, four, five, max_pool(3, 2, name="pool5"),
    )  # fmt: skip


@builder("ZFNet", "ZFNet, arXiv:1311.2901, figure 3.", "zfnet")
def ZFNet(
    *,
    normalize: Order = "after pooling",
    dropout: float = 0.5,
    **arguments: Unpack[Arguments],
) -> Network:
    """normalize: where response normalization stands: "after pooling" (the paper, figure 3), or
        "before pooling" (as in AlexNet).
    dropout: after each of the two fully connected layers.
    """
    rules = *gaussian(), *POOLS
    return Network(body(normalize), fully_connected(dropout), rules=rules, least=53)
