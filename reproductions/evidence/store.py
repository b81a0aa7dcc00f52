"""The store of evidence: one JSON file a run, written once, whole, and never changed."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .canonical import canonical, digest_of, key_of, key_of_text, sha256
from .errors import InputError
from .files import damaged, listed, read_canonical, read_canonical_members, write_once
from .provenance import PACKAGE

SCHEMA = 1
MEMBERS = {"schema", "key", "spec", "result", "circumstances", "sha256"}

Record = dict[str, Any]

NUMBER, TEXT = (int, float), (str, type(None))
CIRCUMSTANCES = {
    "commit": TEXT, "dirty": TEXT, "environment": str, "seconds": NUMBER, "started": str,
    "threads": int,
}  # fmt: skip
SPEC: dict[str, Any] = {"spec": {}}
# What every reader may count on, by where it stands: of a check's record, and of a run's.
CHECK = {
    "spec": {"arm": {"name": str}, "backend": str},
    "result": {"outcome": str, "reason": TEXT, "values": {}},
    "circumstances": CIRCUMSTANCES,
}
RUN = {
    "spec": {
        "arm": {"name": str}, "backend": str, "seed": int, "recipe": {},
        "tier": {"name": str, "steps": int}, "data": {"name": str, "version": str, "sha256": str},
    },
    "result": {
        "outcome": str, "reason": TEXT, "initial_sha256": str, "weights_sha256": str,
        "curves": {"epoch": list, "step": list, "train_error": list, "test_error": list},
        "final": {"test_error": (*NUMBER, type(None))},
    },
    "circumstances": {**CIRCUMSTANCES, "epochs": {"seconds": list, "images_per_second": list}},
}  # fmt: skip


def new_record(spec: Mapping[str, Any], result: Any, circumstances: Any) -> Record:
    """A record: `result` follows from `spec` and the environment; the rest is circumstance."""
    record = {
        "schema": SCHEMA,
        "key": key_of(spec),
        "spec": spec,
        "result": result,
        "circumstances": circumstances,
    }
    return {**record, "sha256": sha256(record)}


COMMITTED = PACKAGE / "records"


class Store:
    """A folder of records: `<key>.json`, and `environments/<sha256>.json` that many share.

    A second result of one key stands beside the first as `<key>-<sha256>.json`.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)

    def read(self) -> dict[str, Record]:
        """All first records, by key.

        Raises:
            InputError: a file is not a whole record; nothing is changed.
        """
        return {path.stem: read_record(path) for path in self.files() if "-" not in path.stem}

    def first(self, key: str) -> Record | None:
        """The first record of a key, or None.

        Raises:
            InputError: its file is not a whole record.
        """
        path = self.folder / f"{key}.json"
        return read_record(path) if path.exists() else None

    def others(self) -> list[Record]:
        """Further results of keys that have a first."""
        return [read_record(path) for path in self.files() if "-" in path.stem]

    def files(self) -> list[Path]:
        """Those of all records, by name."""
        return [path for path in listed(self.folder) if path.match("[!.]*.json")]

    def environment(self, record: Record) -> dict[str, Any]:
        """The packages and the hardware of a record."""
        path = self.folder / "environments" / f"{record['circumstances']['environment']}.json"
        if not path.exists():
            raise InputError(f"{path} is missing: the record {record['key']} refers to it.")
        environment = read_canonical(path)
        if sha256(environment) != path.stem:
            raise InputError(f"{path} is damaged: its SHA-256 differs from its name; restore it.")
        return environment

    def keep_environment(self, environment: Mapping[str, Any]) -> str:
        """Store an environment and return the digest that refers to it."""
        digest = sha256(environment)
        write_once(self.folder / "environments" / f"{digest}.json", canonical(environment))
        return digest

    def add(self, record: Record) -> None:
        """Store a record; one that is there already with the same result stays as it is.

        Raises:
            InputError: the key has another result on the same machine with the same versions.
        """
        path = self.folder / f"{record['key']}.json"
        if write_once(path, canonical(record)):
            return
        first = read_record(path)
        if first["result"] == record["result"]:
            return
        if surroundings(first) == surroundings(record):
            raise InputError(
                f"{path} holds another result of the same run on the same machine with the same "
                f"versions: one of the two is wrong; find out which before going on."
            )
        write_once(path.with_stem(f"{path.stem}-{record['sha256'][:8]}"), canonical(record))

    def check_writable(self, option: str = "--records") -> None:
        """Make the folder, and write a file there as records are written.

        Raises:
            InputError: that cannot be done.
        """
        try:
            probe = self.folder / f".probe-{os.getpid()}"
            write_once(probe, b"")
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"{self.folder} cannot be written to ({error.strerror}): "
                f"name a writable folder with {option}."
            ) from error


def surroundings(record: Record) -> tuple[str, int]:
    """What a result may depend on beside its spec: environment and threads."""
    return record["circumstances"]["environment"], record["circumstances"]["threads"]


def read_record(path: Path) -> Record:
    """The record in a file.

    Raises:
        InputError: it is damaged, or of a later schema.
    """
    record, texts = read_canonical_members(path)
    if set(texts) != MEMBERS:
        problem = f"its members are not {', '.join(sorted(MEMBERS))}"
    elif record["schema"] != SCHEMA:
        problem = f"its schema is {record['schema']!r} and not {SCHEMA}"
    elif record["sha256"] != digest_of({n: text for n, text in texts.items() if n != "sha256"}):
        problem = "its SHA-256 does not match"
    elif record["key"] != key_of_text(texts["spec"]) or path.stem.split("-")[0] != record["key"]:
        problem = "its name or key does not match its spec"
    elif place := misfit(record, SPEC) or misfit(
        record, RUN if "tier" in record["spec"] else CHECK
    ):
        problem = f"its {place} is missing or of another type"
    else:
        return record
    raise damaged(path, problem)


def misfit(value: Any, shape: Any, place: str = "") -> str | None:
    """Where a value first has not the shape: "spec.arm.name"; None if it has it."""
    if not isinstance(shape, dict):
        return None if isinstance(value, shape) else place
    if not isinstance(value, dict):
        return place
    inner = (misfit(value.get(n), s, f"{place}.{n}".lstrip(".")) for n, s in shape.items())
    return next(filter(None, inner), None)
