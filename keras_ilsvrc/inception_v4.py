"""C. Szegedy et al.: Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning, arXiv:1602.07261.

Inception-ResNet-v2 is the network released by the authors, which has published weights: a stem as
in Inception v3, 10, 20 and 10 blocks, the last one without ReLU. The paper draws another one: the
stem of v4, 5, 10 and 5 blocks; its figures' "1154 Linear" and "2048 Linear" fit no sum.
"""

from typing import Unpack

from keras import KerasTensor

from .assembly import Arguments, Network, builder
from .blocks import (
    Block,
    chain,
    channels,
    conv,
    norm,
    relu,
    residual,
    scale,
    under,
)
from .inception_v3 import (
    LEAST,
    RULES,
    averaged,
    fork,
    numbered,
    parallel,
    reduced,
    stem,
    unit,
    valid,
)

ROW, COLUMN = (1, 7), (7, 1)
SIZE = "299 x 299 x 3"

# Table 1: filters of Inception-v4's and both Inception-ResNets' reduction from 35 x 35 to 17 x 17
TABLE_1 = {
    #                        k    l    m    n
    "Inception-v4":        (192, 224, 256, 384),
    "Inception-ResNet-v1": (192, 192, 256, 384),
    "Inception-ResNet-v2": (256, 256, 384, 384),
}  # fmt: skip


def reduction_a(k: int, l: int, m: int, n: int) -> Block:
    """Figure 7; 35 x 35 -> 17 x 17."""
    return parallel((valid(n, 3, 2),), (unit(k, 1), unit(l, 3), valid(m, 3, 2)), reduced(), name="")


def repeat(times: int, name: str, block: Block) -> Block:
    """`block` again and again, inside the names `name`1, `name`2, ..."""
    return chain(*(under(f"{name}{i}", block) for i in range(1, times + 1)))


# --- Inception v4 ----------------------------------------------------------------------------


def stem_v4() -> Block:
    """Figure 3: 299 x 299 x 3 -> 35 x 35 x 384."""
    return under(
        "stem",
        numbered([valid(32, 3, 2), valid(32, 3), unit(64, 3)]),
        under("mixed1", parallel(reduced(), (valid(96, 3, 2),))),
        under("mixed2", parallel(
            (unit(64, 1), valid(96, 3)),
            (unit(64, 1), unit(64, ROW), unit(64, COLUMN), valid(96, 3)),
        )),
        under("mixed3", parallel((valid(192, 3, 2),), reduced())),
    )  # fmt: skip


def inception_a() -> Block:
    """Figure 4; 35 x 35 x 384."""
    return parallel(
        (unit(96, 1),), (unit(64, 1), unit(96, 3)), (unit(64, 1), unit(96, 3), unit(96, 3)),
        averaged(96),
    )  # fmt: skip


def inception_b() -> Block:
    """Figure 5; 17 x 17 x 1024."""
    return parallel(
        (unit(384, 1),),
        (unit(192, 1), unit(224, ROW), unit(256, COLUMN)),
        (unit(192, 1), unit(192, COLUMN), unit(224, ROW), unit(224, COLUMN), unit(256, ROW)),
        averaged(128),
    )


def reduction_b() -> Block:
    """Figure 8; 17 x 17 -> 8 x 8."""
    return parallel(
        (unit(192, 1), valid(192, 3, 2)),
        (unit(256, 1), unit(256, ROW), unit(320, COLUMN), valid(320, 3, 2)),
        reduced(),
        name="",
    )


def inception_c() -> Block:
    """Figure 6; 8 x 8 x 1536."""
    return parallel(
        (unit(256, 1),),
        (unit(384, 1), fork("concat", 256)),
        (unit(384, 1), unit(448, (3, 1)), unit(512, (1, 3)), fork("concat", 256)),
        averaged(256),
    )


def body_v4() -> Block:
    """Figure 9."""
    return chain(
        stem_v4(),
        repeat(4, "inception_a", inception_a()),
        under("reduction_a", reduction_a(*TABLE_1["Inception-v4"])),
        repeat(7, "inception_b", inception_b()),
        under("reduction_b", reduction_b()),
        repeat(3, "inception_c", inception_c()),
    )


# --- Inception-ResNet ------------------------------------------------------------------------


def scaled(factor: float, *columns: tuple[Block, ...]) -> Block:
    """x -> x + factor * conv1x1(concat(columns)): section 3.2, scaled as in section 3.3."""

    def apply(x: KerasTensor) -> KerasTensor:
        linear = conv(channels(x), 1, use_bias=True)
        return residual(chain(parallel(*columns, name="mixed"), linear, scale(factor)))(x)

    return apply


