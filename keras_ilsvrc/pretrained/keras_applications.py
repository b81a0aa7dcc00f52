"""The dialects of keras.applications, version 3.15."""

from ..blocks import Rule

GLOROT = (
    Rule("conv", {"kernel_initializer": "glorot_uniform"}),
    Rule("dense", {"kernel_initializer": "glorot_uniform"}),
)
NO_DROPOUT = (Rule("dropout", {"absent": True}),)
RESNET = (
    *GLOROT,
    Rule("norm", {"epsilon": 1.001e-5, "momentum": 0.99}),
    Rule("conv", {"use_bias": True}),
)
RESNET_V2 = (
    *GLOROT,
    Rule("norm", {"epsilon": 1.001e-5, "momentum": 0.99}),
    Rule("conv", {"use_bias": True}, "*conv1_conv"),
    Rule("conv", {"use_bias": True}, "*_0_conv"),
    Rule("conv", {"use_bias": True}, "*_3_conv"),
    Rule("max_pool", {"padding": "zeros"}, "*pool1_pool"),
    Rule("stage", {"strided": "last"}),
)
DENSENET = (
    *GLOROT,
    Rule("norm", {"epsilon": 1.001e-5, "momentum": 0.99}),
)
INCEPTION = (
    *GLOROT,
    *NO_DROPOUT,
    Rule("norm", {"scale": False, "momentum": 0.99}),
)

DIALECTS: dict[str, tuple[Rule, ...]] = {
    "vgg16": NO_DROPOUT, "vgg19": NO_DROPOUT,
    "resnet50": RESNET, "resnet101": RESNET, "resnet152": RESNET,
    "resnet50v2": RESNET_V2, "resnet101v2": RESNET_V2, "resnet152v2": RESNET_V2,
    "inception_v3": INCEPTION, "inception_resnet_v2": INCEPTION,
    "densenet121": DENSENET, "densenet169": DENSENET, "densenet201": DENSENET,
}  # fmt: skip
