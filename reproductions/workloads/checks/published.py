"""Arithmetic on published figures, each with its place."""

from typing import Any

from keras_ilsvrc import catalog

# arXiv:1409.4842, table 2: top-5 test error in percent, no external data, ILSVRC 2014.
CLASSIFICATION_2014 = {"GoogLeNet": 6.67, "VGG": 7.32, "MSRA": 7.35}
# arXiv:1409.1556, appendix A, comparison with the state of the art: top-5 test error in percent.
LOCALISATION_2014 = {"VGG": 25.3, "GoogLeNet": 26.7}
# arXiv:1409.0575, section 6.4: the first of two annotators; arXiv:1512.03385, tables 5 and 4.
ANNOTATOR = {"annotator's errors": 76, "images": 1500}
V4_TABLE_2, RESNET_TABLE_3 = "arXiv:1602.07261, table 2", "arXiv:1512.03385, table 3"
RESNETS = {"six networks": 0.0357, "one network": 0.0449}


def vgg_ranks() -> dict[str, Any]:
    return {
        "classification": rank("VGG", CLASSIFICATION_2014),
        "localization": rank("VGG", LOCALISATION_2014),
        "classification errors, %": CLASSIFICATION_2014,
        "localization errors, %": LOCALISATION_2014,
    }


def rank(team: str, errors: dict[str, float]) -> int:
    return 1 + sum(error < errors[team] for error in errors.values())


def inception_later() -> dict[str, Any]:
    """Top-5 errors of one network and one crop."""
    later = ("inception_v2", "inception_v3", "inception_v4")
    tables = {"googlenet": "arXiv:1409.4842, table 3"} | dict.fromkeys(later, V4_TABLE_2)
    return {name: printed(name, place, "1 crop", 5) for name, place in tables.items()}


def resnet_deeper() -> dict[str, Any]:
    """Top-1 errors, ten crops: arXiv:1512.03385, table 3."""
    names = ("resnet34", "resnet50", "resnet101", "resnet152")
    return {name: printed(name, RESNET_TABLE_3, "10 crops", 1) for name in names}


def printed(name: str, place: str, crops: str, k: int) -> float | None:
    """The top-k error in percent of a network that stands at a place, of so many crops."""
    (error,) = (
        error
        for error in catalog.entry(name).errors
        if error.source == place and error.protocol.startswith(crops)
    )
    return error.top1 if k == 1 else error.top5


def resnet_human() -> dict[str, Any]:
    return {**ANNOTATOR, **RESNETS}
