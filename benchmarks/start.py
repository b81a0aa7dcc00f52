"""Before the first image: importing, building, and the first step."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter

import keras

import keras_ilsvrc

from .compare import Comparison, Quartiles, compare, quartiles
from .process import Contestant, workers
from .speed import resnet50

NETWORKS = (
    "VGG16", "ResNet50", "ResNet152", "ResNet50V2", "InceptionV3", "InceptionResNetV2",
    "DenseNet121",
)  # fmt: skip
IMPORT = (
    "import keras, time\nstart = time.perf_counter()\nimport keras_ilsvrc\n"
    "print(time.perf_counter() - start)"
)


def importing(rounds: int = 9) -> Quartiles:
    """Milliseconds that `import keras_ilsvrc` adds to `import keras`, in new processes."""
    command = [sys.executable, "-c", IMPORT]
    runs = [
        subprocess.run(command, capture_output=True, check=True, text=True) for _ in range(rounds)
    ]
    return quartiles([1000 * float(run.stdout) for run in runs])


def building(builder: Callable[..., keras.Model]) -> float:
    """Seconds to build on an empty session."""
    keras.backend.clear_session()
    start = perf_counter()
    builder(weights=None)
    return perf_counter() - start


def builds() -> Iterator[tuple[str, Comparison]]:
    """The paper's form of each network against keras.applications."""
    for network in NETWORKS:
        ours, theirs = getattr(keras_ilsvrc, network), getattr(keras.applications, network)
        building(ours), building(theirs)
        yield network, compare(partial(building, ours), partial(building, theirs), rounds=5)


def first_steps(backend: str, rounds: int = 3) -> tuple[float, float]:
    """Seconds to build ResNet50 and to do the first three steps, in new processes: both medians."""
    ours, theirs = (
        Contestant("train_resnet50", backend, resnet50("train_resnet50", backend, package).options)
        for package in ("ours", "keras.applications")
    )
    found: list[list[float]] = [[], []]
    for _ in range(rounds):
        for contestant, seconds in zip((ours, theirs), found, strict=True):
            with workers(contestant) as (worker,):
                seconds.append(worker.start["build"] + worker.start["first"])
    return statistics.median(found[0]), statistics.median(found[1])


def lines() -> Iterator[str]:
    backend = keras.backend.backend()
    low, middle, high = importing()
    yield (
        f"On {backend}. `import keras_ilsvrc` after `import keras`: {middle:.0f} ms "
        f"({low:.0f} ... {high:.0f})."
    )
    ours, theirs = first_steps(backend)
    yield (
        f"ResNet50 built and three steps of batch 8 done, in a new process: {ours:.1f} s, "
        f"keras.applications {theirs:.1f} s.\n"
    )
    yield "| build | ours, s | keras.applications, s | times faster (quartiles) |"
    yield "|---|---|---|---|"
    for network, found in builds():
        low, middle, high = found.ratios
        yield (
            f"| {network} | {found.ours:.3f} | {found.theirs:.3f} "
            f"| {middle:.2f} ({low:.2f} ... {high:.2f}) |"
        )
