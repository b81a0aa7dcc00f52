"""K. He, X. Zhang, S. Ren, J. Sun: Identity Mappings in Deep Residual Networks,
arXiv:1603.05027.

On ImageNet the first activation is that of the first unit, behind the max-pool, as in the published
Keras networks; the authors' code has it before the pool, with as many parameters.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Unpack

from keras import KerasTensor

from .assembly import Arguments, Network, among, family
from .blocks import (
    Block,
    Normalization,
    Rule,
    chain,
    channels,
    conv,
    identity,
    max_pool,
    norm,
    relu,
    residual,
    under,
    without_norm,
)
from .resnet import (
    STRIDES,
    Branch,
    OutputStride,
    Shortcut,
    Step,
    StrideOn,
    stages,
    zero_padding,
)


class Order(NamedTuple):
    """What stands where around the convolutions of a residual branch."""

    stem: str
    before: str
    between: str
    after: str
    addition: str


# Figure 4.    after the stem, before the first, between, after the last convolution, after addition
FIGURE_4 = {
    "original":                 Order("BN ReLU", "",        "BN ReLU", "BN",      "ReLU"),
    "BN after addition":        Order("BN ReLU", "",        "BN ReLU", "",        "BN ReLU"),
    "ReLU before addition":     Order("BN ReLU", "",        "BN ReLU", "BN ReLU", ""),
    "ReLU-only pre-activation": Order("BN",      "ReLU",    "BN ReLU", "BN",      ""),
    "full pre-activation":      Order("",        "BN ReLU", "BN ReLU", "",        ""),
}  # fmt: skip

# Section 5 and table 5: blocks in conv2_x ... conv5_x
IMAGENET = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}


# conv1's sums are pooled before they are activated: zeros around them would be maxima.
RULES = (Rule("max_pool", {"padding": "lowest"}, "*pool1_pool"),)


def order_of(activation_order: str) -> Order:
    """A row of figure 4; ValueError if there is none of this name."""
    among("activation_order", activation_order, FIGURE_4)
    return FIGURE_4[activation_order]


def activation(words: str) -> Block:
    """A cell of figure 4, spelled out."""
    leaves = {"BN": norm(), "ReLU": relu()}
    return chain(*(leaves[word] for word in words.split()))


def convolutions(rows: list[tuple[int, int, int, int]], order: Order) -> Block:
    """A branch of convolutions (filters, kernel size, stride, dilation), named 1, 2, ..."""
    between = [*[order.between] * (len(rows) - 1), order.after]
    return chain(
        *(
            under(i, conv(*row[:3], dilation_rate=row[3]), activation(words))
            for i, (row, words) in enumerate(zip(rows, between, strict=True), 1)
        )
    )


def basic(filters: int, step: Step, order: Order) -> Block:
    """Two 3x3 convolutions."""
    rows = [(filters, 3, step.stride, step.dilation_in), (filters, 3, 1, step.dilation_out)]
    return convolutions(rows, order)


def bottleneck(filters: int, step: Step, order: Order, *, stride_on: StrideOn = "3x3") -> Block:
    """1x1, 3x3, 1x1 convolutions."""
    (stride, _), second = STRIDES[stride_on](step)
    return convolutions(
        [(filters, 1, stride, 1), (filters, 3, *second), (4 * filters, 1, 1, 1)], order
    )


# --- shortcuts ---------------------------------------------------------------------------------


def subsample(step: Step) -> Block:
    """Every stride-th pixel."""
    return under(0, max_pool(1, step.stride)) if step.stride > 1 else identity


def projection(filters: int, step: Step, order: Order) -> Block:
    """A 1x1 convolution: of the activated input, or, as in arXiv:1512.03385, normalized itself."""
    return under(0, conv(filters, 1, step.stride), identity if order.before else norm())


def widened(filters: int, step: Step, shortcut: Branch) -> Block:
    """`shortcut` where the channels change, every stride-th pixel elsewhere."""

    def apply(x: KerasTensor) -> KerasTensor:
        return (shortcut(filters, step) if channels(x) != filters else subsample(step))(x)

    return apply


def shortcut_of(option: str, filters: int, step: Step, order: Order) -> Block:
    """Options A, B and C of arXiv:1512.03385."""
    project = partial(projection, order=order)
    options = {
        "A": partial(widened, shortcut=zero_padding),
        "B": partial(widened, shortcut=project),
        "C": project,
    }
    return options[option](filters, step)


# --- networks ----------------------------------------------------------------------------------


def unit(
    branch: Callable[[int, Step, Order], Block],
    expansion: int,
    order: Order,
    shortcut: Shortcut,
    filters: int,
    step: Step,
) -> Block:
    """Figure 4. The first unit, and those that change the channels, activate their input before it
    splits into two paths (section 3.1); the others leave the shortcut clean. With shortcut None
    there is but one path.
    """
    out = expansion * filters
    before, after = (
        under("preact", activation(order.before)),
        under("post", activation(order.addition)),
    )
    f = branch(filters, step, order)
    if shortcut is None:
        return chain(before, f, after)
    s = shortcut_of(shortcut, out, step, order)

    def add(x: KerasTensor) -> KerasTensor:
        if step.first or channels(x) != out:
            return chain(before, residual(f, s, name="out"))(x)
        return residual(chain(before, f), s, name="out")(x)

    return chain(add, after)


def imagenet(
    depth: int, shortcut: Shortcut, activation_order: str, stride_on: StrideOn, output_stride: int
) -> Block:
    """conv1, pooling, four stages, and the last activation."""
    order = order_of(activation_order)
    block = partial(unit, partial(bottleneck, stride_on=stride_on), 4, order, shortcut)
    return chain(
        under("conv1", conv(64, 7, 2), activation(order.stem)),
        under("pool1", max_pool(3, 2)),
        stages(block, IMAGENET[depth], 64, output_stride),
        under("post", activation(order.before)),
    )


def cifar(
    blocks: int, width: int, bottlenecks: bool, shortcut: Shortcut, activation_order: str
) -> Block:
    """Three stages of `blocks` units; a bottleneck's stride is on its first convolution."""
    order = order_of(activation_order)
    branch = partial(bottleneck, stride_on="1x1") if bottlenecks else basic
    block = partial(unit, branch, 4 if bottlenecks else 1, order, shortcut)
    return chain(
        under("conv1", conv(width, 3), activation(order.stem)),
        stages(block, (blocks,) * 3, width, first=1),
        under("post", activation(order.before)),
    )


