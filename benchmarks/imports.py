"""Importing the package, on top of Keras."""

import statistics
import subprocess
import sys

SCRIPT = (
    "import keras, time\nstart = time.perf_counter()\nimport keras_ilsvrc\n"
    "print(time.perf_counter() - start)"
)


def milliseconds(rounds: int = 9) -> list[float]:
    """What `import keras_ilsvrc` adds to `import keras`, each time in a new process."""
    command = [sys.executable, "-c", SCRIPT]
    runs = [
        subprocess.run(command, capture_output=True, check=True, text=True) for _ in range(rounds)
    ]
    return [1000 * float(run.stdout) for run in runs]


def report() -> str:
    """A sentence: median and quartiles."""
    low, middle, high = statistics.quantiles(milliseconds(), n=4)
    return f"import keras_ilsvrc, after import keras: {middle:.0f} ms ({low:.0f} ... {high:.0f})"
