"""Statements and values to verdicts, by rules fixed beforehand. Pure: no Keras, no disk, no clock.

The unit of a trained statement is a seed: runs of equal seed share the order and the augmentation
of their data, so that effects are paired. Backends and data sets are never pooled.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from ..claims import Trained
from ..experiments.metrics import METRICS, Metric
from ..experiments.tiers import TIERS
from .statistics import bounds, signs_agree
from .verdict import CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPRODUCED, Outcome, Verdict

# A metric by (arm, seed): None where it is unknown, absent where there is no run. Steps that were
# never reached are infinite.
Values = Mapping[tuple[str, int], float | None]


def judge(statement: Trained, tier: str, values: Values) -> Verdict:
    """The verdict on `statement` from the values of the seeds it declares for `tier`."""
    ranges = [effect_range(statement, values, seed) for seed in statement.judged(tier)]
    effects = tuple(r[0] if r and r[0] == r[1] and math.isfinite(r[0]) else None for r in ranges)
    word, reason = decide(statement, tier, values)
    return summarised(statement, Verdict(word, reason, effects))


def effect_range(statement: Trained, values: Values, seed: int) -> tuple[float, float] | None:
    """The least and the greatest effect of a seed; None if a run is missing.

    They differ where a run diverged: its value is then only known to lie in the metric's range.
    """
    if any((arm, seed) not in values for arm in statement.contrast):
        return None
    metric = METRICS[statement.metric]
    weights = {arm: weight for arm, weight in statement.contrast.items() if weight}
    ends = []
    for least in (True, False):
        terms = (
            weight * scaled(metric, values[arm, seed], (weight > 0) == least)
            for arm, weight in weights.items()
        )
        # Errors are shares of whole images: what is beyond 12 digits is rounding.
        ends.append(round(sum(terms), 12))
    return ends[0], ends[1]


def scaled(metric: Metric, value: float | None, least: bool) -> float:
    """A value as effects add it up; of a diverged run an end of the range."""
    if value is None:
        return metric.least if least else metric.most
    return -math.log(value) if metric.counts_steps else value


# --- verdicts ---------------------------------------------------------------------------------


def decide(statement: Trained, tier: str, values: Values) -> Outcome:
    """The verdict's word, and why."""
    if tier not in statement.decided_at:
        smallest = min(statement.decided_at, key=list(TIERS).index)
        return NOT_RUN, f"decided from the {smallest} tier on: {statement.decided_why}"
    seeds = statement.judged(tier)
    n = len(seeds)
    ranges = [r for s in seeds if (r := effect_range(statement, values, s)) is not None]
    if not ranges:
        return NOT_RUN, f"none of {n} seeds has its runs"
    if len(ranges) < n:
        return INCONCLUSIVE, f"{len(ranges)} of {n} seeds have their runs"
    if statement.rule == "falling":
        return falling(statement, tier, values)
    if statement.rule == "sooner" and not all(math.isfinite(end) for r in ranges for end in r):
        return censored(statement, tier, values)
    return by_bounds(statement, ranges)


UNKNOWN = "the effect of {} of {} seeds is unknown: runs diverged, or never got there"


def by_bounds(statement: Trained, ranges: Sequence[tuple[float, float]]) -> Outcome:
    """The rules that compare t-bounds of the mean effect with the margin."""
    n, known = len(ranges), [low for low, high in ranges if low == high]
    if len(known) > 1 and len(set(known)) == 1 and math.isfinite(known[0]):
        return INCONCLUSIVE, "all seeds give the same effect: they are not independent runs"
    # An unknown value may be any: the verdict stands only if every value would give it.
    # The bounds are concave (lower) and convex (upper) in the effects: the corners suffice.
    unknown = sum(not (low == high and math.isfinite(low)) for low, high in ranges)
    open_ = INCONCLUSIVE, f"{UNKNOWN.format(unknown, n)}, which leaves it open"
    if not all(math.isfinite(end) for ends in ranges for end in ends):
        return open_
    corners = itertools.product(*(sorted(set(ends)) for ends in ranges))
    outcomes = {RULES[statement.rule](statement, corner) for corner in corners}
    if len(outcomes) > 1:
        return open_
    ((word, reason),) = outcomes
    lost = f"; {UNKNOWN.format(unknown, n)}" if unknown else ""
    return word, reason + lost


def one_sided(statement: Trained, effects: Sequence[float]) -> Outcome:
    """On which side of the margin the bounds are; "sooner" is contradicted below zero."""
    if len(effects) < 2:
        return INCONCLUSIVE, "one seed shows no spread"
    lower, upper = bounds(effects, statement.alpha)
    above = lower > statement.margin
    below = upper < (0 if statement.rule == "sooner" else statement.margin)
    margin = shown(statement, statement.margin)
    greater = statement.rule != "not inferior"
    if greater and above and not signs_agree(effects, statement.alpha):
        return INCONCLUSIVE, "the signs of the seeds' effects do not agree well enough"
    if below and greater and lower > 0:
        return (
            CONTRADICTED,
            f"there is an effect, but its upper bound is below the margin, {margin}",
        )
    if above or below:
        bound = "lower bound is above" if above else "upper bound is below"
        edge = shown(statement, 0) if below and statement.rule == "sooner" else margin
        return REPRODUCED if above == greater else CONTRADICTED, f"the {bound} {edge}"
    return INCONCLUSIVE, f"the bounds leave open on which side of {margin} the effect is"


