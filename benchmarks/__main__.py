"""python -m benchmarks [import] [build]: timings of the backend in KERAS_BACKEND."""

import sys

import keras

from benchmarks import build, imports
from benchmarks.compare import HEADING


def run_import() -> None:
    print(imports.report())


def run_build() -> None:
    print(HEADING)
    for comparison in build.comparisons():
        print(comparison.row(), flush=True)


BENCHMARKS = {"import": run_import, "build": run_build}


def main(names: list[str]) -> None:
    wrong = set(names) - set(BENCHMARKS)
    if wrong:
        sys.exit(
            f"benchmarks: {', '.join(sorted(wrong))}: no such; there are {', '.join(BENCHMARKS)}."
        )
    print(f"Keras {keras.version()} on {keras.backend.backend()}\n")
    for name in names or BENCHMARKS:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
