"""J. Hu, L. Shen, S. Albanie, G. Sun, E. Wu: Squeeze-and-Excitation Networks, arXiv:1709.01507.

Dense layers of the gates have biases, as in the networks released by the authors.
"""

from functools import partial
from typing import Unpack

from keras import KerasTensor

from . import inception_v2, resnext
from .assembly import Arguments, Network, builder, family
from .blocks import (
    Block,
    Rule,
    chain,
    channels,
    conv,
    gate,
    global_pool,
    identity,
    max_pool,
    norm,
    relu,
    sigmoid,
    under,
)
from .resnet import (
    SHORTCUTS,
    TABLE_1,
    Branch,
    OutputStride,
    Step,
    StrideOn,
    after_addition,
    bottleneck,
    imagenet,
    stages,
    unit,
    where_dimensions_change,
)


def squeeze_excite(ratio: int | None) -> Block:
    """Figure 2, and 3: x -> x * sigmoid(W2 relu(W1 mean(x))), with 1 / ratio of the units between.

    With ratio None x -> x. The two dense layers are convolutions of a 1 x 1 image.
    """
    if ratio is None:
        return identity

    def weights(x: KerasTensor) -> KerasTensor:
        c = channels(x)
        return chain(
            global_pool("avg", keepdims=True, name="squeeze"),
            conv(max(1, c // ratio), 1, name="reduce", use_bias=True), relu(),
            conv(c, 1, name="expand", use_bias=True), sigmoid(),
        )(x)  # fmt: skip

    return under("se", gate(weights))


def excited(branch: Branch, ratio: int | None) -> Branch:
    """Figure 3: the gate at the end of a residual branch."""
    return lambda filters, step: chain(branch(filters, step), squeeze_excite(ratio))


@family("SEResNet{}", "SE-ResNet-{} of arXiv:1709.01507, table 1.", "se_resnet{}")
def se_resnet(
    depth: int,
    /,
    *,
    se_ratio: int | None = 16,
    stride_on: StrideOn = "1x1",
    output_stride: OutputStride = 32,
    **arguments: Unpack[Arguments],
) -> Network:
    """se_ratio: the gates have 1 / se_ratio as many units as channels; None: no gates.
    stride_on: the convolution of a bottleneck that halves the image: "1x1" (as released), or
        "3x3".
    output_stride: 8, 16 or 32, as in ResNet50.
    """
    branch = excited(partial(bottleneck, stride_on=stride_on), se_ratio)
    block = after_addition(branch, SHORTCUTS["B"], 4)
    return imagenet(block, TABLE_1[depth][2], output_stride)


SEResNet50, SEResNet101, SEResNet152 = map(se_resnet, (50, 101, 152))


@builder("SEResNeXt50", "SE-ResNeXt-50 of arXiv:1709.01507, table 1.", "se_resnext50")
def SEResNeXt50(
    *,
    se_ratio: int | None = 16,
    cardinality: resnext.Cardinality = 32,
    output_stride: OutputStride = 32,
    **arguments: Unpack[Arguments],
) -> Network:
    """se_ratio: the gates have 1 / se_ratio as many units as channels; None: no gates.
    cardinality: groups of the 3x3 convolutions, as in ResNeXt50.
    output_stride: 8, 16 or 32, as in ResNet50.
    """
    branch = excited(partial(resnext.aggregated, cardinality=cardinality), se_ratio)
    block = after_addition(branch, SHORTCUTS["B"], 4)
    return imagenet(block, TABLE_1[50][2], output_stride)


@builder("SEInceptionV2", "SE-BN-Inception of arXiv:1709.01507, table 2.", "se_inception_v2")
def SEInceptionV2(*, se_ratio: int | None = 16, **arguments: Unpack[Arguments]) -> Network:
    """se_ratio: the gates have 1 / se_ratio as many units as channels; None: no gates. The modules
    are those of the released Inception v2, which differ from figure 5 of arXiv:1502.03167.
    """
    rules = *inception_v2.RULES, *inception_v2.RELEASED
    return Network(inception_v2.body(squeeze_excite(se_ratio)), rules=rules)


# --- SENet-154 (appendix): the challenge's winner of 2017 --------------------------------------


def bottleneck_154(filters: int, step: Step) -> Block:
    """A 64x4d bottleneck whose first convolution has half as many filters as its second."""
    return chain(
        unit(1, 2 * filters, 1), under(1, relu()),
        unit(2, 4 * filters, 3, step.stride, step.dilation_in, 64), under(2, relu()),
        unit(3, 4 * filters, 1),
    )  # fmt: skip


def projection_154(filters: int, step: Step) -> Block:
    """3x3 where the image is halved, 1x1 in the first stage."""
    halves = step.stride > 1 or step.dilation_in != step.dilation_out
    return unit(0, filters, 3 if halves else 1, step.stride, step.dilation_in)


# Caffe's pooling rounds sizes up.
RULES_154 = (Rule("max_pool", {"padding": "ceil"}),)


def stem_154() -> Block:
    """Three 3x3 convolutions in place of one 7x7."""
    rows = (64, 2), (64, 1), (128, 1)
    return chain(
        *(
            under(f"conv1_{i}", conv(filters, 3, stride), norm(), relu())
            for i, (filters, stride) in enumerate(rows, 1)
        ),
        max_pool(3, 2, name="pool1"),
    )


@builder("SENet154", "SENet-154 of arXiv:1709.01507, appendix.", "senet154")
def SENet154(
    *,
    se_ratio: int | None = 16,
    output_stride: OutputStride = 32,
    dropout: float = 0.2,
    **arguments: Unpack[Arguments],
) -> Network:
    """se_ratio: the gates have 1 / se_ratio as many units as channels; None: no gates.
    output_stride: 8, 16 or 32, as in ResNet50.
    dropout: before the classifier.
    """
    shortcut = where_dimensions_change(projection_154)
    block = after_addition(excited(bottleneck_154, se_ratio), shortcut, 4)
    body = chain(stem_154(), stages(block, TABLE_1[152][2], 64, output_stride))
    return Network(body, dropout=dropout, rules=RULES_154)
