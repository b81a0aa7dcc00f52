"""The ONNX Model Zoo's networks that came from Caffe and Caffe2: their graphs' forms and names.

Its files are ONNX. Where a graph differs from the paper, the difference stands here: mostly in
what the converters made of Caffe's pooling, whose sizes are rounded up.
"""

from ..blocks import Rule
from ..inception_v1 import TABLE_1
from ..inception_v2 import TABLE
from .dialect import Contract, Dialect, File, Names

FOLDER = (
    "https://huggingface.co/onnxmodelzoo/legacy_models/resolve/main/"
    "validated/vision/classification/"
)


def file(path: str) -> File:
    """Files have no digest in their names."""
    return File(FOLDER + path, None)


# Of the zoo's own example for GoogLeNet, and of Caffe's networks before it.
CAFFE = Contract((103.939, 116.779, 123.68), (1, 1, 1), 1, "BGR", 224, 256)
# Of the script with which Caffe2's authors trained; the zoo itself does not say.
CAFFE2 = Contract((128, 128, 128), (128, 128, 128), 1, "BGR", 224, 256)
# The factor is 0.017.
SCALED = Contract(
    (103.94 * 0.017, 116.78 * 0.017, 123.68 * 0.017), (1, 1, 1), 1 / 0.017, "BGR", 224, 256
)

# --- AlexNet and its kin ---------------------------------------------------------------------

# alpha is divided by the 5 channels of a window, and k is 1.
LRN = Rule("lrn", {"k": 1.0, "alpha": 2e-5})
ALEXNET: Names = (
    ("conv{i}", "conv{i}"), ("fc6", "fc6"), ("fc7", "fc7"), ("predictions", "fc8"),
)  # fmt: skip
# 224 pixels without padding; the last pool alone looks over the edge.
ALEXNET_RULES = (LRN, Rule("max_pool", {"padding": "ceil"}, "pool5"))
ZFNET: Names = tuple((ours, f"gpu_0/{theirs}") for ours, theirs in ALEXNET)
# No padding before conv1, windows inside the image, and fewer units and more maps than the paper's.
ZFNET_RULES = (
    Rule("lrn", {"k": 2.0, "alpha": 1e-4}),
    Rule("pad", {"absent": True}),
    Rule("max_pool", {"padding": "valid"}),
    Rule("max_pool", {"pool_size": 2}, "pool5"),
    Rule("conv", {"filters": 512}, "conv[345]"),
    Rule("dense", {"units": 1024}, "fc7"),
)
# The queue that fed the images when the networks were trained, left in the graphs.
QUEUES = ("gpu_0/imagenet1k_blobs_queue_*",)

# --- Inception -------------------------------------------------------------------------------

STEM: Names = (
    ("conv1_{leaf}", "conv1/7x7_s2{leaf}"),
    ("conv2_reduce_{leaf}", "conv2/3x3_reduce{leaf}"),
    ("conv2_{leaf}", "conv2/3x3{leaf}"),
)


def leaf(names: Names, ours: str, theirs: str) -> Names:
    """The names of one kind of layers: convolutions, or normalizations behind them."""
    return tuple((a.replace("{leaf}", ours), b.replace("{leaf}", theirs)) for a, b in names)


GOOGLENET_MODULES: Names = (
    *STEM, *((f"inception_{m}_{{rest}}_{{leaf}}", f"inception_{m}/{{rest}}{{leaf}}")
             for m in TABLE_1),
)  # fmt: skip
GOOGLENET: Names = (*leaf(GOOGLENET_MODULES, "conv", ""), ("predictions", "loss3/classifier"))
GOOGLENET_RULES = (Rule("max_pool", {"padding": "valid"}, "pool?"),)

# Our double_3x3_reduce, double_3x3_1 and double_3x3_2.
DOUBLE = ("double_3x3_reduce", "double3x3_reduce"), ("double_3x3_1", "double3x3a"), (
    "double_3x3_2", "double3x3b"
)  # fmt: skip
INCEPTION_V2_MODULES: Names = (
    *STEM,
    *((f"inception_{m}_{ours}_{{leaf}}", f"inception_{m}/{theirs}{{leaf}}")
      for m in TABLE for ours, theirs in DOUBLE),
    *((f"inception_{m}_{{rest}}_{{leaf}}", f"inception_{m}/{{rest}}{{leaf}}") for m in TABLE),
)  # fmt: skip
INCEPTION_V2: Names = (
    *leaf(INCEPTION_V2_MODULES, "conv", ""), *leaf(INCEPTION_V2_MODULES, "bn", "/bn"),
    ("predictions", "loss3/classifier"),
)  # fmt: skip
# Means leave the zeros around the image out.
INCEPTION_V2_RULES = (Rule("avg_pool", {"padding": "same"}),)

