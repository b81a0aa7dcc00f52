"""K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition,
arXiv:1409.1556.
"""

from collections.abc import Callable
from typing import Literal, Unpack

from keras import KerasTensor

from .alexnet import fully_connected
from .assembly import Arguments, Network, builder
from .blocks import (
    Block,
    Normalization,
    Rule,
    chain,
    conv,
    identity,
    lrn,
    max_pool,
    norm,
    relu,
    sides,
    under,
)

WIDTHS = (64, 128, 256, 512, 512)

# Table 1: kernel sizes between the max-pools; convolutions of WIDTHS filters.
TABLE_1 = {
    "A":     ((3,),   (3,),   (3, 3),       (3, 3),       (3, 3)),
    "A-LRN": ((3,),   (3,),   (3, 3),       (3, 3),       (3, 3)),
    "B":     ((3, 3), (3, 3), (3, 3),       (3, 3),       (3, 3)),
    "C":     ((3, 3), (3, 3), (3, 3, 1),    (3, 3, 1),    (3, 3, 1)),
    "D":     ((3, 3), (3, 3), (3, 3, 3),    (3, 3, 3),    (3, 3, 3)),
    "E":     ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}  # fmt: skip

# Weight layers -> the columns that have so many.
COLUMNS = {11: ("A", "A-LRN"), 13: ("B",), 16: ("D", "C"), 19: ("E",)}

# Section 3.1 initialises deep nets from shallow ones; its footnote finds that unnecessary with the
# initialisation of Glorot and Bengio.
RULES = (
    Rule("conv", {"use_bias": True, "kernel_initializer": "glorot_uniform"}),
    Rule("dense", {"kernel_initializer": "glorot_uniform"}),
)


def plain_unit(number: int, filters: int, kernel: int) -> Block:
    """Convolution and ReLU in one layer."""
    return conv(filters, kernel, name=f"conv{number}", activation="relu")


def normalized_unit(number: int, filters: int, kernel: int) -> Block:
    """Convolution, batch normalization, ReLU."""
    return chain(
        conv(filters, kernel, name=f"conv{number}"), norm(name=f"bn{number}"), relu(f"relu{number}")
    )


UNITS: dict[Normalization, Callable[[int, int, int], Block]] = {
    None: plain_unit,
    "batch": normalized_unit,
}


def stage(
    name: str, filters: int, kernels: tuple[int, ...], normalization: Normalization, after: Block
) -> Block:
    """Convolutions, `after` them, and a max-pool."""
    units = (UNITS[normalization](i, filters, kernel) for i, kernel in enumerate(kernels, 1))
    return under(name, *units, after, pool)


def pool(x: KerasTensor) -> KerasTensor:
    """Windows of 2x2, as long as there is more than one pixel."""
    return x if 1 in sides(x) else max_pool(2, 2, padding="valid")(x)


def body(column: str, normalization: Normalization, widths: tuple[int, ...] = WIDTHS) -> Block:
    """A column of table 1 down to its last max-pool."""
    rows = zip(widths, TABLE_1[column], strict=True)
    stages = (
        stage(f"block{i}", *row, normalization, lrn() if column == "A-LRN" and i == 1 else identity)
        for i, row in enumerate(rows, 1)
    )
    return chain(*stages)


def vgg(column: str, normalization: Normalization, dropout: float) -> Network:
    """A column of table 1, with its fully connected layers."""
    return Network(body(column, normalization), fully_connected(dropout, first=1), rules=RULES)


@builder("VGG11", "VGG with 11 weight layers, arXiv:1409.1556, table 1.", "vgg11")
def VGG11(
    *,
    column: Literal["A", "A-LRN"] = "A",
    normalization: Normalization = None,
    dropout: float = 0.5,
    **arguments: Unpack[Arguments],
) -> Network:
    """column: of table 1: "A", or "A-LRN", with response normalization.
    normalization: None (the paper), or "batch": after each convolution, which keeps its bias.
    dropout: after each of the two fully connected layers.
    """
    return vgg(column, normalization, dropout)


@builder("VGG13", "VGG with 13 weight layers, arXiv:1409.1556, table 1.", "vgg13")
def VGG13(
    *,
    column: Literal["B"] = "B",
    normalization: Normalization = None,
    dropout: float = 0.5,
    **arguments: Unpack[Arguments],
) -> Network:
    """column: of table 1: "B", the only one of this depth.
    normalization: None (the paper), or "batch": after each convolution, which keeps its bias.
    dropout: after each of the two fully connected layers.
    """
    return vgg(column, normalization, dropout)


@builder("VGG16", "VGG with 16 weight layers, arXiv:1409.1556, table 1.", "vgg16")
def VGG16(
    *,
    column: Literal["D", "C"] = "D",
    normalization: Normalization = None,
    dropout: float = 0.5,
    **arguments: Unpack[Arguments],
) -> Network:
    """column: of table 1: "D", or "C", whose third convolutions are 1x1.
    normalization: None (the paper), or "batch": after each convolution, which keeps its bias.
    dropout: after each of the two fully connected layers.
    """
    return vgg(column, normalization, dropout)


@builder("VGG19", "VGG with 19 weight layers, arXiv:1409.1556, table 1.", "vgg19")
def VGG19(
    *,
    column: Literal["E"] = "E",
    normalization: Normalization = None,
    dropout: float = 0.5,
    **arguments: Unpack[Arguments],
) -> Network:
    """column: of table 1: "E", the only one of this depth.
    normalization: None (the paper), or "batch": after each convolution, which keeps its bias.
    dropout: after each of the two fully connected layers.
    """
    return vgg(column, normalization, dropout)
