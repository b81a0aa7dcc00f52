"""The command line as a user meets it: in processes of their own, faults injected for real."""

import io
import json
import shutil

import keras
import pytest
from processes import children_of, start, wait_for
from rich.console import Console

from conftest import ROOT, SMOKE, reproductions
from reproductions.claims import CLAIMS, FLAGSHIP
from reproductions.cli.progress import listener
from reproductions.evidence.store import Store, new_record
from reproductions.execution.backends import installed_backends
from reproductions.experiments.arms import ARMS
from reproductions.experiments.planning import checks
from reproductions.experiments.spec import BACKENDS
from reproductions.experiments.tiers import THREADS, TIERS

BACKEND = keras.backend.backend()
once = pytest.mark.skipif(BACKEND != "torch", reason="what no backend changes is tested on one")


def results(folder):
    """The `result` members by key."""
    return {p.stem: json.loads(p.read_text())["result"] for p in folder.glob("*.json")}


def assert_one_sentence(done, *told):
    """Refused with status 2 and one sentence; click adds its two lines of usage."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    *usage, sentence = done.stderr.strip().splitlines()
    assert all(line == "" or line.startswith(("Usage:", "Try ")) for line in usage)
    assert sentence.startswith("Error: ")
    assert all(part in sentence for part in told), sentence


@once
def test_live_lines_on_a_terminal(smoke):
    """The same events through the live display."""
    told, runs = io.StringIO(), {}
    console = Console(file=told, force_terminal=True, width=120)
    for path in smoke[0].glob("*.json"):
        runs[path.stem] = json.loads(path.read_text())
    with listener(console, {key: record["spec"] for key, record in runs.items()}) as live:
        for key, record in runs.items():
            live.started(key, record["spec"])
            live.went_on(key, {"step": 0, "epoch": 1, "loss": None})
            last = {name: column[-1] for name, column in record["result"]["curves"].items()}
            live.went_on(key, {**last, "images_per_second": 12.0})
            live.progress.refresh()
            live.ended(key, record, None)
    assert "all runs" in told.getvalue()
    assert "epoch 2  loss" in told.getvalue()
    assert "finished" in told.getvalue()


@once
def test_the_live_speed_is_of_the_steps_made_here(smoke):
    """Not of those before a run was resumed."""
    path = next(smoke[0].glob("*.json"))
    live = listener(Console(file=io.StringIO(), force_terminal=True), {})
    live.runs = {path.stem: json.loads(path.read_text())["spec"]}
    live.started(path.stem, live.runs[path.stem])
    live.went_on(path.stem, {"resumed": 3})
    assert live.speed(path.stem, {"step": 3}) == ""
    assert live.speed(path.stem, {"step": 4}).endswith("images/s")


@once
def test_list_names_every_claim_arm_and_tier():
    """And of each claim its source, its kinds, and what decides it."""
    told = " ".join(reproductions("list", COLUMNS="250").stdout.split())
    for word in (*CLAIMS, *ARMS, *TIERS, "document", "paper", "ImageNet", "no training"):
        assert word in told
    for statement in (s for claim in CLAIMS.values() for s in claim.statements):
        assert statement.kind in told


@once
@pytest.mark.parametrize("verb", ["list", "plan", "run", "report", "rerun", "evaluate"])
def test_every_verb_helps(verb):
    done = reproductions(verb, "--help")
    assert done.returncode == 0
    assert "--help" in done.stdout


def test_smoke_leaves_a_record_a_run_and_no_verdict(smoke):
    folder, done = smoke
    assert done.returncode == 0, done.stderr
    assert len(results(folder)) == 4
    assert len(list((folder / "environments").iterdir())) == 1
    verdicts = [line for line in done.stdout.splitlines() if "│" in line]
    here, committed = ([v for v in verdicts if ("committed records" in v) == one] for one in (0, 1))
    statements = sum(len(CLAIMS[c].statements) for c in FLAGSHIP)
    assert "".join(here).count("NOT RUN") == len(committed) == statements
    assert "REPRODUCED" not in "".join(here)


def test_what_was_trained_is_said_before_any_verdict(smoke):
    """The data, what is reduced, that it is the start of training, and who judges the rest."""
    _, done = smoke
    first = done.stdout[: done.stdout.index("committed records  ")]
    for words in ("GENERATED IMAGES, NOT CIFAR-10", "images of 16x16 pixels instead of 32x32",
                  "8 filters", "4 training steps instead of 64,000", "the start of training",
                  "judged by the committed records at the"):  # fmt: skip
        assert words in first


def test_runs_side_by_side_give_what_runs_in_turn_give(smoke, tmp_path):
    """To the bit: a run has its tier's threads, whatever --jobs."""
    folder, _ = smoke
    done = reproductions("run", "--tier", "smoke", "--jobs", "1", "--records", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    assert results(tmp_path / "r") == results(folder)
    for place in (folder, tmp_path / "r"):
        around = [record["circumstances"] for record in Store(place).read().values()]
        assert {a["threads"] for a in around} == {THREADS["smoke"]}
        assert {*around[0]["thread_variables"].values()} == {str(THREADS["smoke"])}


def test_records_stay_small_and_say_on_what_they_were_made(smoke):
    folder, _ = smoke
    for path in folder.glob("*.json"):
        assert path.stat().st_size < 20_000
        circumstances = json.loads(path.read_text())["circumstances"]
        assert circumstances["peak_memory_bytes"] > 1e8
        assert str(ROOT) not in path.read_text()


def test_a_second_start_trains_nothing(smoke):
    folder, _ = smoke
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.glob("*.json")}
    done = reproductions("run", "--tier", "smoke", "--records", folder)
    assert "0 of 4 runs missing" in done.stdout
    assert "All of them are recorded, so that nothing is trained" in done.stdout
    assert f"remove the folder {folder}" in done.stdout
    assert "started" not in done.stdout
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.glob("*.json")} == before


