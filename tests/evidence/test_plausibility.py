"""Whole records that cannot be true are named, and true ones are not."""

import pytest
from test_report import CIFAR, made

from reproductions.analysis.plausibility import implausible
from reproductions.data.registry import DATASETS
from reproductions.evidence.store import COMMITTED, Store
from reproductions.experiments.spec import spec_of
from reproductions.experiments.tiers import TIERS


def run(seed=3, error=0.5, data=CIFAR, weights=None, **circumstances):
    """A record of plain-20."""
    record = made(spec_of("plain-20", TIERS["laptop"], seed, "torch", data), error)
    record["result"] |= {"weights_sha256": weights} if weights else {}
    record["circumstances"] |= circumstances
    return record


def told(*records):
    return list(implausible(records))


def test_what_is_possible_passes():
    assert told(run(3), run(4), run(5, error=DATASETS["cifar10"].least_error)) == []


@pytest.mark.parametrize("folder", ["", "explored"])
def test_the_committed_records_are_possible(folder):
    assert told(*Store(COMMITTED / folder).read().values()) == []


def test_a_run_that_ended_early_is_named():
    record = run()
    record["result"]["curves"]["step"] = [1, 2]
    (problem,) = told(record)
    assert "is called finished after step 2 of 312" in problem


@pytest.mark.parametrize(
    ("member", "change", "problem"),
    [
        ("result", {"outcome": "polished"}, "is called 'polished'"),
        ("curves", {"train_error": [0.9, -5]}, "an error that is no share"),
        ("curves", {"test_error": [0.9, "0"]}, "an error that is no share"),
        ("curves", {"train_error": [0.5]}, "columns of different lengths"),
        ("curves", {"train_loss": 5}, "is no record of training"),
        ("result", {"final": {"test_error": "0.5"}}, "is no record of training"),
        ("circumstances", {"epochs": {"seconds": []}}, "columns of different lengths"),
    ],
)
def test_what_training_cannot_leave_is_named(member, change, problem):
    record = run()
    (record["result"]["curves"] if member == "curves" else record[member]).update(change)
    (sentence,) = told(record)
    assert problem in sentence


def test_a_run_that_took_less_than_its_epochs_is_named():
    for seconds in (1.5, 0):
        (problem,) = told(run(seconds=seconds))
        assert f"took {seconds} seconds, less than its epochs together" in problem


def test_a_run_better_than_any_paper_s_is_named():
    (problem,) = told(run(error=0.01))
    assert "a test error of 1.00 %, less than any of the papers" in problem


def test_seeds_with_the_same_weights_are_named():
    (problem,) = told(run(3, weights="w"), run(4, weights="w"))
    assert "the same weights at the end: they are one run" in problem


def test_seeds_that_start_with_the_same_weights_are_named():
    one, other = run(3), run(4)
    other["result"]["initial_sha256"] = one["result"]["initial_sha256"]
    (problem,) = told(one, other)
    assert "the same weights at the start: they are one run" in problem


def test_two_data_sets_of_one_name_are_named():
    (problem,) = told(run(3), run(4, data={**CIFAR, "sha256": "d" * 64}))
    assert "cifar10 3.0.2 is 2 different data sets here" in problem
