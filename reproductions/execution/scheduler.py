"""Missing runs to records: in processes side by side, each on its share of the cores."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import Any, Protocol

import numpy as np
from filelock import FileLock, Timeout

from ..evidence.errors import InputError
from ..evidence.files import listed
from ..evidence.provenance import code, environment, source, versions
from ..evidence.store import Record, Store, new_record
from ..experiments.spec import Spec
from .backends import threads_environment
from .local import Kind, RunError, Worker, kind_of


class Listener(Protocol):
    """Who is told how runs go; see `cli/progress.py`. Calls come from several threads."""

    def started(self, key: str, spec: Spec) -> None: ...

    def went_on(self, key: str, event: Mapping[str, Any]) -> None: ...

    def elsewhere(self, key: str) -> None: ...

    def ended(self, key: str, record: Record | None, problem: str | None) -> None: ...


# Of this process' first scheduler; checkpoints and further processes must be of the same.
first_source = cache(source)


class Scheduler:
    """Does runs in child processes and stores a record of each. Schedulers of other processes may
    work on the same store: each run is one's at a time. Each run has as many threads as its tier
    says, so that results do not depend on `jobs`.
    """

    def __init__(
        self,
        store: Store,
        arrays: Mapping[str, np.ndarray],
        jobs: int,
        listener: Listener,
        threads: int = 1,
    ):
        self.store, self.arrays, self.jobs, self.listener = store, arrays, jobs, listener
        self.threads = threads_environment(threads)
        self.environment = environment()
        surroundings = {
            **versions(self.environment),
            "code": first_source(),
            "threads": self.threads["OMP_NUM_THREADS"],
        }
        self.checkpoints = store.folder / "checkpoints"
        self.words = str(self.checkpoints), json.dumps(surroundings)
        self.workers: set[Worker] = set()
        self.idle: list[Worker] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.futures: dict[str, Future[bool | None]] = {}

    def work(self, runs: Mapping[str, Spec], seconds: float = TIMEOUT_MAX) -> bool:
        """Do `runs` in this order; say whether each left a record. A failed one does not stop the
        others. After `seconds` those in flight are stopped and no more begun.
        """
        shared = {
            "threads": int(self.threads["OMP_NUM_THREADS"]),
            "thread_variables": self.threads,
            "jobs": self.jobs,
            "environment": self.store.keep_environment(self.environment),
            **code(),
        }
        with tempfile.TemporaryDirectory(prefix="reproductions-") as folder:
            np.savez(Path(folder) / "data.npz", allow_pickle=False, **self.arrays)
            clock = threading.Timer(seconds, self.stop)
            clock.start()
            with ThreadPoolExecutor(self.jobs) as pool:
                try:
                    return self.record_all(
                        pool, partial(self.record_run, shared, Path(folder)), runs
                    )
                except BaseException:
                    self.stop()
                    wait_for_all(self.futures.values())
                    raise
                finally:
                    self.stopping.set()
                    clock.cancel()
                    for worker in self.idle:
                        worker.end()

    def record_all(
        self, pool: Executor, one: Callable[[bool, str], bool | None], runs: Mapping[str, Spec]
    ) -> bool:
        """Do all runs; those that another process is at come last."""
        self.runs = runs
        done = self.finish(pool, partial(one, False), runs)
        elsewhere = [key for key, recorded in done.items() if recorded is None]
        for key in elsewhere:
            self.listener.elsewhere(key)
        done |= self.finish(pool, partial(one, True), elsewhere)
        return all(done.values())

    def finish(
        self, pool: Executor, one: Callable[[str], bool | None], keys: Iterable[str]
    ) -> dict[str, bool | None]:
        """What `one` gives for each key, once all are done."""
        self.futures = {key: pool.submit(one, key) for key in keys}
        wait_for_all(self.futures.values())
        return {key: future.result() for key, future in self.futures.items()}

    def stop(self) -> None:
        """End the children: a run in flight leaves a checkpoint."""
        self.stopping.set()
        with self.lock:
            for worker in self.workers:
                worker.process.terminate()

    def record_run(
        self, shared: Mapping[str, Any], folder: Path, patient: bool, key: str
    ) -> bool | None:
        """One run to its record; whether it has one. None where another process is at it, for
        which a patient call waits.
        """
        if self.stopping.is_set():
            return False
        # A soft lock would outlive its process.
        claim = FileLock(self.store.folder / "claims" / key, fallback_to_soft=False)
        try:
            with claim.acquire(blocking=patient, cancel_check=self.stopping.is_set):
                self.listener.started(key, self.runs[key])
                record = self.store.first(key) or self.make_record(shared, folder, key)
                shutil.rmtree(self.checkpoints / key, ignore_errors=True)
        except Timeout:
            return None
        except (RunError, InputError, OSError) as error:
            if not self.stopping.is_set():
                self.listener.ended(key, None, str(error))
            return False
        self.listener.ended(key, record, None)
        return True

    def make_record(self, shared: Mapping[str, Any], folder: Path, key: str) -> Record:
        """The record of a run that is made now."""
        started, clock = datetime.now(UTC), time.monotonic()
        end = self.compute(folder, key, self.runs[key])
        before = end["circumstances"].get("seconds_before", 0)
        circumstances = {
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock + before, 3),
            **shared,
            **end["circumstances"],
        }
        record = new_record(self.runs[key], end["result"], circumstances)
        self.store.add(record)
        return record

    def compute(self, folder: Path, key: str, spec: Spec) -> dict[str, Any]:
        """The last event of a run, in an idle child of its kind or a new one."""
        worker = self.acquire_worker(kind_of(spec), folder)
        try:
            end = worker.work(spec, partial(self.listener.went_on, key))
        except BaseException:
            with self.lock:
                self.workers.discard(worker)
            worker.end()
            raise
        with self.lock:
            self.idle.append(worker)
        return end

    def acquire_worker(self, kind: Kind, folder: Path) -> Worker:
        """An idle child of the kind; those of others make room."""
        with self.lock:
            while self.idle:
                worker = self.idle.pop()
                if worker.kind == kind:
                    return worker
                self.workers.discard(worker)
                worker.end()
            if source() != first_source():  # it would import what is there now
                raise InputError("the code was changed meanwhile: start the command again.")
            worker = Worker(kind, folder, self.threads, *self.words)
            self.workers.add(worker)
            if self.stopping.is_set():  # between the last look and now
                worker.process.terminate()
            return worker


def clear(store: Store) -> None:
    """Remove the checkpoints of runs that have a record: a command was killed between the two."""
    checkpoints = store.folder / "checkpoints"
    for place in listed(checkpoints):
        if store.first(place.name):
            shutil.rmtree(place, ignore_errors=True)


def wait_for_all(futures: Collection[Future[bool | None]]) -> None:
    """Wait for all. Not in one piece: a signal that the system gives to another thread does not
    wake this one.
    """
    while wait(futures, timeout=0.3).not_done:
        pass
