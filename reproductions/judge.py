"""Statements and errors to verdicts, by rules fixed beforehand. Pure: no Keras, no disk, no clock.

The unit is a seed: runs of equal seed share the order and the augmentation of their data, so that
effects are paired. Backends and data sets are never pooled.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from .claims import Statement
from .tiers import TIERS

REPRODUCED, CONTRADICTED = "REPRODUCED", "CONTRADICTED"
INCONCLUSIVE, NOT_RUN = "INCONCLUSIVE", "NOT RUN"

# Errors by (arm, seed): None where the run diverged, absent where there is no run.
Errors = Mapping[tuple[str, int], float | None]


@dataclass(frozen=True)
class Verdict:
    """What the rule says, why, and the numbers behind it, as shares of one.

    `effects` has each seed's effect, None where a run is missing or diverged. The bounds are the
    one-sided t-bounds at the statement's alpha, `p` the one-sided t-test's value for the rule's
    direction; they are None where fewer than two effects are known, or some are not.
    """

    word: str
    reason: str
    effects: tuple[float | None, ...]
    mean: float | None = None
    lower: float | None = None
    upper: float | None = None
    p: float | None = None
    superior: bool | None = None


def judge(statement: Statement, tier: str, errors: Errors) -> Verdict:
    """The verdict on `statement` from the errors of the seeds it declares for `tier`."""
    n = statement.seeds[tier]
    ranges = [effect_range(statement.contrast, errors, seed) for seed in range(n)]
    effects = tuple(r[0] if r and r[0] == r[1] else None for r in ranges)
    present = [r for r in ranges if r is not None]
    word, reason = decide(statement, tier, n, present)
    return summarised(statement, Verdict(word, reason, effects))


def effect_range(
    contrast: Mapping[str, int], errors: Errors, seed: int
) -> tuple[float, float] | None:
    """The least and the greatest effect of a seed; None if a run is missing.

    They differ where a run diverged: its error is then only known to lie between 0 and 1.
    """
    if any((arm, seed) not in errors for arm in contrast):
        return None
    ends = []
    for least in (True, False):
        terms = (
            weight * (float((weight < 0) == least) if (e := errors[arm, seed]) is None else e)
            for arm, weight in contrast.items()
        )
        # Errors are shares of whole images: what is beyond 12 digits is rounding.
        ends.append(round(math.fsum(terms), 12))
    return ends[0], ends[1]


def decide(
    statement: Statement, tier: str, n: int, ranges: Sequence[tuple[float, float]]
) -> tuple[str, str]:
    """The verdict's word, and why."""
    if tier not in statement.decided_at:
        smallest = min(statement.decided_at, key=list(TIERS).index)
        return NOT_RUN, f"decided from the {smallest} tier on: {statement.decided_why}"
    if not ranges:
        return NOT_RUN, f"none of {n} seeds has its runs"
    if len(ranges) < n:
        return INCONCLUSIVE, f"{len(ranges)} of {n} seeds have their runs"
    known = [low for low, high in ranges if low == high]
    if len(known) > 1 and len(set(known)) == 1:
        return INCONCLUSIVE, "all seeds give the same effect: they are not independent runs"
    # A diverged run's error is unknown: the verdict stands only if every value would give it.
    # The bounds are concave (lower) and convex (upper) in the effects: the corners suffice.
    corners = itertools.product(*(sorted(set(ends)) for ends in ranges))
    outcomes = dict(rule(statement, corner) for corner in corners)
    if len(outcomes) > 1:
        return INCONCLUSIVE, f"runs of {n - len(known)} of {n} seeds diverged, which leaves it open"
    ((word, reason),) = outcomes.items()
    lost = f"; runs of {n - len(known)} of {n} seeds diverged" if len(known) < n else ""
    return word, reason + lost


def rule(statement: Statement, effects: Sequence[float]) -> tuple[str, str]:
    """What the statement's rule says of known effects, and why."""
    if len(effects) < 2:
        return INCONCLUSIVE, "one seed shows no spread"
    lower, upper = bounds(effects, statement.alpha)
    above, below = lower > statement.margin, upper < statement.margin
    margin = points(statement.margin)
    if statement.rule == "greater" and above and not signs_agree(effects, statement.alpha):
        return INCONCLUSIVE, "the signs of the seeds' effects do not agree well enough"
    if above or below:
        holds = above == (statement.rule == "greater")
        bound = "lower bound is above" if above else "upper bound is below"
        return REPRODUCED if holds else CONTRADICTED, f"the {bound} {margin}"
    return INCONCLUSIVE, f"the bounds leave open on which side of {margin} the effect is"


def points(share: float) -> str:
    """A share of one in points."""
    return f"{100 * share:+.1f} points"


def bounds(effects: Sequence[float], alpha: float) -> tuple[float, float]:
    """One-sided lower and upper t-bound of the mean, each at level 1 - alpha."""
    mean, error = np.mean(effects), stats.sem(effects)
    reach = stats.t.ppf(1 - alpha, len(effects) - 1) * error
    return float(mean - reach), float(mean + reach)


def signs_agree(effects: Sequence[float], alpha: float) -> bool:
    """All but one effects are positive; from five on their sign-flip test is also below alpha."""
    n = len(effects)
    if sum(effect > 0 for effect in effects) < n - 1:
        return False
    return n < 5 or sign_flip_p(effects) < alpha


def sign_flip_p(effects: Sequence[float]) -> float:
    """The share of all choices of signs that give at least the sum of the effects."""
    # The same exact test as scipy.stats.permutation_test, which takes a hundred times as long.
    signs = np.array(list(itertools.product((1, -1), repeat=len(effects))))
    sums = signs @ np.asarray(effects)
    return float(np.mean(sums >= sums[0] - 1e-12))


def summarised(statement: Statement, verdict: Verdict) -> Verdict:
    """The verdict with the mean of the known effects and, if all are known, bounds and p."""
    known = [effect for effect in verdict.effects if effect is not None]
    if not known:
        return verdict
    verdict = replace(verdict, mean=float(np.mean(known)))
    if len(known) < max(2, len(verdict.effects)) or len(set(known)) == 1:
        return verdict
    lower, upper = bounds(known, statement.alpha)
    greater = statement.rule == "greater"
    direction = "greater" if greater else "less"
    p = float(stats.ttest_1samp(known, statement.margin, alternative=direction).pvalue)
    superior = None if greater else upper < 0
    return replace(verdict, lower=lower, upper=upper, p=p, superior=superior)
