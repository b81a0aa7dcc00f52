"""G. Huang, Z. Liu, L. van der Maaten, K. Weinberger: Densely Connected Convolutional Networks,
arXiv:1608.06993.
"""

from collections.abc import Sequence
from math import floor
from typing import Unpack

from keras import KerasTensor

from .assembly import Arguments, Network, builder, family
from .blocks import (
    Block,
    Rule,
    avg_pool,
    branches,
    chain,
    channels,
    conv,
    dropout,
    identity,
    max_pool,
    norm,
    relu,
    under,
)

# Table 1: layers in dense blocks 1 ... 4. The growth rate k is 32, of DenseNet-161 48.
TABLE_1 = {
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
    264: (6, 12, 64, 48),
}


def activation() -> Block:
    """Normalization and ReLU, before each convolution."""
    return chain(norm(), relu())


def simple(growth: int, rate: float) -> Block:
    """H of section 3, "composite function"."""
    return chain(under(0, activation()), under(1, conv(growth, 3), dropout(rate)))


def bottleneck(growth: int, rate: float) -> Block:
    """H of DenseNet-B: a 1x1 convolution of 4k filters first."""
    return chain(
        under(0, activation()), under(1, conv(4 * growth, 1), dropout(rate), activation()),
        under(2, conv(growth, 3), dropout(rate)),
    )  # fmt: skip


def dense_block(layers: int, composite: Block) -> Block:
    """Equation 2: each layer's maps are appended to all before."""
    return chain(*(under(f"block{i}", branches(identity, composite)) for i in range(1, layers + 1)))


def transition(compression: float, rate: float) -> Block:
    """Between dense blocks: theta * m maps (DenseNet-C) of half the side."""

    def apply(x: KerasTensor) -> KerasTensor:
        maps = floor(compression * channels(x))
        if maps < 1:
            raise ValueError(f"compression {compression} leaves none of {channels(x)} maps.")
        return chain(activation(), conv(maps, 1), dropout(rate), avg_pool(2, 2))(x)

    return apply


# Windows of transitions lie inside the image.
INSIDE = Rule("avg_pool", {"padding": "valid"})


def dense_blocks(layers: Sequence[int], composite: Block, compression: float, rate: float) -> Block:
    """Dense blocks conv2, conv3, ... with transitions pool2, pool3, ... between; then activated."""
    parts = [under(f"conv{i}", dense_block(n, composite)) for i, n in enumerate(layers, 2)]
    joints = [under(f"pool{i}", transition(compression, rate)) for i in range(2, len(layers) + 1)]
    pairs = zip(parts, [*joints, activation()], strict=True)
    return chain(*(block for pair in pairs for block in pair))


def stem(maps: int) -> Block:
    """Table 1 above its first dense block."""
    return chain(
        under("conv1", conv(maps, 7, 2), activation()), under("pool1", max_pool(3, 2, name=""))
    )


def imagenet(depth: int, growth: int, rate: float) -> Network:
    """A column of table 1: DenseNet-BC, whose transitions keep half of the maps."""
    blocks = dense_blocks(TABLE_1[depth], bottleneck(growth, rate), 0.5, rate)
    return Network(chain(stem(2 * growth), blocks), rules=(INSIDE,))


@family("DenseNet{}", "DenseNet-{} of arXiv:1608.06993, table 1.", "densenet{}")
def densenet(
    depth: int,
    /,
    *,
    growth: int = 32,
    dropout: float = 0.0,
    **arguments: Unpack[Arguments],
) -> Network:
    """growth: maps that each layer adds, the paper's k.
    dropout: after each convolution but the first.
    """
    return imagenet(depth, growth, dropout)


@builder("DenseNet161", "DenseNet-161 of arXiv:1608.06993, table 1.", "densenet161")
def DenseNet161(
    *, growth: int = 48, dropout: float = 0.0, **arguments: Unpack[Arguments]
) -> Network:
    """growth: maps that each layer adds, the paper's k.
    dropout: after each convolution but the first.
    """
    return imagenet(161, growth, dropout)


DenseNet121, DenseNet169, DenseNet201, DenseNet264 = map(densenet, (121, 169, 201, 264))
