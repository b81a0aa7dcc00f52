"""Faults injected for real while runs are made: each is told, and nothing that was whole is lost.

Training differs from backend to backend, what is done about faults does not: they are injected on
one backend.
"""

import os
import resource
import shutil
import signal
import tempfile
import threading
import time
from functools import partial
from io import StringIO

import keras
import numpy as np
import psutil
import pytest
from processes import (
    STEPS,
    child,
    children_of,
    events,
    is_training,
    spec_for,
    start,
    suspend,
    trained,
    wait_for,
    wait_until,
)
from rich.console import Console

from conftest import SMOKE, reproductions
from reproductions.cli.progress import Plain
from reproductions.evidence.canonical import key_of
from reproductions.evidence.store import Store
from reproductions.execution import scheduler
from reproductions.execution.scheduler import Scheduler

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="faults are injected on PyTorch")

EVERY_STEP = {"CHECKPOINT_SECONDS": "0"}


@pytest.fixture(scope="module", autouse=True)
def _interruptible():
    """A shell lets what it starts in the background ignore SIGINT, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Records of the four smoke runs, made undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    done = reproductions(*SMOKE, "--records", folder)
    assert done.returncode == 0, done.stderr
    return folder


def results(folder):
    return {key: record["result"] for key, record in Store(folder).read().items()}


def checkpoints(folder):
    return [path for path in folder.glob("checkpoints/*/*") if path.name.isdigit()]


def by_run(folder):
    places = {}
    for place in sorted(checkpoints(folder)):
        places.setdefault(place.parent.name, []).append(place)
    return places


def held(folder, number=1):
    """A command, and its training processes, stopped while a run has so many checkpoints."""
    process = start("--records", folder, **EVERY_STEP)

    def caught():
        if not enough():
            return None
        children = children_of(process)
        suspend(children)
        if enough():
            return children
        for one in children:  # the run was done meanwhile
            one.resume()
        return None

    def enough():
        """And steps before it: of four two are left."""
        runs = by_run(folder).values()
        return any(len(places) >= number and int(places[-1].name) <= 2 for places in runs)

    return process, wait_until(caught)


def assert_it_goes_on(folder, whole, *told):
    """The same command makes what is missing, to the same bits."""
    done = reproductions(*SMOKE, "--records", folder)
    assert done.returncode == 0, done.stderr
    assert all(text in done.stdout for text in told), done.stdout
    assert results(folder) == results(whole)
    assert not list(folder.glob("checkpoints/*"))


# --- processes --------------------------------------------------------------------------------


def test_a_killed_command_leaves_no_child_and_goes_on_from_checkpoints(whole, tmp_path):
    process, children = held(tmp_path)
    process.kill()
    process.communicate()
    for one in children:
        one.resume()
    _, alive = psutil.wait_procs(children, timeout=120)
    assert not alive
    assert_it_goes_on(tmp_path, whole, "goes on from step")
    records = [record["circumstances"] for record in Store(tmp_path).read().values()]
    resumed = [record for record in records if record["resumed"]]
    assert resumed
    for record in resumed:
        assert record["resumed"][0] in range(1, 5)
        assert record["seconds"] > sum(record["epochs"]["seconds"]) > 0
        assert record["seconds"] > record["seconds_before"] > 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_keeps_what_it_has_and_says_how_to_go_on(whole, number, status, tmp_path):
    process, children = held(tmp_path)
    process.send_signal(number)
    time.sleep(1)
    for one in children:
        one.resume()
    said, told = process.communicate(timeout=120)
    assert process.returncode == status
    assert "kept after step" in said
    assert told.strip().splitlines()[-1] == "Stopped: the same command goes on from here."
    assert_it_goes_on(tmp_path, whole, "goes on from step")


def nothing(): ...


class Told(Plain):
    """Calls `looked` when a run that goes on tells its errors, `recorded` after a record."""

    def __init__(self, runs, looked=nothing, recorded=nothing):
        self.text = StringIO()
        super().__init__(Console(file=self.text, width=200), runs)
        self.looked, self.recorded = looked, recorded

    def went_on(self, key, event):
        super().went_on(key, event)
        if 0 < event.get("step", 0) < STEPS and "train_error" in event:
            self.looked()

    def ended(self, key, record, problem):
        super().ended(key, record, problem)
        if record:
            self.recorded()


def test_when_time_is_up_a_run_in_flight_keeps_a_checkpoint(tmp_path, data, monkeypatch):
    """The clock rings after the first epoch."""
    clocks = []
    monkeypatch.setattr(threading.Timer, "start", lambda clock: clocks.append(clock))
    spec = spec_for(BACKEND)
    runs, store = {key_of(spec): spec}, Store(tmp_path / "r")
    with np.load(data) as arrays:
        crew = partial(Scheduler, store, dict(arrays), 2)
    stopped = Told(runs, looked=lambda: clocks[0].function())
    assert not crew(stopped).work(runs, 3600)
    assert clocks[0].interval == 3600
    assert "kept after step" in stopped.text.getvalue()
    assert "FAILED" not in stopped.text.getvalue()
    ended = Told(runs)
    assert crew(ended).work(runs)
    assert "goes on from step" in ended.text.getvalue()
    alone = trained(BACKEND, data, tmp_path / "alone", spec, ())
    assert store.read()[key_of(spec)]["result"] == alone.result


def test_a_second_signal_ends_all_at_once(tmp_path):
    process = start("--records", tmp_path)
    wait_for(process, "started")
    children = children_of(process, 2)
    suspend(children)  # they will never keep anything
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    process.communicate()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive


def test_two_commands_share_the_runs(whole, tmp_path):
    both = [start("--records", tmp_path) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert results(tmp_path) == results(whole)
    last = [line for text in said for line in text.splitlines() if "epoch 2, step 4" in line]
    assert len({line.split(":")[0] for line in last}) == len(last) == 4
    assert not Store(tmp_path).others()


def test_what_a_killed_command_was_at_another_takes_over(whole, tmp_path):
    dying, children = held(tmp_path)
    other = start("--records", tmp_path)
    wait_for(other, "another process is at it")
    dying.kill()
    for orphan in children:  # each notices, and leaves the run to the other
        orphan.resume()
    dying.communicate()
    said, _ = other.communicate()
    assert other.returncode == 0
    assert "goes on from step" in said
    assert results(tmp_path) == results(whole)


# --- the disk ---------------------------------------------------------------------------------


# Files of the process cannot be larger, as if the disk were full.
FULL = ("prlimit", "--fsize=10000")


def test_a_full_disk_fails_the_run_and_leaves_the_checkpoints_before(tmp_path, data):
    spec = spec_for(BACKEND)
    alone = trained(BACKEND, data, tmp_path / "alone", spec, ())
    with child(BACKEND, data, tmp_path / "full", spec) as process:
        told = events(process)
        next(told)
        shelf = tmp_path / "full"
        wait_until(lambda: list(shelf.glob("*/00000002")))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (10_000, 10_000))
        *_, last = told
        assert process.wait() == 1
    assert "result" not in last
    assert "File too large" in (tmp_path / "full" / "log").read_text()
    again = trained(BACKEND, data, tmp_path / "full", spec, ())
    assert len(again.resumed) == 1
    assert again.result == alone.result


def test_a_disk_that_is_full_for_some_runs_fails_these_and_the_others_go_on(whole, tmp_path):
    """Files may have 340 kB: the data have less, and the shallow nets' checkpoints; the deep ones'
    more.
    """
    limit = ("prlimit", "--fsize=340000")
    done = reproductions(*SMOKE, "--records", tmp_path, before=limit, **EVERY_STEP)
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if "FAILED" in line]
    assert len(failed) == 2
    assert all("-56" in line and "File too large" in line for line in failed)
    assert len(results(tmp_path)) == 2
    assert_it_goes_on(tmp_path, whole)


def test_a_full_disk_leaves_the_report_that_was_there(whole, tmp_path):
    assert reproductions("report", "--records", whole, "--output", tmp_path).returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = reproductions("report", "--records", whole, "--output", tmp_path, before=FULL)
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


# Root may write anywhere, but for that capability.
WITHOUT = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
DROPPED = WITHOUT if os.geteuid() == 0 else ()


def test_a_folder_that_becomes_read_only_fails_what_ends_meanwhile(whole, tmp_path):
    process = start("--records", tmp_path, before=DROPPED)
    wait_for(process, "finished")
    tmp_path.chmod(0o555)
    try:
        failed = wait_for(process, "FAILED")
    finally:
        tmp_path.chmod(0o755)
    process.communicate()
    assert "Permission denied" in failed
    assert process.returncode == 1
    assert len(results(tmp_path)) >= 1
    assert_it_goes_on(tmp_path, whole)


def test_a_name_of_spaces_and_letters_of_all_kinds_is_a_folder(whole, tmp_path):
    folder = tmp_path / ("a b ü 층 " + "x" * 200)
    shutil.copytree(whole, folder)
    next(folder.glob("*.json")).unlink()
    assert_it_goes_on(folder, whole)


# --- what is needed, taken away ---------------------------------------------------------------


def test_a_backend_that_vanishes_fails_the_runs_of_that_time(whole, tmp_path):
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    process = start("--records", tmp_path / "r", PYTHONPATH=str(shadow))
    wait_for(process, "started")
    (shadow / "torch.py").write_text("raise ModuleNotFoundError('No module named torch')")
    children_of(process)[0].kill()
    assert "was killed by signal 9" in wait_for(process, "FAILED")
    assert "No module named torch" in wait_for(process, "FAILED")
    (shadow / "torch.py").unlink()
    process.communicate()
    assert process.returncode == 1
    assert_it_goes_on(tmp_path / "r", whole)


def test_data_that_vanish_fail_the_runs_that_need_them_and_the_others_go_on(
    tmp_path, data, monkeypatch
):
    """Once a run is recorded the data are gone, and the process that had read them, too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def vanish():
        next(tmp_path.glob("*/data.npz")).unlink()
        for one in filter(is_training, psutil.Process().children()):
            one.kill()

    specs = [{**spec_for(BACKEND), "seed": seed} for seed in range(3)]
    runs, store = {key_of(spec): spec for spec in specs}, Store(tmp_path / "r")
    with np.load(data) as arrays:
        crew = partial(Scheduler, store, dict(arrays), 1)
    told = Told(runs, recorded=vanish)
    assert not crew(told).work(runs)
    assert list(store.read()) == [key_of(specs[0])]
    assert told.text.getvalue().count("FAILED") == 2
    assert "was killed by signal 9" in told.text.getvalue()
    assert "No such file" in told.text.getvalue()
    assert crew(Told(runs)).work(runs)
    assert len(store.read()) == 3


