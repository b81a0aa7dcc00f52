"""The tests behind verdicts."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats


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


def holm(p_values: Mapping[Any, float]) -> dict[Any, float]:
    """Holm's adjusted p values: for information, they decide nothing."""
    adjusted, running = {}, 0.0
    for i, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, (len(p_values) - i) * p))
        adjusted[name] = running
    return adjusted
