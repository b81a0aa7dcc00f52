"""Rules and the values of a check to verdicts. Pure, and without statistics but two tests."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import singledispatch
from typing import Any

from scipy import stats

from ..claims.rules import Equal, Falling, Quicker, Rarer, Rounded, Within
from .statistics import bounds
from .verdict import CONTRADICTED, INCONCLUSIVE, REPRODUCED, Outcome

Values = Mapping[str, Any]
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "%": 1}


@singledispatch
def verdict(rule: Any, values: Values) -> Outcome:
    """What `rule` says of a check's values, and why.

    Raises:
        KeyError: the check has no value of a name that the rule asks for.
    """
    raise TypeError(f"no rule is a {type(rule).__name__}")


@verdict.register
def equal(rule: Equal, values: Values) -> Outcome:
    wrong = [
        f"{name} is {told(values[name])}, not {told(right)}"
        for name, right in rule.values.items()
        if values[name] != right
    ]
    if wrong:
        return CONTRADICTED, "; ".join(wrong)
    if len(rule.values) > 6:
        return REPRODUCED, f"all {len(rule.values)} values are as given"
    return REPRODUCED, "; ".join(f"{name}: {told(values[name])}" for name in rule.values)


@verdict.register
def rounded(rule: Rounded, values: Values) -> Outcome:
    outcomes = {name: rounds_to(values[name], figure) for name, figure in rule.figures.items()}
    said = "; ".join(
        f"{name}: {told(values[name])} {'is' if outcomes[name] else 'is not'} {figure} to "
        f"{digits(figure)} digit{'s' * (digits(figure) > 1)}"
        for name, figure in rule.figures.items()
    )
    return REPRODUCED if all(outcomes.values()) else CONTRADICTED, said


@verdict.register
def within(rule: Within, values: Values) -> Outcome:
    def excess(case: Sequence[Any]) -> bool:
        _, difference, size = case
        return not difference <= rule.absolute + rule.relative * size  # NaN exceeds

    beyond = [case for case in values[rule.cases] if excess(case)]
    controls = values[rule.controls] if rule.controls else ()
    if rule.controls and not controls:
        return INCONCLUSIVE, "there is no control: the check cannot fail"
    tight = [case for case in controls if not (excess(case) and math.isfinite(case[1]))]
    allowed = f"{rule.absolute:g}" + f" + {rule.relative:g} of the size" * (rule.relative > 0)
    largest = max(difference for _, difference, _ in values[rule.cases])
    count = f"{len(values[rule.cases])} cases"
    if tight:
        return INCONCLUSIVE, f"the control {tight[0][0]} does not differ: the check cannot fail"
    if beyond:
        what, difference, _ = beyond[0]
        return CONTRADICTED, f"{len(beyond)} of {count} differ, {what} by {difference:.2g}"
    return REPRODUCED, f"in {count} the largest difference is {largest:.2g} (allowed: {allowed})"


@verdict.register
def falls(rule: Falling, values: Values) -> Outcome:
    numbers = [values[name] for name in rule.names]
    said = ", ".join(f"{name} {told(values[name])}" for name in rule.names)
    pairs = itertools.pairwise(numbers)
    if all(a > b for a, b in pairs):
        return REPRODUCED, said
    if len(numbers) > 2 and numbers[0] > numbers[-1]:
        return INCONCLUSIVE, f"only the ends hold: {said}"
    return CONTRADICTED, said


@verdict.register
def rarer(rule: Rarer, values: Values) -> Outcome:
    k, n, rate = (values[name] for name in (rule.successes, rule.trials, rule.rate))
    p = stats.binomtest(k, n, rate, alternative="greater").pvalue
    less = stats.binomtest(k, n, rate, alternative="less").pvalue
    said = f"{k} of {n:,} against {100 * rate:.2f} %: p = {p:.2g}"
    if p < rule.alpha:
        return REPRODUCED, said
    return CONTRADICTED if less < rule.alpha else INCONCLUSIVE, said


@verdict.register
def quicker(rule: Quicker, values: Values) -> Outcome:
    pairs = zip(values[rule.first], values[rule.second], strict=True)
    ratios = [math.log(a / b) for a, b in pairs]
    lower, upper = bounds(ratios, rule.alpha)
    said = (
        f"{rule.first} takes {math.exp(sum(ratios) / len(ratios)):.2f} times the seconds of "
        f"{rule.second} (bounds {math.exp(lower):.2f} and {math.exp(upper):.2f}, "
        f"{len(ratios)} rounds)"
    )
    if upper < 0:
        return REPRODUCED, said
    return CONTRADICTED if lower > 0 else INCONCLUSIVE, said


# --- figures as printed -----------------------------------------------------------------------


def parsed(figure: str) -> tuple[Decimal, int]:
    """A printed figure's digits as a number without trailing zeros, and its unit's size."""
    match = re.fullmatch(r"([\d.,]+)\s*([KMG%]?)", figure)
    if not match:
        raise ValueError(f"{figure!r} is no figure: digits, and K, M, G or % behind them.")
    number, unit = match.groups()
    return Decimal(number.replace(",", "")).normalize(), UNITS[unit]


def digits(figure: str) -> int:
    """The digits that a printed figure has, less trailing zeros."""
    return len(parsed(figure)[0].as_tuple().digits)


def rounds_to(value: float, figure: str) -> bool:
    """Whether a number, rounded half up to the figure's precision, is the figure."""
    number, unit = parsed(figure)
    step = Decimal(1).scaleb(int(number.as_tuple().exponent))
    exact = Decimal(str(value)) / unit
    return (exact / step).quantize(Decimal(1), ROUND_HALF_UP) * step == number


def told(value: Any) -> str:
    """A value in a sentence."""
    if isinstance(value, list | tuple):
        return ", ".join(map(told, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {told(part)}" for name, part in value.items())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