def block35(middle: int, last: int) -> Block:
    """Figures 10 and 16."""
    third = unit(32, 1), unit(middle, 3), unit(last, 3)
    return chain(scaled(0.17, (unit(32, 1),), (unit(32, 1), unit(32, 3)), third), relu("ac"))


def block17(first: int, middle: int, last: int) -> Block:
    """Figures 11 and 17."""
    second = unit(first, 1), unit(middle, ROW), unit(last, COLUMN)
    return chain(scaled(0.10, (unit(last, 1),), second), relu("ac"))


def linear8(middle: int, last: int, factor: float) -> Block:
    """Figures 13 and 19, without their ReLU."""
    return scaled(factor, (unit(192, 1),), (unit(192, 1), unit(middle, (1, 3)), unit(last, (3, 1))))


def block8(middle: int, last: int) -> Block:
    """Figures 13 and 19."""
    return chain(linear8(middle, last, 0.20), relu("ac"))


def reduction_resnet(a: int, b: int, c: int) -> Block:
    """Figures 12 and 18; 17 x 17 -> 8 x 8. a, b, c: filters of the convolutions that halve."""
    return parallel(
        (unit(256, 1), valid(a, 3, 2)),
        (unit(256, 1), valid(b, 3, 2)),
        (unit(256, 1), unit(b, 3), valid(c, 3, 2)),
        reduced(),
        name="",
    )


def stem_resnet_v1() -> Block:
    """Figure 14: 299 x 299 x 3 -> 35 x 35 x 256."""
    units = [
        valid(32, 3, 2), valid(32, 3), unit(64, 3), *reduced(),
        unit(80, 1), valid(192, 3), valid(256, 3, 2),
    ]  # fmt: skip
    return under("stem", numbered(units))


def body_resnet_v1() -> Block:
    """Figure 15, left."""
    return chain(
        stem_resnet_v1(),
        repeat(5, "block35_", block35(32, 32)),
        under("mixed_6a", reduction_a(*TABLE_1["Inception-ResNet-v1"])),
        repeat(10, "block17_", block17(128, 128, 128)),
        under("mixed_7a", reduction_resnet(384, 256, 256)),
        repeat(5, "block8_", block8(192, 192)),
    )


def mixed_5b() -> Block:
    """35 x 35 x 192 -> 35 x 35 x 320: an Inception-A module between stem and blocks."""
    return parallel(
        (unit(96, 1),),
        (unit(48, 1), unit(64, 5)),
        (unit(64, 1), unit(96, 3), unit(96, 3)),
        averaged(64),
        name="",
    )


def body_resnet_v2() -> Block:
    """The released network."""
    return chain(
        stem(),
        under("mixed_5b", mixed_5b()),
        repeat(10, "block35_", block35(48, 64)),
        under("mixed_6a", reduction_a(*TABLE_1["Inception-ResNet-v2"])),
        repeat(20, "block17_", block17(128, 160, 192)),
        under("mixed_7a", reduction_resnet(384, 288, 320)),
        repeat(9, "block8_", block8(224, 256)),
        under("block8_10", linear8(224, 256, 1.0)),
        under("conv_7b", conv(1536, 1, name=""), norm(), relu("ac")),
    )


@builder("InceptionV4", "Inception v4, arXiv:1602.07261, figure 9.", "inception_v4", size=SIZE)
def InceptionV4(*, dropout: float = 0.2, **arguments: Unpack[Arguments]) -> Network:
    """dropout: before the classifier."""
    return Network(body_v4(), dropout=dropout, rules=RULES, size=299, least=LEAST)


@builder(
    "InceptionResNetV1",
    "Inception-ResNet-v1, arXiv:1602.07261, figure 15: 5, 10 and 5 blocks.",
    "inception_resnet_v1",
    size=SIZE,
)
def InceptionResNetV1(*, dropout: float = 0.2, **arguments: Unpack[Arguments]) -> Network:
    """dropout: before the classifier."""
    return Network(body_resnet_v1(), dropout=dropout, rules=RULES, size=299, least=LEAST)


@builder(
    "InceptionResNetV2",
    "Inception-ResNet-v2 as released by the authors of arXiv:1602.07261, not as drawn there.",
    "inception_resnet_v2",
    size=SIZE,
)
def InceptionResNetV2(*, dropout: float = 0.2, **arguments: Unpack[Arguments]) -> Network:
    """dropout: before the classifier."""
    return Network(body_resnet_v2(), dropout=dropout, rules=RULES, size=299, least=LEAST)
