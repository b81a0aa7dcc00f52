"""Two ways of doing a thing, timed in turn, A B A B, in one call."""

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple


class Comparison(NamedTuple):
    """Seconds of ours and of theirs, and the quartiles of ours / theirs over the pairs."""

    what: str
    ours: float
    theirs: float
    ratios: tuple[float, float, float]

    def row(self) -> str:
        """A line of a Markdown table."""
        low, middle, high = self.ratios
        seconds = f"{self.ours:.3f} | {self.theirs:.3f}"
        return f"| {self.what} | {seconds} | {middle:.2f} ({low:.2f} ... {high:.2f}) |"


HEADING = "| what | ours, s | theirs, s | ours / theirs (quartiles) |\n|---|---|---|---|"


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def compare(
    what: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    rounds: int = 9,
) -> Comparison:
    """Both are functions that give the seconds they took; what they need once comes before."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    mine, other = zip(*pairs, strict=True)
    low, middle, high = statistics.quantiles([a / b for a, b in pairs], n=4)
    return Comparison(what, statistics.median(mine), statistics.median(other), (low, middle, high))
