"""C. Szegedy et al.: Going Deeper with Convolutions, arXiv:1409.4842 (GoogLeNet).

The 5x5 branches have kernels of 5x5, as the paper does. It gives neither the constants of its
response normalization, which are those of the network released in Caffe here, nor its
initialisation, which is that of Glorot and Bengio.
"""

from typing import NamedTuple, Unpack

from .assembly import Arguments, Network, builder
from .blocks import (
    Block,
    Normalization,
    Rule,
    avg_pool,
    branches,
    chain,
    conv,
    dense,
    dropout,
    flatten,
    identity,
    lrn,
    max_pool,
    norm,
    relu,
    under,
    without_norm,
)


class Row(NamedTuple):
    """A module of table 1: the filters of its convolutions."""

    n1: int
    r3: int
    n3: int
    r5: int
    n5: int
    proj: int


# Table 1. columns: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj
TABLE_1 = {
    "3a": Row( 64,  96, 128, 16,  32,  32),
    "3b": Row(128, 128, 192, 32,  96,  64),
    "4a": Row(192,  96, 208, 16,  48,  64),
    "4b": Row(160, 112, 224, 24,  64,  64),
    "4c": Row(128, 128, 256, 24,  64,  64),
    "4d": Row(112, 144, 288, 32,  64,  64),
    "4e": Row(256, 160, 320, 32, 128, 128),
    "5a": Row(256, 160, 320, 32, 128, 128),
    "5b": Row(384, 192, 384, 48, 128, 128),
}  # fmt: skip

# Caffe's pooling rounds sizes up.
RULES = (
    Rule("max_pool", {"padding": "ceil"}),
    Rule("lrn", {"k": 1.0, "alpha": 2e-5}),
    Rule("conv", {"kernel_initializer": "glorot_uniform"}),
    Rule("dense", {"kernel_initializer": "glorot_uniform"}),
)


def unit(name: str, filters: int, kernel: int, stride: int = 1) -> Block:
    """Convolution and ReLU; between them normalization, where there is one."""
    return under(name, conv(filters, kernel, stride), norm(), relu())


def inception(row: Row) -> Block:
    """Figure 2(b)."""
    return branches(
        unit("1x1", row.n1, 1),
        chain(unit("3x3_reduce", row.r3, 1), unit("3x3", row.n3, 3)),
        chain(unit("5x5_reduce", row.r5, 1), unit("5x5", row.n5, 5)),
        chain(max_pool(3, 1), unit("pool_proj", row.proj, 1)),
    )


def stem(normalize: Block) -> Block:
    """Table 1 above its first module."""
    return chain(
        unit("conv1", 64, 7, 2), max_pool(3, 2, name="pool1"), under("pool1", normalize),
        unit("conv2_reduce", 64, 1), unit("conv2", 192, 3), under("conv2", normalize),
        max_pool(3, 2, name="pool2"),
    )  # fmt: skip


def modules(table: dict[str, Row]) -> Block:
    """The modules, and a max-pool where the first figure of their names changes."""
    before = {"4a": max_pool(3, 2, name="pool3"), "5a": max_pool(3, 2, name="pool4")}
    return chain(
        *(
            chain(before.get(name, identity), under(f"inception_{name}", inception(row)))
            for name, row in table.items()
        )
    )


def auxiliary_head(name: str, pool: Block, filters: int, units: int) -> Block:
    """Section 5: pooling, a 1x1 convolution, a dense layer, dropout."""
    return under(
        name, pool, unit("reduce", filters, 1),
        flatten(), dense(units, "relu", name="fc"), dropout(0.7),
    )  # fmt: skip


def auxiliary_heads(
    pool: Block, filters: int = 128, units: int = 1024
) -> dict[str, tuple[str, Block]]:
    """On top of 4a and 4d."""
    places = {"aux1": "inception_4a_concat", "aux2": "inception_4d_concat"}
    return {name: (at, auxiliary_head(name, pool, filters, units)) for name, at in places.items()}


@builder("GoogLeNet", "GoogLeNet (Inception v1), arXiv:1409.4842, table 1.", "googlenet")
def GoogLeNet(
    *,
    auxiliary: bool = False,
    normalization: Normalization = None,
    dropout: float = 0.4,
    **arguments: Unpack[Arguments],
) -> Network:
    """auxiliary: whether to add the two classifiers on top of modules 4a and 4d: the outputs are
        [predictions, aux1, aux2]. To train: compile(optimizer, [loss] * 3, loss_weights=[1, 0.3,
        0.3]) and fit(x, [y] * 3); then inference.drop_auxiliary(model). Images of at least 79.
    normalization: None (the paper), or "batch": after each convolution, in place of biases and
        of response normalization.
    dropout: before the classifier.
    """
    heads = auxiliary_heads(avg_pool(5, 3, padding="valid")) if auxiliary else {}
    return Network(
        chain(stem(identity if normalization else lrn()), modules(TABLE_1)),
        dropout=dropout,
        auxiliary=heads,
        rules=(*without_norm(normalization), *RULES),
        least=79 if auxiliary else 32,
    )


InceptionV1 = GoogLeNet
