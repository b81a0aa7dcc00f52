"""torchvision, version 0.28. The networks of PyTorch's own package, and its names."""

from typing import Any

from ..blocks import Rule
from ..vgg import TABLE_1
from .dialect import Contract, Dialect, File, Names

# Of ImageNet's pixels in [0, 1], as torchvision and all who followed it have them.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CONTRACT = Contract(IMAGENET_MEAN, IMAGENET_STD, 255, "RGB", 224, 256)
# transform_input undoes that normalization, inside the network, for (pixel - 127.5) / 127.5.
HALF = (0.5, 0.5, 0.5)


def file(name: str, digest: str) -> File:
    return File(f"https://download.pytorch.org/models/{name}-{digest}.pth", digest)


def layers(prefix: str, stem: str = "") -> Names:
    """The residual networks, whose stages here are conv2 ... conv5 and there layer1 ... layer4."""
    block = "layer{s-1}.{b-1}."
    return (
        ("conv1_conv", f"{stem}conv1"), ("conv1_bn", f"{stem}bn1"),
        ("conv{s}_block{b}_0_conv", f"{block}downsample.0"),
        ("conv{s}_block{b}_0_bn", f"{block}downsample.1"),
        ("conv{s}_block{b}_se_reduce", f"{block}{prefix}.fc1"),
        ("conv{s}_block{b}_se_expand", f"{block}{prefix}.fc2"),
        ("conv{s}_block{b}_{i}_conv", f"{block}conv{{i}}"),
        ("conv{s}_block{b}_{i}_bn", f"{block}bn{{i}}"),
    )  # fmt: skip


RESNET = (*layers("se"), ("predictions", "fc"))

DENSENET = (
    ("conv1_conv", "features.conv0"), ("conv1_bn", "features.norm0"),
    ("conv{s}_block{b}_0_bn", "features.denseblock{s-1}.denselayer{b}.norm1"),
    ("conv{s}_block{b}_1_conv", "features.denseblock{s-1}.denselayer{b}.conv1"),
    ("conv{s}_block{b}_1_bn", "features.denseblock{s-1}.denselayer{b}.norm2"),
    ("conv{s}_block{b}_2_conv", "features.denseblock{s-1}.denselayer{b}.conv2"),
    ("pool{s}_bn", "features.transition{s-1}.norm"),
    ("pool{s}_conv", "features.transition{s-1}.conv"),
    ("bn", "features.norm5"), ("predictions", "classifier"),
)  # fmt: skip
# The released files say norm.1 for norm1.
OLDER_DENSENET = ((r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),)

ALEXNET = (
    ("conv1", "features.0"), ("conv2", "features.3"), ("conv3", "features.6"),
    ("conv4", "features.8"), ("conv5", "features.10"),
    ("fc6", "classifier.1"), ("fc7", "classifier.4"), ("predictions", "classifier.6"),
)  # fmt: skip

# A branch, by its place in the module here, and its convolutions there.
INCEPTION_A = (
    ("1_1", "branch1x1"), ("2_{i}", "branch5x5_{i}"), ("3_{i}", "branch3x3dbl_{i}"),
    ("4_2", "branch_pool"),
)  # fmt: skip
REDUCTION_A = ("1_1", "branch3x3"), ("2_{i}", "branch3x3dbl_{i}")
INCEPTION_B = (
    ("1_1", "branch1x1"), ("2_{i}", "branch7x7_{i}"), ("3_{i}", "branch7x7dbl_{i}"),
    ("4_2", "branch_pool"),
)  # fmt: skip
REDUCTION_B = ("1_{i}", "branch3x3_{i}"), ("2_{i}", "branch7x7x3_{i}")
INCEPTION_C = (
    ("1_1", "branch1x1"),
    ("2_2_branch1_1", "branch3x3_2a"), ("2_2_branch2_1", "branch3x3_2b"), ("2_1", "branch3x3_1"),
    ("3_3_branch1_1", "branch3x3dbl_3a"), ("3_3_branch2_1", "branch3x3dbl_3b"),
    ("3_{i}", "branch3x3dbl_{i}"), ("4_2", "branch_pool"),
)  # fmt: skip
# Our mixed0, mixed1, ...: its name there, its branches.
MIXED = (
    ("5b", INCEPTION_A), ("5c", INCEPTION_A), ("5d", INCEPTION_A), ("6a", REDUCTION_A),
    ("6b", INCEPTION_B), ("6c", INCEPTION_B), ("6d", INCEPTION_B), ("6e", INCEPTION_B),
    ("7a", REDUCTION_B), ("7b", INCEPTION_C), ("7c", INCEPTION_C),
)  # fmt: skip
INCEPTION_V3 = (
    ("stem_1_{leaf}", "Conv2d_1a_3x3.{leaf}"), ("stem_2_{leaf}", "Conv2d_2a_3x3.{leaf}"),
    ("stem_3_{leaf}", "Conv2d_2b_3x3.{leaf}"), ("stem_5_{leaf}", "Conv2d_3b_1x1.{leaf}"),
    ("stem_6_{leaf}", "Conv2d_4a_3x3.{leaf}"),
    *(
        (f"mixed{i}_branch{place}_{{leaf}}", f"Mixed_{name}.{branch}.{{leaf}}")
        for i, (name, module) in enumerate(MIXED) for place, branch in module
    ),
    ("aux1_{i}_{leaf}", "AuxLogits.conv{i-1}.{leaf}"), ("aux1", "AuxLogits.fc"),
    ("predictions", "fc"),
)  # fmt: skip

