"""Caffe: the networks as their authors released them, their names, and where the files were.

Its files are .caffemodel. BVLC's own networks (bvlc_alexnet, CaffeNet, bvlc_googlenet), VGG's,
MSRA's ResNets, and the SENets are their authors'; the DenseNets were converted from theirs by
S. Yang (shicai/DenseNet-Caffe).
"""

from collections.abc import Iterator

from ..blocks import Rule
from ..inception_v2 import TABLE
from ..resnet import TABLE_1
from .dialect import Contract, Dialect, File, Names
from .onnx_zoo import ALEXNET, DENSENET, GOOGLENET, LRN, SCALED, STEM, VGG, leaf

BVLC = "http://dl.caffe.berkeleyvision.org/"
OXFORD = "http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/"
ONES = (1.0, 1.0, 1.0)

# The means of BVLC's mean image of ILSVRC-2012, of VGG's and MSRA's, and rounded ones; of blue,
# green and red.
ALEXNET_IMAGES = Contract((104.00699, 116.66877, 122.67891), ONES, 1, "BGR", 227, 256)
ROUNDED = Contract((104, 117, 123), ONES, 1, "BGR", 224, 256)
VGG_IMAGES = Contract((103.939, 116.779, 123.68), ONES, 1, "BGR", 224, 256)
RESNET_IMAGES = Contract((103.06262, 115.90288, 123.15163), ONES, 1, "BGR", 224, 256)

# Sizes are rounded up.
CEIL = Rule("max_pool", {"padding": "ceil"})

GOOGLENET_NAMES: Names = (
    *GOOGLENET,
    *((f"aux{i}_reduce_conv", f"loss{i}/conv") for i in (1, 2)),
    *((f"aux{i}_fc", f"loss{i}/fc") for i in (1, 2)),
    *((f"aux{i}", f"loss{i}/classifier") for i in (1, 2)),
)  # fmt: skip


def resnet_blocks(depth: int) -> Iterator[tuple[str, str]]:
    """A block here, and there what stands behind "res", "bn" and "scale": 2a, 2b, ..., and in the
    long stages of the deeper networks 3a, 3b1, 3b2, ...
    """
    for stage, count in enumerate(TABLE_1[depth][2], 2):
        numbered = depth > 50 and stage in (3, 4)
        for i in range(count):
            letter = f"b{i}" if numbered and i else "abcdef"[i]
            yield f"conv{stage}_block{i + 1}", f"{stage}{letter}"


def resnet_names(depth: int) -> Names:
    units = [
        (f"{ours}_{i}", f"{theirs}_branch{'1' if not i else '2' + 'abc'[i - 1]}")
        for ours, theirs in resnet_blocks(depth)
        for i in range(4)
    ]
    return (
        ("conv1_conv", "conv1"), ("conv1_bn", "bn_conv1"),
        *((f"{ours}_conv", f"res{theirs}") for ours, theirs in units),
        *((f"{ours}_bn", f"bn{theirs}") for ours, theirs in units),
        ("predictions", "fc1000"),
    )  # fmt: skip


# The convolutions of a block, its projection first.
UNITS = ((0, "1x1_proj"), (1, "1x1_reduce"), (2, "3x3"), (3, "1x1_increase"))
SE_UNITS: Names = tuple(
    (f"conv{{s}}_block{{b}}_{i}_{{leaf}}", f"conv{{s}}_{{b}}_{theirs}{{leaf}}")
    for i, theirs in UNITS
)
SE_GATES: Names = (
    ("conv{s}_block{b}_se_reduce", "conv{s}_{b}_1x1_down"),
    ("conv{s}_block{b}_se_expand", "conv{s}_{b}_1x1_up"),
)


def convolutions(names: Names) -> Names:
    """Of convolutions and of the normalizations behind them."""
    return (*leaf(names, "conv", ""), *leaf(names, "bn", "/bn"))


CLASSIFIER: Names = (("predictions", "classifier"),)
SE_RESNET: Names = (*convolutions((STEM[0], *SE_UNITS)), *SE_GATES, *CLASSIFIER)
SENET_STEM: Names = (
    ("conv1_1_{leaf}", "conv1_1/3x3_s2{leaf}"), ("conv1_2_{leaf}", "conv1_2/3x3{leaf}"),
    ("conv1_3_{leaf}", "conv1_3/3x3{leaf}"),
)  # fmt: skip
SENET: Names = (*convolutions((*SENET_STEM, *SE_UNITS)), *SE_GATES, *CLASSIFIER)

