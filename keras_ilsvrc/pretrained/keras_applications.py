"""keras.applications, version 3.15. Its files are read in the order of their layers."""

from typing import Any

from ..blocks import Rule
from .dialect import Contract, Dialect, File
from .torchvision import IMAGENET_MEAN, IMAGENET_STD

GLOROT = (
    Rule("conv", {"kernel_initializer": "glorot_uniform"}),
    Rule("dense", {"kernel_initializer": "glorot_uniform"}),
)
VGG = (Rule("dropout", {"absent": True}),)
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
    *VGG,
    Rule("norm", {"scale": False, "momentum": 0.99}),
)

CAFFE = Contract((103.939, 116.779, 123.68), (1, 1, 1), 1, "BGR", 224)
TO_ONE = Contract((1, 1, 1), (1, 1, 1), 127.5, "RGB", 224)
TO_ONE_299 = Contract((1, 1, 1), (1, 1, 1), 127.5, "RGB", 299)
MEAN_STD = Contract(IMAGENET_MEAN, IMAGENET_STD, 255, "RGB", 224)

# rules, contract, the builder's options of this form, folder
Form = tuple[tuple[Rule, ...], Contract, dict[str, Any], str]
VGG_FORM: Form = (VGG, CAFFE, {}, "vgg")
RESNET_FORM = (RESNET, CAFFE, {"stride_on": "1x1", "shortcut": "B"}, "resnet")
RESNET_V2_FORM = (RESNET_V2, TO_ONE, {"stride_on": "3x3", "shortcut": "B"}, "resnet")
INCEPTION_FORM: Form = (INCEPTION, TO_ONE_299, {}, "")
INCEPTION_V3_FORM = (INCEPTION, TO_ONE_299, {"auxiliary": False}, "")
DENSENET_FORM: Form = (DENSENET, MEAN_STD, {}, "densenet")

# name: form, MD5 with top, MD5 without
FILES: dict[str, tuple[Form, str, str]] = {
    "vgg16":       (VGG_FORM,
                    "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19":       (VGG_FORM,
                    "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
    "resnet50":    (RESNET_FORM,
                    "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101":   (RESNET_FORM,
                    "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet152":   (RESNET_FORM,
                    "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "resnet50v2":  (RESNET_V2_FORM,
                    "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    "resnet101v2": (RESNET_V2_FORM,
                    "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "resnet152v2": (RESNET_V2_FORM,
                    "a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
    "inception_v3": (INCEPTION_V3_FORM,
                    "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
    "inception_resnet_v2": (INCEPTION_FORM,
                    "e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4"),
    "densenet121": (DENSENET_FORM,
                    "9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
    "densenet169": (DENSENET_FORM,
                    "d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
    "densenet201": (DENSENET_FORM,
                    "1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
}  # fmt: skip
URL = "https://storage.googleapis.com/tensorflow/keras-applications/"


def file(name: str, folder: str, digest: str, top: str) -> File:
    """The others lie in folders of their own name."""
    folder = folder if folder in ("resnet", "densenet") else name
    return File(f"{URL}{folder}/{name}_weights_tf_dim_ordering_tf_kernels{top}.h5", digest)


DIALECTS = {
    name: Dialect(
        contract,
        rules,
        options,
        file=file(name, folder, top, ""),
        no_top=file(name, folder, no_top, "_notop"),
    )
    for name, ((rules, contract, options, folder), top, no_top) in FILES.items()
}