# --- the others ------------------------------------------------------------------------------

VGG: Names = (
    ("block{s}_conv{i}", "conv{s}_{i}"),
    ("fc1", "fc6"), ("fc2", "fc7"), ("predictions", "fc8"),
)  # fmt: skip

# Caffe2's: the convolutions of a block are its branch2a, branch2b and branch2c.
RESNET_UNITS: Names = (
    ("conv{s}_block{b}_0_{leaf}", "gpu_0/res{s}_{b-1}_branch1{leaf}"),
    *((f"conv{{s}}_block{{b}}_{i}_{{leaf}}", f"gpu_0/res{{s}}_{{b-1}}_branch2{letter}{{leaf}}")
      for i, letter in enumerate("abc", 1)),
)  # fmt: skip
RESNET: Names = (
    ("conv1_conv", "gpu_0/conv1"), ("conv1_bn", "gpu_0/res_conv1_bn"),
    *leaf(RESNET_UNITS, "conv", ""), *leaf(RESNET_UNITS, "bn", "_bn"),
    ("predictions", "gpu_0/pred"),
)  # fmt: skip

DENSENET: Names = (
    ("conv1_conv", "conv1"), ("conv1_bn", "conv1/bn"),
    ("conv{s}_block{b}_0_bn", "conv{s}_{b}/x1/bn"), ("conv{s}_block{b}_1_conv", "conv{s}_{b}/x1"),
    ("conv{s}_block{b}_1_bn", "conv{s}_{b}/x2/bn"), ("conv{s}_block{b}_2_conv", "conv{s}_{b}/x2"),
    ("pool{s}_bn", "conv{s}_blk/bn"), ("pool{s}_conv", "conv{s}_blk"),
    ("bn", "conv5_blk/bn"), ("predictions", "fc6"),
)  # fmt: skip

DIALECTS: dict[str, Dialect] = {
    "alexnet": Dialect(
        CAFFE, ALEXNET_RULES, names=ALEXNET, file=file("alexnet/model/bvlcalexnet-9.onnx"),
    ),
    "caffenet": Dialect(
        CAFFE, ALEXNET_RULES, names=ALEXNET, file=file("caffenet/model/caffenet-9.onnx"),
    ),
    "zfnet": Dialect(
        CAFFE2, ZFNET_RULES, {"normalize": "before pooling"}, ZFNET, QUEUES,
        file=file("zfnet-512/model/zfnet512-9.onnx"),
    ),
    "vgg19": Dialect(CAFFE, names=VGG, file=file("vgg/model/vgg19-caffe2-9.onnx")),
    "googlenet": Dialect(
        CAFFE, GOOGLENET_RULES, {"auxiliary": False, "normalization": None}, GOOGLENET,
        file=file("inception_and_googlenet/googlenet/model/googlenet-9.onnx"),
    ),
    "inception_v2": Dialect(
        CAFFE2, INCEPTION_V2_RULES, names=INCEPTION_V2,
        file=file("inception_and_googlenet/inception_v2/model/inception-v2-9.onnx"),
    ),
    "resnet50": Dialect(
        CAFFE2, (), {"stride_on": "3x3", "shortcut": "B"}, RESNET, QUEUES,
        file=file("resnet/model/resnet50-caffe2-v1-9.onnx"),
    ),
    "densenet121": Dialect(
        SCALED, names=DENSENET, windows=("predictions",),
        file=file("densenet-121/model/densenet-9.onnx"),
    ),
}  # fmt: skip

OWN = {
    "bvlcalexnet": "alexnet",
    "bvlc_alexnet": "alexnet",
    "bvlc_reference_caffenet": "caffenet",
    "bvlc_googlenet": "googlenet",
    "inception-v1": "googlenet",
    "inception-v2": "inception_v2",
    "zfnet512": "zfnet",
    "zfnet-512": "zfnet",
    "vgg19-caffe2": "vgg19",
    "resnet50-caffe2": "resnet50",
    "densenet-121": "densenet121",
}
