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
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .environment import available_cores, code, environment, threads_environment
from .errors import InputError
from .plan import Spec
from .records import Record, Store, canonical, new_record


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
        self.threads = max(1, available_cores() // jobs)
        self.children: set[subprocess.Popen] = set()
        self.stopping = threading.Event()
        self.code = code()

    def work(self, runs: Mapping[str, Spec]) -> bool:
        """Train `runs`; say whether each left a record. A failed run does not stop the others."""
        self.environment = self.store.keep_environment(environment())
        with tempfile.TemporaryDirectory(prefix="reproductions-") as folder:
            self.data = Path(folder) / "data.npz"
            np.savez(self.data, allow_pickle=False, **self.arrays)
            with ThreadPoolExecutor(self.jobs) as pool:
                try:
                    return all(list(pool.map(self.one, runs, runs.values())))
                except BaseException:
                    self.stop()
                    pool.shutdown(cancel_futures=True)
                    raise

    def stop(self) -> None:
        """End the children: a run in flight leaves nothing."""
        self.stopping.set()
        for child in list(self.children):
            child.terminate()

    def one(self, key: str, spec: Spec) -> bool:
        """One run to its record; whether it has one."""
        if self.stopping.is_set():
            return False
        self.listener.started(key, spec)
        try:
            record = self.record(key, spec)
            self.store.add(record)
        except (RunError, InputError, OSError) as error:
            if not self.stopping.is_set():
                self.listener.ended(key, None, str(error))
            return False
        self.listener.ended(key, record, None)
        return True

    def record(self, key: str, spec: Spec) -> Record:
        started, clock = datetime.now(UTC), time.monotonic()
        end = self.train(key, spec)
        circumstances = {
            "started": started.isoformat(timespec="seconds"),
            "seconds": time.monotonic() - clock,
            "epochs": end["timings"],
            "peak_memory_bytes": end["peak_memory_bytes"],
            "threads": self.threads,
            "jobs": self.jobs,
            "environment": self.environment,
            **self.code,
        }
        return new_record(spec, end["result"], circumstances)

    def train(self, key: str, spec: Spec) -> dict[str, Any]:
        """The last event of the training process, whose others go to the listener."""
        spec_path = self.data.with_name(f"{key}.json")
        spec_path.write_bytes(canonical(spec))
        log_path = self.data.with_name(f"{key}.log")
        command = [sys.executable, "-m", "reproductions.train", str(spec_path), str(self.data)]
        with log_path.open("w") as log:
            child = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=self.variables(spec)
            )
            self.children.add(child)
            end = None
            for line in child.stdout or ():
                event = json.loads(line)
                if "result" in event:
                    end = event
                else:
                    self.listener.went_on(key, event)
            status = child.wait()
        self.children.discard(child)
        if status or end is None:
            raise RunError(status, log_path.read_text(errors="replace"))
        return end

    def variables(self, spec: Spec) -> dict[str, str]:
        return {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            **threads_environment(self.threads),
            "KERAS_BACKEND": spec["backend"],
        }


class RunError(RuntimeError):
    """A training process ended without a result."""

    def __init__(self, status: int, log: str):
        lines = log.strip().splitlines()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        super().__init__(f"the training process {how}" + (f": {lines[-1]}" if lines else ""))
