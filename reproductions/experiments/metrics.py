"""What runs are judged by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, log10
from statistics import fmean
from typing import Any

Result = Mapping[str, Any]
Watched = Mapping[str, list[Any]]

# A run's value, given the loss level of the statement where it has one; None: unknown.
Measure = Callable[[Result, float | None], float | None]


@dataclass(frozen=True)
class Metric:
    """A number that a run leaves: what `measure` takes from its result.

    `watched` names what the run must watch for it. It lies between `least` and
    `most`. A run that diverges leaves it unknown, unless it is measured `at_start`, before the
    first step, or `counts_steps` to something, which are infinite where it was never reached. Of
    steps effects are logarithmic, positive where the arm of weight 1 takes fewer. Effects are
    shown times `scale`, in `unit`, with `digits` behind the point.
    """

    name: str
    unit: str
    measure: Measure
    watched: str | None = None
    least: float = -inf
    most: float = inf
    scale: float = 1
    digits: int = 2
    at_start: bool = False
    counts_steps: bool = False

    def of(self, result: Result, level: float | None = None) -> float | None:
        """Its value in a run's result; None where it is unknown, infinite where never reached."""
        if result["outcome"] == "diverged" and not (self.at_start or self.counts_steps):
            return None
        return self.measure(result, level)

    def shown(self, effect: float | None) -> str:
        """An effect as text, signed, with "−" for a minus."""
        if effect is None:
            return "·"
        return f"{self.scale * effect:+.{self.digits}f}".replace("-", "−")


# --- from looks to a number -------------------------------------------------------------------


def training_error(result: Result, level: float | None) -> float | None:
    """Evaluation mode, after the last step: of the fixed training images."""
    return result["curves"]["train_error"][-1]


def test_error(result: Result, level: float | None) -> float | None:
    """Evaluation mode, after the last step: of all test images."""
    return result["final"]["test_error"]


def crossing(watched: Watched, level: float) -> tuple[int, float] | None:
    """Where the training loss first is at most `level`: a look, and what share of the way to it
    from the look before; None if nowhere.
    """
    losses = [inf if x is None else x for x in watched["train_loss"]]
    for i, (before, loss) in enumerate(zip([inf, *losses], losses, strict=False)):
        if loss <= level:
            return i, (before - level) / (before - loss) if i and before < inf else 1.0
    return None


def between(column: list[float], place: tuple[int, float]) -> float:
    """A column's value there, on a straight line between looks."""
    i, share = place
    return column[i] if share == 1 else (1 - share) * column[i - 1] + share * column[i]


def steps_to(result: Result, level: float | None) -> float | None:
    """Steps to a training loss, at least one; infinite if it was never reached."""
    assert level is not None
    place = crossing(result["watched"], level)
    return inf if place is None else max(1.0, between(result["watched"]["step"], place))


def gap_at(result: Result, level: float | None) -> float | None:
    """The test error less the training error, both in evaluation mode, where the training loss
    first falls to the level; unknown if it does not.
    """
    assert level is not None
    watched = result["watched"]
    place = crossing(watched, level)
    if place is None:
        return None
    test, train = (between(watched[f"{split}_error"], place) for split in ("test", "train"))
    return test - train


def ratios(watched: Watched) -> list[float | None]:
    """At each look, log10 of the norm of the loss' gradient with respect to the first block's
    output over that of the last's; unknown where one is zero.
    """
    columns = [watched[name] for name in sorted(set(watched) - {"step"})]
    return [log10(a / b) if a and b else None
            for a, b in zip(columns[0], columns[-1], strict=True)]  # fmt: skip