@once
def test_checkpoints_that_a_killed_command_left_beside_a_record_go(smoke, tmp_path):
    """Those of a run without a record stay."""
    folder = shutil.copytree(smoke[0], tmp_path / "r")
    key = next(folder.glob("*.json")).stem
    for name in (key, "f" * 16):
        (folder / "checkpoints" / name / "00000002").mkdir(parents=True)
    assert reproductions(*SMOKE, "--records", folder).returncode == 0
    assert [place.name for place in (folder / "checkpoints").iterdir()] == ["f" * 16]


@once
def test_plan_counts_what_is_owed(smoke, tmp_path):
    folder, _ = smoke
    done = reproductions("plan", "--tier", "smoke", "--records", folder)
    assert "0 of 4 runs missing" in done.stdout
    nothing = reproductions("plan", "--tier", "smoke", "--records", tmp_path / "new")
    assert "4 of 4 runs missing" in nothing.stdout
    told = " ".join(nothing.stdout.split())
    assert "at the pace of the committed records" in told
    assert ("of records/anew, under 1;" in told) == (BACKEND == "tensorflow")
    one = reproductions(
        "plan", "degradation-plain", "--tier", "smoke", "--seeds", 3, "--records", folder
    )
    assert "4 of 6 runs missing" in one.stdout
    assert "at the pace" not in " ".join(one.stdout.split())
    assert not (tmp_path / "new").exists()


@once
def test_list_shows_all_claims_or_those_that_are_named():
    everything, one = (reproductions("list", *words) for words in ((), ("vgg-weights",)))
    assert all(name in everything.stdout for name in CLAIMS)
    assert "vgg-weights" in one.stdout
    assert "degradation-plain" not in one.stdout
    assert_one_sentence(reproductions("list", "vgg-weight"), "vgg-weights")


@once
def test_what_there_is_nothing_to_do_about_is_said(tmp_path):
    done = reproductions("explore", "vgg-weights", "--tier", "smoke", "--records", tmp_path)
    assert "Nothing to explore" in done.stdout
    assert_one_sentence(reproductions("verify", "--records", tmp_path), "no records in")


@once
def test_a_killed_run_is_told_and_the_others_go_on(tmp_path):
    process = start("--jobs", 1, "--records", tmp_path)
    wait_for(process, "plain-56 seed 3")
    children_of(process)[0].kill()
    told, _ = process.communicate()
    assert process.returncode == 1
    assert "FAILED: the training process was killed by signal 9" in told
    assert len(results(tmp_path)) == 3


@once
def test_a_replication_is_made_once_and_kept_apart(tmp_path):
    """Under the command's former name, too, which says how it is called now."""
    words = ("degradation-plain", "--tier", "smoke", "--records", tmp_path)
    done = reproductions("replicate", *words)
    assert done.returncode == 0, done.stderr
    records = Store(tmp_path / "second").read().values()
    assert [record["spec"]["seed"] for record in records] == [2000] * 4
    assert not results(tmp_path)
    assert "Warning" not in done.stderr
    again = reproductions("second-look", *words)
    assert again.returncode == 0
    assert "started" not in again.stdout
    assert again.stderr.startswith("Warning: `second-look` is called `replicate` now")


