"""Owed runs to records: a process a run, some side by side, each on its share of the cores."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .canonical import canonical
from .environment import available_cores, code, environment, threads_environment
from .errors import InputError
from .plan import Spec
from .records import Record, Store, new_record


class Listener(Protocol):
    """Who is told how runs go; see `progress.py`. Calls come from several threads."""

    def started(self, key: str, spec: Spec) -> None: ...

    def went_on(self, key: str, event: Mapping[str, Any]) -> None: ...

    def ended(self, key: str, record: Record | None, problem: str | None) -> None: ...


class Crew:
    """Trains runs in child processes and stores a record of each."""

    def __init__(
        self, store: Store, arrays: Mapping[str, np.ndarray], jobs: int, listener: Listener
    ):
        self.store, self.arrays, self.jobs, self.listener = store, arrays, jobs, listener
        self.threads = threads_environment(max(1, available_cores() // jobs))
        self.children: set[subprocess.Popen] = set()
        self.stopping = threading.Event()

    def work(self, runs: Mapping[str, Spec]) -> bool:
        """Train `runs`; say whether each left a record. A failed run does not stop the others."""
        shared = {
            "threads": int(self.threads["OMP_NUM_THREADS"]),
            "thread_variables": self.threads,
            "jobs": self.jobs,
            "environment": self.store.keep_environment(environment()),
            **code(),
        }
        with tempfile.TemporaryDirectory(prefix="reproductions-") as folder:
            np.savez(Path(folder) / "data.npz", allow_pickle=False, **self.arrays)
            with ThreadPoolExecutor(self.jobs) as pool:
                one = partial(self.one, shared, Path(folder))
                try:
                    return all(list(pool.map(one, runs, runs.values())))
                except BaseException:
                    self.stop()
                    pool.shutdown(cancel_futures=True)
                    raise

    def stop(self) -> None:
        """End the children: a run in flight leaves nothing."""
        self.stopping.set()
        for child in list(self.children):
            child.terminate()

    def one(self, shared: Mapping[str, Any], folder: Path, key: str, spec: Spec) -> bool:
        """One run to its record; whether it has one."""
        if self.stopping.is_set():
            return False
        self.listener.started(key, spec)
        started, clock = datetime.now(UTC), time.monotonic()
        try:
            end = self.train(folder, key, spec)
            circumstances = {
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - clock, 3),
                **shared,
                **end["circumstances"],
            }
            record = new_record(spec, end["result"], circumstances)
            self.store.add(record)
        except (RunError, InputError, OSError) as error:
            if not self.stopping.is_set():
                self.listener.ended(key, None, str(error))
            return False
        self.listener.ended(key, record, None)
        return True

    def train(self, folder: Path, key: str, spec: Spec) -> dict[str, Any]:
        """The last event of the training process, whose others go to the listener."""
        spec_path, log_path = folder / f"{key}.json", folder / f"{key}.log"
        spec_path.write_bytes(canonical(spec))
        paths = str(spec_path), str(folder / "data.npz")
        command = [sys.executable, "-m", "reproductions.train", *paths]
        variables = {
            "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            **self.threads,
            "KERAS_BACKEND": spec["backend"],
        }
        end = None
        with (
            log_path.open("w") as log,
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=variables
            ) as child,
        ):
            self.children.add(child)
            if self.stopping.is_set():  # between the last look and now
                child.terminate()
            for line in child.stdout or ():
                event = parsed(line)
                if "result" in event:
                    end = event
                elif event:
                    self.listener.went_on(key, event)
        self.children.discard(child)
        if child.returncode or end is None:
            raise RunError(child.returncode, log_path.read_text(errors="replace"))
        return end


def parsed(line: str) -> dict[str, Any]:
    """An event; an empty one for a line that a killed process left unfinished."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


class RunError(RuntimeError):
    """A training process ended without a result."""

    def __init__(self, status: int, log: str):
        lines = log.strip().splitlines()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        super().__init__(f"the training process {how}" + (f": {lines[-1]}" if lines else ""))
