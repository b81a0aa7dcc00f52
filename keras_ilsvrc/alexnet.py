"""A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet Classification with Deep Convolutional Neural
Networks (2012); and A. Krizhevsky: One weird trick for parallelizing convolutional neural networks,
arXiv:1404.5997, for the variant with one tower.

The paper says 224 x 224, but its 55 x 55 maps (section 3.5, figure 2) need 227 without padding.
"""

from typing import Literal, Unpack

import keras
from keras import KerasTensor

from .assembly import Arguments, Network, builder
from .blocks import (
    Block,
    Rule,
    adaptive_pool,
    chain,
    conv,
    dense,
    dropout,
    flatten,
    given,
    global_pool,
    lrn,
    max_pool,
    pad,
    sides,
    under,
)

# Section 3.5 and figure 2. columns: filters, kernel, stride, groups (the two GPUs), first bias
TWO_TOWERS = {
    "conv1": ( 96, 11, 4, 1, 0),
    "conv2": (256,  5, 1, 2, 1),
    "conv3": (384,  3, 1, 1, 0),
    "conv4": (384,  3, 1, 2, 1),
    "conv5": (256,  3, 1, 2, 1),
}  # fmt: skip

# arXiv:1404.5997, section 5 (footnote): "a one-column version".
ONE_TOWER = {
    "conv1": ( 64, 11, 4, 1, 0),
    "conv2": (192,  5, 1, 1, 0),
    "conv3": (384,  3, 1, 1, 0),
    "conv4": (256,  3, 1, 1, 0),
    "conv5": (256,  3, 1, 1, 0),
}  # fmt: skip


# Section 5: weights from a normal distribution of deviation 0.01; biases 0, or 1 "to accelerate
# the early stages of learning by providing the ReLUs with positive inputs".
def gaussian() -> tuple[Rule, ...]:
    """Made anew for each network: an initializer takes a seed when it is made."""
    normal = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.01)}
    return Rule("conv", normal), Rule("dense", normal)


def convolution(name: str, filters: int, kernel: int, stride: int, groups: int, bias: int) -> Block:
    """A row of the table, and its ReLU."""
    return conv(
        filters, kernel, stride, name=name, groups=groups,
        padding="valid" if stride > 1 else "symmetric", activation="relu",
        use_bias=True, bias_initializer=keras.initializers.Constant(bias),
    )  # fmt: skip


def overlapping_pool(name: str) -> Block:
    """Section 3.4: 3x3 windows, 2 pixels apart."""
    return max_pool(3, 2, name=name)


# The windows of the pools lie inside the image.
INSIDE = Rule("max_pool", {"padding": "valid"})

Order = Literal["before pooling", "after pooling"]


def pooled(number: int, pool: Block, order: Order) -> Block:
    """Pooling and response normalization, which comes first in one order and last in the other."""
    normalized = lrn(name=f"norm{number}")
    return chain(normalized, pool) if order == "before pooling" else chain(pool, normalized)


def fully_connected(rate: float, units: int = 4096, bias: int = 0, first: int = 6) -> Block:
    """Section 3.5: two layers, and dropout (section 4.2).

    They take maps of one size. A zoo may have them take images of other sizes, too, by the rule
    ("fully_connected", {"side": of the maps}): these are pooled to that size; with "windows": True
    the layers are convolutions, whose maps are averaged, and only smaller maps are pooled.
    """
    options = {"bias_initializer": keras.initializers.Constant(bias)}
    one, two = f"fc{first}", f"fc{first + 1}"
    flat = chain(
        flatten(),
        dense(units, "relu", name=one, **options), dropout(rate, name=f"drop{first}"),
        dense(units, "relu", name=two, **options), dropout(rate, name=f"drop{first + 1}"),
    )  # fmt: skip

    def apply(x: KerasTensor) -> KerasTensor:
        zoo = given("fully_connected", one, {})
        side = zoo.get("side")
        height, width = sides(x)
        if side is None or height is None or width is None or height == width == side:
            return flat(x)
        if not zoo.get("windows"):
            return chain(adaptive_pool(side, side), flat)(x)
        if min(height, width) < side:
            x = adaptive_pool(max(height, side), max(width, side))(x)
        same = {**options, "padding": "valid", "use_bias": True, "activation": "relu"}
        return chain(
            conv(units, side, name=one, **same), dropout(rate, name=f"drop{first}"),
            conv(units, 1, name=two, **same), dropout(rate, name=f"drop{first + 1}"),
            global_pool(),
        )(x)  # fmt: skip

    return apply


def two_towers(rate: float, order: Order) -> Network:
    """Figure 2: each half of conv2, conv4 and conv5 sees the half of the maps on its own GPU."""
    one, two, three, four, five = (convolution(n, *row) for n, row in TWO_TOWERS.items())
    body = chain(
        one, pooled(1, overlapping_pool("pool1"), order),
        two, pooled(2, overlapping_pool("pool2"), order),
        three, four, five, overlapping_pool("pool5"),
    )  # fmt: skip
    rules = *gaussian(), INSIDE
    return Network(body, fully_connected(rate, bias=1), rules=rules, size=227, least=67)


def one_tower(rate: float, order: Order) -> Network:
    """One GPU: fewer filters, no groups, no response normalization; 224 + 4 pixels."""
    if order != "before pooling":
        raise ValueError(f"one tower has no response normalization: normalize={order!r} needs two.")
    one, two, three, four, five = (convolution(n, *row) for n, row in ONE_TOWER.items())
    body = chain(
        under("conv1", pad(5)), one, overlapping_pool("pool1"),
        two, overlapping_pool("pool2"),
        three, four, five, overlapping_pool("pool5"),
    )  # fmt: skip
    rules = *gaussian(), INSIDE
    return Network(body, fully_connected(rate), rules=rules, size=224, least=63)


TOWERS = {2: two_towers, 1: one_tower}


@builder(
    "AlexNet",
    "AlexNet (2012), section 3.5 and figure 2.",
    "alexnet",
    size="227 x 227 x 3 (one tower: 224)",
)
def AlexNet(
    *,
    towers: Literal[2, 1] = 2,
    normalize: Order = "before pooling",
    dropout: float = 0.5,
    **arguments: Unpack[Arguments],
) -> Network:
    """towers: 2 (the paper's two GPUs as convolutions in two groups, with local response
        normalization), or 1 (arXiv:1404.5997).
    normalize: where response normalization stands: "before pooling" (the paper), or "after
        pooling" (CaffeNet, the network that Caffe's authors trained first).
    dropout: after each of the two fully connected layers.
    """
    return TOWERS[towers](dropout, normalize)
