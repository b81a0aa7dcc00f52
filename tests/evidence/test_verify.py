"""Records that cannot be believed are named."""

import json
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report import CIFAR, group, made

from conftest import ROOT, reproductions
from reproductions.analysis import audit
from reproductions.claims import CLAIMS, FLAGSHIP
from reproductions.evidence import provenance
from reproductions.evidence.canonical import canonical
from reproductions.evidence.provenance import PACKAGE, code, source
from reproductions.evidence.snapshot import Snapshot
from reproductions.evidence.store import COMMITTED, Store, new_record
from reproductions.experiments.planning import wanted
from reproductions.experiments.replication import plan_replications
from reproductions.experiments.spec import spec_of
from reproductions.experiments.tiers import TIERS

FLAGSHIP_CLAIMS = [CLAIMS[name] for name in FLAGSHIP]
HEAD = code()["commit"]


def store_of(folder, commit=HEAD, dirty=None, seeds=(3,), system="s", error=0.5):
    """A store with plain-20 of some seeds."""
    store = Store(folder)
    digest = store.keep_environment({"system": system})
    for seed in seeds:
        record = made(spec_of("plain-20", TIERS["laptop"], seed, "torch", CIFAR), error)
        new = {**record["circumstances"], "commit": commit, "dirty": dirty, "environment": digest}
        store.add(new_record(record["spec"], record["result"], new))
    return store


def ended(spec, loss, around):
    """A record of a run whose training loss was watched, and fell to `loss`."""
    record = made(spec, 0.5)
    curves = {**record["result"]["curves"], "train_loss": [3.0, loss]}
    watched = {"step": [0, 9], "train_loss": [3.0, loss]}
    result = {**record["result"], "curves": curves, "watched": watched}
    return new_record(spec, result, {**record["circumstances"], **around})


def told(store, claims=FLAGSHIP_CLAIMS):
    return list(audit.problems(claims, Snapshot(store.folder)))


def test_whole_records_of_this_commit_pass(tmp_path):
    assert told(store_of(tmp_path)) == []


def test_uncommitted_changes_are_named(tmp_path):
    (problem,) = told(store_of(tmp_path, dirty="0" * 64))
    assert "uncommitted changes" in problem


def test_an_earlier_result_than_the_judged_one_is_named(tmp_path):
    store = store_of(tmp_path)
    ((key, record),) = store.read().items()
    result = {**record["result"], "final": {"test_error": 0.4}}
    around = {**record["circumstances"], "started": "2026-01-01T00:00:00+00:00"}
    other = new_record(record["spec"], result, around)
    (tmp_path / f"{key}-{other['sha256'][:8]}.json").write_bytes(canonical(other))
    (problem,) = told(store)
    assert f"{key} has an earlier result than the one that is judged" in problem


def test_a_commit_of_another_history_is_named(tmp_path):
    problems = told(store_of(tmp_path, commit="0" * 40))
    assert problems
    assert all("not in this history" in problem for problem in problems)


def test_a_rule_that_was_changed_after_its_runs_is_named(tmp_path):
    store = store_of(tmp_path)
    (claim,) = (c for c in FLAGSHIP_CLAIMS if c.name == "degradation-plain")
    for change in ({"margin": 0.0}, {"decided_at": ("paper",)}, {"seeds": {"laptop": 2}},
                   {"alpha": 0.1}, {"contrast": {"plain-20": -1, "plain-56": 1}}):  # fmt: skip
        moved = replace(claim, statements=(replace(claim.statements[0], **change),))
        (problem,) = told(store, claims=[moved])
        assert "the rule of degradation-plain: training error was changed" in problem
    # What decides elsewhere too decides here as before.
    more = replace(claim.statements[0], decided_at=(*claim.statements[0].decided_at, "week"))
    assert told(store, claims=[replace(claim, statements=(more,))]) == []
    prose = replace(claim, statements=(replace(claim.statements[0], says="other words"),))
    assert told(store, claims=[prose]) == []


def test_rates_chosen_after_the_runs_are_named(tmp_path, monkeypatch):
    """Judged runs of a swept claim whose commit has not what was explored."""
    (statement,) = CLAIMS["bn-faster"].trained
    explored = Store(tmp_path / "explored")
    digest = explored.keep_environment({"system": "s"})
    around = {"commit": HEAD, "dirty": None, "environment": digest}
    for arm in statement.contrast:
        for rate in statement.rates:
            spec = spec_of(arm, TIERS["laptop"], 1000, "torch", CIFAR, {}, rate, "losses")
            explored.add(ended(spec, 1 + abs(rate - 0.03), around))  # the best is inside
    store = Store(tmp_path)
    store.keep_environment({"system": "s"})
    runs = wanted([CLAIMS["bn-faster"]], group("torch"), explored.read())
    assert len(runs) == 10
    for spec in runs.values():
        store.add(ended(spec, 1.0, around))
    claims = [CLAIMS["bn-faster"]]
    assert told(store, claims) == []
    monkeypatch.setattr(audit, "explored_at", lambda commit, folder: set())
    (problem,) = told(store, claims)
    assert "were chosen by" in problem


def test_where_no_git_is_that_is_all_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "git", lambda *words: b"")
    (problem,) = told(store_of(tmp_path))
    assert "no git checkout" in problem


def test_a_record_whose_environment_is_missing_is_named(tmp_path):
    store = store_of(tmp_path)
    (key,) = store.read()
    next((tmp_path / "environments").iterdir()).unlink()
    (problem,) = told(store)
    assert "is missing" in problem
    assert key in problem