def test_no_process_is_started_once_the_code_was_changed(tmp_path, data, monkeypatch):
    monkeypatch.setattr(scheduler, "source", lambda: "another")
    spec = spec_for(BACKEND)
    told = Told({key_of(spec): spec})
    with np.load(data) as arrays:
        assert not Scheduler(Store(tmp_path), dict(arrays), 1, told).work({key_of(spec): spec})
    assert "the code was changed meanwhile: start the command again" in told.text.getvalue()
    assert not Store(tmp_path).read()


# --- damage -----------------------------------------------------------------------------------


def killed(folder):
    """Kill a command once one of its runs has two checkpoints; by run, those."""
    process, children = held(folder, 2)
    for one in (process, *children):
        one.kill()
    process.communicate()
    return by_run(folder)


def test_where_all_checkpoints_are_damaged_the_run_fails_and_the_others_go_on(whole, tmp_path):
    runs = killed(tmp_path)
    for place in checkpoints(tmp_path):
        (place / "arrays.npz").write_bytes(b"")
    done = reproductions(*SMOKE, "--records", tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("is whole: remove the folder") == len(runs)
    assert len(results(tmp_path)) == 4 - len(runs)
    shutil.rmtree(tmp_path / "checkpoints")
    assert_it_goes_on(tmp_path, whole)


def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_taken(whole, tmp_path):
    before, newest = next(places for places in killed(tmp_path).values() if len(places) == 2)
    (newest / "manifest.json").unlink()
    assert_it_goes_on(tmp_path, whole, "set aside", f"goes on from step {int(before.name)}")
