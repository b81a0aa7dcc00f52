"""Checkpoints as files: whole or not used."""

import hashlib
import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

from reproductions.evidence.canonical import canonical, sha256
from reproductions.evidence.errors import InputError
from reproductions.workloads.training.checkpoints import Checkpoint, CheckpointStore


def shelf_of(folder, steps=(1,), key="k", around=None):
    shelf = CheckpointStore(folder, key, around or {"keras": "3"})
    for step in steps:
        arrays = {"model/a": np.arange(20.0), "optimizer/0": np.float32(step)}
        shelf.save(Checkpoint(step, arrays, {"rows": [{"loss": float("nan")}]}))
    return shelf


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    back = shelf_of(tmp_path, (1, 2, 3)).newest()
    assert back.step == 3
    assert back.arrays["model/a"].tolist() == list(range(20))
    assert back.arrays["optimizer/0"].dtype == "float32"
    assert [place.name for place in shelf_of(tmp_path, ()).places()] == ["00000003", "00000002"]
    assert shelf_of(tmp_path / "none", ()).newest() is None


KILLED = """
import os, signal, sys
from test_shelf import shelf_of
left = int(sys.argv[2])
fsync = os.fsync
def killing(descriptor):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)
os.fsync = killing
from pathlib import Path
shelf_of(Path(sys.argv[1]), (2,))
"""


@pytest.mark.parametrize(("sync", "step"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2)])
def test_killed_while_it_keeps_one_of_both_checkpoints_is_whole(tmp_path, sync, step):
    """At each of the three files, of the folder, and of that around it, once it is renamed."""
    shelf = shelf_of(tmp_path)
    words = [sys.executable, "-c", KILLED, str(tmp_path), str(sync)]
    done = subprocess.run(words, cwd=Path(__file__).parent)
    assert done.returncode == -signal.SIGKILL
    assert shelf.newest().step == step


@settings(max_examples=1000)
@given(st.sampled_from(["arrays.npz", "progress.json", "manifest.json"]), st.integers(0),
       st.integers(0, 7))  # fmt: skip
def test_one_flipped_bit_is_noticed_and_the_one_before_taken(tmp_path_factory, name, place, bit):
    shelf = shelf_of(tmp_path_factory.mktemp("shelf"), (1, 2))
    path = shelf.folder / "00000002" / name
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    assert shelf.newest().step == 1
    (aside,) = shelf.folder.glob("00000002.damaged-*")
    assert aside.is_dir()


@pytest.mark.parametrize("name", ["arrays.npz", "progress.json", "manifest.json"])
@pytest.mark.parametrize("keep", [0, 10, None])
def test_no_run_starts_anew_where_all_checkpoints_are_damaged(tmp_path, name, keep):
    shelf = shelf_of(tmp_path)
    path = tmp_path / "00000001" / name
    if keep is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:keep])
    for _ in range(2):
        with pytest.raises(InputError, match=r"no checkpoint in .* is whole: remove the folder"):
            shelf.newest()


class Canary:
    """What unpickling would run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickled_object_under_a_right_manifest_is_never_run(tmp_path):
    shelf, canary = shelf_of(tmp_path), tmp_path / "sang"
    place = tmp_path / "00000001"
    with (place / "arrays.npz").open("wb") as file:
        np.savez(file, a=np.array([Canary(canary)], object))
    manifest = json.loads((place / "manifest.json").read_text())
    digest = hashlib.sha256((place / "arrays.npz").read_bytes()).hexdigest()
    body = {**manifest, "files": {**manifest["files"], "arrays.npz": digest}}
    del body["sha256"]
    (place / "manifest.json").write_bytes(canonical({**body, "sha256": sha256(body)}))
    told = []
    with pytest.raises(InputError, match="is whole: remove the folder"):
        shelf.newest(told.append)
    assert "allow_pickle=False" in told[0]
    assert not canary.exists()


def test_a_manifest_names_no_other_files(tmp_path):
    shelf = shelf_of(tmp_path, (1, 2))
    path = tmp_path / "00000002" / "manifest.json"
    manifest = json.loads(path.read_text())
    body = {**manifest, "files": {**manifest["files"], "../secret": "0" * 64}}
    del body["sha256"]
    path.write_bytes(canonical({**body, "sha256": sha256(body)}))
    assert shelf.newest().step == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [({"key": "other"}, "of another run, 'k' and not 'other'"),
     ({"around": {"keras": "4"}}, "of other surroundings, keras '3' and not '4'")],
)  # fmt: skip
def test_a_checkpoint_of_another_run_or_of_other_versions_is_refused(tmp_path, change, told):
    shelf_of(tmp_path)
    with pytest.raises(InputError, match=told):
        shelf_of(tmp_path, (), **change).newest()
    assert shelf_of(tmp_path, ()).newest().step == 1


def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path):
    (tmp_path / "shelf").write_text("a file in its place")
    with pytest.raises(NotADirectoryError):
        shelf_of(tmp_path / "shelf", ()).newest()


def test_what_was_being_written_is_no_checkpoint(tmp_path):
    shelf = shelf_of(tmp_path)
    (tmp_path / "00000001").rename(tmp_path / ".00000002.part")
    assert shelf.newest() is None
    assert shelf_of(tmp_path, (2,)).newest().step == 2


def test_a_checkpoint_that_cannot_be_read_now_is_left_where_it_is(tmp_path):
    """It may be whole: here a link in a circle stands in its file's place for a while."""
    shelf = shelf_of(tmp_path, (1, 2))
    path = tmp_path / "00000002" / "arrays.npz"
    path.rename(tmp_path / "away")
    path.symlink_to(path)
    with pytest.raises(OSError, match="symbolic links"):
        shelf.newest()
    path.unlink()
    (tmp_path / "away").rename(path)
    assert shelf.newest().step == 2


def test_others_may_read_a_checkpoint(tmp_path):
    (place,) = shelf_of(tmp_path).places()
    assert place.stat().st_mode & 0o777 == 0o755


def test_arrays_that_lie_of_their_size_are_refused(tmp_path, monkeypatch):
    """Of 128 TiB, by a header under a manifest that is right."""

    def lying(file, **_):
        header = io.BytesIO()
        shape = {"descr": "<f4", "fortran_order": False, "shape": (2**45,)}
        npy.write_array_header_1_0(header, shape)
        with ZipFile(file, "w") as archive:
            archive.writestr("model/a.npy", header.getvalue())

    monkeypatch.setattr(np, "savez", lying)
    with pytest.raises(InputError, match=r"no checkpoint in .* is whole"):
        shelf_of(tmp_path).newest()


def test_arrays_that_would_grow_are_refused(tmp_path, monkeypatch):
    """Compressed zeros under a manifest that is right."""
    monkeypatch.setattr(np, "savez", np.savez_compressed)
    with pytest.raises(InputError, match=r"no checkpoint in .* is whole"):
        shelf_of(tmp_path).newest()
