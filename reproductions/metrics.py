"""What runs are judged by."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any


@dataclass(frozen=True)
class Metric:
    """A number that a run leaves.

    `place` is where its result has it; None where no run measures it yet. It lies between `least`
    and `most`. Effects are shown times `scale`, in `unit`, with `digits` behind the point.
    """

    name: str
    unit: str
    place: tuple[str | int, ...] | None = None
    least: float = -inf
    most: float = inf
    scale: float = 1
    digits: int = 2

    def of(self, result: Mapping[str, Any]) -> float | None:
        """Its value in a run's result; None where the run diverged."""
        if result["outcome"] == "diverged":
            return None
        value: Any = result
        for step in self.place or ():
            value = value[step]
        return value

    def shown(self, effect: float | None) -> str:
        """An effect as text, signed, with "−" for a minus."""
        if effect is None:
            return "·"
        return f"{self.scale * effect:+.{self.digits}f}".replace("-", "−")


def error(name: str, *place: str | int) -> Metric:
    """A share of errors, shown in points (hundredths)."""
    return Metric(name, "points", place or None, 0, 1, 100, 1)


METRICS = {
    metric.name: metric
    for metric in (
        # Evaluation mode, after the last epoch: the fixed training images, and all test images.
        error("training error", "curves", "train_error", -1),
        error("test error", "final", "test_error"),
        # The test error less the training error, both in evaluation mode, where the training loss
        # first falls to the level that the statement holds.
        error("generalisation gap at equal training loss"),
        # Of the last classes, from few labels of them.
        error("error on new classes"),
        # The norm of the loss' gradient with respect to the first block's output, over the last's;
        # "in training" the mean over the run.
        Metric("log10 gradient ratio at the start", "decades"),
        Metric("log10 gradient ratio in training", "decades"),
        Metric("distance of the log10 gradient ratio from 0 at the start", "decades", None, 0),
        Metric("distance of the log10 gradient ratio from 0 in training", "decades", None, 0),
        # The same of GoogLeNet's modules; and of its two losses at the output of 3a, apart.
        Metric("log10 gradient ratio from 3a to 5b at the start", "decades"),
        Metric("log10 gradient ratio from 3a to 5b in training", "decades"),
        Metric("log10 ratio of auxiliary to main gradients at 3a", "decades"),
        Metric("cosine of main and auxiliary gradients at 3a", "", None, -1, 1),
        # Never reached: no number.
        Metric("steps to the training loss", "log ratio", None, 0, inf),
        Metric("drift of convolution inputs", "deviations", None, 0, inf),
        Metric("cosine of gradients before and after the update below", "", None, -1, 1),
        Metric("deviation of layer responses", "", None, 0, inf),
        # How much nearer a one-pixel shift is than noise, or blur, of equal mean squared error.
        Metric("log ratio of feature distances, noise to shift", "log ratio"),
        Metric("log ratio of feature distances, blur to shift", "log ratio"),
    )
}
