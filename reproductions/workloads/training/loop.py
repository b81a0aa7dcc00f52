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

from ...data.stream import Stream
from ...data.transforms import Arrays, Batch, portion, scaled
from ...evidence.canonical import key_of
from ...experiments.recipes import RECIPES, Recipe
from ...experiments.tiers import Tier
from ..events import STOPPING, Emit
from .checkpoints import Checkpoint, Shelf
from .evaluation import columns, divergence, examination, examined, fitted, rounded
from .initialization import digest, initialise, untrained
from .networks import named_variables
from .optimizer import rates
from .probes import WATCHES, Subject, Watch
from .segment import Carried, Progress, Stretch, joined, trained_on


def examined_after(tier: Tier, stream: Stream) -> set[int]:
    """After which steps errors are measured: at the end of an epoch, once half as many images as
    that takes have been trained on; and at the end.
    """
    looked_at = tier.measured_train + tier.measured_test
    epochs = -(-looked_at // (2 * stream.per_epoch * stream.batch_size))
    return {*range(0, tier.steps, epochs * stream.per_epoch), tier.steps} - {0}


def train(
    spec: Mapping[str, Any],
    arrays: Arrays,
    emit: Emit = lambda event: None,
    shelf: Shelf | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train the run that `spec` describes, from its newest checkpoint if `shelf` has one.

    Returns:
        Its result, a pure function of the spec and the environment, and circumstances: each
        epoch's seconds and images a second, the steps from which it went on, and the seconds until
        the last of them. A run that diverges ends early, with its reason.
    """
    recipe = Recipe(**spec["recipe"])
    checkpoint = shelf.newest(lambda problem: emit({"set_aside": problem})) if shelf else None
    body = body_trained(spec, arrays, emit, shelf) if recipe.start and not checkpoint else {}
    model = untrained(spec)
    initialise(model, spec["seed"], recipe.initializer)
    for variable in model.weights:
        if variable.path in body:
            variable.assign(body[variable.path])
    run = Run(spec, arrays, model, emit, shelf)
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
    if run.watch:
        result["watched"] = columns(run.looks)
    before = {"resumed": run.resumed, "seconds_before": round(run.before, 3)}
    return result, {"epochs": columns(run.timings), **before}


CHECKPOINT_SECONDS = float(os.environ.get("CHECKPOINT_SECONDS", "60"))
# A checkpoint follows a call that trains: the first of so many steps, the others of as many as take
# about so long.
FIRST_PACE, CALL_SECONDS = 1 + int(CHECKPOINT_SECONDS / 4), CHECKPOINT_SECONDS / 6

# What of a run is kept, beside arrays.
PROGRESS = (
    "initial", "rows", "timings", "looks", "final", "stretches", "seconds", "resumed", "elapsed",
)  # fmt: skip


class Run:
    """A run on its way, after `step` steps: `rows` of what was measured, `looks` of what was
    watched, `stretches` trained since the last row; of the stretch it is in, the `seconds` and
    `metrics` so far.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        arrays: Arrays,
        model: keras.Model,
        emit: Emit,
        shelf: Shelf | None = None,
    ):
        tier, self.recipe = Tier(**spec["tier"]), Recipe(**spec["recipe"])
        arrays = portion(arrays, self.recipe, spec["seed"])
        self.tier = fitted(tier, arrays)
        self.model, self.emit = model, emit
        self.stream = Stream(arrays, self.recipe, spec["seed"])
        self.images, self.labels = examination(self.tier, arrays, self.recipe)
        self.rate = rates(self.recipe, tier.steps)
        self.watch = self.watching(spec, arrays)
        self.rows: list[dict[str, float]] = []
        self.timings: list[dict[str, float]] = []
        self.looks: list[dict[str, Any]] = []
        self.final: dict[str, float] = {}
        self.reason: str | None = None
        self.stretches: list[Stretch] = []
        self.initial = digest(model)
        self.shelf, self.saved = shelf, time.monotonic()
        self.begun, self.before = time.monotonic(), 0.0
        self.resumed: list[int] = []
        self.step, self.pace, self.seconds = 0, FIRST_PACE, 0.0
        self.metrics: list[np.ndarray] = []

    def watching(self, spec: Mapping[str, Any], arrays: Arrays) -> Watch | None:
        """What the spec wants watched, on a batch of training images as they are."""
        if "watched" not in spec:
            return None
        n = self.stream.batch_size
        batch = scaled(arrays["train_images"][:n], self.recipe.inputs), arrays["train_labels"][:n]
        errors = partial(self.errors, self.tier.measured_train + self.tier.measured_test)
        pixels = arrays["test_images"][: self.tier.measured_test]
        subject = Subject(self.model, self.recipe, batch, lambda: errors()[0], pixels)
        return WATCHES[spec["watched"]](subject)

    def go(self) -> None:
        """Train to the end, or to where it diverged."""
        steps = self.tier.steps
        examined = examined_after(self.tier, self.stream)
        looked = self.watch.places(steps) if self.watch else set()
        alone = (
            {place + 1 for place in looked - {steps}} if self.watch and self.watch.single else ()
        )
        self.emit(
            {"step": self.step, "epoch": self.step // self.stream.per_epoch + 1, "loss": None}
        )
        for begin, end in pairwise(sorted({0, *examined, *looked, *alone})):
            if end <= self.step:
                continue
            self.stretches.append(self.stretch(begin, end, begin in looked))
            if end in examined:
                self.examine(end, joined(self.stretches))
                self.stretches = []
            if self.reason:
                return
            if end in examined or self.due():
                self.keep()
        if steps in looked:
            self.look(steps, None)

    def stretch(self, begin: int, end: int, looked: bool) -> Stretch:
        """Train these steps, from where it is; before and after the first it may be looked at."""
        n = self.stream.batch_size
        if looked and self.step == begin:
            self.look(begin, self.stream.between(begin, begin + 1))
        while self.step < end:
            loss, error = self.call(end)
        if looked and self.watch:
            self.looks[-1] |= self.watch.stepped()
        stretch = Stretch(loss, error, (end - begin) * n, self.seconds)
        self.seconds, self.metrics = 0.0, []
        return stretch

    def call(self, end: int) -> tuple[float, float]:
        """Train some steps, not beyond `end`, and keep a checkpoint if one is due; the stretch's
        loss and error so far.
        """
        clock, first = time.monotonic(), self.step
        progress = Progress(self.emit, first // self.stream.per_epoch + 1, first)
        batches = self.stream.between(first, min(end, first + self.pace))
        callbacks = [progress, *([Carried(self.metrics)] if self.metrics else [])]
        measured = trained_on(self.model, batches, self.stream.batch_size, callbacks)
        self.step = int(self.model.optimizer.iterations.numpy())
        took = time.monotonic() - clock
        self.seconds += took
        self.pace = max(1, int((self.step - first) * CALL_SECONDS / took))
        if self.step < end:
            self.metrics = [array(v) for v in self.model.metrics_variables]
            if self.due():
                self.keep()
        return measured

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return STOPPING.is_set() or time.monotonic() - self.saved > CHECKPOINT_SECONDS

    def keep(self) -> None:
        """Put a checkpoint on the shelf; end the process if it was asked to."""
        if self.shelf:
            self.shelf.save(Checkpoint(self.step, self.arrays(), self.progress()))
            self.saved = time.monotonic()
        if STOPPING.is_set():
            self.emit({"stopped": self.step})
            sys.exit(128 + signal.SIGTERM)

    def arrays(self) -> dict[str, np.ndarray]:
        """All that steps change, by name."""
        kept = {name: array(variable) for name, variable in self.variables()}
        watched = self.watch.kept() if self.watch else []
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
        self.stretches = [Stretch(*values) for values in self.stretches]
        self.step = checkpoint.step
        self.metrics = of_kind("metrics", checkpoint.arrays)
        if self.watch:
            self.watch.take(of_kind("watch", checkpoint.arrays))
        self.resumed = [*self.resumed, self.step]
        self.emit({"resumed": self.step})

    def look(self, step: int, batch: Batch | None) -> None:
        """Watch the net as it is."""
        assert self.watch
        self.looks.append({"step": step, **self.watch.look(batch)})

    def examine(self, step: int, stretch: Stretch) -> None:
        """A row of what training gave since the last, and of the errors now."""
        first, last = ops.convert_to_numpy(self.model.optimizer.norms.value)
        row = {
            "running_loss": stretch.loss,
            "running_error": stretch.error,
            "gradient_norm_first": float(first),
            "gradient_norm_last": float(last),
            "epoch": -(-step // self.stream.per_epoch),
            "step": step,
            "learning_rate": float(self.rate[step - 1]),
        }
        self.reason = divergence(self.model, row)
        # All test images are looked at once, at the end.
        part = self.tier.measured_train + self.tier.measured_test
        whole = self.reason or step == self.tier.steps
        errors, self.final = self.errors(None if whole else part)
        self.rows.append(row | errors)
        speed = stretch.images / stretch.seconds
        self.timings.append({"seconds": stretch.seconds, "images_per_second": speed})
        self.emit(
            {name: rounded(value) for name, value in (self.rows[-1] | self.timings[-1]).items()}
        )

    def errors(self, seen: int | None) -> tuple[dict[str, float], dict[str, float]]:
        return examined(self.model, self.tier, self.images[:seen], self.labels[:seen])


def array(variable: keras.Variable) -> np.ndarray:
    """Its value, which later steps leave as it is."""
    return np.array(ops.convert_to_numpy(variable.value))


def numbered(kind: str, values: Sequence[Any]) -> dict[str, Any]:
    """Values by a name of their own."""
    return {f"{kind}/{i}": value for i, value in enumerate(values)}


def of_kind(kind: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Those that `numbered` named, in their order."""
    return [arrays[name] for name in numbered(kind, [*arrays]) if name in arrays]


def body_trained(
    spec: Mapping[str, Any], arrays: Arrays, emit: Emit, shelf: Shelf | None
) -> dict[str, np.ndarray]:
    """By path, the weights of the net that a run starts from, but for its classifier's."""
    tier, classes = Tier(**spec["tier"]), spec["recipe"]["start"]
    recipe = replace(RECIPES[tier.recipe], classes=classes)
    before = {**spec, "recipe": recipe.spec()}
    before.pop("watched", None)
    model = untrained(before)
    initialise(model, spec["seed"], recipe.initializer)
    own = Shelf(shelf.folder / "start", key_of(before), shelf.surroundings) if shelf else None
    # Empty events tell nothing, but this process whether there is still a parent.
    run = Run(before, arrays, model, lambda event: emit({}), own)
    if own and (checkpoint := own.newest(lambda problem: emit({"set_aside": problem}))):
        run.resume(checkpoint)
    run.go()
    return {v.path: array(v) for v in model.weights if not v.path.startswith("predictions/")}
