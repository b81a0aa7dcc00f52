"""Building a network, the paper's form of it, against keras.applications."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import keras

import keras_ilsvrc
from benchmarks.compare import Comparison, compare, seconds

NETWORKS = (
    "VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152",
    "ResNet50V2", "ResNet101V2", "ResNet152V2",
    "InceptionV3", "InceptionResNetV2", "DenseNet121", "DenseNet169", "DenseNet201",
)  # fmt: skip


def once(builder: Callable[..., keras.Model]) -> float:
    """Seconds to build on an empty session."""
    keras.backend.clear_session()
    return seconds(partial(builder, weights=None))


def first(package: str, network: str) -> float:
    """Seconds to build in a new process, where nothing is compiled yet."""
    script = (
        f"import keras, keras_ilsvrc, time\nstart = time.perf_counter()\n"
        f"{package}.{network}(weights=None)\nprint(time.perf_counter() - start)"
    )
    command = [sys.executable, "-c", script]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def comparisons() -> Iterator[Comparison]:
    """Each network again and again, and ResNet152 in new processes."""
    for network in NETWORKS:
        ours, theirs = getattr(keras_ilsvrc, network), getattr(keras.applications, network)
        once(ours), once(theirs)
        yield compare(f"build {network}", partial(once, ours), partial(once, theirs))
    yield compare(
        "build ResNet152, first in its process",
        partial(first, "keras_ilsvrc", "ResNet152"),
        partial(first, "keras.applications", "ResNet152"),
        rounds=3,
    )
