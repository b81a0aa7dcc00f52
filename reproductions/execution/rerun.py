"""One record's run anew, as it was, and whether it gives the same."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..data.registry import load
from ..data.transforms import at_tier
from ..evidence.errors import InputError
from ..evidence.store import Record
from ..experiments.spec import Spec, versions
from ..experiments.tiers import Tier
from .backends import threads_environment
from .local import Worker, kind_of


def describe_run(record: Record) -> str:
    """Which run a record is of, and how it was made: what is trained or checked, and where."""
    spec, around = record["spec"], record["circumstances"]
    trained = f", seed {spec['seed']}, {spec['tier']['name']} tier" if "tier" in spec else ""
    threads = around["threads"]
    return (
        f"{spec['arm']['name']}{trained}, on {spec['backend']}, with {threads} "
        f"thread{'s' * (threads != 1)}, recorded {around['started'][:10]}."
    )


def rerun(record: Record) -> dict[str, Any]:
    """The result and circumstances of the run here and now, in as many threads as it had.

    Raises:
        InputError: this code or the data here are not those of the record.
        RunError: the process ended without a result.
    """
    spec = record["spec"]
    check_version(record)
    with tempfile.TemporaryDirectory(prefix="reproductions-") as folder:
        np.savez(Path(folder) / "data.npz", allow_pickle=False, **arrays_of(spec))
        worker = Worker(kind_of(spec), Path(folder), threads_of(record))
        try:
            return worker.work(spec, lambda event: None)
        finally:
            worker.end()


def threads_of(record: Record) -> dict[str, str]:
    """Variables for as many threads. Not the record's own: a stranger's may name any."""
    return threads_environment(int(record["circumstances"]["threads"]))


def check_version(record: Record) -> None:
    """Raise InputError if this code computes otherwise than that of the record."""
    spec = record["spec"]
    for name, version in versions(spec["arm"]).items():
        if (made := spec.get(name, 0)) != version:
            commit = record["circumstances"]["commit"] or "of its time"
            raise InputError(
                f"{record['key']} was made with {name} {made}, and this code has {version}: "
                f"check out the commit {commit} to run it again."
            )


def arrays_of(spec: Spec) -> Mapping[str, np.ndarray]:
    """The data of a training run, which must be those it saw."""
    if "tier" not in spec:
        return {}
    tier = Tier(**spec["tier"])
    data = load(spec["data"]["name"], tier)
    if (found := data.identity()) != spec["data"]:
        raise InputError(
            f"the run saw {spec['data']['name']} {spec['data']['sha256'][:16]}, and here is "
            f"{found['sha256'][:16]}: name the folder of the other copy with TFDS_DATA_DIR."
        )
    return at_tier(data, tier)


def differences(old: Any, new: Any, place: str = "") -> list[str]:
    """Where two results differ: "curves.train_error.3: 0.5 and 0.6"."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        return [d for k in keys for d in differences(old.get(k), new.get(k), f"{place}.{k}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{place}.{i}")]
    return [] if old == new else [f"{place.lstrip('.')}: {old} and {new}"]