def equivalent(statement: Trained, effects: Sequence[float]) -> Outcome:
    """Two one-sided tests: whether the bounds lie within the margin of zero."""
    if len(effects) < 2:
        return INCONCLUSIVE, "one seed shows no spread"
    m, (lower, upper) = statement.margin, bounds(effects, statement.alpha)
    within = f"{shown(statement, -m)} to {shown(statement, m)}"
    if -m < lower and upper < m:
        return REPRODUCED, f"both bounds are within {within}"
    low, high = bounds(effects, statement.alpha / 2)  # the two-sided interval
    if low > m or high < -m:
        side = "above" if low > m else "below"
        return CONTRADICTED, f"the whole interval is {side} {within}"
    return INCONCLUSIVE, f"the interval is neither within {within} nor outside"


def falling(statement: Trained, tier: str, values: Values) -> Outcome:
    """Every adjacent pair by "greater", as an intersection; the ends where only they hold."""
    word, reason = fallen(statement, tier, values)
    seeds = statement.judged(tier)
    means = [np.mean([np.float64(values[arm, s]) for s in seeds]) for arm in statement.contrast]
    if np.isnan(means).any():  # a run diverged
        return word, reason
    tau = stats.kendalltau(range(len(means)), np.negative(means)).statistic
    return word, f"{reason} (Kendall's tau of the means {tau:.2f})"


def fallen(statement: Trained, tier: str, values: Values) -> Outcome:
    """The word of an order."""
    arms = list(statement.contrast)
    pairs = [*itertools.pairwise(arms), (arms[0], arms[-1])]
    words = [pair_word(statement, tier, values, pair, statement.margin) for pair in pairs]
    reversed_ = [
        f"{b} above {a}"
        for a, b in pairs
        if pair_word(statement, tier, values, (b, a), 0.0) == REPRODUCED
    ]
    if reversed_:
        return CONTRADICTED, f"the order is reversed: {', '.join(reversed_)}"
    if all(word == REPRODUCED for word in words):
        return REPRODUCED, "each arm is below the one before"
    if words[-1] == REPRODUCED:
        return INCONCLUSIVE, f"only the ends hold: {arms[-1]} is below {arms[0]}"
    if words[-1] == CONTRADICTED:
        margin = shown(statement, statement.margin)
        return CONTRADICTED, f"{arms[-1]} is not {margin} below {arms[0]}"
    return INCONCLUSIVE, "not even the ends are told apart"


def pair_word(
    statement: Trained, tier: str, values: Values, pair: tuple[str, str], margin: float
) -> str:
    """The word of "greater" on the first arm less the second."""
    contrast = {pair[0]: 1, pair[1]: -1}
    return decide(replace(statement, rule="greater", contrast=contrast, margin=margin),
                  tier, values)[0]  # fmt: skip


def censored(statement: Trained, tier: str, values: Values) -> Outcome:
    """A sign test of who got there first by more than the margin, where some runs never did."""
    first = next(arm for arm, weight in statement.contrast.items() if weight > 0)
    second = next(arm for arm, weight in statement.contrast.items() if weight < 0)
    seeds = statement.judged(tier)
    pairs = [[float(values[arm, s]) for arm in (first, second)] for s in seeds]  # type: ignore
    ahead = math.exp(statement.margin)
    wins, losses = sum(a * ahead < b for a, b in pairs), sum(b < a for a, b in pairs)
    lost = sum(x == math.inf for pair in pairs for x in pair)
    reason = (
        f"{lost} run{'s' * (lost > 1)} never got there; {first} was first, by more than "
        f"{shown(statement, statement.margin)}, on {wins} of {len(pairs)} seeds; {second}, by "
        f"however little, on {losses}"
    )
    for word, count in ((REPRODUCED, wins), (CONTRADICTED, losses)):
        if stats.binomtest(count, len(pairs), 0.5, alternative="greater").pvalue < statement.alpha:
            return word, reason
    return INCONCLUSIVE, reason


RULES = {
    "greater": one_sided,
    "not inferior": one_sided,
    "sooner": one_sided,
    "equivalent": equivalent,
}


# --- statistics -------------------------------------------------------------------------------


def shown(statement: Trained, effect: float) -> str:
    """An effect in the metric's unit."""
    metric = METRICS[statement.metric]
    if metric.counts_steps:
        return f"a ratio of {math.exp(effect):.3g}"
    return f"{metric.shown(effect)} {metric.unit}".strip()


def summarised(statement: Trained, verdict: Verdict) -> Verdict:
    """The verdict with the mean of the known effects and, if all are known, bounds and p."""
    known = [effect for effect in verdict.effects if effect is not None]
    if not known:
        return verdict
    verdict = replace(verdict, mean=float(np.mean(known)))
    if len(known) < max(2, len(verdict.effects)) or len(set(known)) == 1:
        return verdict
    lower, upper = bounds(known, statement.alpha)
    inferior = statement.rule == "not inferior"
    p = None if statement.rule in ("equivalent", "falling") else p_value(statement, known)
    superior = upper < 0 if inferior else None
    return replace(verdict, lower=lower, upper=upper, p=p, superior=superior)


def p_value(statement: Trained, effects: Sequence[float]) -> float:
    """Of the one-sided t-test against the margin."""
    direction = "less" if statement.rule == "not inferior" else "greater"
    return float(stats.ttest_1samp(effects, statement.margin, alternative=direction).pvalue)
