"""What is published of trained weights, as a table: python -m keras_ilsvrc.pretrained.results.

Errors are percent, as printed where `WHERE` says; they are not measured here. With ImageNet at hand
`python -m reproductions evaluate` measures those of any row.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ..catalog import ENTRIES
from .dialect import Contract, Dialect
from .forms import SOURCES

Errors = Mapping[str, tuple[float | None, float | None]]


class Told(NamedTuple):
    """Of a source: the licence as it states it, where its errors are printed, and the errors."""

    licence: str
    where: str
    errors: Errors


# Top-1 and top-5; torchvision's and Keras' pages, Cadene's and Yang's READMEs print accuracies.
KERAS = {
    "vgg16": (28.7, 9.9), "vgg19": (28.7, 10.0),
    "resnet50": (25.1, 7.9), "resnet101": (23.6, 7.2), "resnet152": (23.4, 6.9),
    "resnet50v2": (24.0, 7.0), "resnet101v2": (22.8, 6.2), "resnet152v2": (22.0, 5.8),
    "inception_v3": (22.1, 6.3), "inception_resnet_v2": (19.7, 4.7),
    "densenet121": (25.0, 7.7), "densenet169": (23.8, 6.8), "densenet201": (22.7, 6.4),
}  # fmt: skip
TORCHVISION = {
    "alexnet_owt": (43.478, 20.934),
    "vgg11": (30.980, 11.372), "vgg13": (30.072, 10.754),
    "vgg16": (28.408, 9.618), "vgg19": (27.624, 9.124),
    "vgg11_bn": (29.630, 10.190), "vgg13_bn": (28.414, 9.626),
    "vgg16_bn": (26.640, 8.484), "vgg19_bn": (25.782, 8.158),
    "googlenet": (30.222, 10.470), "inception_v3": (22.706, 6.550),
    "resnet18": (30.242, 10.922), "resnet34": (26.686, 8.580), "resnet50": (23.870, 7.138),
    "resnet101": (22.626, 6.454), "resnet152": (21.688, 5.954), "resnext50": (22.382, 6.302),
    "densenet121": (25.566, None), "densenet161": (22.862, None),
    "densenet169": (24.400, None), "densenet201": (23.104, None),
}  # fmt: skip
CADENE = {
    "inception_v4": (19.938, 5.074), "inception_resnet_v2": (19.830, 4.766),
    "se_resnet50": (22.364, 6.248), "se_resnet101": (21.604, 5.742),
    "se_resnet152": (21.342, 5.626), "se_resnext50": (20.924, 5.566), "senet154": (18.696, 4.502),
}  # fmt: skip
CAFFE = {
    "alexnet": (42.9, 19.8), "caffenet": (42.6, 19.6), "googlenet": (31.3, 11.1),
    "resnet50": (24.7, 7.8), "resnet101": (23.6, 7.1), "resnet152": (23.0, 6.7),
    "densenet121": (25.09, 7.81), "densenet161": (22.36, 6.21),
    "densenet169": (23.91, 6.87), "densenet201": (22.69, 6.36),
    "se_inception_v2": (23.62, 7.04), "se_resnet50": (22.37, 6.36), "se_resnet101": (21.75, 5.72),
    "se_resnet152": (21.34, 5.54), "se_resnext50": (20.97, 5.54), "senet154": (18.68, 4.47),
}  # fmt: skip
ONNX = {"alexnet": (42.9, 19.8), "caffenet": (42.6, 19.6), "googlenet": (31.3, 11.1)}
CIFAR = {
    "cifar_resnet20": (8.27, None), "cifar_resnet32": (7.37, None), "cifar_resnet44": (6.90, None),
    "cifar_resnet56": (6.61, None), "cifar_resnet110": (6.32, None),
    "cifar_resnet1202": (6.18, None),
}  # fmt: skip

TOLD: dict[str, Told] = {
    "keras": Told("Apache-2.0", "keras.io/api/applications", KERAS),
    "torchvision": Told("BSD-3-Clause", "its documentation", TORCHVISION),
    "cadene": Told("BSD-3-Clause", "its README", CADENE),
    "timm": Told("Apache-2.0", "", {}),
    "qubvel": Told("MIT", "", {}),
    "caffe": Told("see below", "the authors' READMEs", CAFFE),
    "msra": Told("not stated", "", {}),
    "onnx": Told("see below", "the zoo's READMEs", ONNX),
    "cifar": Told("BSD-2-Clause", "its README, CIFAR-10", CIFAR),
}

# Which weights descend from which, by source and the beginning of a network's name; the first row
# that fits counts. "": its own training.
LINEAGE: tuple[tuple[str, str, str], ...] = (
    ("keras", "vgg", "caffe"), ("keras", "resnet50v2", ""), ("keras", "resnet101v2", ""),
    ("keras", "resnet152v2", ""), ("keras", "resnet", "caffe"),
    ("keras", "inception_resnet_v2", "TF-slim"), ("keras", "densenet", "the authors' Torch files"),
    ("torchvision", "googlenet", "TensorFlow's"), ("torchvision", "inception_v3", "TensorFlow's"),
    ("cadene", "inception_v2", "Caffe"), ("cadene", "inception", "TF-slim"),
    ("cadene", "se", "caffe"),
    ("timm", "vgg", "torchvision"),
    ("timm", "densenet121", ""), ("timm", "densenet", "torchvision"),
    ("timm", "inception", "TF-slim"), ("timm", "se", "cadene, of caffe's"),
    ("qubvel", "se", "cadene, of caffe's"),
    ("caffe", "densenet", "the authors' Torch files"),
    ("msra", "", "caffe"),
    ("onnx", "alexnet", "caffe"), ("onnx", "caffenet", "caffe"), ("onnx", "googlenet", "caffe"),
    ("onnx", "vgg", "caffe"), ("onnx", "densenet", "caffe"), ("onnx", "", "Caffe2"),
)  # fmt: skip

INTRODUCTION = """# Results as published