@family("ResNet{}V2", "ResNet-{} of arXiv:1603.05027, table 5.", "resnet{}v2")
def resnet_v2(
    depth: int,
    /,
    *,
    activation_order: str = "full pre-activation",
    shortcut: Shortcut = "B",
    stride_on: StrideOn = "3x3",
    output_stride: OutputStride = 32,
    normalization: Normalization = "batch",
    **arguments: Unpack[Arguments],
) -> Network:
    """activation_order: of figure 4: "original", "BN after addition", "ReLU before addition",
        "ReLU-only pre-activation" or "full pre-activation".
    shortcut: "A" (identity, padded with zeros), "B" (projections where the channels
        change), "C" (projections everywhere), or None for a plain net.
    stride_on: the convolution of a unit that halves the image: "3x3" (the authors' code for
        ImageNet), or "1x1", the first.
    output_stride: 8, 16 or 32: the image's side over the feature maps'. Below 32 later
        stages keep the image's size and dilate their 3x3 convolutions; weights fit
        unchanged.
    normalization: "batch", or None: biases instead.
    """
    body = imagenet(depth, shortcut, activation_order, stride_on, output_stride)
    return Network(body, rules=(*without_norm(normalization), *RULES))


ResNet50V2, ResNet101V2, ResNet152V2, ResNet200V2 = map(resnet_v2, IMAGENET)
