"""`python -m tests.soak docs/soak.md`: a hundred random kills on three backends; each run must end
with the bits of one that was never killed. About an hour.
"""

import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import numpy as np

sys.path.append(str(Path(__file__).parent))
from processes import spec_for, trained

from reproductions.data.registry import embedded
from reproductions.data.transforms import at_tier
from reproductions.evidence.provenance import code, environment
from reproductions.experiments.spec import BACKENDS
from reproductions.experiments.tiers import TIERS

KILLS = {"tensorflow": 34, "torch": 33, "jax": 33}
# Kills of one run before it may end.
IN_A_ROW = 5
ARMS = (
    ("plain-20-dropout", None), ("plain-20-jitter", "shift 2"), ("resnet-56", "losses"),
    ("googlenet-heads", "heads"),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A run that was killed: how often, from which steps it went on, is its result equal."""

    backend: str
    arm: str
    kills: int
    resumed: tuple[int, ...]
    equal: bool


def rows(backend: str, data: Path, folder: Path, draw: random.Random) -> Iterator[Row]:
    """Runs of the arms in turn, until there were enough kills."""
    specs = {arm: spec_for(backend, *arm) for arm in ARMS}
    wholes = {
        arm: trained(backend, data, folder / f"{arm[0]} whole", spec, ())
        for arm, spec in specs.items()
    }
    # How long a run takes may change while others are at the machine: later ones shorten it.
    seconds = {arm: whole.seconds for arm, whole in wholes.items()}
    kills, turn = 0, cycle(ARMS)
    while kills < KILLS[backend]:
        arm = next(turn)
        number = min(IN_A_ROW, KILLS[backend] - kills)
        waits = [draw.uniform(0, seconds[arm]) for _ in range(number)]
        place = Path(tempfile.mkdtemp("", "killed ", folder))
        ended, whole = trained(backend, data, place, specs[arm], waits), wholes[arm]
        kills += ended.kills
        if not ended.kills:
            seconds[arm] = min(seconds[arm], ended.seconds)
        row = Row(backend, arm[0], ended.kills, tuple(ended.resumed), ended.result == whole.result)
        print(row, flush=True)
        yield row


def main(path: str, seed: int) -> None:
    """Kill, and write the summary."""
    draw, found = random.Random(seed), []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        np.savez(data, **at_tier(embedded(), TIERS["smoke"]))
        for backend in BACKENDS:
            place = Path(folder) / backend
            place.mkdir()
            found += list(rows(backend, data, place, draw))
    Path(path).write_text(told(found, seed))
    if not all(row.equal for row in found):
        sys.exit(1)


def told(found: list[Row], seed: int) -> str:
    """The summary, in Markdown."""
    kills = sum(row.kills for row in found)
    lines = [
        "# Soak\n",
        f"`tox run -e soak -- {seed}`: {kills} kills with SIGKILL, each a random time after the",
        "process began to train. A run counts as equal if its whole result is: the weights'",
        "SHA-256, the curves, and what was watched.\n",
        "| backend | arm | runs | kills | went on from a checkpoint | median step | equal |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for kind in dict.fromkeys((row.backend, row.arm) for row in found):
        some = [row for row in found if (row.backend, row.arm) == kind]
        steps = [step for row in some for step in row.resumed]
        equal = sum(row.equal for row in some)
        lines.append(
            f"| {' | '.join(kind)} | {len(some)} | {sum(row.kills for row in some)} | {len(steps)} "
            f"| {median(steps or [0]):g} | {equal} of {len(some)} |"
        )
    packages = " ".join(
        p for p in environment()["packages"]
        if p.split("==")[0] in ("keras", "tensorflow-cpu", "tensorflow_cpu", "torch", "jax")
    )  # fmt: skip
    state = f"commit {(code()['commit'] or 'unknown')[:10]}" + ", changed" * bool(code()["dirty"])
    machine = f"{environment()['hardware']['cpu']}, {packages}; {state}."
    return "\n".join([*lines, "", machine]) + "\n"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6))
