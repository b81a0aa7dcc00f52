"""python -m benchmarks [NAME ...]: time them, and write them into RESULTS.md.

Needs all three backends in one environment: `tox run -e benchmarks -- [NAME ...]`.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from reproductions.evidence.provenance import available_cores, hardware

from . import augment, checkpoints, scaling, settings, speed, start, weights

HERE = Path(__file__).parent
# In the order of the page.
BENCHMARKS: dict[str, tuple[str, Callable[[], Iterator[str]]]] = {
    "speed": ("Against Keras' layers, keras.applications and PyTorch by hand", speed.lines),
    "augment": ("Augmentation", augment.lines),
    "settings": ("Layout and compilation", settings.lines),
    "scaling": ("Over batch, depth, width and cores", scaling.lines),
    "start": ("Before the first image", start.lines),
    "weights": ("Trained weights", weights.lines),
    "checkpoints": ("Checkpoints", checkpoints.lines),
}
PACKAGES = ("keras", "tensorflow-cpu", "tensorflow", "torch", "jax", "numpy")
HEAD = """# Speed

Written by `python -m benchmarks`. Two ways of doing a thing are timed in turn, A B A B, each in a
process of its own (builds in one), the same batch, cores and loop for both; a ratio is the median
over the pairs, with its quartiles. A row holds where the lower quartile is at least the bound.
Memory is the largest that each process had. PyTorch by hand runs, and both do where it says "memory
kept", with glibc told to keep what is free (`MALLOC_MMAP_MAX_=0`, `MALLOC_TRIM_THRESHOLD_` of
8 GiB). Machines differ, and so does one machine from minute to minute: quote ratios. What limits
them: [docs/speed.md](../docs/speed.md).
"""


def machine() -> str:
    found = hardware()
    packages = ", ".join(filter(None, map(installed, PACKAGES)))
    return f"{found['cpu']}, {available_cores()} cores; {packages}; {datetime.now(UTC):%Y-%m-%d}."


def installed(package: str) -> str:
    """Its name and version, or nothing."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def page(sections: dict[str, str]) -> str:
    known = [name for name in BENCHMARKS if name in sections]
    return "\n".join([HEAD, *(f"## {BENCHMARKS[name][0]}\n\n{sections[name]}" for name in known)])


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    names = parser.parse_args(words).names
    if wrong := set(names) - set(BENCHMARKS):
        parser.error(f"{', '.join(sorted(wrong))}: no such; there are {', '.join(BENCHMARKS)}.")
    results = HERE / "results.json"
    sections = json.loads(results.read_text()) if results.exists() else {}
    for name in names or BENCHMARKS:
        title, lines = BENCHMARKS[name]
        print(f"\n## {title}\n")
        found = []
        for line in lines():
            print(line, flush=True)
            found.append(line)
        sections[name] = "\n".join([*found, "", machine(), ""])
        results.write_text(json.dumps(sections, indent=1) + "\n")
        (HERE / "RESULTS.md").write_text(page(sections))


if __name__ == "__main__":
    main()
