"""Training: a spec and arrays to curves and the digest of the weights."""

import math
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

import keras_ilsvrc

from ...data.registry import dataset_of
from ...data.stream import Stream
from ...data.transforms import Arrays, Batch, portion, scaled
from ...evidence.canonical import key_of
from ...experiments.recipes import RECIPES, Recipe
from ...experiments.tiers import Tier
from ..events import STOPPING, Emit
from .checkpoints import Checkpoint, CheckpointStore
from .evaluation import (
    columns,
    divergence,
    fitted,
    measure_errors,
    measured_images,
    rounded,
)
from .initialization import digest, initialise, untrained
from .networks import named_variables
from .optimizer import rates
from .probes import PROBES, Probe, ProbeContext
from .segment import Progress, RestoreMetrics, TrainSegment, join_segments, train_on_batches


def steps_to_measure(tier: Tier, stream: Stream) -> set[int]:
    """After which steps errors are measured: at the end of an epoch, once half as many images as
    that takes have been trained on; and at the end.
    """
    images = tier.measured_train + tier.measured_test
    epochs = -(-images // (2 * stream.per_epoch * stream.batch_size))
    return {*range(0, tier.steps, epochs * stream.per_epoch), tier.steps} - {0}


def train(
    spec: Mapping[str, Any],
    arrays: Arrays,
    emit: Emit = lambda event: None,
    store: CheckpointStore | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train the run that `spec` describes, from its newest checkpoint if `store` has one.

    Returns:
        Its result, a pure function of the spec and the environment, and circumstances: each
        epoch's seconds and images a second, the steps from which it went on, and the seconds until
        the last of them. A run that diverges ends early, with its reason.
    """
    recipe = Recipe(**spec["recipe"])
    checkpoint = store.newest(lambda problem: emit({"set_aside": problem})) if store else None
    body = train_body(spec, arrays, emit, store) if recipe.start and not checkpoint else {}
    model = untrained(spec)
    initialise(model, spec["seed"], recipe.initializer)
    for variable in model.weights:
        if variable.path in body:
            variable.assign(body[variable.path])
    run = Run(spec, arrays, model, emit, store)
    if checkpoint:
        run.resume(checkpoint)
    run.go()
    result = {
        "outcome": "diverged" if run.reason else "finished",
        "reason": run.reason,
        "parameters": sum(math.prod(v.shape) for v in model.trainable_variables),
        "macs_per_image": keras_ilsvrc.anatomy.profile(model).macs,
        "initial_sha256": run.initial,
        "weights_sha256": digest(model),
        "curves": columns(run.rows),
        "final": {name: rounded(value) for name, value in run.final.items()},
    }
    if run.probe:
        result["watched"] = columns(run.measurements)
    before = {"resumed": run.resumed, "seconds_before": round(run.before, 3)}
    return result, {"epochs": columns(run.timings), **before}


CHECKPOINT_SECONDS = float(os.environ.get("CHECKPOINT_SECONDS", "60"))
# A checkpoint follows a call that trains: the first of so many steps, the others of as many as take
# about so long.
FIRST_PACE, CALL_SECONDS = 1 + int(CHECKPOINT_SECONDS / 4), CHECKPOINT_SECONDS / 6

# What of a run is kept, beside arrays.
PROGRESS = (
    "initial", "rows", "timings", "measurements", "final", "segments", "seconds", "resumed",
    "elapsed",
)  # fmt: skip


class Run:
    """A run on its way, after `step` steps: `rows` of what was measured, `measurements` of what was
    watched, `segments` trained since the last row; of the segment it is in, the `seconds` and
    `metrics` so far.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        arrays: Arrays,
        model: keras.Model,
        emit: Emit,
        store: CheckpointStore | None = None,
    ):
        tier, self.recipe = Tier(**spec["tier"]), Recipe(**spec["recipe"])
        arrays = portion(arrays, self.recipe, spec["seed"], dataset_of(spec["data"]).classes)
        self.tier = fitted(tier, arrays)
        self.model, self.emit = model, emit
        self.stream = Stream(arrays, self.recipe, spec["seed"])
        self.images, self.labels = measured_images(self.tier, arrays, self.recipe)
        self.rate = rates(self.recipe, tier.steps)
        self.probe = self.make_probe(spec, arrays)
        self.rows: list[dict[str, float]] = []
        self.timings: list[dict[str, float]] = []
        self.measurements: list[dict[str, Any]] = []
        self.final: dict[str, float] = {}
        self.reason: str | None = None
        self.segments: list[TrainSegment] = []
        self.initial = digest(model)
        self.store, self.saved = store, time.monotonic()
        self.begun, self.before = time.monotonic(), 0.0
        self.resumed: list[int] = []
        self.step, self.pace, self.seconds = 0, FIRST_PACE, 0.0
        self.metrics: list[np.ndarray] = []

    def make_probe(self, spec: Mapping[str, Any], arrays: Arrays) -> Probe | None:
        """What the spec wants watched, on a batch of training images as they are."""
        if "watched" not in spec:
            return None
        n = self.stream.batch_size
        batch = scaled(arrays["train_images"][:n], self.recipe.inputs), arrays["train_labels"][:n]
        errors = partial(self.errors, self.tier.measured_train + self.tier.measured_test)
        pixels = arrays["test_images"][: self.tier.measured_test]
        context = ProbeContext(self.model, self.recipe, batch, lambda: errors()[0], pixels)
        return PROBES[spec["watched"]](context)

    def go(self) -> None:
        """Train to the end, or to where it diverged."""
        steps = self.tier.steps
        measured = steps_to_measure(self.tier, self.stream)
        probed = self.probe.places(steps) if self.probe else set()
        alone = (
            {place + 1 for place in probed - {steps}}
            if self.probe and self.probe.single_step
            else ()
        )
        self.emit(
            {"step": self.step, "epoch": self.step // self.stream.per_epoch + 1, "loss": None}
        )
        for begin, end in pairwise(sorted({0, *measured, *probed, *alone})):
            if end <= self.step:
                continue
            self.segments.append(self.segment(begin, end, begin in probed))
            if end in measured:
                self.record_row(end, join_segments(self.segments))
                self.segments = []
            if self.reason:
                return
            if end in measured or self.due():
                self.save_checkpoint()
        if steps in probed:
            self.run_probe(steps, None)

    def segment(self, begin: int, end: int, probed: bool) -> TrainSegment:
        """Train these steps, from where it is; before and after the first it may be probed at."""
        n = self.stream.batch_size
        if probed and self.step == begin:
            self.run_probe(begin, self.stream.between(begin, begin + 1))
        while self.step < end:
            loss, error = self.call(end)
        if probed and self.probe:
            self.measurements[-1] |= self.probe.measure_after_step()
        segment = TrainSegment(loss, error, (end - begin) * n, self.seconds)
        self.seconds, self.metrics = 0.0, []
        return segment

    def call(self, end: int) -> tuple[float, float]:
        """Train some steps, not beyond `end`, and keep a checkpoint if one is due; the segment's
        loss and error so far.
        """
        clock, first = time.monotonic(), self.step
        progress = Progress(self.emit, first // self.stream.per_epoch + 1, first)
        batches = self.stream.between(first, min(end, first + self.pace))
        callbacks = [progress, *([RestoreMetrics(self.metrics)] if self.metrics else [])]
        measured = train_on_batches(self.model, batches, self.stream.batch_size, callbacks)
        self.step = int(self.model.optimizer.iterations.numpy())
        took = time.monotonic() - clock
        self.seconds += took
        self.pace = max(1, int((self.step - first) * CALL_SECONDS / took))
        if self.step < end:
            self.metrics = [array(v) for v in self.model.metrics_variables]
            if self.due():
                self.save_checkpoint()
        return measured

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return STOPPING.is_set() or time.monotonic() - self.saved > CHECKPOINT_SECONDS

    def save_checkpoint(self) -> None:
        """Put a checkpoint on the store; end the process if it was asked to."""
        if self.store:
            self.store.save(Checkpoint(self.step, self.arrays(), self.progress()))
            self.saved = time.monotonic()
        if STOPPING.is_set():
            self.emit({"stopped": self.step})
            sys.exit(128 + signal.SIGTERM)

    def arrays(self) -> dict[str, np.ndarray]:
        """All that steps change, by name."""
        kept = {name: array(variable) for name, variable in self.variables()}
        watched = self.probe.state() if self.probe else []
        return {**kept, **numbered("metrics", self.metrics), **numbered("watch", watched)}

    def variables(self) -> Iterator[tuple[str, keras.Variable]]:
        """Those of the model and of its optimizer, by a name of their own."""
        for name, variable in named_variables(self.model).items():
            yield f"model/{name}", variable
        yield from numbered("optimizer", self.model.optimizer.variables).items()

    @property
    def elapsed(self) -> float:
        """Seconds so far, without those that a killed process lost."""
        return self.before + time.monotonic() - self.begun

    @elapsed.setter
    def elapsed(self, seconds: float) -> None:
        self.begun, self.before = time.monotonic(), seconds

    def progress(self) -> dict[str, Any]:
        """All else that is to be known, as JSON has it."""
        return {name: getattr(self, name) for name in PROGRESS}

    def resume(self, checkpoint: Checkpoint) -> None:
        """Be as the run was when it was kept."""
        for name, variable in self.variables():
            variable.assign(checkpoint.arrays[name])
        for name in PROGRESS:
            setattr(self, name, checkpoint.progress[name])
        self.segments = [TrainSegment(*values) for values in self.segments]
        self.step = checkpoint.step
        self.metrics = of_kind("metrics", checkpoint.arrays)
        if self.probe:
            self.probe.restore(of_kind("watch", checkpoint.arrays))
        self.resumed = [*self.resumed, self.step]
        self.emit({"resumed": self.step})

    def run_probe(self, step: int, batch: Batch | None) -> None:
        """Probe the net as it is."""
        assert self.probe
        self.measurements.append({"step": step, **self.probe.measure(batch)})

    def record_row(self, step: int, segment: TrainSegment) -> None:
        """A row of what training gave since the last, and of the errors now."""
        first, last = ops.convert_to_numpy(self.model.optimizer.norms.value)
        row = {
            "running_loss": segment.loss,
            "running_error": segment.error,
            "gradient_norm_first": float(first),
            "gradient_norm_last": float(last),
            "epoch": -(-step // self.stream.per_epoch),
            "step": step,
            "learning_rate": float(self.rate[step - 1]),
        }
        self.reason = divergence(self.model, row)
        # All test images are probed at once, at the end.
        part = self.tier.measured_train + self.tier.measured_test
        whole = self.reason or step == self.tier.steps
        errors, self.final = self.errors(None if whole else part)
        self.rows.append(row | errors)
        speed = segment.images / segment.seconds
        self.timings.append({"seconds": segment.seconds, "images_per_second": speed})
        self.emit(
            {name: rounded(value) for name, value in (self.rows[-1] | self.timings[-1]).items()}
        )

    def errors(self, seen: int | None) -> tuple[dict[str, float], dict[str, float]]:
        return measure_errors(self.model, self.tier, self.images[:seen], self.labels[:seen])


def array(variable: keras.Variable) -> np.ndarray:
    """Its value, which later steps leave as it is."""
    return np.array(ops.convert_to_numpy(variable.value))


def numbered(kind: str, values: Sequence[Any]) -> dict[str, Any]:
    """Values by a name of their own."""
    return {f"{kind}/{i}": value for i, value in enumerate(values)}


def of_kind(kind: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Those that `numbered` named, in their order."""
    return [arrays[name] for name in numbered(kind, [*arrays]) if name in arrays]


def train_body(
    spec: Mapping[str, Any], arrays: Arrays, emit: Emit, store: CheckpointStore | None
) -> dict[str, np.ndarray]:
    """By path, the weights of the net that a run starts from, but for its classifier's."""
    tier, classes = Tier(**spec["tier"]), spec["recipe"]["start"]
    recipe = replace(RECIPES[tier.recipe], classes=classes)
    before = {**spec, "recipe": recipe.spec()}
    before.pop("watched", None)
    model = untrained(before)
    initialise(model, spec["seed"], recipe.initializer)
    own = (
        CheckpointStore(store.folder / "start", key_of(before), store.surroundings)
        if store
        else None
    )
    # Empty events tell nothing, but this process whether there is still a parent.
    run = Run(before, arrays, model, lambda event: emit({}), own)
    if own and (checkpoint := own.newest(lambda problem: emit({"set_aside": problem}))):
        run.resume(checkpoint)
    run.go()
    return {v.path: array(v) for v in model.weights if not v.path.startswith("predictions/")}
