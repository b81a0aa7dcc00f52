"""K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition, arXiv:1512.03385.

Section 3.3 draws the plain and the residual network, table 1 the ImageNet networks, section 4.2
those for CIFAR-10. A plain net is the same sentence as a residual one, without `residual`.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, Unpack

from keras import KerasTensor

from .assembly import Arguments, Network, family
from .blocks import (
    Block,
    Normalization,
    chain,
    channels,
    conv,
    given,
    identity,
    max_pool,
    norm,
    pad_channels,
    relu,
    residual,
    under,
    without_norm,
)


class Step(NamedTuple):
    """How a block moves over the image: by a stride, or by dilation where the image stays large.

    Attributes:
        stride: of the convolution that halves the image.
        dilation_in: of the 3x3 convolutions up to that one, itself included.
        dilation_out: of the 3x3 convolutions behind it, and of the next block.
        first: whether the block is the network's first.
    """

    stride: int = 1
    dilation_in: int = 1
    dilation_out: int = 1
    first: bool = False


Branch = Callable[[int, Step], Block]
OutputStride = Literal[8, 16, 32]
Shortcut = Literal["A", "B", "C", None]
StrideOn = Literal["1x1", "3x3"]


def unit(
    name: str | int,
    filters: int,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> Block:
    """Convolution and normalization ("we adopt BN right after each convolution", section 3.4)."""
    taps = dilation if kernel_size > 1 else 1
    return under(
        name, conv(filters, kernel_size, stride, dilation_rate=taps, groups=groups), norm()
    )


def basic(filters: int, step: Step) -> Block:
    """Two 3x3 convolutions (figure 5, left)."""
    return chain(
        unit(1, filters, 3, step.stride, step.dilation_in), under(1, relu()),
        unit(2, filters, 3, 1, step.dilation_out),
    )  # fmt: skip


def bottleneck(
    filters: int,
    step: Step,
    *,
    stride_on: StrideOn = "1x1",
    width: int | None = None,
    groups: int = 1,
) -> Block:
    """1x1, 3x3, 1x1 convolutions (figure 5, right); in the paper the first has the stride."""
    width = width or filters
    first, second = STRIDES[stride_on](step)
    return chain(
        unit(1, width, 1, *first), under(1, relu()),
        unit(2, width, 3, *second, groups), under(2, relu()),
        unit(3, 4 * filters, 1),
    )  # fmt: skip


# (stride, dilation) of a bottleneck's first 1x1 and of its 3x3 convolution.
STRIDES: dict[StrideOn, Callable[[Step], tuple[tuple[int, int], tuple[int, int]]]] = {
    "1x1": lambda step: ((step.stride, 1), (1, step.dilation_out)),
    "3x3": lambda step: ((1, 1), (step.stride, step.dilation_in)),
}

# Table 1.      branch, filters out / in, blocks in conv2_x ... conv5_x
TABLE_1 = {
    18:  (basic,      1, (2, 2,  2, 2)),
    34:  (basic,      1, (3, 4,  6, 3)),
    50:  (bottleneck, 4, (3, 4,  6, 3)),
    101: (bottleneck, 4, (3, 4, 23, 3)),
    152: (bottleneck, 4, (3, 8, 36, 3)),
}  # fmt: skip


# --- shortcuts (section 3.3 and "Identity vs. projection shortcuts", section 4.1) -------------


def projection(filters: int, step: Step) -> Block:
    """Equation 2: a 1x1 convolution matches the dimensions."""
    return unit(0, filters, 1, step.stride)


def zero_padding(filters: int, step: Step) -> Block:
    """Every stride-th pixel, and zeros for the new channels: no parameters."""
    subsample = under(0, max_pool(1, step.stride)) if step.stride > 1 else identity
    return chain(subsample, under(0, pad_channels(filters)))


def where_dimensions_change(shortcut: Branch) -> Branch:
    """`shortcut` where the branch changes the dimensions, the identity elsewhere."""

    def choose(filters: int, step: Step) -> Block:
        def apply(x: KerasTensor) -> KerasTensor:
            same = (
                step.stride == 1
                and step.dilation_in == step.dilation_out
                and channels(x) == filters
            )
            return x if same else shortcut(filters, step)(x)

        return apply

    return choose


SHORTCUTS: dict[Shortcut, Branch] = {
    "A": where_dimensions_change(zero_padding),
    "B": where_dimensions_change(projection),
    "C": projection,
}


# --- networks --------------------------------------------------------------------------------


def after_addition(branch: Branch, shortcut: Branch | None, expansion: int) -> Branch:
    """Figure 2: relu(x + F(x)); with shortcut None a plain net's relu(F(x))."""

    def block(filters: int, step: Step) -> Block:
        f = branch(filters, step)
        f = residual(f, shortcut(expansion * filters, step)) if shortcut else f
        return chain(f, relu("out"))

    return block


