"""Loading ResNet152 from PyTorch's format, against reading its bytes and building it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from keras_ilsvrc import pretrained
from reproductions.execution.worker import peak_memory

from .compare import quartiles

BACKENDS = ("tensorflow", "torch", "jax")
BOUNDS = {"seconds": 2.0, "memory": 2.5}
NETWORK = ("resnet152", "torchvision")


def lines() -> Iterator[str]:
    """Ratios of a process' rounds, in turn; memory is what it had at most beyond its imports."""
    yield (
        "`pretrained.load` of ResNet152 from a .pth file: its seconds over those of reading the "
        "bytes and building the network; and the memory of a process that only loads, beyond its "
        "imports, over the file's size."
    )
    yield ""
    yield "| backend | read + build, s | load, s | ratio | at most | memory | at most |"
    yield "|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.pth"
        pretrained.save(pretrained.build(*NETWORK), path)
        for backend in BACKENDS:
            rounds = run(backend, "times", path)
            low, middle, high = quartiles([b / a for a, b in rounds])
            first, second = (
                sorted(column)[len(rounds) // 2] for column in zip(*rounds, strict=True)
            )
            most = run(backend, "memory", path)
            yield (
                f"| {backend} | {first:.2f} | {second:.2f} | {middle:.2f} ({low:.2f} ... "
                f"{high:.2f}) | {BOUNDS['seconds']} | {most:.2f} | {BOUNDS['memory']} |"
            )


def run(backend: str, what: str, path: Path) -> Any:
    """What `what` gives, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.weights", what, str(path)],
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def times(path: Path, rounds: int = 5) -> list[tuple[float, float]]:
    """Seconds to read and build, and to load, in turn; the first round is not counted."""
    found = []
    for _ in range(rounds + 1):
        start = perf_counter()
        path.read_bytes()
        pretrained.build(*NETWORK)
        middle = perf_counter()
        pretrained.load(*NETWORK, path)
        found.append((middle - start, perf_counter() - middle))
    return found[1:]


def memory(path: Path) -> float:
    """The peak beyond what the backend needs, in sizes of the file."""
    pretrained.build("cifar_resnet20", "cifar")  # so that the backend is there
    before = peak_memory()
    pretrained.load(*NETWORK, path)
    return (peak_memory() - before) / path.stat().st_size


if __name__ == "__main__":
    what, where = sys.argv[1:]
    print(json.dumps(times(Path(where)) if what == "times" else memory(Path(where))))