GOOGLENET = (
    ("conv1_{leaf}", "conv1.{leaf}"), ("conv2_reduce_{leaf}", "conv2.{leaf}"),
    ("conv2_{leaf}", "conv3.{leaf}"),
    ("inception_{m}_1x1_{leaf}", "inception{m}.branch1.{leaf}"),
    ("inception_{m}_3x3_reduce_{leaf}", "inception{m}.branch2.0.{leaf}"),
    ("inception_{m}_3x3_{leaf}", "inception{m}.branch2.1.{leaf}"),
    ("inception_{m}_5x5_reduce_{leaf}", "inception{m}.branch3.0.{leaf}"),
    ("inception_{m}_5x5_{leaf}", "inception{m}.branch3.1.{leaf}"),
    ("inception_{m}_pool_proj_{leaf}", "inception{m}.branch4.1.{leaf}"),
    ("predictions", "fc"),
)  # fmt: skip
# Its branches of 5x5 are of 3x3, its last pooling is of 2x2 and its epsilon 0.001.
GOOGLENET_RULES = (
    Rule("conv", {"kernel_size": 3}, "*_5x5_conv"),
    Rule("max_pool", {"pool_size": 2}, "pool4"),
    Rule("norm", {"epsilon": 1e-3}),
)


def vgg(column: str, per_layer: int) -> Names:
    """Convolutions in one numbered list, each with `per_layer` members, and a pooling a stage."""
    names: list[tuple[str, str]] = []
    place = 0
    for stage, kernels in enumerate(TABLE_1[column], 1):
        for i in range(1, len(kernels) + 1):
            names.append((f"block{stage}_conv{i}", f"features.{place}"))
            names.append((f"block{stage}_bn{i}", f"features.{place + 1}"))
            place += per_layer
        place += 1
    return tuple(names)


# Images of other sizes are pooled to these maps (AdaptiveAvgPool2d).
ALEXNET_RULES = (Rule("fully_connected", {"side": 6}),)
VGG_RULES = (Rule("fully_connected", {"side": 7}),)
CLASSIFIER = ("fc1", "classifier.0"), ("fc2", "classifier.3"), ("predictions", "classifier.6")
V1_5: dict[str, Any] = {"stride_on": "3x3"}


def resnet(name: str, digest: str | None, **options: Any) -> Dialect:
    published = file(name, digest) if digest else None
    return Dialect(CONTRACT, options=options, names=RESNET, file=published)


def densenet(name: str, digest: str) -> Dialect:
    published = file(name, digest)
    return Dialect(CONTRACT, names=DENSENET, older=OLDER_DENSENET, file=published)


VGGS = {
    "vgg11": ("A", "8a719046"), "vgg13": ("B", "19584684"), "vgg16": ("D", "397923af"),
    "vgg19": ("E", "dcbb9e9d"), "vgg11_bn": ("A", "6002323d"), "vgg13_bn": ("B", "abd245e5"),
    "vgg16_bn": ("D", "6c64b313"), "vgg19_bn": ("E", "c79401a0"),
}  # fmt: skip

DIALECTS: dict[str, Dialect] = {
    "alexnet_owt": Dialect(
        CONTRACT, ALEXNET_RULES, names=ALEXNET, file=file("alexnet-owt", "7be5be79")
    ),
    **{
        name: Dialect(
            CONTRACT,
            VGG_RULES,
            names=(*vgg(column, 3 if name.endswith("bn") else 2), *CLASSIFIER),
            file=file(name, digest),
        )
        for name, (column, digest) in VGGS.items()
    },
    "googlenet": Dialect(
        Contract(HALF, HALF, 255, "RGB", 224, 256),
        GOOGLENET_RULES,
        {"normalization": "batch", "auxiliary": False},
        GOOGLENET,
        optional=("aux1.*", "aux2.*"),
        file=file("googlenet", "1378be20"),
    ),
    "inception_v3": Dialect(
        Contract(HALF, HALF, 255, "RGB", 299, 342),
        (Rule("avg_pool", {"padding": "zeros"}),),
        names=INCEPTION_V3,
        optional=("AuxLogits.*",),
        file=file("inception_v3_google", "0cc3c7bd"),
    ),
    "resnet18": resnet("resnet18", "f37072fd", shortcut="B"),
    "resnet34": resnet("resnet34", "b627a593", shortcut="B"),
    "resnet50": resnet("resnet50", "0676ba61", **V1_5),
    "resnet101": resnet("resnet101", "63fe2227", **V1_5),
    "resnet152": resnet("resnet152", "394f9c45", **V1_5),
    "resnext50": resnet("resnext50_32x4d", "7cdf4587"),
    "densenet121": densenet("densenet121", "a639ec97"),
    "densenet161": densenet("densenet161", "8d451a50"),
    "densenet169": densenet("densenet169", "b2777c0a"),
    "densenet201": densenet("densenet201", "c1103571"),
}

OWN = {"alexnet": "alexnet_owt", "resnext50_32x4d": "resnext50"}
