"""S. Xie, R. Girshick, P. Dollar, Z. Tu, K. He: Aggregated Residual Transformations for Deep Neural
Networks, arXiv:1611.05431.
"""

from functools import partial
from typing import Literal, Unpack

from .assembly import Arguments, Network, family
from .blocks import Block
from .resnet import (
    SHORTCUTS,
    TABLE_1,
    OutputStride,
    Shortcut,
    Step,
    after_addition,
    bottleneck,
    imagenet,
)

# Table 2: cardinality C -> width d of a path in conv2, at the complexity of ResNet; and the
# cardinality of ResNeXt-101 64x4d, of twice that (table 4).
TABLE_2 = {1: 64, 2: 40, 4: 24, 8: 14, 32: 4, 64: 4}


Cardinality = Literal[1, 2, 4, 8, 32, 64]


def aggregated(filters: int, step: Step, cardinality: Cardinality) -> Block:
    """Figure 3(c): C paths of width d, as a convolution in C groups; it has the stride."""
    width = cardinality * TABLE_2[cardinality] * filters // 64
    return bottleneck(filters, step, stride_on="3x3", width=width, groups=cardinality)


@family("ResNeXt{}", "ResNeXt-{} of arXiv:1611.05431, table 1.", "resnext{}")
def resnext(
    depth: int,
    /,
    *,
    cardinality: Cardinality = 32,
    shortcut: Shortcut = "B",
    output_stride: OutputStride = 32,
    **arguments: Unpack[Arguments],
) -> Network:
    """cardinality: groups of the 3x3 convolutions: 1, 2, 4, 8 or 32, of the widths of table 2;
        or 64, of twice the cost.
    shortcut: "A" (identity, padded with zeros), "B" (projections where dimensions
        change), "C" (projections everywhere), or None for a net without shortcuts.
    output_stride: 8, 16 or 32, as in ResNet50.
    """
    branch = partial(aggregated, cardinality=cardinality)
    block = after_addition(branch, SHORTCUTS.get(shortcut), 4)
    return imagenet(block, TABLE_1[depth][2], output_stride)


ResNeXt50, ResNeXt101 = map(resnext, (50, 101))