def halved_first(blocks: tuple[int, ...]) -> list[list[bool]]:
    """Which block of each stage halves the image: the first of all stages but the first."""
    return [[stage > 0 and i == 0 for i in range(depth)] for stage, depth in enumerate(blocks)]


def halved_last(blocks: tuple[int, ...]) -> list[list[bool]]:
    """The same, halved in the last block of all stages but the last."""
    return [
        [stage < len(blocks) - 1 and i == depth - 1 for i in range(depth)]
        for stage, depth in enumerate(blocks)
    ]


def steps(blocks: tuple[int, ...], output_stride: int, first: int = 4) -> list[list[Step]]:
    """The step of each block of each stage.

    The first block of a stage halves the image while the network's stride, which is `first` in
    the first stage, stays within `output_stride`; beyond it blocks dilate instead. The rule
    Rule("stage", {"strided": "last"}) halves in a stage's last block.
    """
    last = given("stage", "", {}).get("strided") == "last"
    stride, dilation = first, 1
    table: list[list[Step]] = []
    for stage in (halved_last if last else halved_first)(blocks):
        table.append([])
        for halves in stage:
            factor = 2 if halves else 1
            if stride * factor <= output_stride:
                stride, step = stride * factor, Step(factor, dilation, dilation)
            else:
                step = Step(1, dilation, dilation * factor)
            dilation = step.dilation_out
            table[-1].append(step)
    table[0][0] = table[0][0]._replace(first=True)
    return table


def stages(
    block: Branch, blocks: tuple[int, ...], width: int, output_stride: int = 32, first: int = 4
) -> Block:
    """Stages conv2, conv3, ... of `blocks` blocks; each doubles the filters of the one before."""

    def apply(x: KerasTensor) -> KerasTensor:
        for stage, moves in enumerate(steps(blocks, output_stride, first)):
            blocks_here = (
                under(f"block{i}", block(width * 2**stage, step)) for i, step in enumerate(moves, 1)
            )
            x = under(f"conv{stage + 2}", *blocks_here)(x)
        return x

    return apply


def stem(width: int = 64) -> Block:
    """Table 1: conv1 and the pooling before conv2_x."""
    return chain(
        under("conv1", conv(width, 7, 2), norm(), relu()),
        under("pool1", max_pool(3, 2)),
    )


def imagenet(
    block: Branch,
    blocks: tuple[int, ...],
    output_stride: int,
    normalization: Normalization = "batch",
) -> Network:
    """Table 1: conv1, pooling, four stages of `block`."""
    return Network(
        chain(stem(), stages(block, blocks, 64, output_stride)),
        rules=without_norm(normalization),
    )


def cifar(depth: int, width: int, shortcut: Shortcut, branch: Branch = basic) -> Block:
    """Section 4.2: a 3x3 convolution, then 2n layers on each of three image sizes."""
    n = (depth - 2) // 6
    block = after_addition(branch, SHORTCUTS.get(shortcut), 1)
    return chain(
        under("conv1", conv(width, 3), norm(), relu()), stages(block, (n, n, n), width, first=1)
    )


@family("ResNet{}", "ResNet-{} of arXiv:1512.03385, table 1.", "resnet{}")
def resnet(
    depth: int,
    /,
    *,
    shortcut: Shortcut = "B",
    stride_on: StrideOn = "1x1",
    output_stride: OutputStride = 32,
    normalization: Normalization = "batch",
    **arguments: Unpack[Arguments],
) -> Network:
    """shortcut: "A" (identity, padded with zeros), "B" (projections where dimensions
        change), "C" (projections everywhere), or None for the plain net of figure 3.
    stride_on: the convolution of a bottleneck that halves the image: "1x1", the first (the
        paper), or "3x3" (as in most later code, there called v1.5). Of no effect on the
        basic blocks of ResNet-18 and 34.
    output_stride: 8, 16 or 32: the image's side over the feature maps'. Below 32 later
        stages keep the image's size and dilate their 3x3 convolutions; weights fit
        unchanged.
    normalization: "batch", or None: biases instead.
    """
    branch, expansion, blocks = TABLE_1[depth]
    chosen = partial(branch, stride_on=stride_on) if branch is bottleneck else branch
    block = after_addition(chosen, SHORTCUTS.get(shortcut), expansion)
    return imagenet(block, blocks, output_stride, normalization)


@family("PlainNet{}", "The plain network of {} layers of arXiv:1512.03385, figure 3.", "plain{}")
def plain_net(
    depth: int,
    /,
    *,
    normalization: Normalization = "batch",
    **arguments: Unpack[Arguments],
) -> Network:
    """normalization: "batch", or None: biases instead."""
    branch, expansion, blocks = TABLE_1[depth]
    return imagenet(after_addition(branch, None, expansion), blocks, 32, normalization)


ResNet18, ResNet34, ResNet50, ResNet101, ResNet152 = map(resnet, TABLE_1)
PlainNet18, PlainNet34 = map(plain_net, (18, 34))
