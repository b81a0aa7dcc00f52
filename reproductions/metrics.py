"""What runs are judged by."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any


@dataclass(frozen=True)
class Metric:
    """A number that a run leaves.

    `place` is where its result has it; None where no run measures it yet. It lies between `least`
    and `most`. A run that diverges leaves it unknown, unless it `survives`: it is measured before,
    or counts steps to something, which are infinite where it was never reached. Of steps effects
    are `logarithmic`, positive where the arm of weight 1 takes fewer. Effects are shown times
    `scale`, in `unit`, with `digits` behind the point.
    """

    name: str
    unit: str
    place: tuple[str | int, ...] | None = None
    least: float = -inf
    most: float = inf
    scale: float = 1
    digits: int = 2
    survives: bool = False
    logarithmic: bool = False

    def of(self, result: Mapping[str, Any]) -> float | None:
        """Its value in a run's result; None where it is unknown, infinite where never reached."""
        if self.place is None:
            raise ValueError(f"no run measures {self.name!r} yet.")
        if result["outcome"] == "diverged" and not self.survives:
            return None
        value: Any = result
        for step in self.place:
            value = value[step]
        return inf if value is None and self.logarithmic else value

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
        Metric("generalisation gap at equal training loss", "points", None, -1, 1, 100, 1),
        # Of the last classes, from few labels of them.
        error("error on new classes"),
        # The norm of the loss' gradient with respect to the first block's output, over the last's;
        # "in training" the mean over the run.
        Metric("log10 gradient ratio at the start", "decades", survives=True),
        Metric("log10 gradient ratio in training", "decades"),
        Metric(
            "distance of the log10 gradient ratio from 0 at the start",
            "decades",
            None,
            0,
            survives=True,
        ),
        Metric("distance of the log10 gradient ratio from 0 in training", "decades", None, 0),
        # The same of GoogLeNet's modules; and of its two losses at the output of 3a, apart.
        Metric("log10 gradient ratio from 3a to 5b at the start", "decades", survives=True),
        Metric("log10 gradient ratio from 3a to 5b in training", "decades"),
        Metric("log10 ratio of auxiliary to main gradients at 3a", "decades"),
        Metric("cosine of main and auxiliary gradients at 3a", "", None, -1, 1),
        Metric(
            "steps to the training loss", "log ratio", None, 1, inf, survives=True, logarithmic=True
        ),
        Metric("drift of convolution inputs", "deviations", None, 0, inf),
        Metric("cosine of gradients before and after the update below", "", None, -1, 1),
        Metric("deviation of layer responses", "", None, 0, inf),
        # How much nearer a one-pixel shift is than noise, or blur, of equal mean squared error.
        Metric("log ratio of feature distances, noise to shift", "log ratio"),
        Metric("log ratio of feature distances, blur to shift", "log ratio"),
    )
}
