"""Cadene's pretrainedmodels, version 0.7.4: networks that came from Caffe and TensorFlow."""

from typing import Any

from .. import inception_v2
from ..blocks import Rule
from .dialect import Contract, Dialect, File, Names
from .torchvision import HALF, IMAGENET_MEAN, IMAGENET_STD, layers

URL = "http://data.lip6.fr/cadene/pretrainedmodels/"
# timm's copies of the same files, by the same digests in their names.
COPIES = "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-cadene/"
COPIED = ("se_resnet50", "se_resnet101", "se_resnet152", "inceptionv4")
HEAD = (("predictions", "last_linear"),)
MEAN_STD = Contract(IMAGENET_MEAN, IMAGENET_STD, 255, "RGB", 224, 256)
TO_ONE = Contract(HALF, HALF, 255, "RGB", 299, 342)

SE_RESNET = (*layers("se_module", "layer0."), *HEAD)
SENET = (
    ("conv1_{i}_conv", "layer0.conv{i}"), ("conv1_{i}_bn", "layer0.bn{i}"), *SE_RESNET,
)  # fmt: skip
# Caffe's pooling, its sizes rounded up.
SE_RULES = (Rule("max_pool", {"padding": "ceil"}),)

BN_INCEPTION = (
    ("conv1_conv", "conv1_7x7_s2"), ("conv1_bn", "conv1_7x7_s2_bn"),
    ("conv2_reduce_conv", "conv2_3x3_reduce"), ("conv2_reduce_bn", "conv2_3x3_reduce_bn"),
    ("conv2_conv", "conv2_3x3"), ("conv2_bn", "conv2_3x3_bn"),
    ("inception_{rest}_conv", "inception_{rest}"), ("inception_{rest}_bn", "inception_{rest}_bn"),
    *HEAD,
)  # fmt: skip


def columns(name: str, prefix: str, *lengths: int, pooled: bool = True) -> Names:
    """A module of branches of `lengths` convolutions, and last, if `pooled`, one behind a pooling.

    A branch of one is there called branch0, one of more branch1.0, branch1.1, ...
    """
    rows: list[tuple[str, str]] = []
    for b, length in enumerate(lengths):
        place = f"{prefix}.branch{b}" + (".{i-1}" if length > 1 else "")
        rows.append((f"{name}_branch{b + 1}_{{i}}_{{leaf}}", f"{place}.{{leaf}}"))
    if pooled:
        b = len(lengths)
        rows.append((f"{name}_branch{b + 1}_2_{{leaf}}", f"{prefix}.branch{b}.1.{{leaf}}"))
    return tuple(rows)


def module_c(name: str, prefix: str) -> Names:
    """Inception-v4's module C, whose branches fork."""
    at = f"{name}_branch"
    return (
        (at + "1_1_{leaf}", prefix + ".branch0.{leaf}"),
        (at + "2_2_branch1_1_{leaf}", prefix + ".branch1_1a.{leaf}"),
        (at + "2_2_branch2_1_{leaf}", prefix + ".branch1_1b.{leaf}"),
        (at + "2_{i}_{leaf}", prefix + ".branch1_{i-1}.{leaf}"),
        (at + "3_4_branch1_1_{leaf}", prefix + ".branch2_3a.{leaf}"),
        (at + "3_4_branch2_1_{leaf}", prefix + ".branch2_3b.{leaf}"),
        (at + "3_{i}_{leaf}", prefix + ".branch2_{i-1}.{leaf}"),
        (at + "4_2_{leaf}", prefix + ".branch3.1.{leaf}"),
    )


