"""C. Szegedy et al.: Rethinking the Inception Architecture for Computer Vision, arXiv:1512.00567.

The network released by its authors. The paper's table 1 describes another one, and contradicts
its own figures; published errors belong to the released network.
"""

from collections.abc import Iterable
from typing import Unpack

from .assembly import Arguments, Network, builder
from .blocks import (
    Block,
    Rule,
    Sides,
    avg_pool,
    branches,
    chain,
    conv,
    global_pool,
    max_pool,
    norm,
    relu,
    under,
)

RULES = (Rule("norm", {"epsilon": 1e-3}),)
LEAST = 75  # pixels


def unit(filters: int, kernel: Sides, stride: int = 1, padding: str = "symmetric") -> Block:
    """Convolution, normalization, ReLU."""
    return chain(conv(filters, kernel, stride, padding=padding), norm(), relu())


def valid(filters: int, kernel: Sides, stride: int = 1) -> Block:
    """A unit without padding (marked V in the papers)."""
    return unit(filters, kernel, stride, "valid")


def numbered(units: Iterable[Block]) -> Block:
    """Units one after the other, inside the names 1, 2, ..."""
    return chain(*(under(i, u) for i, u in enumerate(units, 1)))


def parallel(*columns: tuple[Block, ...], name: str = "concat") -> Block:
    """Columns of units side by side, inside the names branch1, branch2, ..."""
    return branches(
        *(under(f"branch{i}", numbered(units)) for i, units in enumerate(columns, 1)), name=name
    )


def averaged(filters: int) -> tuple[Block, ...]:
    """The pooling branch of all modules."""
    return avg_pool(3, 1), unit(filters, 1)


def reduced() -> tuple[Block, ...]:
    """The pooling branch of all grid reductions."""
    return (max_pool(3, 2, padding="valid"),)


def stem() -> Block:
    """299 x 299 x 3 -> 35 x 35 x 192."""
    pool = max_pool(3, 2, padding="valid")
    units = [
        valid(32, 3, 2), valid(32, 3), unit(64, 3), pool,
        valid(80, 1), valid(192, 3), pool,
    ]  # fmt: skip
    return under("stem", numbered(units))


def module_a(proj: int) -> Block:
    """Figure 5, with 5x5 convolutions in one branch; 35 x 35."""
    return parallel(
        (unit(64, 1),),
        (unit(48, 1), unit(64, 5)),
        (unit(64, 1), unit(96, 3), unit(96, 3)),
        averaged(proj),
        name="",
    )


def reduction_a() -> Block:
    """Figure 10; 35 x 35 -> 17 x 17."""
    return parallel(
        (valid(384, 3, 2),), (unit(64, 1), unit(96, 3), valid(96, 3, 2)), reduced(), name=""
    )


def module_b(c: int) -> Block:
    """Figure 6 with n = 7; 17 x 17."""
    row, column = (1, 7), (7, 1)
    return parallel(
        (unit(192, 1),),
        (unit(c, 1), unit(c, row), unit(192, column)),
        (unit(c, 1), unit(c, column), unit(c, row), unit(c, column), unit(192, row)),
        averaged(192),
        name="",
    )


def reduction_b() -> Block:
    """17 x 17 -> 8 x 8."""
    return parallel(
        (unit(192, 1), valid(320, 3, 2)),
        (unit(192, 1), unit(192, (1, 7)), unit(192, (7, 1)), valid(192, 3, 2)),
        reduced(),
        name="",
    )


def fork(name: str, filters: int = 384) -> Block:
    """1x3 and 3x1 side by side."""
    return parallel((unit(filters, (1, 3)),), (unit(filters, (3, 1)),), name=name)


def module_c(first_fork: str) -> Block:
    """Figure 7; 8 x 8. keras.applications names the first fork of both modules after mixed9."""
    return parallel(
        (unit(320, 1),),
        (unit(384, 1), fork(first_fork)),
        (unit(448, 1), unit(384, 3), fork("concat")),
        averaged(192),
        name="",
    )


MODULES = (
    module_a(32), module_a(64), module_a(64), reduction_a(),
    module_b(128), module_b(160), module_b(160), module_b(192), reduction_b(),
    module_c("/mixed9_0"), module_c("/mixed9_1"),
)  # fmt: skip


def body() -> Block:
    """The stem, and modules mixed0 ... mixed10."""
    return chain(stem(), *(under(f"mixed{i}", module) for i, module in enumerate(MODULES)))


def auxiliary_head() -> Block:
    """On the last 17 x 17 map (section 4, figure 8), with normalization."""
    return under(
        "aux1", avg_pool(5, 3, padding="valid"), under(1, unit(128, 1)), under(2, valid(768, 5)),
        global_pool(),
    )  # fmt: skip


@builder("InceptionV3", "Inception v3, arXiv:1512.00567.", "inception_v3", size="299 x 299 x 3")
def InceptionV3(
    *, auxiliary: bool = False, dropout: float = 0.2, **arguments: Unpack[Arguments]
) -> Network:
    """auxiliary: whether to add the classifier on top of mixed7: the outputs are
        [predictions, aux1]. To train: compile(optimizer, [loss] * 2, loss_weights=[1, 0.4]) and
        fit(x, [y] * 2); then inference.drop_auxiliary(model). Images of at least 299.
    dropout: before the classifier.
    """
    heads = {"aux1": ("mixed7", auxiliary_head())} if auxiliary else {}
    # The auxiliary head needs a map of 17 x 17.
    least = 299 if auxiliary else LEAST
    return Network(body(), dropout=dropout, auxiliary=heads, rules=RULES, size=299, least=least)