Written by `python -m keras_ilsvrc.pretrained.results`. A row for each network and source of
trained weights. *Paper* is the first error on ILSVRC-2012's validation images that the paper, or
its authors' README, prints (the catalog says by which protocol); *source's* is what the source
prints of its own weights. Both are top-1 / top-5, in percent; "-" means that none is known here.
None is measured here: `python -m reproductions evaluate` does, where you have ImageNet. *Images*
is the preprocessing of `pretrained.entry(name, source).contract`; *MB* is the network's
parameters times four bytes (the Model Zoo's ZFNet-512 has more: 349); *digest* is the file's, as
far as it is known; *from* says which weights they descend from, where that is not the source's
own training.

Licences are as stated, of code and weights alike where nothing else is said. Of `caffe`: BVLC's
networks unrestricted use, VGG's CC BY 4.0, MSRA's MIT, SENets Apache-2.0, DenseNets not stated.
Of `onnx`: AlexNet, CaffeNet and GoogLeNet BSD-3-Clause, the others MIT. ImageNet's own terms of
access restrict its images to non-commercial research.
"""


def lineage(source: str, name: str) -> str:
    rows = (of for s, start, of in LINEAGE if s == source and name.startswith(start))
    return next(rows, "") or "-"


def percent(pair: tuple[float | None, float | None] | None) -> str:
    if pair is None:
        return "-"
    return " / ".join("-" if error is None else f"{error:g}" for error in pair)


def images(contract: Contract) -> str:
    """A contract in few words."""
    means = ", ".join(f"{mean:.4g}" for mean in contract.mean)
    deviations = ", ".join(f"{deviation:.4g}" for deviation in contract.std)
    scale = "" if contract.scale == 1 else f"/ {contract.scale:.4g} "
    spread = "" if set(contract.std) == {1} else f" / ({deviations})"
    resize = f" of {contract.resize}" if contract.resize else ""
    return f"{contract.size}{resize}, {contract.order} {scale}- ({means}){spread}"


def digest(dialect: Dialect) -> str:
    return f"`{dialect.file.digest}`" if dialect.file and dialect.file.digest else "-"


def row(source: str, name: str, dialect: Dialect) -> str:
    entry, told = ENTRIES[name], TOLD[source]
    first = next((e for e in entry.errors if "2012" in e.protocol), None)
    cells = (
        name, source, percent((first.top1, first.top5) if first else None),
        percent(told.errors.get(name)), images(dialect.contract),
        f"{entry.parameters * 4 / 1e6:.1f}", told.licence, digest(dialect), lineage(source, name),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """The document."""
    where = [f"`{s}`: {told.where}" for s, told in TOLD.items() if told.where]
    head = (
        "| network | source | paper | source's | images | MB | licence | digest | from |",
        "|---|---|---|---|---|---|---|---|---|",
    )
    rows = [
        row(source, name, SOURCES[source][name])
        for name in ENTRIES
        for source in SOURCES
        if name in SOURCES[source] and SOURCES[source][name].file
    ]
    text = f"The sources' errors are printed in: {'; '.join(where)}.\n"
    return "\n".join([INTRODUCTION, text, *head, *rows, ""])


if __name__ == "__main__":
    print(page(), end="")
