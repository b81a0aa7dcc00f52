"""What the values of a check must be: data, which `analysis/computed.py` applies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Equal:
    """Each named value is as given."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Rounded:
    """Each named value, rounded half up to the digits of a printed figure, is that figure.

    Figures are as printed: "60M", "7.8 %". Their digits are counted less trailing zeros: "60M" has
    one.
    """

    figures: Mapping[str, str]


@dataclass(frozen=True)
class Within:
    """Each case's |a - b| is at most absolute + relative * |b|, and each control's is more.

    `cases` and `controls` name lists of [what, |a - b|, |b|], both maxima; the controls are wrong
    on purpose, and show that the check can fail.
    """

    cases: str = "cases"
    absolute: float = 0.0
    relative: float = 0.0
    controls: str | None = "controls"


@dataclass(frozen=True)
class Falling:
    """The named values fall strictly, from the first to the last."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Rarer:
    """`successes` of `trials` is above `rate`, a share, by a one-sided binomial test at `alpha`."""

    successes: str
    trials: str
    rate: str
    alpha: float = 0.05


@dataclass(frozen=True)
class Quicker:
    """`first` takes less time than `second`: the upper one-sided t-bound of the mean log ratio of
    their seconds, paired by round, is below zero.
    """

    first: str
    second: str
    alpha: float = 0.05


Rule = Equal | Rounded | Within | Falling | Rarer | Quicker