DOUBLE = (
    ("double_3x3_reduce", "double3x3_reduce"),
    ("double_3x3_1", "double3x3a"),
    ("double_3x3_2", "double3x3b"),
)
SE_INCEPTION: Names = (
    *convolutions(
        (
            *STEM,
            *((f"inception_{m}_{ours}_{{leaf}}", f"inception_{m}/{theirs}{{leaf}}")
              for m in TABLE for ours, theirs in DOUBLE),
            *((f"inception_{m}_{{rest}}_{{leaf}}", f"inception_{m}/{{rest}}{{leaf}}")
              for m in TABLE),
        )
    ),
    ("inception_{m}_se_reduce", "inception_{m}_1x1_down"),
    ("inception_{m}_se_expand", "inception_{m}_1x1_up"),
    *CLASSIFIER,
)  # fmt: skip


def by_hand(page: str) -> File:
    """A file without a digest, which its page offers."""
    return File(page, None)


MSRA = by_hand("https://github.com/KaimingHe/deep-residual-networks")
YANG = by_hand("https://github.com/shicai/DenseNet-Caffe")
MOMENTA = by_hand("https://github.com/hujie-frank/SENet")
# ResNet-50 alone has biases in its first convolution.
BIAS = Rule("conv", {"use_bias": True}, "conv1_conv")


def resnet(depth: int) -> Dialect:
    rules = (CEIL, BIAS) if depth == 50 else (CEIL,)
    options = {"stride_on": "1x1", "shortcut": "B"}
    return Dialect(RESNET_IMAGES, rules, options, resnet_names(depth), file=MSRA)


def senet(names: Names, *rules: Rule, **options: str) -> Dialect:
    return Dialect(ROUNDED, (CEIL, *rules), options, names, file=MOMENTA)


DIALECTS: dict[str, Dialect] = {
    "alexnet": Dialect(
        ALEXNET_IMAGES, (LRN, CEIL), names=ALEXNET,
        file=File(f"{BVLC}bvlc_alexnet.caffemodel", "9116a64c0fbe4459d18f4bb6b56d647b63920377"),
    ),
    "caffenet": Dialect(
        ALEXNET_IMAGES, (LRN, CEIL), names=ALEXNET,
        file=File(
            f"{BVLC}bvlc_reference_caffenet.caffemodel",
            "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",
        ),
    ),
    "googlenet": Dialect(
        ROUNDED, (), {"normalization": None},
        GOOGLENET_NAMES, ("loss1/*", "loss2/*"),
        file=File(f"{BVLC}bvlc_googlenet.caffemodel", "405fc5acd08a3bb12de8ee5e23a96bec22f08204"),
    ),
    "vgg16": Dialect(
        VGG_IMAGES, names=VGG, file=by_hand(f"{OXFORD}VGG_ILSVRC_16_layers.caffemodel")
    ),
    "vgg19": Dialect(
        VGG_IMAGES, names=VGG, file=by_hand(f"{OXFORD}VGG_ILSVRC_19_layers.caffemodel")
    ),
    **{f"resnet{depth}": resnet(depth) for depth in (50, 101, 152)},
    **{
        f"densenet{depth}": Dialect(
            SCALED, (Rule("avg_pool", {"padding": "same"}),), names=DENSENET,
            windows=("predictions",), file=YANG,
        )
        for depth in (121, 161, 169, 201)
    },
    **{f"se_resnet{depth}": senet(SE_RESNET, stride_on="1x1") for depth in (50, 101, 152)},
    "se_resnext50": senet(SE_RESNET),
    "se_inception_v2": senet(SE_INCEPTION),
    "senet154": senet(SENET),
}  # fmt: skip

OWN = {
    "bvlc_alexnet": "alexnet",
    "bvlc_reference_caffenet": "caffenet",
    "bvlc_googlenet": "googlenet",
    "vgg_ilsvrc_16_layers": "vgg16",
    "vgg_ilsvrc_19_layers": "vgg19",
    **{f"resnet-{depth}-model": f"resnet{depth}" for depth in (50, 101, 152)},
    **{f"resnet-{depth}": f"resnet{depth}" for depth in (50, 101, 152)},
    **{f"densenet_{depth}": f"densenet{depth}" for depth in (121, 161, 169, 201)},
    **{f"se-resnet-{depth}": f"se_resnet{depth}" for depth in (50, 101, 152)},
    "se-resnext-50": "se_resnext50",
    "se-bn-inception": "se_inception_v2",
    "senet-154": "senet154",
}
