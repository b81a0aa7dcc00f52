"""A source of weights: how it built its networks, how it names their parts, where they lie."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Literal

from ..blocks import Rule

# (layer here, module there). {x} stands for the same word in both; {x-1} there for a number less 1.
Names = tuple[tuple[str, str], ...]

# The parts of a layer here and in PyTorch, where both gamma and kernel are called weight.
PARTS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@dataclass(frozen=True)
class Contract:
    """What a network wants of its images: pixels in [0, 255] become (pixel / scale - mean) / std.

    Attributes:
        mean, std: of the three channels, in the network's own order, after division by `scale`.
        scale: 255 for values in [0, 1], 127.5 for [0, 2], 1 for pixels.
        order: of the network's channels. Images are given in RGB, whatever it is.
        size: height and width of the images it was evaluated on.
        resize: the shorter side before the crop in the middle; None: its authors do not say.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    scale: float
    order: Literal["RGB", "BGR"]
    size: int
    resize: int | None = None


@dataclass(frozen=True)
class File:
    """A published file. `digest` is its MD5 (32 digits), its SHA-1 (40), or the first digits of its
    SHA-256; with None nothing says what it should hold, and it is not downloaded. `mirrors` have
    the same file, and are asked in turn where `url` does not answer.
    """

    url: str
    digest: str | None
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialect:
    """A network as a source has it.

    Attributes:
        contract: of its images.
        rules: what it leaves open and settles otherwise than the paper.
        options: the builder's arguments that make its form.
        names: of its modules. None: its files are read in the order of their layers.
        optional: patterns of names, there, that a file may hold and this network has no place for.
        older: (pattern, replacement) for names of older files.
        windows: dense layers here that are convolutions there.
        file, no_top: what it published, with classifier and without.
    """

    contract: Contract
    rules: tuple[Rule, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    names: Names | None = None
    optional: tuple[str, ...] = ()
    older: tuple[tuple[str, str], ...] = ()
    windows: tuple[str, ...] = ()
    file: File | None = None
    no_top: File | None = None


def module(names: Names, layer: str) -> str | None:
    """What a layer is called there; None where `names` has no pattern for it."""
    for ours, theirs in names:
        if found := pattern(ours, theirs).fullmatch(layer):
            return HOLE.sub(partial(filled, found), theirs)
    return None


HOLE = re.compile(r"\{(\w+?)([+-]\d+)?\}")


@cache
def pattern(ours: str, theirs: str) -> re.Pattern[str]:
    """Of names like `ours`, whose words that `theirs` counts with are numbers."""
    counted = {word for word, offset in HOLE.findall(theirs) if offset}
    return re.compile(
        HOLE.sub(
            lambda hole: rf"(?P<{hole[1]}>{'[0-9]' if hole[1] in counted else '[a-z0-9_]'}+)", ours
        )
    )


def filled(layer: re.Match[str], hole: re.Match[str]) -> str:
    """A word of the layer's name, or a number moved by an offset."""
    word, offset = layer[hole[1]], hole[2]
    return str(int(word) + int(offset)) if offset else word
