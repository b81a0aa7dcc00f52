"""S. Ioffe, C. Szegedy: Batch Normalization, arXiv:1502.03167 (BN-Inception).

The table is figure 5 of the paper. The network that was released in Caffe projects the pools of 4c
and 4d to 128 maps, not 96; the paper's 13.6 million parameters are not reached by either.
"""

from collections.abc import Callable
from typing import NamedTuple, Unpack

from .assembly import Arguments, Network, builder
from .blocks import (
    Block,
    Rule,
    avg_pool,
    branches,
    chain,
    conv,
    identity,
    max_pool,
    norm,
    relu,
    under,
)


class Row(NamedTuple):
    """A module: filters of its convolutions; those without 1x1 have stride 2, and a bare pool."""

    n1: int
    r3: int
    n3: int
    rd: int
    nd: int
    pool: Callable[..., Block]
    proj: int


# Figure 5. columns: #1x1, #3x3 reduce, #3x3, #double 3x3 reduce, #double 3x3, pool, pool proj
TABLE = {
    "3a": Row( 64,  64,  64,  64,  96, avg_pool,  32),
    "3b": Row( 64,  64,  96,  64,  96, avg_pool,  64),
    "3c": Row(  0, 128, 160,  64,  96, max_pool,   0),
    "4a": Row(224,  64,  96,  96, 128, avg_pool, 128),
    "4b": Row(192,  96, 128,  96, 128, avg_pool, 128),
    "4c": Row(160, 128, 160, 128, 160, avg_pool,  96),
    "4d": Row( 96, 128, 192, 160, 192, avg_pool,  96),
    "4e": Row(  0, 128, 192, 192, 256, max_pool,   0),
    "5a": Row(352, 192, 320, 160, 224, avg_pool, 128),
    "5b": Row(352, 192, 320, 192, 224, max_pool, 128),
}  # fmt: skip

# What the figure leaves open, as released: max-pools round sizes up, average pools count the zeros
# around the image.
RULES = (Rule("max_pool", {"padding": "ceil"}), Rule("avg_pool", {"padding": "zeros"}))
# The table of the released network.
RELEASED = (Rule("conv", {"filters": 128}, "*inception_4[cd]_pool_proj_conv"),)


def unit(name: str, filters: int, kernel: int, stride: int = 1) -> Block:
    """Convolution, normalization, ReLU."""
    return under(name, conv(filters, kernel, stride), norm(), relu())


def inception(row: Row) -> Block:
    """Two 3x3 convolutions in place of GoogLeNet's 5x5 (section 4.2)."""
    stride = 1 if row.n1 else 2
    three = chain(unit("3x3_reduce", row.r3, 1), unit("3x3", row.n3, 3, stride))
    double = chain(
        unit("double_3x3_reduce", row.rd, 1),
        unit("double_3x3_1", row.nd, 3), unit("double_3x3_2", row.nd, 3, stride),
    )  # fmt: skip
    if stride == 2:
        # As many windows as the convolutions have, at odd sides too, where the released network
        # cannot be built.
        return branches(three, double, row.pool(3, 2, padding="behind"))
    pool = chain(row.pool(3, 1), unit("pool_proj", row.proj, 1))
    return branches(unit("1x1", row.n1, 1), three, double, pool)


def body(after: Block = identity) -> Block:
    """GoogLeNet's stem without response normalization, and the table; `after` each module."""
    return chain(
        unit("conv1", 64, 7, 2), max_pool(3, 2, name="pool1"),
        unit("conv2_reduce", 64, 1), unit("conv2", 192, 3), max_pool(3, 2, name="pool2"),
        *(under(f"inception_{name}", inception(row), after) for name, row in TABLE.items()),
    )  # fmt: skip


@builder("InceptionV2", "Inception v2 (BN-Inception), arXiv:1502.03167.", "inception_v2")
def InceptionV2(**arguments: Unpack[Arguments]) -> Network:
    return Network(body(), rules=RULES)
