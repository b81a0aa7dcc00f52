"""The networks by name, and what their papers say of them.

Parameters and multiply-accumulates are arithmetic on the papers' tables, counted independently
of the builders; errors are those printed in papers, or in their authors' READMEs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import keras

from . import (
    alexnet,
    cifar,
    densenet,
    inception_v1,
    inception_v2,
    inception_v3,
    inception_v4,
    resnet,
    resnet_v2,
    resnext,
    senet,
    vgg,
    zfnet,
)
from .assembly import Builder


class Published(NamedTuple):
    """An error in percent, how it was measured, and where it is printed; None: not printed."""

    top1: float | None
    top5: float | None
    protocol: str
    source: str


@dataclass(frozen=True)
class Entry:
    """A network of the catalog.

    Attributes:
        name: in the catalog.
        builder: the function that builds it.
        options: the arguments with which `builder` does; without any it is the builder's default.
        paper: authors and title.
        arxiv: the paper's number there, or None.
        year: of the paper's first version.
        place: of the ensemble that it stood in, and in which ILSVRC; None where none is known.
        parameters: trainable ones, with top.
        macs: multiply-accumulates of convolutions and dense layers for one image, with top.
        input_size: height and width of the images, in pixels.
        errors: as published.
        loss_weights: for `model.compile`, beside as many losses: one for each output with
            auxiliary=True, where the builder has this option.
    """

    name: str
    builder: Builder[...]
    options: Mapping[str, Any] = field(hash=False)
    paper: str
    arxiv: str | None
    year: int
    place: str | None
    parameters: int
    macs: int
    input_size: int
    errors: tuple[Published, ...]
    loss_weights: tuple[float, ...]


# Of each source of trained weights the names for which it has some; `pretrained` fills it.
WEIGHTS: dict[str, frozenset[str]] = {}


def list_models(pattern: str = "*", weights: bool | str = False) -> list[str]:
    """Names of networks, sorted.

    Args:
        pattern: which a name fits as a whole ("*resnet*", "vgg1[69]", as file names).
        weights: False: all; True: those for which some source has trained weights; a source's
            name ("timm"): those for which it has.

    Raises:
        ValueError: there is no such source.
    """
    there = with_weights(weights)
    return sorted(name for name in there if fnmatchcase(name, pattern.lower()))


def with_weights(weights: bool | str) -> Collection[str]:
    """The names for which there are trained weights, as `list_models` asks."""
    if isinstance(weights, bool):
        return frozenset().union(*WEIGHTS.values()) if weights else ENTRIES
    if weights not in WEIGHTS:
        sources = ", ".join(map(repr, WEIGHTS))
        raise ValueError(f"weights is False, True, or a source ({sources}), not {weights!r}.")
    return WEIGHTS[weights]


def entry(name: str | Entry) -> Entry:
    """The entry of a name, in whatever case, or of an ImageNet builder's own ("ResNet50"), or of a
    preset of keras-hub ("resnet_50_imagenet"). An entry is its own.

    Raises:
        ValueError: there is none; the message has the closest names.
    """
    if isinstance(name, Entry):
        return name
    key = str(name).lower()
    found = ENTRIES.get(ALIASES.get(key, key))
    if found is None:
        closest = ", ".join(get_close_matches(key, ENTRIES, cutoff=0))
        raise ValueError(f"no network is named {name!r}; the closest: {closest} (of list_models).")
    return found


def get_model(name: str, /, **options: Any) -> keras.Model:
    """Build a network: get_model("vgg16_c", classes=5) is VGG16(column="C", classes=5).

    Args:
        name: as in `entry`.
        options: the builder's arguments.

    Raises:
        ValueError: no such name, or an option contradicts it, or the builder's own errors.
    """
    found = entry(name)
    for option, value in found.options.items():
        if options.get(option, value) != value:
            raise ValueError(
                f"{found.name!r} means {option}={value!r}, not {options[option]!r}: "
                f"leave it out, or call the builder {found.builder.__name__} itself."
            )
    return found.builder(**{"name": found.name, **found.options, **options})


# --- papers ------------------------------------------------------------------------------------


class Paper(NamedTuple):
    """What an entry says of its paper."""

    paper: str
    arxiv: str | None
    year: int


ALEXNET = Paper(
    "A. Krizhevsky, I. Sutskever, G. Hinton: "
    "ImageNet Classification with Deep Convolutional Neural Networks", None, 2012,
)  # fmt: skip
ONE_TOWER = Paper(
    "A. Krizhevsky: One weird trick for parallelizing convolutional neural networks",
    "1404.5997", 2014,
)  # fmt: skip
ZFNET = Paper(
    "M. Zeiler, R. Fergus: Visualizing and Understanding Convolutional Networks",
    "1311.2901", 2013,
)  # fmt: skip
VGG = Paper(
    "K. Simonyan, A. Zisserman: "
    "Very Deep Convolutional Networks for Large-Scale Image Recognition", "1409.1556", 2014,
)  # fmt: skip
INCEPTION_V1 = Paper("C. Szegedy et al.: Going Deeper with Convolutions", "1409.4842", 2014)
INCEPTION_V2 = Paper(
    "S. Ioffe, C. Szegedy: Batch Normalization: "
    "Accelerating Deep Network Training by Reducing Internal Covariate Shift", "1502.03167", 2015,
)  # fmt: skip
INCEPTION_V3 = Paper(
    "C. Szegedy et al.: Rethinking the Inception Architecture for Computer Vision",
    "1512.00567", 2015,
)  # fmt: skip
INCEPTION_V4 = Paper(
    "C. Szegedy et al.: Inception-v4, Inception-ResNet and the Impact of Residual Connections "
    "on Learning", "1602.07261", 2016,
)  # fmt: skip
RESNET = Paper(
    "K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition",
    "1512.03385", 2015,
)  # fmt: skip
RESNET_V2 = Paper(
    "K. He, X. Zhang, S. Ren, J. Sun: Identity Mappings in Deep Residual Networks",
    "1603.05027", 2016,
)  # fmt: skip
RESNEXT = Paper(
    "S. Xie, R. Girshick, P. Dollár, Z. Tu, K. He: "
    "Aggregated Residual Transformations for Deep Neural Networks", "1611.05431", 2016,
)  # fmt: skip
DENSENET = Paper(
    "G. Huang, Z. Liu, L. van der Maaten, K. Weinberger: Densely Connected Convolutional Networks",
    "1608.06993", 2016,
)  # fmt: skip
SENET = Paper(
    "J. Hu, L. Shen, S. Albanie, G. Sun, E. Wu: Squeeze-and-Excitation Networks",
    "1709.01507", 2017,
)  # fmt: skip


# --- networks ----------------------------------------------------------------------------------

# name, builder, options, paper, parameters, multiply-accumulates
Row = tuple[str, Builder[...], dict[str, Any], Paper, int, int]

BN = {"normalization": "batch"}

IMAGENET: tuple[Row, ...] = (
    ("alexnet",      alexnet.AlexNet, {},                  ALEXNET,    60_965_224,    724_406_816),
    ("caffenet",     alexnet.AlexNet, {"normalize": "after pooling"},
                                                           ALEXNET,    60_965_224,    724_406_816),
    ("alexnet_owt",  alexnet.AlexNet, {"towers": 1},       ONE_TOWER,  61_100_840,    714_188_480),
    ("zfnet",        zfnet.ZFNet,     {},                  ZFNET,      62_357_608,  1_168_032_896),

    ("vgg11",        vgg.VGG11,       {},                  VGG,       132_863_336,  7_609_090_048),
    ("vgg11_lrn",    vgg.VGG11,       {"column": "A-LRN"}, VGG,       132_863_336,  7_609_090_048),
    ("vgg13",        vgg.VGG13,       {},                  VGG,       133_047_848, 11_308_466_176),
    ("vgg16",        vgg.VGG16,       {},                  VGG,       138_357_544, 15_470_264_320),
    ("vgg16_c",      vgg.VGG16,       {"column": "C"},     VGG,       133_638_952, 11_770_888_192),
    ("vgg19",        vgg.VGG19,       {},                  VGG,       143_667_240, 19_632_062_464),
    ("vgg11_bn",     vgg.VGG11,       BN,                  VGG,       132_868_840,  7_609_090_048),
    ("vgg13_bn",     vgg.VGG13,       BN,                  VGG,       133_053_736, 11_308_466_176),
    ("vgg16_bn",     vgg.VGG16,       BN,                  VGG,       138_365_992, 15_470_264_320),
    ("vgg19_bn",     vgg.VGG19,       BN,                  VGG,       143_678_248, 19_632_062_464),

    ("googlenet",    inception_v1.GoogLeNet,   {}, INCEPTION_V1,        6_998_552,  1_582_671_872),
    ("inception_v2", inception_v2.InceptionV2, {}, INCEPTION_V2,       11_194_984,  2_018_851_840),
    ("inception_v3", inception_v3.InceptionV3, {}, INCEPTION_V3,       23_834_568,  5_713_216_096),
    ("inception_v4", inception_v4.InceptionV4, {}, INCEPTION_V4,       42_679_816, 12_253_974_624),
    ("inception_resnet_v1", inception_v4.InceptionResNetV1,
                                               {}, INCEPTION_V4,       22_756_328,  6_206_361_696),
    ("inception_resnet_v2", inception_v4.InceptionResNetV2,
                                               {}, INCEPTION_V4,       55_843_464, 13_155_794_016),

    ("plain18",      resnet.PlainNet18,       {}, RESNET,              11_515_688,  1_794_805_760),
    ("plain34",      resnet.PlainNet34,       {}, RESNET,              21_623_848,  3_644_493_824),
    ("resnet18",     resnet.ResNet18,         {}, RESNET,              11_689_512,  1_814_073_344),
    ("resnet34",     resnet.ResNet34,         {}, RESNET,              21_797_672,  3_663_761_408),
    ("resnet50",     resnet.ResNet50,         {}, RESNET,              25_557_032,  3_857_973_248),
    ("resnet101",    resnet.ResNet101,        {}, RESNET,              44_549_160,  7_570_194_432),
    ("resnet152",    resnet.ResNet152,        {}, RESNET,              60_192_808, 11_282_415_616),

    ("resnet50v2",   resnet_v2.ResNet50V2,    {}, RESNET_V2,           25_549_352,  4_089_184_256),
    ("resnet101v2",  resnet_v2.ResNet101V2,   {}, RESNET_V2,           44_541_480,  7_801_405_440),
    ("resnet152v2",  resnet_v2.ResNet152V2,   {}, RESNET_V2,           60_185_128, 11_513_626_624),
    ("resnet200v2",  resnet_v2.ResNet200V2,   {}, RESNET_V2,           64_666_152, 15_007_481_856),

    ("resnext50",    resnext.ResNeXt50,       {}, RESNEXT,             25_028_904,  4_230_479_872),
    ("resnext101",   resnext.ResNeXt101,      {}, RESNEXT,             44_177_704,  7_969_996_800),

    ("densenet121",  densenet.DenseNet121,    {}, DENSENET,             7_978_856,  2_834_161_664),
    ("densenet161",  densenet.DenseNet161,    {}, DENSENET,            28_681_000,  7_727_907_072),
    ("densenet169",  densenet.DenseNet169,    {}, DENSENET,            14_149_480,  3_359_843_328),
    ("densenet201",  densenet.DenseNet201,    {}, DENSENET,            20_013_928,  4_291_365_888),
    ("densenet264",  densenet.DenseNet264,    {}, DENSENET,            33_337_704,  5_751_653_376),

    ("se_resnet50",     senet.SEResNet50,     {}, SENET,               28_088_024,  3_860_488_192),
    ("se_resnet101",    senet.SEResNet101,    {}, SENET,               49_326_872,  7_574_937_600),
    ("se_resnet152",    senet.SEResNet152,    {}, SENET,               66_821_848, 11_288_993_792),
    ("se_resnext50",    senet.SEResNeXt50,    {}, SENET,               27_559_896,  4_232_994_816),
    ("se_inception_v2", senet.SEInceptionV2,  {}, SENET,               11_931_622,  2_033_239_424),
    ("senet154",        senet.SENet154,       {}, SENET,              115_088_984, 20_688_363_520),
)  # fmt: skip

WHOLE = {"bottleneck": False, "compression": 1.0}  # neither DenseNet-B nor -C

CIFAR: tuple[Row, ...] = (
    ("cifar_plain20",        cifar.PlainNet, {"depth": 20},   RESNET,       269_722,    40_551_040),
    ("cifar_plain32",        cifar.PlainNet, {"depth": 32},   RESNET,       464_154,    68_862_592),
    ("cifar_plain44",        cifar.PlainNet, {"depth": 44},   RESNET,       658_586,    97_174_144),
    ("cifar_plain56",        cifar.PlainNet, {"depth": 56},   RESNET,       853_018,   125_485_696),
    ("cifar_plain110",       cifar.PlainNet, {"depth": 110},  RESNET,     1_727_962,   252_887_680),

    ("cifar_resnet20",       cifar.ResNet,   {"depth": 20},   RESNET,       269_722,    40_551_040),
    ("cifar_resnet32",       cifar.ResNet,   {"depth": 32},   RESNET,       464_154,    68_862_592),
    ("cifar_resnet44",       cifar.ResNet,   {"depth": 44},   RESNET,       658_586,    97_174_144),
    ("cifar_resnet56",       cifar.ResNet,   {"depth": 56},   RESNET,       853_018,   125_485_696),
    ("cifar_resnet110",      cifar.ResNet,   {"depth": 110},  RESNET,     1_727_962,   252_887_680),
    ("cifar_resnet1202",     cifar.ResNet,   {"depth": 1202}, RESNET,    19_421_274, 2_829_238_912),

    ("cifar_resnet110v2",    cifar.ResNetV2, {"depth": 110},  RESNET_V2,  1_727_962,   252_887_680),
    ("cifar_resnet164v2",    cifar.ResNetV2, {"depth": 164},  RESNET_V2,  1_703_258,   244_500_992),
    ("cifar_resnet1001v2",   cifar.ResNetV2, {"depth": 1001}, RESNET_V2, 10_327_706, 1_487_849_984),

    ("cifar_densenet40",     cifar.DenseNet, {"depth": 40, **WHOLE},
                                                              DENSENET,   1_019_722,   264_812_928),
    ("cifar_densenet_bc40",  cifar.DenseNet, {"depth": 40},   DENSENET,     176_122,    72_365_352),
    ("cifar_densenet_bc100", cifar.DenseNet, {"depth": 100},  DENSENET,     769_162,   287_929_692),

    ("cifar_se_resnet20",    cifar.SEResNet, {"depth": 20},   SENET,        272_095,    40_553_056),
    ("cifar_se_resnet32",    cifar.SEResNet, {"depth": 32},   SENET,        468_109,    68_865_952),
    ("cifar_se_resnet44",    cifar.SEResNet, {"depth": 44},   SENET,        664_123,    97_178_848),
    ("cifar_se_resnet56",    cifar.SEResNet, {"depth": 56},   SENET,        860_137,   125_491_744),
    ("cifar_se_resnet110",   cifar.SEResNet, {"depth": 110},  SENET,      1_742_200,   252_899_776),

    ("cifar_alexnet",        cifar.AlexNet,   {},             ALEXNET,   35_910_026,   247_013_376),
    ("cifar_vgg16",          cifar.VGG,       {"depth": 16},  VGG,       15_245_130,   313_725_952),
    ("cifar_googlenet",      cifar.GoogLeNet, {},             INCEPTION_V1,
                                                                          5_864_762, 1_447_241_728),
)  # fmt: skip

# Height and width of the images: 224 on ImageNet, 32 on CIFAR, but for these.
SIZES = {
    "alexnet":             227,
    "caffenet":            227,
    "inception_v3":        299,
    "inception_v4":        299,
    "inception_resnet_v1": 299,
    "inception_resnet_v2": 299,
}  # fmt: skip

# Of entries that were ensembles of these networks; of ResNeXt, "foundation" of its authors' entry.
PLACES = {
    "alexnet":      "1st in classification, ILSVRC 2012",
    "zfnet":        "3rd in classification, ILSVRC 2013",
    "googlenet":    "1st in classification, ILSVRC 2014",
    "vgg16":        "2nd in classification, ILSVRC 2014",
    "vgg16_c":      "2nd in classification, ILSVRC 2014",
    "vgg19":        "2nd in classification, ILSVRC 2014",
    "resnet152":    "1st in classification, ILSVRC 2015",
    "inception_v3": "2nd in classification, ILSVRC 2015",
    "resnext50":    "2nd in classification, ILSVRC 2016",
    "resnext101":   "2nd in classification, ILSVRC 2016",
    "senet154":     "1st in classification, ILSVRC 2017",
}  # fmt: skip

# [predictions, aux1, aux2] of section 5 of arXiv:1409.4842; arXiv:1512.00567 gives no weight,
# its authors' code does.
LOSS_WEIGHTS = {
    "googlenet":       (1.0, 0.3, 0.3),
    "cifar_googlenet": (1.0, 0.3, 0.3),
    "inception_v3":    (1.0, 0.4),
}  # fmt: skip


# --- published errors --------------------------------------------------------------------------

VAL = "ILSVRC-2012 validation"
ONE_CROP, TEN_CROPS = f"1 crop of 224, {VAL}", f"10 crops of 224, {VAL}"
PARTIAL = f"the 48,238 images of {VAL} not blacklisted"
AUGMENTED = "CIFAR-10 test, trained with crops and flips"

# (where, how): network: (top-1, top-5)
PUBLISHED: dict[tuple[str, str], dict[str, tuple[float | None, float | None]]] = {
    ("Krizhevsky et al. (2012), table 1", "10 crops of 224, ILSVRC-2010 test"): {
        "alexnet": (37.5, 17.0),
    },
    ("Krizhevsky et al. (2012), table 2", TEN_CROPS): {"alexnet": (40.7, 18.2)},
    ("arXiv:1409.1556, table 3", f"dense, scale 256, {VAL}"): {
        "vgg11":     (29.6, 10.4),
        "vgg11_lrn": (29.7, 10.5),
        "vgg13":     (28.7,  9.9),
        "vgg16_c":   (28.1,  9.4),
        "vgg16":     (27.0,  8.8),
        "vgg19":     (27.3,  9.0),
    },
    ("arXiv:1409.1556, table 3", f"dense, scale 384, {VAL}"): {
        "vgg16_c":   (28.1,  9.3),
        "vgg16":     (26.8,  8.7),
        "vgg19":     (26.9,  8.7),
    },
    ("arXiv:1409.1556, table 3", f"dense, scale 384, trained at 256 to 512, {VAL}"): {
        "vgg16_c":   (27.3,  8.8),
        "vgg16":     (25.6,  8.1),
        "vgg19":     (25.5,  8.0),
    },
    ("arXiv:1409.1556, table 4", f"dense, several scales, trained at 256 to 512, {VAL}"): {
        "vgg16":     (24.8,  7.5),
        "vgg19":     (24.8,  7.5),
    },
    ("arXiv:1409.1556, table 5", f"several crops and dense, trained at 256 to 512, {VAL}"): {
        "vgg16":     (24.4,  7.2),
        "vgg19":     (24.4,  7.1),
    },
    ("arXiv:1409.4842, table 3", f"1 crop, {VAL}"):    {"googlenet": (None, 10.07)},
    ("arXiv:1409.4842, table 3", f"10 crops, {VAL}"):  {"googlenet": (None,  9.15)},
    ("arXiv:1409.4842, table 3", f"144 crops, {VAL}"): {"googlenet": (None,  7.89)},
    ("arXiv:1602.07261, table 2", f"1 crop, {PARTIAL}"): {
        "inception_v2":        (25.2, 7.8),
        "inception_v3":        (21.2, 5.6),
        "inception_resnet_v1": (21.3, 5.5),
        "inception_v4":        (20.0, 5.0),
        "inception_resnet_v2": (19.9, 4.9),
    },
    ("arXiv:1602.07261, table 3", f"12 crops, {VAL}"): {
        "inception_v3":        (19.8, 4.6),
        "inception_resnet_v1": (19.8, 4.6),
        "inception_v4":        (18.7, 4.2),
        "inception_resnet_v2": (18.7, 4.1),
    },
    ("arXiv:1602.07261, table 4", f"144 crops, {VAL}"): {
        "inception_v3":        (18.9, 4.3),
        "inception_resnet_v1": (18.8, 4.3),
        "inception_v4":        (17.7, 3.8),
        "inception_resnet_v2": (17.8, 3.7),
    },
    ("arXiv:1512.03385, table 2", TEN_CROPS): {"plain18": (27.94, None)},
    ("arXiv:1512.03385, table 2", f"{TEN_CROPS}, shortcut A"): {"resnet18": (27.88, None)},
    ("arXiv:1512.03385, table 3", TEN_CROPS): {
        "vgg16":     (28.07, 9.33),
        "plain34":   (28.54, 10.02),
        "resnet34":  (24.52, 7.46),
        "resnet50":  (22.85, 6.71),
        "resnet101": (21.75, 6.05),
        "resnet152": (21.43, 5.71),
    },
    ("arXiv:1512.03385, table 4", f"several crops, {VAL}"): {"inception_v2": (21.99, 5.81)},
    ("arXiv:1512.03385, table 4", f"dense, several scales, {VAL}"): {
        "resnet34":  (21.84, 5.71),
        "resnet50":  (20.74, 5.25),
        "resnet101": (19.87, 4.60),
        "resnet152": (19.38, 4.49),
    },
    ("README of KaimingHe/deep-residual-networks", ONE_CROP): {
        "resnet50":  (24.7, 7.8),
        "resnet101": (23.6, 7.1),
        "resnet152": (23.0, 6.7),
    },
    ("arXiv:1603.05027, table 5", f"1 crop of 320, {VAL}"): {
        "resnet152":   (21.3, 5.5),
        "resnet152v2": (21.1, 5.5),
        "resnet200v2": (20.7, 5.3),
    },
    ("arXiv:1603.05027, table 5", f"1 crop of 320, trained with aspect ratios too, {VAL}"): {
        "resnet200v2": (20.1, 4.8),
    },
    ("arXiv:1611.05431, table 3", ONE_CROP): {
        "resnet50":  (23.9, None),
        "resnext50": (22.2, None),
    },
    ("arXiv:1608.06993, table 3", ONE_CROP): {
        "densenet121": (25.02, 7.71),
        "densenet169": (23.80, 6.85),
        "densenet201": (22.58, 6.34),
        "densenet264": (22.15, 6.12),
    },
    ("arXiv:1608.06993, table 3", TEN_CROPS): {
        "densenet121": (23.61, 6.66),
        "densenet169": (22.08, 5.92),
        "densenet201": (21.46, 5.54),
        "densenet264": (20.80, 5.29),
    },
    ("README of liuzhuang13/DenseNet", ONE_CROP): {"densenet161": (22.2, None)},
    ("arXiv:1709.01507, table 2", ONE_CROP): {
        "resnet50":     (24.80, 7.48), "se_resnet50":     (23.29, 6.62),
        "resnet101":    (23.17, 6.52), "se_resnet101":    (22.38, 6.07),
        "resnet152":    (22.42, 6.34), "se_resnet152":    (21.57, 5.73),
        "resnext50":    (22.11, 5.90), "se_resnext50":    (21.10, 5.49),
        "inception_v2": (25.38, 7.89), "se_inception_v2": (24.23, 7.14),
        "vgg16_bn":     (27.02, 8.81),
    },
    ("arXiv:1709.01507, table 8", ONE_CROP): {"senet154": (18.68, 4.47)},
    ("arXiv:1709.01507, table 8", f"1 crop of 320, {VAL}"): {"senet154": (17.28, 3.79)},
    ("README of hujie-frank/SENet", ONE_CROP): {
        "se_inception_v2": (23.62, 7.04),
        "se_resnet50":     (22.37, 6.36),
        "se_resnet101":    (21.75, 5.72),
        "se_resnet152":    (21.34, 5.54),
        "senet154":        (18.68, 4.47),
    },
    ("arXiv:1512.03385, table 6", AUGMENTED): {
        "cifar_resnet20":   (8.75, None),
        "cifar_resnet32":   (7.51, None),
        "cifar_resnet44":   (7.17, None),
        "cifar_resnet56":   (6.97, None),
        "cifar_resnet1202": (7.93, None),
    },
    ("arXiv:1512.03385, table 6", f"{AUGMENTED}, best of 5"): {"cifar_resnet110": (6.43, None)},
    ("arXiv:1512.03385, table 6", f"{AUGMENTED}, mean of 5"): {"cifar_resnet110": (6.61, None)},
    ("arXiv:1603.05027, table 3", f"{AUGMENTED}, median of 5"): {
        "cifar_resnet110v2":  (6.37, None),
        "cifar_resnet164v2":  (5.46, None),
        "cifar_resnet1001v2": (4.92, None),
    },
    ("README of KaimingHe/resnet-1k-layers", f"{AUGMENTED}, batches of 64"): {
        "cifar_resnet1001v2": (4.62, None),
    },
    ("arXiv:1608.06993, table 2", AUGMENTED): {
        "cifar_densenet40":     (5.24, None),
        "cifar_densenet_bc100": (4.51, None),
    },
    ("arXiv:1608.06993, table 2", "CIFAR-10 test, not augmented, dropout 0.2"): {
        "cifar_densenet40":     (7.00, None),
        "cifar_densenet_bc100": (5.92, None),
    },
    # The 6.37 is that of the pre-activation network.
    ("arXiv:1709.01507, table 4", f"{AUGMENTED}, beside 6.37 without SE"): {
        "cifar_se_resnet110": (5.21, None),
    },
}  # fmt: skip


# --- entries -----------------------------------------------------------------------------------


def published(name: str) -> tuple[Published, ...]:
    """All errors of a network."""
    return tuple(
        Published(*errors[name], protocol, source)
        for (source, protocol), errors in PUBLISHED.items()
        if name in errors
    )


def described(row: Row, size: int) -> Entry:
    """A row of the tables, and what the other tables say of its network."""
    name, builder, options, paper, parameters, macs = row
    return Entry(
        name, builder, options, *paper, PLACES.get(name), parameters, macs, SIZES.get(name, size),
        published(name), LOSS_WEIGHTS.get(name, (1.0,)),
    )  # fmt: skip


ENTRIES = {
    **{row[0]: described(row, 224) for row in IMAGENET},
    **{row[0]: described(row, 32) for row in CIFAR},
}

ALIASES = {builder.__name__.lower(): name for name, builder, options, *_ in IMAGENET if not options}
ALIASES |= {"inception_v1": "googlenet", "inceptionv1": "googlenet", "bn_inception": "inception_v2"}

# Presets of keras-hub 0.32: names of networks, whose weights are timm's.
ALIASES |= {f"vgg_{depth}_imagenet": f"vgg{depth}" for depth in (11, 13, 16, 19)}
ALIASES |= {f"resnet_{depth}_imagenet": f"resnet{depth}" for depth in (18, 50, 101, 152)}
ALIASES |= {f"resnet_v2_{depth}_imagenet": f"resnet{depth}v2" for depth in (50, 101)}
ALIASES |= {f"densenet_{depth}_imagenet": f"densenet{depth}" for depth in (121, 169, 201)}