def mean(values: list[float | None]) -> float | None:
    """Unknown if one is, or none is there."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def ratio_at_start(result: Result, level: float | None) -> float | None:
    """Before the first step."""
    return ratios(result["watched"])[0]


def ratio_in_training(result: Result, level: float | None) -> float | None:
    """The mean over all looks but the first."""
    return mean(ratios(result["watched"])[1:])


def distance_at_start(result: Result, level: float | None) -> float | None:
    """From 0, up or down."""
    ratio = ratio_at_start(result, level)
    return None if ratio is None else abs(ratio)


def distance_in_training(result: Result, level: float | None) -> float | None:
    """The mean distance from 0 over all looks but the first."""
    return mean([r if r is None else abs(r) for r in ratios(result["watched"])[1:]])


def first_norm(result: Result, level: float | None) -> float | None:
    """Log10 of the norm of the gradient with respect to the first block's output, the mean over all
    looks but the first.
    """
    watched = result["watched"]
    norms = watched[min(set(watched) - {"step"})][1:]
    return mean([log10(norm) if norm else None for norm in norms])


def heads_over_main(result: Result, level: float | None) -> float | None:
    """Log10 of the norms' ratio, the mean over all looks but the first."""
    watched = result["watched"]
    pairs = zip(watched["auxiliary"][1:], watched["main"][1:], strict=True)
    return mean([log10(a / b) if a and b else None for a, b in pairs])


def mean_of(column: str, first: int = 0, last: int | None = None) -> Measure:
    """The mean of a watched column over these looks."""
    return lambda result, level: mean(result["watched"][column][first:last])


def mean_at_end(result: Result, level: float | None) -> float | None:
    """The mean over the layers, at the last look."""
    return mean([column[-1] for name, column in result["watched"].items() if name != "step"])


def error(name: str, measure: Measure, watched: str | None = None, least: float = 0) -> Metric:
    """A share of errors, shown in points (hundredths)."""
    return Metric(name, "points", measure, watched, least, 1, 100, 1)


METRICS = {
    metric.name: metric
    for metric in (
        error("training error", training_error),
        error("test error", test_error),
        error("generalisation gap at equal training loss", gap_at, "losses", -1),
        # Of the last classes, from few labels of them: the run's test images are of these.
        error("error on new classes", test_error),
        Metric(
            "log10 gradient ratio at the start", "decades", ratio_at_start, "gradients",
            at_start=True,
        ),
        Metric("log10 gradient ratio in training", "decades", ratio_in_training, "gradients"),
        Metric(
            "distance of the log10 gradient ratio from 0 at the start", "decades",
            distance_at_start, "gradients", 0, at_start=True,
        ),
        Metric(
            "distance of the log10 gradient ratio from 0 in training", "decades",
            distance_in_training, "gradients", 0,
        ),
        # GoogLeNet's blocks are its modules.
        Metric(
            "log10 gradient ratio from 3a to 5b at the start", "decades", ratio_at_start,
            "gradients", at_start=True,
        ),
        Metric(
            "log10 gradient ratio from 3a to 5b in training", "decades", ratio_in_training,
            "gradients",
        ),
        Metric("log10 gradient norm at 3a in training", "decades", first_norm, "gradients"),
        Metric("log10 ratio of auxiliary to main gradients at 3a", "decades", heads_over_main,
               "heads"),
        Metric("cosine of main and auxiliary gradients at 3a", "", mean_of("cosine", 1), "heads",
               -1, 1),
        Metric("steps to the training loss", "log ratio", steps_to, "losses", 1, inf,
               counts_steps=True),
        Metric("drift of convolution inputs", "deviations", mean_of("drift", 1),
               "shift 2", 0),
        # After the last look there is no step.
        Metric("cosine of gradients before and after the update below", "",
               mean_of("cosine", 0, -1), "shift 2", -1, 1),
        Metric("deviation of layer responses", "", mean_at_end, "responses", 0),
        # How much nearer a one-pixel shift is than noise, or blur, of equal mean squared error.
        Metric("log ratio of feature distances, noise to shift", "log ratio",
               mean_of("noise to shift"), "distances 2"),
        Metric("log ratio of feature distances, blur to shift", "log ratio",
               mean_of("blur to shift"), "distances 2"),
    )
}  # fmt: skip
