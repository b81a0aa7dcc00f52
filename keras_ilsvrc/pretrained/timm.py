"""timm, version 1.0.31: the networks that it trained or kept, and its names."""

from typing import Any

from ..blocks import Rule
from .cadene import INCEPTION_V4, SE_RESNET, SE_RULES, SENET, inception_resnet_v2
from .dialect import Contract, Dialect, File
from .torchvision import (
    DENSENET,
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    INCEPTION_V3,
    RESNET,
    V1_5,
    VGGS,
    vgg,
)

RELEASES = "https://github.com/huggingface/pytorch-image-models/releases/download/"
HUB = "https://huggingface.co/timm/"

RESNET_V2 = (
    ("conv1_conv", "stem.conv"),
    ("conv{s}_block{b}_preact_bn", "stages.{s-2}.blocks.{b-1}.norm1"),
    ("conv{s}_block{b}_0_conv", "stages.{s-2}.blocks.{b-1}.downsample.conv"),
    ("conv{s}_block{b}_{i}_conv", "stages.{s-2}.blocks.{b-1}.conv{i}"),
    ("conv{s}_block{b}_{i}_bn", "stages.{s-2}.blocks.{b-1}.norm{i+1}"),
    ("post_bn", "norm"), ("predictions", "head.fc"),
)  # fmt: skip
# ConvMlp: the first layers are convolutions, whose maps the head averages.
VGG_RULES = (Rule("fully_connected", {"side": 7, "windows": True}),)
CLASSIFIER = ("fc1", "pre_logits.fc1"), ("fc2", "pre_logits.fc2"), ("predictions", "head.fc")


def contract(resize: int, size: int = 224, half: bool = False) -> Contract:
    mean, std = (HALF, HALF) if half else (IMAGENET_MEAN, IMAGENET_STD)
    return Contract(mean, std, 255, "RGB", size, resize)


def hub(name: str) -> File:
    """On the hub a file has no digest in its name."""
    return File(f"{HUB}{name}/resolve/main/model.safetensors", None)


def release(path: str) -> File:
    """A release's file, whose name ends in the first digits of its SHA-256."""
    return File(RELEASES + path, path.rsplit("-", 1)[1].removesuffix(".pth"))


def resnet(path: str, resize: int = 236, **options: Any) -> Dialect:
    return Dialect(contract(resize), (), options, RESNET, file=release(path))


def resnet_v2(name: str | None) -> Dialect:
    published = hub(name) if name else None
    return Dialect(
        contract(236, half=True), (), {"stride_on": "3x3"}, RESNET_V2,
        windows=("predictions",), file=published,
    )  # fmt: skip


def legacy_se(path: str, **options: Any) -> Dialect:
    return Dialect(contract(256), SE_RULES, options, SE_RESNET, file=release(path))


RSB = "v0.1-rsb-weights/"

DIALECTS: dict[str, Dialect] = {
    **{
        name: Dialect(
            contract(256),
            VGG_RULES,
            names=(*vgg(column, 3 if name.endswith("bn") else 2), *CLASSIFIER),
            windows=("fc1", "fc2"),
            file=hub(f"{name}.tv_in1k"),
        )
        for name, (column, _) in VGGS.items()
    },
    "inception_v3": Dialect(
        contract(342, 299, half=True),
        (Rule("avg_pool", {"padding": "zeros"}),),
        {"auxiliary": False},
        INCEPTION_V3,
        optional=("AuxLogits.*",),
        file=File(
            "https://download.pytorch.org/models/inception_v3_google-1a9a5a14.pth", "1a9a5a14"
        ),
    ),
    "inception_v4": Dialect(
        contract(342, 299, half=True), names=INCEPTION_V4, file=hub("inception_v4.tf_in1k")
    ),
    "inception_resnet_v2": Dialect(
        contract(333, 299, half=True),
        names=inception_resnet_v2("classif"),
        file=hub("inception_resnet_v2.tf_in1k"),
    ),
    "resnet18": resnet(f"{RSB}resnet18_a1_0-d63eafa0.pth", shortcut="B"),
    "resnet34": resnet(f"{RSB}resnet34_a1_0-46f8f793.pth", shortcut="B"),
    "resnet50": resnet(f"{RSB}resnet50_a1_0-14fe96d1.pth", **V1_5),
    "resnet101": resnet(f"{RSB}resnet101_a1h-36d3f2aa.pth", **V1_5),
    "resnet152": resnet(f"{RSB}resnet152_a1h-dc400468.pth", **V1_5),
    "resnext50": resnet(f"{RSB}resnext50_32x4d_a1h-0146ab0a.pth"),
    "resnet50v2": resnet_v2("resnetv2_50.a1h_in1k"),
    "resnet101v2": resnet_v2("resnetv2_101.a1h_in1k"),
    "resnet152v2": resnet_v2(None),
    "densenet121": Dialect(contract(256), names=DENSENET, file=hub("densenet121.ra_in1k")),
    **{
        f"densenet{depth}": Dialect(
            contract(256), names=DENSENET, file=hub(f"densenet{depth}.tv_in1k")
        )
        for depth in (161, 169, 201)
    },
    "se_resnet50": legacy_se("v0.1-cadene/se_resnet50-ce0d4300.pth", stride_on="1x1"),
    "se_resnet101": legacy_se("v0.1-cadene/se_resnet101-7e38fcc6.pth", stride_on="1x1"),
    "se_resnet152": legacy_se("v0.1-cadene/se_resnet152-d17c99b7.pth", stride_on="1x1"),
    "se_resnext50": legacy_se("v0.1-weights/legacy_se_resnext50_32x4d-f3651bad.pth"),
    "senet154": Dialect(
        contract(256),
        SE_RULES,
        names=SENET,
        file=release("v0.1-weights/legacy_senet154-e9eb9fe6.pth"),
    ),
}

# What timm calls them, and behind the point how it calls the weights that stand here.
TAGGED = {
    **{name: f"{name}.tv_in1k" for name in VGGS},
    "inception_v3": "inception_v3.tf_in1k",
    "inception_v4": "inception_v4.tf_in1k",
    "inception_resnet_v2": "inception_resnet_v2.tf_in1k",
    "resnet18": "resnet18.a1_in1k",
    "resnet34": "resnet34.a1_in1k",
    "resnet50": "resnet50.a1_in1k",
    "resnet101": "resnet101.a1h_in1k",
    "resnet152": "resnet152.a1h_in1k",
    "resnext50": "resnext50_32x4d.a1h_in1k",
    "resnet50v2": "resnetv2_50.a1h_in1k",
    "resnet101v2": "resnetv2_101.a1h_in1k",
    "resnet152v2": "resnetv2_152",
    "densenet121": "densenet121.ra_in1k",
    "densenet161": "densenet161.tv_in1k",
    "densenet169": "densenet169.tv_in1k",
    "densenet201": "densenet201.tv_in1k",
    "se_resnet50": "legacy_seresnet50.in1k",
    "se_resnet101": "legacy_seresnet101.in1k",
    "se_resnet152": "legacy_seresnet152.in1k",
    "se_resnext50": "legacy_seresnext50_32x4d.in1k",
    "senet154": "legacy_senet154.in1k",
}
OWN = {
    theirs: name for name, tagged in TAGGED.items() for theirs in (tagged, tagged.partition(".")[0])
}
