"""G. Huang, Z. Liu, L. van der Maaten, K. Weinberger: Densely Connected Convolutional Networks,
arXiv:1608.06993.
"""

from collections.abc import Sequence
from math import floor

from keras import KerasTensor

from .assembly import Builder, Network, builder
from .blocks import (
    Block,
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

# Table 1. layers in dense blocks 1 ... 4, growth rate k
TABLE_1 = {
    121: ((6, 12, 24, 16), 32),
    161: ((6, 12, 36, 24), 48),
    169: ((6, 12, 32, 32), 32),
    201: ((6, 12, 48, 32), 32),
    264: ((6, 12, 64, 48), 32),
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
        return chain(activation(), conv(maps, 1), dropout(rate), avg_pool(2, 2, padding="valid"))(x)

    return apply


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


def _densenet(depth: int) -> Builder:
    layers, k = TABLE_1[depth]

    @builder(
        f"DenseNet{depth}", f"DenseNet-{depth} of arXiv:1608.06993, table 1.", f"densenet{depth}"
    )
    def describe(*, growth: int = k, dropout: float = 0.0) -> Network:
        """growth: maps that each layer adds, the paper's k.
        dropout: after each convolution but the first.
        """
        blocks = dense_blocks(layers, bottleneck(growth, dropout), 0.5, dropout)
        return Network(chain(stem(2 * growth), blocks))

    return describe


DenseNet121, DenseNet161, DenseNet169, DenseNet201, DenseNet264 = map(_densenet, TABLE_1)
