"""The networks against their papers: counts, depths and sizes that were not read off our code.

Counts are exact: arithmetic on the papers' tables, or counted on networks that others released.
What a paper itself prints is a rounded number, and rounded ones are compared as printed. Models
are built without weights: shapes are all that is looked at.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import keras
import pytest

import keras_ilsvrc
from conftest import without_values
from keras_ilsvrc import cifar, pretrained
from keras_ilsvrc.anatomy import profile

ARITHMETIC = "arithmetic on the paper's table"
CAFFE = "released in Caffe"
TORCHVISION = "torchvision"
TIMM = "timm, from the authors' weights"
KERAS = "keras.applications 3.15"


class Count(NamedTuple):
    """What `quantity` of a network is, and where the value is from; a string is rounded.

    trainable: parameters; running: means and variances of batch normalization; total: both;
    macs: multiply-accumulates of convolutions and dense layers for one image.
    """

    network: str
    options: dict[str, Any]
    quantity: str
    value: int | str
    source: str


def rows(network: str, source: str, options: dict[str, Any] | None = None, **values: int | str):
    return [Count(network, options or {}, quantity, v, source) for quantity, v in values.items()]


BN = {"normalization": "batch"}
AUX = {"auxiliary": True}
THREE = {"stride_on": "3x3"}
WHOLE = {"bottleneck": False, "compression": 1.0}  # neither DenseNet-B nor -C


def depth(n: int, **options: Any) -> dict[str, Any]:
    return {"depth": n, **options}


def shortcut(kind: str) -> dict[str, Any]:
    return {"shortcut": kind}


COUNTS = [
    *rows("AlexNet", CAFFE, trainable=60_965_224, macs=724_406_816),
    *rows("AlexNet", ARITHMETIC, {"normalize": "after pooling"}, trainable=60_965_224),
    *rows("AlexNet", TORCHVISION, {"towers": 1}, trainable=61_100_840, macs=714_188_480),

    *rows("VGG11", TORCHVISION, trainable=132_863_336, macs=7_609_090_048),
    *rows("VGG11", ARITHMETIC, {"column": "A-LRN"}, trainable=132_863_336, macs=7_609_090_048),
    *rows("VGG13", TORCHVISION, trainable=133_047_848, macs=11_308_466_176),
    *rows("VGG16", ARITHMETIC, {"column": "C"}, trainable=133_638_952, macs=11_770_888_192),
    *rows("VGG16", TORCHVISION, trainable=138_357_544, macs=15_470_264_320),
    *rows("VGG19", TORCHVISION, trainable=143_667_240, macs=19_632_062_464),
    *rows("VGG11", TORCHVISION, BN, trainable=132_868_840, running=5_504, macs=7_609_090_048),
    *rows("VGG13", TORCHVISION, BN, trainable=133_053_736, running=5_888, macs=11_308_466_176),
    *rows("VGG16", TORCHVISION, BN, trainable=138_365_992, running=8_448, macs=15_470_264_320),
    *rows("VGG19", TORCHVISION, BN, trainable=143_678_248, running=11_008, macs=19_632_062_464),

    *rows("GoogLeNet", CAFFE, trainable=6_998_552, running=0, macs=1_582_671_872),
    *rows("GoogLeNet", CAFFE, AUX, trainable=13_378_280, macs=1_591_044_096),
    *rows("InceptionV2", ARITHMETIC, trainable=11_194_984, running=19_904, macs=2_018_851_840),
    *rows("InceptionV3", TORCHVISION, trainable=23_834_568, running=34_432, macs=5_713_216_096),
    *rows("InceptionV3", TORCHVISION, AUX, trainable=27_161_264, running=36_224),
    *rows("InceptionV4", TIMM, trainable=42_679_816, running=63_168, macs=12_253_974_624),
    *rows("InceptionResNetV1", ARITHMETIC,
          trainable=22_756_328, running=27_040, macs=6_206_361_696),
    *rows("InceptionResNetV2", TIMM, trainable=55_843_464, running=60_544, macs=13_155_794_016),

    *rows("ResNet18", ARITHMETIC, shortcut("A"), trainable=11_515_688, macs="1.7948 G"),
    *rows("ResNet18", TORCHVISION, trainable=11_689_512, running=9_600, macs=1_814_073_344),
    *rows("ResNet18", ARITHMETIC, shortcut("C"), trainable=12_043_816, macs="1.8783 G"),
    *rows("ResNet34", ARITHMETIC, shortcut("A"), trainable=21_623_848, macs="3.6445 G"),
    *rows("ResNet34", TORCHVISION, trainable=21_797_672, running=17_024, macs=3_663_761_408),
    *rows("ResNet34", ARITHMETIC, shortcut("C"), trainable=22_716_840, macs="3.8307 G"),
    *rows("PlainNet18", ARITHMETIC, trainable=11_515_688, macs="1.7948 G"),
    *rows("PlainNet34", ARITHMETIC, trainable=21_623_848, macs="3.6445 G"),
    *rows("ResNet50", ARITHMETIC, trainable=25_557_032, running=53_120, macs=3_857_973_248),
    *rows("ResNet101", ARITHMETIC, trainable=44_549_160, running=105_344, macs=7_570_194_432),
    *rows("ResNet152", ARITHMETIC, trainable=60_192_808, running=151_424, macs=11_282_415_616),
    *rows("ResNet50", TORCHVISION, THREE, trainable=25_557_032, macs=4_089_184_256),
    *rows("ResNet101", TORCHVISION, THREE, trainable=44_549_160, macs=7_801_405_440),
    *rows("ResNet152", TORCHVISION, THREE, trainable=60_192_808, macs=11_513_626_624),
    *rows("ResNet18", "arXiv:1512.03385, table 1", shortcut("A"), macs="1.8 G"),
    *rows("ResNet34", "arXiv:1512.03385, table 1", shortcut("A"), macs="3.6 G"),
    *rows("ResNet101", "arXiv:1512.03385, table 1", macs="7.6 G"),
    *rows("ResNet152", "arXiv:1512.03385, table 1", macs="11.3 G"),

    *rows("ResNet50V2", TIMM, trainable=25_549_352, running=45_440, macs="4.0892 G"),
    *rows("ResNet101V2", TIMM, trainable=44_541_480, running=97_664, macs="7.8014 G"),
    *rows("ResNet152V2", TIMM, trainable=60_185_128, running=143_744, macs="11.5136 G"),
    *rows("ResNet200V2", ARITHMETIC, trainable=64_666_152, running=168_320, macs="15.0075 G"),

    *rows("ResNeXt50", TORCHVISION, trainable=25_028_904, running=68_224, macs=4_230_479_872),
    *rows("ResNeXt50", "arXiv:1611.05431, table 1", trainable="25.0 M", macs="4.2 G"),

    *rows("DenseNet121", TORCHVISION, trainable=7_978_856, running=83_648, macs=2_834_161_664),
    *rows("DenseNet161", TORCHVISION, trainable=28_681_000, running=219_936, macs=7_727_907_072),
    *rows("DenseNet169", TORCHVISION, trainable=14_149_480, running=158_400, macs=3_359_843_328),
    *rows("DenseNet201", TORCHVISION, trainable=20_013_928, running=229_056, macs=4_291_365_888),
    *rows("DenseNet264", ARITHMETIC, trainable=33_337_704, running=398_528, macs=5_751_653_376),

    *rows("SEResNet50", CAFFE, trainable=28_088_024, running=53_120, macs=3_860_488_192),
    *rows("SEResNet101", CAFFE, trainable=49_326_872, running=105_344, macs=7_574_937_600),
    *rows("SEResNet152", CAFFE, trainable=66_821_848, running=151_424, macs=11_288_993_792),
    *rows("SEResNet50", TIMM, THREE, trainable=28_088_024, macs=4_091_699_200),
    *rows("SEResNet101", TIMM, THREE, trainable=49_326_872, macs=7_806_148_608),
    *rows("SEResNet152", TIMM, THREE, trainable=66_821_848, macs=11_520_204_800),
    *rows("SEResNet50", "arXiv:1709.01507", trainable="28.1 M"),
    *rows("SEResNet50", ARITHMETIC, {"se_ratio": None}, trainable=25_557_032, macs=3_857_973_248),
    *rows("SEResNeXt50", CAFFE, trainable=27_559_896, running=68_224, macs=4_232_994_816),
    *rows("SENet154", CAFFE, trainable=115_088_984, running=247_552, macs=20_688_363_520),
    *rows("SEInceptionV2", CAFFE, trainable=11_931_622, running=20_032, macs=2_033_239_424),
    *rows("SEInceptionV2", "Inception v2 without biases", {"se_ratio": None}, trainable=11_285_224),

    *rows("cifar.PlainNet", ARITHMETIC, depth(20),
          trainable=269_722, running=1_376, macs=40_551_040),
    *rows("cifar.PlainNet", ARITHMETIC, depth(32),
          trainable=464_154, running=2_272, macs=68_862_592),
    *rows("cifar.PlainNet", ARITHMETIC, depth(44),
          trainable=658_586, running=3_168, macs=97_174_144),
    *rows("cifar.PlainNet", ARITHMETIC, depth(56),
          trainable=853_018, running=4_064, macs=125_485_696),
    *rows("cifar.PlainNet", ARITHMETIC, depth(110),
          trainable=1_727_962, running=8_096, macs=252_887_680),
    *rows("cifar.ResNet", ARITHMETIC, depth(20), trainable=269_722, running=1_376, macs=40_551_040),
    *rows("cifar.ResNet", ARITHMETIC, depth(32), trainable=464_154, running=2_272, macs=68_862_592),
    *rows("cifar.ResNet", ARITHMETIC, depth(44), trainable=658_586, running=3_168, macs=97_174_144),
    *rows("cifar.ResNet", ARITHMETIC, depth(56),
          trainable=853_018, running=4_064, macs=125_485_696),
    *rows("cifar.ResNet", ARITHMETIC, depth(110),
          trainable=1_727_962, running=8_096, macs=252_887_680),
    *rows("cifar.ResNet", ARITHMETIC, depth(1202), trainable=19_421_274, running=89_632,
          macs=2_829_238_912),
    *rows("cifar.ResNet", "arXiv:1512.03385, table 6", depth(20), trainable="0.27 M"),
    *rows("cifar.ResNet", "arXiv:1512.03385, table 6", depth(32), trainable="0.46 M"),
    *rows("cifar.ResNet", "arXiv:1512.03385, table 6", depth(44), trainable="0.66 M"),
    *rows("cifar.ResNet", "arXiv:1512.03385, table 6", depth(56), trainable="0.85 M"),
    *rows("cifar.ResNet", "arXiv:1512.03385, table 6", depth(110), trainable="1.7 M"),
    *rows("cifar.ResNet", "arXiv:1512.03385, table 6", depth(1202), trainable="19.4 M"),
    *rows("cifar.ResNet", ARITHMETIC, depth(20, shortcut="B"), trainable=272_474),
    *rows("cifar.ResNet", ARITHMETIC, depth(32, shortcut="B"), trainable=466_906),
    *rows("cifar.ResNet", ARITHMETIC, depth(44, shortcut="B"), trainable=661_338),
    *rows("cifar.ResNet", ARITHMETIC, depth(56, shortcut="B"), trainable=855_770),
    *rows("cifar.ResNet", ARITHMETIC, depth(110, shortcut="B"), trainable=1_730_714),
    *rows("cifar.ResNet", ARITHMETIC, depth(20, shortcut="C"), trainable=283_962),
    *rows("cifar.ResNet", ARITHMETIC, depth(32, shortcut="C"), trainable=489_594),
    *rows("cifar.ResNet", ARITHMETIC, depth(44, shortcut="C"), trainable=695_226),
    *rows("cifar.ResNet", ARITHMETIC, depth(56, shortcut="C"), trainable=900_858),
    *rows("cifar.ResNet", ARITHMETIC, depth(110, shortcut="C"), trainable=1_826_202),

    *rows("cifar.ResNetV2", ARITHMETIC, depth(20), trainable=269_722),
    *rows("cifar.ResNetV2", ARITHMETIC, depth(32), trainable=464_154),
    *rows("cifar.ResNetV2", ARITHMETIC, depth(44), trainable=658_586),
    *rows("cifar.ResNetV2", ARITHMETIC, depth(56), trainable=853_018),
    *rows("cifar.ResNetV2", ARITHMETIC, depth(110), trainable=1_727_962),
    *rows("cifar.ResNetV2", ARITHMETIC, depth(164),
          trainable=1_703_258, running=24_224, macs="244.5 M"),
    *rows("cifar.ResNetV2", ARITHMETIC, depth(1001),
          trainable=10_327_706, running=149_216, macs="1.4878 G"),
    *rows("cifar.ResNetV2", ARITHMETIC, depth(164, activation_order="original"),
          trainable=1_704_154),
    *rows("cifar.ResNetV2", ARITHMETIC, depth(1001, activation_order="original"),
          trainable=10_328_602),
    *rows("cifar.ResNetV2", "arXiv:1603.05027, table 3", depth(110), trainable="1.7 M"),
    *rows("cifar.ResNetV2", "arXiv:1603.05027, table 3", depth(164), trainable="1.7 M"),

    *rows("cifar.DenseNet", ARITHMETIC, depth(40, **WHOLE),
          trainable=1_019_722, running=18_096, macs="264.8 M"),
    *rows("cifar.DenseNet", "the authors' Lua code", depth(40, **WHOLE, width=24),
          trainable=1_059_298),
    *rows("cifar.DenseNet", ARITHMETIC, depth(100, **WHOLE), trainable=6_979_642, macs="1.77 G"),
    *rows("cifar.DenseNet", ARITHMETIC, depth(100, **WHOLE, growth=24),
          trainable=27_249_082, macs="6.89 G"),
    *rows("cifar.DenseNet", ARITHMETIC, depth(40), trainable=176_122, running=5_088, macs="72.4 M"),
    *rows("cifar.DenseNet", ARITHMETIC, depth(100),
          trainable=769_162, running=23_988, macs="287.9 M"),
    *rows("cifar.DenseNet", ARITHMETIC, depth(250, growth=24), trainable=15_324_406, macs="5.42 G"),
    *rows("cifar.DenseNet", ARITHMETIC, depth(190, growth=40), trainable=25_624_430, macs="9.30 G"),
    *rows("cifar.DenseNet", "arXiv:1608.06993, table 2", depth(40, **WHOLE), trainable="1.0 M"),
    *rows("cifar.DenseNet", "arXiv:1608.06993, table 2", depth(100, **WHOLE), trainable="7.0 M"),
    *rows("cifar.DenseNet", "arXiv:1608.06993, table 2", depth(100, **WHOLE, growth=24),
          trainable="27.2 M"),
    *rows("cifar.DenseNet", "arXiv:1608.06993, table 2", depth(100), trainable="0.8 M"),
    *rows("cifar.DenseNet", "arXiv:1608.06993, table 2", depth(250, growth=24), trainable="15.3 M"),
    *rows("cifar.DenseNet", "arXiv:1608.06993, table 2", depth(190, growth=40), trainable="25.6 M"),

    *rows("cifar.SEResNet", ARITHMETIC, depth(20), trainable=272_095),
    *rows("cifar.SEResNet", ARITHMETIC, depth(32), trainable=468_109),
    *rows("cifar.SEResNet", ARITHMETIC, depth(44), trainable=664_123),
    *rows("cifar.SEResNet", ARITHMETIC, depth(56), trainable=860_137),
    *rows("cifar.SEResNet", ARITHMETIC, depth(110), trainable=1_742_200),

    *rows("pretrained.vgg16", KERAS, trainable=138_357_544, total=138_357_544),
    *rows("pretrained.vgg19", KERAS, trainable=143_667_240, total=143_667_240),
    *rows("pretrained.inception_v3", KERAS, trainable=23_817_352, total=23_851_784),
    *rows("pretrained.inception_resnet_v2", KERAS, trainable=55_813_192, total=55_873_736),
    *rows("pretrained.resnet50", KERAS, trainable=25_583_592, total=25_636_712),
    *rows("pretrained.resnet101", KERAS, trainable=44_601_832, total=44_707_176),
    *rows("pretrained.resnet152", KERAS, trainable=60_268_520, total=60_419_944),
    *rows("pretrained.resnet50v2", KERAS,
          trainable=25_568_360, total=25_613_800, macs=3_482_255_360),
    *rows("pretrained.resnet101v2", KERAS,
          trainable=44_577_896, total=44_675_560, macs=7_194_476_544),
    *rows("pretrained.resnet152v2", KERAS,
          trainable=60_236_904, total=60_380_648, macs=10_906_697_728),
    *rows("pretrained.densenet121", KERAS, trainable=7_978_856, total=8_062_504),
    *rows("pretrained.densenet169", KERAS, trainable=14_149_480, total=14_307_880),
    *rows("pretrained.densenet201", KERAS, trainable=20_013_928, total=20_242_984),
]  # fmt: skip

# What a paper prints, and what its network comes to.
CONTRADICTIONS = [
    (Count("AlexNet", {}, "trainable", "60 M", "the abstract, cut off"), 60_965_224),
    (Count("InceptionV2", {}, "trainable", "13.6 M", "arXiv:1502.03167"), 11_194_984),
    (Count("ResNet50", {}, "macs", "3.8 G", "arXiv:1512.03385, table 1"), 3_857_973_248),
    (Count("SEResNet50", {}, "macs", "3.87 G", "arXiv:1709.01507, table 2"), 3_860_488_192),
    (Count("cifar.ResNetV2", depth(1001), "trainable", "10.2 M", "arXiv:1603.05027"), 10_327_706),
]


# --- the networks ------------------------------------------------------------------------------


def built(network: str, options: dict[str, Any] | None = None) -> keras.Model:
    """The network's graph: its variables have shapes and no values. Once a session."""
    return graph(network, tuple((options or {}).items()))


