"""Two ways of doing a thing, timed in turn, A B A B, in one call."""

import statistics
from collections.abc import Callable
from typing import NamedTuple

Quartiles = tuple[float, float, float]


class Comparison(NamedTuple):
    """Seconds of both (medians), and the quartiles of theirs / ours over the pairs: how many times
    faster ours is.
    """

    ours: float
    theirs: float
    ratios: Quartiles


def compare(ours: Callable[[], float], theirs: Callable[[], float], rounds: int = 9) -> Comparison:
    """Both are functions that give the seconds they took; what they need once comes before."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Comparison(mine, other, quartiles([b / a for a, b in pairs]))


def quartiles(values: list[float]) -> Quartiles:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