@pytest.mark.parametrize(("folder", "first"), [("explored", 1000), ("second", 2000)])
def test_a_judged_seed_is_not_explored_nor_looked_at_again(tmp_path, folder, first):
    store_of(tmp_path / folder, seeds=(first, 2))
    problem, *_ = told(Store(tmp_path))
    assert f"has seed 2, but those here begin at {first}" in problem


def test_what_no_second_look_asks_for_is_named(tmp_path):
    store = Store(tmp_path / "second")
    around = {"commit": HEAD, "environment": store.keep_environment({"system": "s"})}
    specs = plan_replications(FLAGSHIP_CLAIMS[0].trained[0], group(), {})["other seeds"]
    for seed, least in ((2000, 0), (2003, 1)):
        record = ended({**specs["plain-20", 2000], "seed": seed}, 1.0, around)
        store.add(record)
        problems = told(Store(tmp_path))
        assert len(problems) == least
        assert all("is of no replication" in problem for problem in problems)


@pytest.mark.parametrize(
    ("seeds", "system", "error", "wrong"),
    [
        ((3,), "t", 0.4, None),
        ((3, 0), "t", 0.4, "no run that is judged"),
        ((3, 6), "t", 0.4, "no run that is judged"),
        ((3,), "s", 0.4, "of the environment of the run that is judged"),
        ((3,), "t", 0.5, "has the result that is judged"),
    ],
)
def test_judged_runs_are_made_anew_elsewhere(tmp_path, seeds, system, error, wrong):
    """The flagship's seeds are 3, 4 and 5."""
    store = store_of(tmp_path, seeds=(0, 3))
    store_of(tmp_path / "anew", seeds=seeds, system=system, error=error)
    problems = told(store)
    assert len(problems) == bool(wrong)
    assert all(wrong in problem for problem in problems)


@given(st.integers(0), st.integers(0, 7))
def test_one_flipped_bit_is_named(tmp_path_factory, position, bit):
    folder = tmp_path_factory.mktemp("flipped")
    store = store_of(folder)
    (path,) = folder.glob("*.json")
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1 << bit
    path.write_bytes(data)
    (problem,) = told(store)
    assert path.name in problem


def test_the_command_says_which_and_exits_with_1(tmp_path):
    store_of(tmp_path, dirty="0" * 64)
    done = reproductions("verify", "--records", tmp_path)
    assert done.returncode == 1
    assert "uncommitted changes" in done.stdout
    store_of(tmp_path / "good")
    done = reproductions("verify", "--records", tmp_path / "good")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 records, 0 explored, 0 replicated, 0 rerun: all is well" in done.stdout
    done = reproductions("verify", "--records", tmp_path / "none")
    assert done.returncode == 2
    assert "there is no folder" in done.stderr


@pytest.mark.parametrize("commit", ["HEAD"])
def test_rules_are_read_from_a_commit_s_own_code(commit):
    full = subprocess.run(["git", "rev-parse", commit], capture_output=True, text=True).stdout
    rules = audit.rules_at(full.strip())
    statement = CLAIMS["degradation-plain"].trained[0]
    assert rules["degradation-plain: training error"] == json.loads(
        json.dumps(audit.rule(statement))
    )
    assert audit.rules_at("0" * 40) == {}


def test_a_folder_s_explorations_in_a_commit_are_found_however_it_is_named(monkeypatch):
    """There are some in the commit of these tests, and none in the first."""
    monkeypatch.chdir(ROOT)
    first = subprocess.run(
        ["git", "rev-list", "--max-parents=0", "HEAD"], capture_output=True, text=True
    ).stdout.split()[0]
    for folder in (COMMITTED, COMMITTED.relative_to(ROOT)):
        assert audit.explored_at(HEAD, folder) == audit.explored_at(HEAD, COMMITTED) != set()
        assert first == HEAD or audit.explored_at(first, folder) == set()  # HEAD: a shallow clone


def test_a_judged_run_is_no_second_look_at_itself(tmp_path):
    """Copied with another seed."""
    store = store_of(tmp_path)
    (record,) = store.read().values()
    spec = {**record["spec"], "seed": 2000}
    Store(tmp_path / "second").keep_environment({"system": "s"})
    Store(tmp_path / "second").add(new_record(spec, record["result"], record["circumstances"]))
    assert any("they are one run" in problem for problem in told(store))


def test_what_is_no_code_does_not_make_a_tree_dirty(tmp_path, monkeypatch):
    """Records and documents, in a clone; code does."""
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", tmp_path], check=True)

    def git(*words):
        return subprocess.run(["git", "-C", tmp_path, *words], capture_output=True).stdout

    monkeypatch.setattr(provenance, "git", git)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "record.json").write_text("{}")
    (tmp_path / "README.md").write_text("")
    states = [code()["dirty"]]
    for name in ("reproductions/new.py", "keras_ilsvrc/vgg.py"):
        (tmp_path / name).write_text("")
        states.append(code()["dirty"])
    assert states[0] is None
    assert len({*states}) == 3


def test_the_digest_of_the_code_is_of_every_file_of_both_packages(tmp_path, monkeypatch):
    """However deep a module lies: the guard of checkpoints rests on this."""
    copy = tmp_path / "reproductions"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("records", "figures", "*cache*"))
    assert source() != ""
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    unchanged = source()
    files = sorted(copy.rglob("*.py"))
    assert len(files) == len(list(PACKAGE.rglob("*.py"))) > 80
    for path in files:
        text = path.read_bytes()
        path.write_bytes(text + b"#")
        assert source() != unchanged, path
        path.write_bytes(text)
    assert source() == unchanged