INCEPTION_V4 = (
    ("stem_mixed1_branch2_1_{leaf}", "features.3.conv.{leaf}"),
    *columns("stem_mixed2", "features.4", 2, 4, pooled=False),
    ("stem_mixed3_branch1_1_{leaf}", "features.5.conv.{leaf}"),
    ("stem_{i}_{leaf}", "features.{i-1}.{leaf}"),
    *columns("inception_a{n}", "features.{n+5}", 1, 2, 3),
    *columns("reduction_a", "features.10", 1, 3, pooled=False),
    *columns("inception_b{n}", "features.{n+10}", 1, 3, 5),
    *columns("reduction_b", "features.18", 2, 4, pooled=False),
    *module_c("inception_c{n}", "features.{n+18}"),
    *HEAD,
)  # fmt: skip


def inception_resnet_v2(head: str) -> Names:
    """Its three kinds of blocks, the last of which stands by itself."""
    return (
        ("stem_1_{leaf}", "conv2d_1a.{leaf}"), ("stem_2_{leaf}", "conv2d_2a.{leaf}"),
        ("stem_3_{leaf}", "conv2d_2b.{leaf}"), ("stem_5_{leaf}", "conv2d_3b.{leaf}"),
        ("stem_6_{leaf}", "conv2d_4a.{leaf}"),
        *columns("mixed_5b", "mixed_5b", 1, 2, 3),
        *columns("block35_{n}", "repeat.{n-1}", 1, 2, 3, pooled=False),
        ("block35_{n}_conv", "repeat.{n-1}.conv2d"),
        *columns("mixed_6a", "mixed_6a", 1, 3, pooled=False),
        *columns("block17_{n}", "repeat_1.{n-1}", 1, 3, pooled=False),
        ("block17_{n}_conv", "repeat_1.{n-1}.conv2d"),
        *columns("mixed_7a", "mixed_7a", 2, 2, 3, pooled=False),
        *columns("block8_10", "block8", 1, 3, pooled=False), ("block8_10_conv", "block8.conv2d"),
        *columns("block8_{n}", "repeat_2.{n-1}", 1, 3, pooled=False),
        ("block8_{n}_conv", "repeat_2.{n-1}.conv2d"),
        ("conv_7b", "conv2d_7b.conv"), ("conv_7b_bn", "conv2d_7b.bn"),
        ("predictions", head),
    )  # fmt: skip


def released(name: str, digest: str) -> File:
    own = f"{URL}{name}-{digest}.pth"
    if name in COPIED:
        return File(f"{COPIES}{name}-{digest}.pth", digest, (own,))
    return File(own, digest)


def se_resnet(name: str, digest: str, **options: Any) -> Dialect:
    return Dialect(MEAN_STD, SE_RULES, options, SE_RESNET, file=released(name, digest))


DIALECTS: dict[str, Dialect] = {
    "inception_v2": Dialect(
        Contract((104, 117, 128), (1, 1, 1), 1, "BGR", 224, 256),
        (Rule("conv", {"use_bias": True}), *inception_v2.RELEASED),
        names=BN_INCEPTION,
        file=released("bn_inception", "52deb4733"),
    ),
    "inception_v4": Dialect(TO_ONE, names=INCEPTION_V4, file=released("inceptionv4", "8e4777a0")),
    "inception_resnet_v2": Dialect(
        TO_ONE,
        names=inception_resnet_v2("last_linear"),
        file=released("inceptionresnetv2", "520b38e4"),
    ),
    "se_resnet50": se_resnet("se_resnet50", "ce0d4300", stride_on="1x1"),
    "se_resnet101": se_resnet("se_resnet101", "7e38fcc6", stride_on="1x1"),
    "se_resnet152": se_resnet("se_resnet152", "d17c99b7", stride_on="1x1"),
    "se_resnext50": se_resnet("se_resnext50_32x4d", "a260b3a4"),
    "senet154": Dialect(MEAN_STD, SE_RULES, names=SENET, file=released("senet154", "c7b49a05")),
}

OWN = {
    "bninception": "inception_v2",
    "inceptionv4": "inception_v4",
    "inceptionresnetv2": "inception_resnet_v2",
    "se_resnext50_32x4d": "se_resnext50",
}
