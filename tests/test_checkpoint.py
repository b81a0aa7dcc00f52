"""A run that is killed goes on and ends with the same bits."""

import random
import signal

import keras
import pytest
from processes import STEPS, child, events, spec_for, trained

BACKEND = keras.backend.backend()
SPEC = spec_for(BACKEND)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The run that is never killed."""
    return trained(BACKEND, data, tmp_path_factory.mktemp("whole"), SPEC, ())


def test_killed_at_any_moment_a_run_ends_with_the_same_bits(data, whole, tmp_path_factory):
    """Killed again and again: while the first step is compiled, while it trains, while it keeps."""
    draw, kills = random.Random(0), 0
    resumed: list[int] = []
    while kills < 6 or len(resumed) < 2:
        # Some of them late: much of the time is the first step's.
        waits = [draw.uniform(first, 1) * whole.seconds for first in (0, 0.7) * 3]
        ended = trained(BACKEND, data, tmp_path_factory.mktemp("killed"), SPEC, waits)
        assert ended.result == whole.result
        kills += ended.kills
        resumed += ended.resumed
    assert all(0 < step <= STEPS for step in resumed)


def test_a_run_that_is_asked_to_stop_keeps_what_it_has(data, whole, tmp_path):
    with child(BACKEND, data, tmp_path, SPEC) as process:
        told = events(process)
        next(told)
        process.send_signal(signal.SIGTERM)
        *_, last = told
        assert process.wait() == 128 + signal.SIGTERM
    assert last["stopped"] >= 1
    again = trained(BACKEND, data, tmp_path, SPEC, ())
    assert again.resumed == [last["stopped"]]
    assert again.result == whole.result