@cache
def graph(network: str, options: tuple[tuple[str, Any], ...]) -> keras.Model:
    room, _, name = network.rpartition(".")
    if room == "pretrained":
        return without_values(pretrained.build, name, **dict(options))
    return without_values(getattr(cifar if room else keras_ilsvrc, name), **dict(options))


def weights(variables) -> int:
    return sum(math.prod(v.shape) for v in variables)


QUANTITIES = {
    "trainable": lambda model: weights(model.trainable_weights),
    "running": lambda model: weights(model.non_trainable_weights),
    "total": lambda model: weights(model.weights),
    "macs": lambda model: profile(model).macs,
}


def counted(row: Count) -> int:
    return QUANTITIES[row.quantity](built(row.network, row.options))


def printed(count: int, like: str) -> str:
    """`count` with as many decimals, and in the unit, as another number is printed with."""
    number, unit = like.split()
    decimals = len(number.partition(".")[2])
    return f"{count / {'M': 1e6, 'G': 1e9}[unit]:.{decimals}f} {unit}"


def label(row: Count) -> str:
    return "-".join([row.network, *map(str, row.options.values()), row.quantity, str(row.value)])


def weight_layers(model: keras.Model) -> int:
    """Convolutions and dense layers on the longest path; those of gates are beside the path."""
    length: dict[int, int] = {}
    for op in model.operations:
        kinds = keras.layers.Conv2D, keras.layers.Dense
        own = isinstance(op, kinds) and "_se_" not in op.name
        below = max((length[id(x)] for x in keras.tree.flatten(op.input)), default=0)
        length.update({id(y): own + below for y in keras.tree.flatten(op.output)})
    return length[id(model.operations[-1].output)]


