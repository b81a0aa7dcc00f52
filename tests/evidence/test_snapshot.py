"""One snapshot of the evidence a command: no file is read twice."""

import json
import shutil
from collections import Counter

import pytest
from click.testing import CliRunner

from reproductions.cli.commands import app
from reproductions.evidence import files
from reproductions.evidence.canonical import canonical, key_of
from reproductions.evidence.errors import InputError
from reproductions.evidence.snapshot import EXPLORED, PARTS, Snapshot
from reproductions.evidence.store import COMMITTED, Store, read_record


@pytest.fixture
def reads(monkeypatch):
    """How often each file of records is read."""
    counts = Counter()
    bounded = files.bounded

    def counted(path):
        counts[path.resolve()] += 1
        return bounded(path)

    monkeypatch.setattr(files, "bounded", counted)
    return counts


def all_of(folder):
    return {path.resolve() for part in PARTS for path in Store(folder / part).files()}


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("verify",), PARTS),
        (("plan", "--all", "--data", "embedded"), ("", "explored", "anew")),
    ],
)
def test_a_command_reads_each_file_once(tmp_path, reads, monkeypatch, words, parts):
    """`plan` needs no records on other seeds."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setattr("reproductions.cli.options.choose_backend", lambda name: "torch")
    own = ("--records", str(tmp_path)) if words[0] == "plan" else ()
    done = CliRunner().invoke(app, [*words, *own], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    expected = {path for part in parts for path in map(_resolved, Store(COMMITTED / part).files())}
    assert expected <= set(reads)
    assert set(reads.values()) == {1}


def _resolved(path):
    return path.resolve()


def test_a_report_reads_each_file_once(tmp_path, reads):
    """Of a folder of few records, beside the committed ones."""
    some = [path for path in Store(COMMITTED).files() if "-" not in path.stem][:3]
    shutil.copytree(COMMITTED / "environments", tmp_path / "r" / "environments")
    for path in some:
        shutil.copy(path, tmp_path / "r")
    words = ["report", "--records", str(tmp_path / "r"), "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert {(tmp_path / "r" / path.name).resolve() for path in some} <= set(reads)
    assert set(reads.values()) == {1}


def test_a_snapshot_does_not_see_what_is_written_later(tmp_path):
    (path, *_) = Store(COMMITTED).files()
    shutil.copy(path, tmp_path)
    before = Snapshot(tmp_path)
    assert len(before.records()) == 1
    (tmp_path / path.name).unlink()
    assert len(before.records()) == 1
    assert len(Snapshot(tmp_path).records()) == 0


def test_explorations_are_the_committed_ones_and_those_of_the_folder(tmp_path):
    (path, *_) = Store(COMMITTED / EXPLORED).files()
    (tmp_path / EXPLORED).mkdir()
    shutil.copy(path, tmp_path / EXPLORED)
    assert Snapshot(tmp_path).explored == Store(COMMITTED / EXPLORED).read()
    assert list(Snapshot(tmp_path, tmp_path).explored) == [path.stem]
    assert Snapshot(COMMITTED).committed.folder == COMMITTED


def test_damage_is_named_and_hides_nothing_else(tmp_path):
    for path in Store(COMMITTED).files()[:2]:
        shutil.copy(path, tmp_path)
    shutil.copytree(COMMITTED / "environments", tmp_path / "environments")
    damaged, whole = Store(tmp_path).files()
    damaged.write_bytes(damaged.read_bytes()[:-2])
    snapshot = Snapshot(tmp_path)
    (problem,) = snapshot.describe_damage()
    assert damaged.name in problem
    assert set(snapshot.contents("").first) == {whole.stem}
    with pytest.raises(InputError, match=damaged.name):
        snapshot.records()


def test_every_record_has_the_digest_and_key_of_its_whole_text():
    """Members are written once each and joined; the text is that of the whole."""
    for part in PARTS:
        for path in Store(COMMITTED / part).files():
            record = read_record(path)
            assert canonical(record) == path.read_bytes()
            assert record["key"] == key_of(record["spec"]) == path.stem.split("-")[0]


@pytest.mark.parametrize("value", [[], 1, None, "text", {}, {"a": 1}, [{"schema": 1}]])
def test_what_is_no_record_is_said(tmp_path, value):
    path = tmp_path / "0123456789abcdef.json"
    path.write_bytes(canonical(value))
    with pytest.raises(InputError, match="its members are not"):
        read_record(path)
    path.write_text(json.dumps(value) + "  \n")
    with pytest.raises(InputError, match="not in canonical form"):
        read_record(path)