@once
def test_bad_words_are_named_with_the_right_ones(tmp_path):
    closest = ("'degradation'", "degradation-plain", "degradation-residual", "`list`")
    assert_one_sentence(reproductions("run", "degradation"), *closest)
    assert_one_sentence(reproductions("run", "--tier", "desk"), "'desk'", "'laptop'", "'paper'")
    assert_one_sentence(reproductions("run", "--backend", "mxnet"), "'mxnet'", *BACKENDS)
    assert_one_sentence(reproductions("run", "--seeds", "0"), "--seeds", "x>=1")
    assert_one_sentence(reproductions("run", "--data", "mnist"), "'mnist'", "'cifar10'")
    assert_one_sentence(reproductions("report", "--records", tmp_path / "none"), "no folder")
    both = reproductions("plan", "--all", "degradation-plain")
    assert_one_sentence(both, "--all means every claim", "not both")
    assert_one_sentence(reproductions("plan", KERAS_BACKEND="pytorch"), "'pytorch'", *BACKENDS)
    (tmp_path / "file").write_text("")
    within = reproductions("report", "--records", tmp_path, "--output", tmp_path / "file" / "r")
    assert_one_sentence(within, "cannot be written to", "--output")
    nowhere = reproductions("report", "--records", tmp_path, "--beside", tmp_path / "none")
    assert_one_sentence(nowhere, "--beside", "does not exist")


def test_a_missing_backend_is_named_with_those_at_hand():
    missing = next(name for name in BACKENDS if name not in installed_backends())
    done = reproductions("run", "--backend", missing)
    assert_one_sentence(done, f"'{missing}' is not installed", BACKEND)


@once
def test_embedded_data_are_refused_where_they_decide_nothing():
    done = reproductions("run", "--tier", "night", "--data", "embedded")
    assert_one_sentence(done, "smoke and laptop")


@once
def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("kept")
    done = reproductions("run", "--tier", "smoke", "--records", tmp_path / "file" / "records")
    assert_one_sentence(done, "cannot be written to", "--records")
    assert (tmp_path / "file").read_text() == "kept"


@once
def test_verdicts_on_other_data_are_told_apart(smoke):
    done = reproductions(
        "report", "--records", smoke[0], "--beside", "reproductions/records", COLUMNS="80"
    )
    assert done.returncode == 0, done.stderr
    assert "GENERATED IMAGES, NOT CIFAR-10" in done.stdout
    assert "compare the words, not the effects" in done.stdout
    assert all(name in done.stdout for name in FLAGSHIP)
    same = reproductions("report", "--records", smoke[0], "--beside", smoke[0])
    assert "compare the words" not in same.stdout


@once
@pytest.mark.parametrize("verb", ["run", "report", "plan"])
def test_a_damaged_record_is_named_and_nothing_is_lost(verb, smoke, tmp_path):
    folder = shutil.copytree(smoke[0], tmp_path / "records")
    path = sorted(folder.glob("*.json"))[0]
    path.write_bytes(path.read_bytes().replace(b'"outcome":"finished"', b'"outcome":"polished"'))
    before = {p: p.read_bytes() for p in folder.glob("*.json")}
    tier = [] if verb == "report" else ["--tier", "smoke"]
    assert_one_sentence(reproductions(verb, *tier, "--records", folder), path.name, "restore it")
    assert {p: p.read_bytes() for p in folder.glob("*.json")} == before