# --- counts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", COUNTS, ids=label)
def test_counts_are_those_of_paper_and_released_networks(row):
    if isinstance(row.value, str):
        assert printed(counted(row), row.value) == row.value, row.source
    else:
        assert counted(row) == row.value, row.source


@pytest.mark.parametrize(("row", "exact"), CONTRADICTIONS, ids=lambda x: getattr(x, "network", x))
def test_some_papers_print_other_numbers_than_their_networks_have(row, exact):
    assert counted(row) == exact
    assert printed(exact, row.value) != row.value


def test_each_auxiliary_head_has_its_share():
    heads = [
        weights(w for w in built("GoogLeNet", AUX).trainable_weights if w.path.startswith(name))
        for name in ("aux1", "aux2")
    ]
    assert heads == [3_188_840, 3_190_888]
    third = built("InceptionV3", AUX).trainable_weights
    assert weights(w for w in third if w.path.startswith("aux1")) == 3_326_696


def test_alexnet_has_9_times_googlenet_s_parameters_where_the_paper_says_12():
    alexnet, googlenet = (weights(built(n).trainable_weights) for n in ("AlexNet", "GoogLeNet"))
    assert round(alexnet / googlenet, 1) == 8.7


def test_a_convolution_has_its_kernel_and_a_bias_a_filter():
    conv1 = built("AlexNet").get_layer("conv1")
    assert weights(conv1.trainable_weights) == 11 * 11 * 3 * 96 + 96
    conv2 = built("AlexNet").get_layer("conv2")
    assert weights(conv2.trainable_weights) == 2 * (5 * 5 * 48 * 128) + 256, "one half a GPU"


