"""Exploration: grids of learning rates that grow, and seeds that are never judged."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report import CIFAR, group

from reproductions.claims import CLAIMS
from reproductions.experiments.exploration import (
    GROWTH,
    SEEDS,
    choose_rate,
    explore_rates,
    plan_exploration,
    tidy,
)
from reproductions.experiments.planning import runs_of
from reproductions.experiments.tiers import TIERS

(FASTER,) = CLAIMS["bn-faster"].trained
(GAP,) = CLAIMS["bn-regularises"].trained
LAPTOP = TIERS["laptop"]
ARM = "plain-20"


def record(spec, loss, steps=None, outcome="finished"):
    """Of a run whose loss falls to `loss`, and to 2.0 after so many steps."""
    watched = {"step": [0, 312], "train_loss": [2.3, 2.3]}
    if steps is not None:
        watched = {"step": [0, steps], "train_loss": [2.3, 2.0]}
    result = {"outcome": outcome, "curves": {"train_loss": [loss]}, "watched": watched}
    return {"spec": spec, "result": result}


def swept(statement, scores, backend="tensorflow", arm=ARM):
    """The sweep when every run that it asks for has been made; `scores` of a rate: loss, steps."""
    explored = {}
    while missing := (state := explore_rates(statement, arm, group(backend), explored)).missing:
        for key, spec in missing.items():
            peak = max(rate for _, rate in spec["recipe"]["schedule"])
            explored[key] = record(spec, *scores(peak))
    return state, explored


def test_the_best_rate_inside_the_grid_is_taken():
    state, explored = swept(GAP, lambda rate: (abs(rate - 0.03),))
    assert (state.rates, state.best) == ((0.01, 0.03, 0.1), 0.03)
    assert len(explored) == 3


def test_a_grid_grows_where_the_best_is_at_its_edge():
    state, _ = swept(GAP, lambda rate: (abs(rate - 1.0),))
    assert (state.rates, state.best) == ((0.01, 0.03, 0.1, 0.3, 1.0, 3.0), 1.0)
    state, _ = swept(GAP, lambda rate: (abs(rate - 1e-4),))
    assert state.rates[:3] == (3e-5, 1e-4, 3e-4)
    assert state.best == 1e-4


def test_a_grid_ends_somewhere():
    state, _ = swept(GAP, lambda rate: (rate,))
    assert len(state.rates) == 3 + GROWTH
    assert state.best == state.rates[0]


def test_steps_come_before_the_loss_where_they_are_counted():
    by_steps = {0.01: (0.1, 300), 0.03: (0.5, 100), 0.1: (0.3, 200)}
    assert swept(FASTER, by_steps.__getitem__)[0].best == 0.03
    never = {0.01: (0.3, None), 0.03: (0.1, None), 0.1: (0.2, None)}
    assert swept(FASTER, never.__getitem__)[0].best == 0.03


def test_a_diverged_run_is_never_the_best():
    state, _ = swept(GAP, lambda rate: (0.0, None, "diverged") if rate == 0.03 else (rate,))
    assert state.best != 0.03
    state, _ = swept(GAP, lambda rate: (None if rate < 0.1 else rate,))
    assert state.best == 0.1


def test_judged_runs_have_the_chosen_rate_and_other_seeds():
    _, explored = swept(GAP, lambda rate: (abs(rate - 0.03),), arm="stack-3x3")
    assert not runs_of(GAP, group("tensorflow"), explored)  # one arm is not explored
    _, more = swept(GAP, lambda rate: (abs(rate - 0.1),), arm="stack-3x3-no-bn")
    runs = runs_of(GAP, group("tensorflow"), explored | more)
    peaks = {arm: max(r for _, r in spec["recipe"]["schedule"]) for (arm, _), spec in runs.items()}
    assert peaks == {"stack-3x3": 0.03, "stack-3x3-no-bn": 0.1}
    assert not {seed for _, seed in runs} & set(SEEDS)
    assert {spec["recipe"]["images_drawn"] for spec in runs.values()} == {1_000}
    # Where a backend has no sweep of its own, TensorFlow's counts; other data's never.
    assert len(runs_of(GAP, group("jax"), explored | more)) == len(runs)
    other = {**CIFAR, "sha256": "d" * 64}
    assert not runs_of(GAP, group("tensorflow", data=other), explored | more)


def test_exploration_sweeps_first_and_then_makes_the_protocol_on_seeds_of_its_own():
    first = plan_exploration(GAP, group("tensorflow"), {})
    assert {spec["seed"] for spec in first.values()} == {SEEDS[0]}
    assert len(first) == 6
    explored = {}
    for arm in GAP.contrast:
        explored |= swept(GAP, lambda rate: (abs(rate - 0.03),), arm=arm)[1]
    then = plan_exploration(GAP, group("tensorflow"), explored)
    assert sorted(spec["seed"] for spec in then.values()) == sorted((*SEEDS, *SEEDS))
    assert len(set(then) - set(explored)) == 4


def test_what_has_no_rates_is_not_swept():
    (first, *_) = CLAIMS["degradation-plain"].trained
    assert choose_rate(first, ARM, group("jax"), {}) is None
    assert choose_rate(replace(first, rate=0.01), ARM, group("jax"), {}) == 0.01
    runs = plan_exploration(first, group("jax"), {})
    assert len(runs) == 2 * len(SEEDS)
    assert not any("watched" in spec for spec in runs.values())


@given(st.integers(-18, 4))
def test_rates_are_one_or_three_times_a_power_of_ten(half_decades):
    rate = tidy(10 ** (half_decades / 2))
    assert f"{rate:.0e}"[0] in "13"
    assert rate == pytest.approx(10 ** (half_decades / 2), rel=0.06)
