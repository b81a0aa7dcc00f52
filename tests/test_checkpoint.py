"""A run that is killed goes on and ends with the same bits."""

import signal

import keras
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from processes import child, events, spec_for, trained

BACKEND = keras.backend.backend()
SPEC = spec_for(BACKEND)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The run that is never killed."""
    return trained(BACKEND, data, tmp_path_factory.mktemp("whole"), SPEC, ())


@settings(max_examples=1, phases=[Phase.generate], deadline=None)
@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_killed_at_any_moment_a_run_ends_with_the_same_bits(data, whole, tmp_path_factory, parts):
    """Killed again and again: while the first step is compiled, while it trains, while it keeps."""
    kills, span = 0, whole.seconds
    while kills < len(parts):
        waits = [part * span for part in parts[kills:]]
        ended = trained(BACKEND, data, tmp_path_factory.mktemp("killed"), SPEC, waits)
        assert ended.result == whole.result
        kills += ended.kills
        span /= 2  # it was done before its last kill


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