def test_zfnet_counts_follow_from_figure_3():
    #           kernel  in  out  side
    convolved = [(7,   3,  96, 110), (5,  96, 256, 26), (3, 256, 384, 13),
                 (3, 384, 384,  13), (3, 384, 256, 13)]  # fmt: skip
    connected = [(6 * 6 * 256, 4096), (4096, 4096), (4096, 1000)]
    parameters = sum((k * k * i + 1) * o for k, i, o, _ in convolved)
    parameters += sum((i + 1) * o for i, o in connected)
    macs = sum(k * k * i * o * side**2 for k, i, o, side in convolved)
    macs += sum(i * o for i, o in connected)
    assert parameters == 62_357_608
    assert weights(built("ZFNet").trainable_weights) == parameters
    assert profile(built("ZFNet")).macs == macs


@pytest.mark.parametrize(
    ("network", "blocks", "parameters"),
    [("ResNeXt50", (3, 4, 6, 3), 25_028_904), ("ResNeXt101", (3, 4, 23, 3), 44_177_704)],
)
def test_resnext_counts_follow_from_table_1(network, blocks, parameters):
    kernels = [(7 * 7 * 3 * 64, 64, 112)]  # weights, filters, side of the output
    inputs, before = 64, 56
    for stage, depth in enumerate(blocks):
        side, width, out = 56 // 2**stage, 128 * 2**stage, 256 * 2**stage
        for _ in range(depth):
            kernels += [(inputs * out, out, side)] if inputs != out else []
            kernels += [
                (inputs * width, width, before),
                (3 * 3 * (width // 32) * width, width, side),  # 32 groups
                (width * out, out, side),
            ]
            inputs, before = out, side
    classifier = 2048 * 1000
    # A scale and a shift for each filter.
    assert sum(n + 2 * o for n, o, _ in kernels) + classifier + 1000 == parameters
    assert weights(built(network).trainable_weights) == parameters
    assert profile(built(network)).macs == sum(n * s * s for n, _, s in kernels) + classifier


@pytest.mark.parametrize("cardinality", [1, 2, 4, 8, 32])
def test_resnext_keeps_the_complexity_of_resnet_at_each_cardinality(cardinality):
    found = weights(built("ResNeXt50", {"cardinality": cardinality}).trainable_weights)
    assert printed(found, "25 M") in ("25 M", "26 M"), "table 2 of arXiv:1611.05431"


def test_a_dense_block_of_l_layers_has_as_many_connections_as_pairs():
    blocks = {"conv2": 6, "conv3": 12, "conv4": 24, "conv5": 16}
    for name, length in blocks.items():
        widths = [
            layer.input[0].shape[-1]
            for layer in built("DenseNet121").layers
            if layer.name.startswith(name) and layer.name.endswith("concat")
        ]
        assert [(w - widths[0]) // 32 for w in widths] == list(range(length))


# --- depth -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "options", "number"),
    [
        ("AlexNet", {}, 8), ("AlexNet", {"towers": 1}, 8), ("ZFNet", {}, 8),
        ("VGG11", {}, 11), ("VGG13", {}, 13), ("VGG16", {}, 16), ("VGG19", {}, 19),
        ("VGG11", {"column": "A-LRN"}, 11), ("VGG16", {"column": "C"}, 16),
        ("GoogLeNet", {}, 22),
        ("PlainNet18", {}, 18), ("PlainNet34", {}, 34),
        ("ResNet18", {}, 18), ("ResNet34", {}, 34), ("ResNet50", {}, 50), ("ResNet101", {}, 101),
        ("ResNet152", {}, 152), ("ResNet18", {"shortcut": "A"}, 18), ("ResNet50", THREE, 50),
        ("ResNet50V2", {}, 50), ("ResNet101V2", {}, 101), ("ResNet152V2", {}, 152),
        ("ResNet200V2", {}, 200), ("ResNeXt50", {}, 50), ("ResNeXt101", {}, 101),
        ("DenseNet121", {}, 121), ("DenseNet161", {}, 161), ("DenseNet169", {}, 169),
        ("DenseNet201", {}, 201),
        ("SEResNet50", {}, 50), ("SEResNet101", {}, 101), ("SEResNet152", {}, 152),
        ("SEResNeXt50", {}, 50), ("SENet154", {}, 154),
        ("cifar.PlainNet", depth(20), 20), ("cifar.ResNet", depth(56), 56),
        ("cifar.ResNetV2", depth(110), 110), ("cifar.ResNetV2", depth(164), 164),
        ("cifar.SEResNet", depth(32), 32), ("cifar.DenseNet", depth(100), 100),
        ("cifar.DenseNet", depth(40, **WHOLE), 40),
    ],
)  # fmt: skip
def test_a_network_is_as_deep_as_its_name_says(network, options, number):
    assert weight_layers(built(network, options)) == number


def test_googlenet_s_22_are_3_and_2_a_module_and_the_classifier():
    assert weight_layers(built("GoogLeNet")) == 3 + 2 * 9 + 1


def test_densenet_264_has_265_by_its_own_table():
    assert weight_layers(built("DenseNet264")) == 1 + 2 * (6 + 12 + 64 + 48) + 3 + 1 == 265


def test_senet_154_is_resnet_152_with_two_more_convolutions_in_its_stem():
    assert weight_layers(built("SENet154")) == 3 + 3 * (3 + 8 + 36 + 3) + 1
    assert weight_layers(built("SEResNet152")) == 1 + 3 * (3 + 8 + 36 + 3) + 1


# --- sizes -------------------------------------------------------------------------------------

# (height = width, channels) of the images behind a layer.
SIZES = {
    "AlexNet": {
        "conv1": (55, 96), "pool1": (27, 96), "conv2": (27, 256), "pool2": (13, 256),
        "conv3": (13, 384), "conv4": (13, 384), "conv5": (13, 256), "pool5": (6, 256),
    },
    "ZFNet": {
        "conv1": (110, 96), "pool1": (55, 96), "conv2": (26, 256), "pool2": (13, 256),
        "conv3": (13, 384), "conv4": (13, 384), "conv5": (13, 256), "pool5": (6, 256),
    },
    "VGG16": {
        "block1_conv2": (224, 64), "block1_pool": (112, 64),
        "block2_conv2": (112, 128), "block2_pool": (56, 128),
        "block3_conv3": (56, 256), "block3_pool": (28, 256),
        "block4_conv3": (28, 512), "block4_pool": (14, 512),
        "block5_conv3": (14, 512), "block5_pool": (7, 512),
    },
    "GoogLeNet": {
        "conv1_relu": (112, 64), "pool1": (56, 64), "conv2_relu": (56, 192), "pool2": (28, 192),
        "inception_3a_concat": (28, 256), "inception_3b_concat": (28, 480), "pool3": (14, 480),
        "inception_4a_concat": (14, 512), "inception_4b_concat": (14, 512),
        "inception_4c_concat": (14, 512), "inception_4d_concat": (14, 528),
        "inception_4e_concat": (14, 832), "pool4": (7, 832),
        "inception_5a_concat": (7, 832), "inception_5b_concat": (7, 1024),
    },
    "InceptionV2": {
        "pool2": (28, 192), "inception_3a_concat": (28, 256), "inception_3b_concat": (28, 320),
        "inception_3c_concat": (14, 576), "inception_4a_concat": (14, 576),
        "inception_4b_concat": (14, 576), "inception_4c_concat": (14, 576),
        "inception_4d_concat": (14, 576), "inception_4e_concat": (7, 1024),
        "inception_5a_concat": (7, 1024), "inception_5b_concat": (7, 1024),
    },
    "InceptionV3": {
        "stem_7_pool": (35, 192), "mixed0": (35, 256), "mixed1": (35, 288), "mixed2": (35, 288),
        "mixed3": (17, 768), "mixed7": (17, 768), "mixed8": (8, 1280), "mixed10": (8, 2048),
    },
    "InceptionV4": {
        "stem_mixed1_concat": (73, 160), "stem_mixed2_concat": (71, 192),
        "stem_mixed3_concat": (35, 384), "inception_a4_concat": (35, 384),
        "reduction_a": (17, 1024), "inception_b7_concat": (17, 1024),
        "reduction_b": (8, 1536), "inception_c3_concat": (8, 1536),
    },
    "InceptionResNetV1": {
        "stem_7_relu": (35, 256), "block35_5_ac": (35, 256), "mixed_6a": (17, 896),
        "block17_10_ac": (17, 896), "mixed_7a": (8, 1792), "block8_5_ac": (8, 1792),
    },
    "InceptionResNetV2": {
        "mixed_5b": (35, 320), "block35_10_ac": (35, 320), "mixed_6a": (17, 1088),
        "block17_20_ac": (17, 1088), "mixed_7a": (8, 2080), "block8_9_ac": (8, 2080),
        "conv_7b_ac": (8, 1536),
    },
    "ResNet34": {
        "conv1_relu": (112, 64), "conv2_block3_out": (56, 64), "conv3_block4_out": (28, 128),
        "conv4_block6_out": (14, 256), "conv5_block3_out": (7, 512),
    },
    "ResNet50": {
        "conv1_relu": (112, 64), "conv2_block3_out": (56, 256), "conv3_block4_out": (28, 512),
        "conv4_block6_out": (14, 1024), "conv5_block3_out": (7, 2048),
    },
    "ResNet50V2": {
        "conv1_conv": (112, 64), "conv2_block3_out": (56, 256), "conv3_block4_out": (28, 512),
        "conv4_block6_out": (14, 1024), "conv5_block3_out": (7, 2048),
    },
    "ResNeXt101": {
        "conv2_block3_2_conv": (56, 128), "conv2_block3_out": (56, 256),
        "conv3_block4_2_conv": (28, 256), "conv3_block4_out": (28, 512),
        "conv4_block23_2_conv": (14, 512), "conv4_block23_out": (14, 1024),
        "conv5_block3_2_conv": (7, 1024), "conv5_block3_out": (7, 2048),
    },
    "DenseNet121": {
        "conv1_relu": (112, 64), "pool1": (56, 64), "conv2_block6_concat": (56, 256),
        "pool2_pool": (28, 128), "conv3_block12_concat": (28, 512), "pool3_pool": (14, 256),
        "conv4_block24_concat": (14, 1024), "pool4_pool": (7, 512),
        "conv5_block16_concat": (7, 1024),
    },
    "SENet154": {
        "conv1_3_relu": (112, 128), "pool1": (56, 128), "conv2_block1_1_conv": (56, 128),
        "conv2_block1_2_conv": (56, 256), "conv2_block3_out": (56, 256),
        "conv3_block8_out": (28, 512), "conv4_block36_out": (14, 1024),
        "conv5_block3_out": (7, 2048),
    },
}  # fmt: skip


@pytest.mark.parametrize("network", SIZES)
def test_stages_have_the_sizes_of_the_table(network):
    found = {name: built(network).get_layer(name).output.shape[1:] for name in SIZES[network]}
    assert found == {name: (side, side, c) for name, (side, c) in SIZES[network].items()}


def test_cifar_stages_halve_the_image_and_double_the_filters():
    for network, end in (("cifar.ResNet", "3_out"), ("cifar.ResNetV2", "3_out")):
        model = built(network, depth(20))
        found = [model.get_layer(f"conv{i}_block{end}").output.shape[1:] for i in (2, 3, 4)]
        assert found == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]


def test_figure_2_of_alexnet_contradicts_its_own_sizes():
    assert (224 - 11) % 4 != 0, "windows of 11 pixels, 4 apart, do not fit into 224"
    assert (227 - 11) // 4 + 1 == 55
    names = ("conv1", "conv2", "conv3", "conv4", "conv5")
    neurons = [math.prod(built("AlexNet").get_layer(n).output.shape[1:]) for n in names]
    assert neurons == [55 * 55 * 96, 186_624, 64_896, 64_896, 43_264]
    assert neurons[0] == 290_400, "253,440 in the figure"


def test_figures_17_and_19_of_inception_resnet_v2_add_up_to_other_sums():
    # Figure 3, and table 1 and figure 18: the maps that are concatenated.
    stem, reduction_a, reduction_b = 384, (384, 384), (384, 288, 320)
    assert stem + sum(reduction_a) == 1152, "1154 in figure 17"
    assert 1152 + sum(reduction_b) == 2144, "2048 in figure 19"
    released = SIZES["InceptionResNetV2"]
    assert released["mixed_6a"][1] == released["mixed_5b"][1] + sum(reduction_a)
    assert released["mixed_7a"][1] == released["mixed_6a"][1] + sum(reduction_b)
