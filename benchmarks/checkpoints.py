"""What checkpoints cost a run of the night tier's deepest network."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from reproductions.data.registry import embedded
from reproductions.data.transforms import at_tier
from reproductions.experiments.spec import spec_of
from reproductions.experiments.tiers import TIERS

BACKENDS = ("tensorflow", "torch", "jax")
BOUND = 2.0
STEPS = 150


def lines() -> Iterator[str]:
    """Per cent of the time of a run's steps that its checkpoints took."""
    yield (
        f"ResNet-56, 32x32, width 16, batch 128, {STEPS} steps: seconds of its checkpoints, one a "
        "minute and one when errors are measured, each synced to the disk, over those of its steps."
    )
    yield ""
    yield "| backend | steps, s | checkpoints | each, s | share, % | at most |"
    yield "|---|---|---|---|---|---|"
    for backend in BACKENDS:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.checkpoints"],
            env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        steps, kept = json.loads(done.stdout.splitlines()[-1])
        yield (
            f"| {backend} | {steps:.0f} | {len(kept)} | {sum(kept) / len(kept):.3f} "
            f"| {100 * sum(kept) / steps:.2f} | {BOUND} |"
        )


def measured(folder: Path) -> tuple[float, list[float]]:
    """Seconds of all steps, and of each checkpoint."""
    import keras

    from reproductions.workloads.backends import configure
    from reproductions.workloads.training.checkpoints import CheckpointStore
    from reproductions.workloads.training.initialization import initialise, untrained
    from reproductions.workloads.training.loop import Run

    configure()
    kept: list[float] = []

    class Timed(Run):
        def save_checkpoint(self) -> None:
            begun = perf_counter()
            super().save_checkpoint()
            kept.append(perf_counter() - begun)

    tier = replace(
        TIERS["night"], steps=STEPS, train_images=10_000, measured_train=500, measured_test=500
    )
    data = embedded()
    spec = spec_of("resnet-56", tier, 0, keras.backend.backend(), data.identity())
    model = untrained(spec)
    initialise(model, 0)
    run = Timed(
        spec, at_tier(data, tier), model, lambda event: None, CheckpointStore(folder, "key", {})
    )
    run.go()
    return sum(timing["seconds"] for timing in run.timings), kept


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Path(folder))))
