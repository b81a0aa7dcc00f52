"""What is missing, in which order, and how long it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report import CIFAR, group, made

from reproductions.claims import CLAIMS
from reproductions.evidence.snapshot import Snapshot
from reproductions.evidence.store import COMMITTED, Store, new_record
from reproductions.experiments.cost import (
    effort,
    known_durations_of_rerun,
    minutes,
    paced,
    paces,
    shortest_first,
)
from reproductions.experiments.planning import wanted
from reproductions.experiments.spec import spec_of
from reproductions.experiments.tiers import TIERS

LAPTOP = TIERS["laptop"]


def timed(arm, seed, seconds, backend="torch", watched=None):
    record = made(spec_of(arm, LAPTOP, seed, backend, CIFAR, watched=watched), 0.5)
    around = {**record["circumstances"], "seconds": seconds}
    return new_record(record["spec"], record["result"], around)


def test_a_run_takes_what_its_other_seeds_took():
    known = [timed("plain-20", 0, 60), timed("plain-20", 1, 120), timed("plain-56", 0, 600),
             timed("plain-20", 0, 1, "jax"), timed("plain-20", 0, 1, watched="losses")]  # fmt: skip
    assert minutes(spec_of("plain-20", LAPTOP, 7, "torch", CIFAR), known) == 1.5
    assert minutes(spec_of("plain-20", LAPTOP, 7, "tensorflow", CIFAR), known) is None


def test_else_the_nearest_in_effort_is_scaled():
    known = [timed("plain-56", 0, 600), timed("plain-20", 0, 60)]
    guess = minutes(spec_of("plain-110", LAPTOP, 0, "torch", CIFAR), known)
    factor = effort(spec_of("plain-110", LAPTOP, 0, "torch", CIFAR)) / effort(known[0]["spec"])
    assert guess == 10 * factor


@given(st.floats(0.1, 10), st.sampled_from([0, 7]))
def test_runs_made_here_set_the_pace_of_records_of_elsewhere(pace, seed):
    elsewhere = [timed("plain-20", 0, 60), timed("plain-56", 0, 600)]
    others = [timed("plain-20", 0, 1, watched="losses"), timed("plain-20", 0, 1, "jax")]
    here = [timed("plain-20", seed, 60 * pace)]
    spec = spec_of("plain-56", LAPTOP, 1, "torch", CIFAR)
    assert minutes(spec, paced(elsewhere, here)) == pytest.approx(10 * pace)
    assert paced(elsewhere, []) == paced(elsewhere, others) == elsewhere


def test_each_backend_has_its_own_pace():
    elsewhere = [timed("plain-20", seed, 60, name) for seed in (0, 1) for name in ("torch", "jax")]
    here = [timed("plain-20", seed, 180) for seed in range(5)]
    assert paces(elsewhere, here) == {"torch": 3}
    took = [record["circumstances"]["seconds"] for record in paced(elsewhere, here)]
    assert took == [180, 60, 180, 60]


def test_the_machine_that_made_runs_anew_has_its_own_pace():
    anew, known = (
        Store(COMMITTED / "anew").read().values(),
        known_durations_of_rerun(Snapshot(COMMITTED)),
    )
    took = sum(record["circumstances"]["seconds"] for record in anew)
    planned = 60 * sum(minutes(record["spec"], known) for record in anew)
    assert planned == pytest.approx(took, rel=0.05)


def test_committed_runs_of_that_machine_keep_their_seconds():
    """Those of the night tier are of it."""
    known = known_durations_of_rerun(Snapshot(COMMITTED))
    night = [r for r in Store(COMMITTED).read().values()
             if r["spec"].get("tier", {}).get("name") == "night"]  # fmt: skip
    took = sum(record["circumstances"]["seconds"] for record in night)
    assert len(night) == 12
    assert 60 * sum(minutes(r["spec"], known) for r in night) == pytest.approx(took, rel=0.05)


def test_the_shortest_run_is_first_and_seeds_stay_together():
    runs = wanted([CLAIMS["degradation-plain"]], group("torch"), {})
    arms = [spec["arm"]["name"] for spec in runs.values()]
    assert arms == ["plain-20"] * 3 + ["plain-56"] * 3
    known = [timed("plain-20", 0, 600), timed("plain-56", 0, 60)]
    order = [runs[key]["arm"]["name"] for key in shortest_first(runs, known)]
    assert order == ["plain-56"] * 3 + ["plain-20"] * 3
    assert set(shortest_first(runs, []).values()) == {None}


def test_claims_share_runs():
    claims = [CLAIMS[name] for name in ("degradation-plain", "cause-overfitting")]
    assert wanted(claims, group("torch"), {}) == wanted(claims[:1], group("torch"), {})
    alone = [len(wanted([CLAIMS[name]], group("torch"), {}))
             for name in ("cause-vanishing", "gradient-flow")]  # fmt: skip
    both = [CLAIMS[name] for name in ("cause-vanishing", "gradient-flow")]
    assert alone == [5, 30]
    assert len(wanted(both, group("torch"), {})) == 30