# --- without training, and again --------------------------------------------------------------


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A folder with the records of three claims that need no training, and how they were made."""
    folder = tmp_path_factory.mktemp("checked") / "records"
    claims = ("googlenet-params", "residual-difference", "vgg-weights")
    return folder, reproductions("run", *claims, "--untrained", "--records", folder)


def test_claims_without_training_are_judged_at_once_and_once(checked):
    folder, done = checked
    assert done.returncode == 0, done.stderr
    assert "3 of 3 runs missing" in done.stdout
    assert "Data:" not in done.stdout  # none are needed
    assert done.stdout.count("CONTRADICTED") == 4
    assert done.stdout.count("REPRODUCED") == 2
    again = reproductions("run", "vgg-weights", "--untrained", "--records", folder)
    assert "0 of 1 runs missing" in again.stdout


@once
def test_plan_counts_checks_and_training_runs(checked):
    folder, _ = checked
    told = reproductions("plan", "--untrained", "--records", folder).stdout
    assert f"{len(checks(CLAIMS.values(), BACKEND)) - 3} of" in told
    both = ("densenet-lean", "degradation-plain", "--tier", "smoke")
    assert "5 of 5 runs missing" in reproductions("plan", *both, "--records", folder).stdout


@once
def test_when_time_is_up_it_stops_and_says_what_is_left(tmp_path):
    done = reproductions(*SMOKE, "--records", tmp_path, "--max-minutes", "0.02")
    assert done.returncode == 3, done.stdout
    assert "Time was up: 4 runs are still missing" in done.stdout
    assert not list(tmp_path.glob("*.json"))


@once
def test_what_cannot_be_run_is_told_with_the_reason(tmp_path):
    words = ("bn-faster", "vgg-top5", "--data", "embedded")
    done = reproductions("run", *words, "--records", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "its learning rates are not explored at the laptop tier" in done.stdout
    assert "evaluate vgg16 --source" in done.stdout
    assert "0 of 0 runs missing" in done.stdout
    done = reproductions("plan", "senet-gain", "--untrained")
    assert "senet-gain needs training: leave out --untrained" in done.stdout
    done = reproductions("run", "senet-gain", "--data", "embedded", "--records", tmp_path)
    assert "it is judged at paper" in done.stdout


def test_a_run_is_done_again_to_the_bit(checked, smoke):
    """Of a check and of training; what is run is said in a line."""
    for folder in (checked[0], smoke[0]):
        key = min(results(folder))
        done = reproductions("rerun", key, "--records", folder)
        assert done.returncode == 0, done.stderr
        assert f"{key}: the same result, to the bit" in done.stdout
        assert f"on {BACKEND}, with 1 thread, recorded" in done.stdout
        assert max(map(len, done.stdout.splitlines())) < 200
        assert "last digits may differ" not in done.stdout


@once
def test_a_stranger_s_record_runs_no_code(checked, tmp_path):
    """Its variables are not those of the process that does it again, nor of the command printed."""
    store = Store(shutil.copytree(checked[0], tmp_path / "records"))
    record = min(store.read().values(), key=lambda r: r["key"])
    (tmp_path / "sitecustomize.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    evil = {"PYTHONPATH": str(tmp_path), "A=1; touch b; C": "2"}
    around = {**record["circumstances"], "thread_variables": evil}
    (store.folder / f"{record['key']}.json").unlink()
    store.add(new_record(record["spec"], record["result"], around))
    done = reproductions("rerun", record["key"], "--records", store.folder)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "canary").exists()
    assert "PYTHONPATH" not in done.stdout
    assert "touch" not in done.stdout


@once
def test_another_result_is_told_where_it_differs(checked, tmp_path):
    """A record that claims one parameter too many, whole in all other ways."""
    store = Store(shutil.copytree(checked[0], tmp_path / "records"))
    record = next(r for r in store.read().values() if r["spec"]["arm"]["name"] == "vgg-weights")
    result = json.loads(json.dumps(record["result"]))
    result["values"]["7x7 once, C = 1"] += 1
    (store.folder / f"{record['key']}.json").unlink()
    store.add(new_record(record["spec"], result, record["circumstances"]))
    done = reproductions("rerun", record["key"], "--records", store.folder)
    assert done.returncode == 1
    verdict, numbers = done.stdout.split("1 numbers differ, each as recorded and as computed now:")
    assert "vgg-weights, " in verdict
    assert "REPRODUCED instead of CONTRADICTED" in verdict
    assert "values.7x7 once, C = 1: 50 and 49" in numbers


@once
def test_a_result_that_no_verdict_rests_on_is_said_to_be_one(smoke, tmp_path):
    """Of a seed that is not judged."""
    store = Store(shutil.copytree(smoke[0], tmp_path / "records"))
    record = min(store.read().values(), key=lambda r: r["key"])
    spec = {**record["spec"], "seed": 77}
    other = new_record(spec, record["result"], record["circumstances"])
    store.add(other)
    done = reproductions("rerun", other["key"], "--records", store.folder)
    assert done.returncode == 1
    assert "No verdict rests on this run." in done.stdout


@once
def test_what_cannot_be_done_again_is_told_with_what_would(smoke, tmp_path):
    folder, _ = smoke
    assert_one_sentence(reproductions("rerun", "0" * 16, "--records", folder), "no record", "4")
    store = Store(shutil.copytree(folder, tmp_path / "records"))
    record = next(iter(store.read().values()))
    for change, told in (
        ({"numerics": 0}, "made with numerics 0"),
        ({"data": {**record["spec"]["data"], "sha256": "f" * 64}}, "the run saw embedded ffff"),
    ):
        other = new_record({**record["spec"], **change}, record["result"], record["circumstances"])
        store.add(other)
        done = reproductions("rerun", other["key"], "--records", store.folder)
        assert_one_sentence(done, told)
