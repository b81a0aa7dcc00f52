"""The state of a run on disk, so that one that was killed goes on and ends with the same bits.

A checkpoint is a folder of arrays, of what was measured so far, and of a manifest with the digests
of both. It is written beside its place, every file synced, and renamed into it.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np
from numpy.lib import format as npy

from ...evidence.canonical import canonical, sha256
from ...evidence.errors import InputError
from ...evidence.files import MISSING, listed, make, read_canonical, sync, write_synced

SCHEMA = 1
KEPT = 2
MEMBERS = {"schema", "key", "surroundings", "files", "sha256"}
FILES = {"arrays.npz", "progress.json"}
# What a checkpoint of another is of.
OTHER = {"schema": "another schema", "key": "another run", "surroundings": "other surroundings"}


@dataclass(frozen=True)
class Checkpoint:
    """A run's state after `step` steps: arrays by name, and JSON values."""

    step: int
    arrays: Mapping[str, np.ndarray]
    progress: Mapping[str, Any]


class CheckpointStore:
    """The checkpoints of one run, the last KEPT of them.

    `surroundings` is what the bits of a run depend on beside its spec: a checkpoint of others is
    no beginning of this run.
    """

    def __init__(self, folder: Path, key: str, surroundings: Mapping[str, Any]):
        self.folder, self.key, self.surroundings = folder, key, dict(surroundings)

    def places(self) -> list[Path]:
        """The folders of checkpoints, the newest first."""
        return [place for place in reversed(listed(self.folder)) if place.name.isdigit()]

    def save(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint on the shelf, and take off the oldest."""
        place = self.folder / f"{checkpoint.step:08}"
        if place.exists():
            return
        make(self.folder)
        with TemporaryDirectory(dir=self.folder, prefix=".", ignore_cleanup_errors=True) as part:
            for name, data in self.files(checkpoint).items():
                write_synced(Path(part) / name, data)
            Path(part).chmod(0o755)  # others may share the folder
            sync(Path(part))
            Path(part).rename(place)
        sync(self.folder)
        for old in self.places()[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)

    def files(self, checkpoint: Checkpoint) -> dict[str, bytes]:
        """The contents of a checkpoint's files, by name; the manifest last."""
        arrays = BytesIO()
        np.savez(arrays, allow_pickle=False, **checkpoint.arrays)
        progress = json.dumps({"step": checkpoint.step, **checkpoint.progress})
        files = {"arrays.npz": arrays.getvalue(), "progress.json": progress.encode()}
        manifest = {
            "schema": SCHEMA,
            "key": self.key,
            "surroundings": self.surroundings,
            "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        }
        return {**files, "manifest.json": canonical({**manifest, "sha256": sha256(manifest)})}

    def newest(self, told: Callable[[str], None] = lambda name: None) -> Checkpoint | None:
        """The newest whole checkpoint; a damaged one is told and set aside, and the one before it
        taken.

        Raises:
            InputError: there are some and none is whole, or it is of another run or made in other
                surroundings.
        """
        places = self.places()
        for place in places:
            try:
                return self.read(place)
            except DamagedError as error:
                told(str(error))
                place.rename(place.with_suffix(f".damaged-{uuid4().hex[:8]}"))
        if any(place.match("*.damaged-*") for place in listed(self.folder)):
            raise InputError(
                f"no checkpoint in {self.folder} is whole: remove the folder to train the run from "
                f"its start."
            )
        return None

    def read(self, place: Path) -> Checkpoint:
        """The checkpoint in a folder.

        Raises:
            DamagedError: it is not whole.
            InputError: it is whole, and not one of this run in these surroundings.
        """
        manifest = manifest_in(place)
        ours = {"schema": SCHEMA, "key": self.key, "surroundings": self.surroundings}
        for name, told in OTHER.items():
            if manifest[name] != ours[name]:
                raise InputError(
                    f"the checkpoint {place} is of {told}, "
                    f"{differences(manifest[name], ours[name])}: go on where it was made, or "
                    f"remove {self.folder} to train the run from its start."
                )
        files = {name: checked(place / name, digest) for name, digest in manifest["files"].items()}
        try:
            progress = json.loads(files["progress.json"])
            return Checkpoint(progress["step"], arrays_in(files["arrays.npz"]), progress)
        except (ValueError, KeyError, TypeError, RuntimeError, BadZipFile) as error:
            raise DamagedError(f"{place} is damaged: {error}") from error


def arrays_in(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an archive, if none is compressed: it might be of any size."""
    with ZipFile(BytesIO(data)) as archive:
        if any(member.compress_type != ZIP_STORED for member in archive.infolist()):
            raise ValueError("its arrays are compressed")
        return {n.removesuffix(".npy"): array_of(archive.read(n)) for n in archive.namelist()}


def array_of(data: bytes) -> np.ndarray:
    """The array in a file of NumPy's, if it is as large as its header says."""
    file = BytesIO(data)
    shape, _, dtype = HEADERS[npy.read_magic(file)](file)
    size = math.prod(shape) * dtype.itemsize
    if size != len(data) - file.tell() and not dtype.hasobject:  # those are refused below
        raise ValueError(f"an array of {shape} {dtype} is of another size")
    return npy.read_array(BytesIO(data), allow_pickle=False)


HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class DamagedError(InputError):
    """A checkpoint is not what was written."""


def manifest_in(place: Path) -> dict[str, Any]:
    """A checkpoint's manifest, if it is whole."""
    path = place / "manifest.json"
    try:
        manifest = read_canonical(path)
    except InputError as error:
        raise DamagedError(str(error)) from error
    if not is_manifest(manifest):
        raise DamagedError(f"{path} is damaged: it is no manifest.")
    body = {name: value for name, value in manifest.items() if name != "sha256"}
    if manifest.get("sha256") != sha256(body):
        raise DamagedError(f"{path} is damaged: its SHA-256 does not match.")
    return body


def is_manifest(value: Any) -> bool:
    whole = isinstance(value, dict) and set(value) == MEMBERS
    return whole and isinstance(value["files"], dict) and set(value["files"]) == FILES


def checked(path: Path, digest: str) -> bytes:
    """A file's bytes, if they have this SHA-256."""
    try:
        data = path.read_bytes()
    except MISSING as error:
        raise DamagedError(f"{path} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise DamagedError(f"{path} is damaged: its SHA-256 does not match.")
    return data


def differences(theirs: Any, ours: Any) -> str:
    """What differs, named."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        names = sorted(n for n in {*theirs, *ours} if theirs.get(n) != ours.get(n))
        return "; ".join(f"{n} {theirs.get(n)!r} and not {ours.get(n)!r}" for n in names)
    return f"{theirs!r} and not {ours!r}"
