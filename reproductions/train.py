"""(arm, recipe, tier, seed) -> curves and weights' digest. The only file that trains.

It runs as a process of its own, one backend a process: `python -m reproductions.train DATA`, where
DATA is an `.npz` of the tier's arrays. Standard input has the specs of runs, one a line, which it
trains one after the other; on standard output it writes one JSON object a line: progress, and at
the end of each run its result.
"""

import gc
import hashlib
import json
import math
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

import keras_ilsvrc

from .backends import configure, fed, settings
from .batches import augmented, order, portion, scaled
from .canonical import canonical
from .child import Emit, serve
from .networks import built, named_variables
from .objective import compile_model, targets, weights
from .recipes import RECIPES, Recipe
from .seeds import generator
from .tiers import Tier
from .watch import WATCHES, Batch, Subject, Watch

Arrays = Mapping[str, np.ndarray]
Start = list[tuple[keras.Variable, np.ndarray]]


# --- the network ------------------------------------------------------------------------------


def initialise(model: keras.Model, seed: int, initializer: str = "he_normal") -> None:
    """Draws for kernels, keyed by (seed, the variable's name), and for layers that draw; constants
    stay as built.
    """
    for name, variable in named_variables(model).items():
        if len(variable.shape) > 1:
            variable.assign(INITIALIZERS[initializer](variable.shape, seed, name))
        elif variable.name == "seed_generator_state":
            drawn = generator(seed, "dropout", name).integers(2**31)
            variable.assign(np.array((drawn, 0), "uint32"))


def he_normal(shape: tuple[int, ...], seed: int, name: str) -> np.ndarray:
    """float32 normal draws of variance 2 / fan-in (arXiv:1502.01852, equation 10)."""
    deviation = math.sqrt(2 / math.prod(shape[:-1]))
    draws = generator(seed, "weights", name).standard_normal(shape)
    return (deviation * draws).astype("float32")


INITIALIZERS = {"he_normal": he_normal}


def digest(model: keras.Model) -> str:
    """SHA-256 over the names and values of all variables, moving averages included."""
    sha = hashlib.sha256()
    for name, variable in sorted(named_variables(model).items()):
        sha.update(name.encode())
        sha.update(ops.convert_to_numpy(variable.value).tobytes())
    return sha.hexdigest()


def convolution_kernels(model: keras.Model) -> list[keras.Variable]:
    """The kernels of the convolutions, in the order of the layers."""
    return [layer.kernel for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


# --- the optimizer ----------------------------------------------------------------------------


def rates(recipe: Recipe, steps: int) -> np.ndarray:
    """The learning rate of each step: the schedule in the middle of the step, (steps,) float32."""
    shares, values = zip(*recipe.schedule, strict=True)
    return np.interp((np.arange(steps) + 0.5) / steps, shares, values).astype("float32")


class Table(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a step, looked up."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __call__(self, step: Any) -> Any:
        return ops.take(self.values, ops.minimum(ops.cast(step, "int32"), len(self.values) - 1))

    def get_config(self) -> dict[str, Any]:
        return {"values": self.values.tolist()}


# The class of an instance: on PyTorch Keras makes its vectorised variant.
class SGD(type(keras.optimizers.SGD())):  # type: ignore[misc]
    """SGD whose every step uses g + weight_decay * w, before momentum, on every variable.

    (The argument of that name of Keras' own SGD shrinks the weights apart from the gradient.)
    It keeps the norms of the loss' gradient for the first and the last convolution of `model`.
    """

    def __init__(self, rates: np.ndarray, recipe: Recipe, model: keras.Model):
        super().__init__(Table(rates), recipe.momentum)
        self.decay = recipe.weight_decay
        # Not its variables: an optimizer takes those it holds for its own.
        self.model = model
        self.norms = self.add_variable((2,), name="gradient_norms")
        paths = [v.path for v in model.trainable_variables]
        kernels = convolution_kernels(model)
        self.watched = [paths.index(kernel.path) for kernel in (kernels[0], kernels[-1])]

    def apply(self, grads: list, trainable_variables: list | None = None) -> None:
        squares = [ops.sum(ops.square(grads[i])) for i in self.watched]
        self.norms.assign(ops.sqrt(ops.stack(squares)))
        weights = self.model.trainable_variables
        decayed = [g + self.decay * w.value for g, w in zip(grads, weights, strict=True)]
        super().apply(decayed, trainable_variables)


# --- training ---------------------------------------------------------------------------------


class Stream:
    """The batches of a run: full ones, of each epoch's own order and augmentation. They have as
    many images as the recipe says, or all there are.
    """

    def __init__(self, arrays: Arrays, recipe: Recipe, seed: int):
        self.arrays, self.recipe, self.seed = arrays, recipe, seed
        images = len(arrays["train_labels"])
        self.batch_size = min(recipe.batch_size, images)
        self.per_epoch = images // self.batch_size
        self.epoch = lru_cache(maxsize=1)(self.drawn)  # it may be asked for in parts

    def drawn(self, epoch: int) -> Batch:
        """The images and labels of an epoch's full batches."""
        arrays, recipe = self.arrays, self.recipe
        n = len(arrays["train_labels"])
        chosen = order(n, self.seed, epoch)[: self.per_epoch * self.batch_size]
        images = augmented(arrays["train_images"], recipe, self.seed, epoch)[chosen]
        return scaled(images, recipe.inputs), arrays["train_labels"][chosen]

    def between(self, begin: int, end: int) -> Batch:
        """Those of the steps from `begin` on, before `end`."""
        parts = list(self.parts(begin, end))
        images, labels = zip(*parts, strict=True)
        # One part is a view.
        return parts[0] if len(parts) == 1 else (np.concatenate(images), np.concatenate(labels))

    def parts(self, begin: int, end: int) -> Iterator[Batch]:
        """Of each epoch."""
        for epoch in range(begin // self.per_epoch, -(-end // self.per_epoch)):
            images, labels = self.epoch(epoch)
            places = (step - epoch * self.per_epoch for step in (begin, end))
            first, last = (max(0, place) * self.batch_size for place in places)
            yield images[first:last], labels[first:last]


class Progress(keras.callbacks.Callback):
    """Tells of the running loss once a second."""

    async_safe = True  # where Keras may call back from threads (not TensorFlow) no step waits

    def __init__(self, emit: Emit, epoch: int, done: int):
        super().__init__()
        self.emit, self.epoch, self.done, self.told = emit, epoch, done, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if logs and time.monotonic() - self.told >= 1:
            self.told = time.monotonic()
            loss = rounded(float(logs["loss"]))
            self.emit({"step": self.done + batch + 1, "epoch": self.epoch, "loss": loss})


def predicted(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Logits in evaluation mode, those of the first output, as float64."""
    logits = model.predict(**fed(images, batch_size=500), verbose=0)
    return (logits if len(model.outputs) == 1 else logits[0]).astype("float64")


def judged(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Mean cross-entropy and share of errors."""
    # A logit that is not a number is no right answer, whatever argmax says of it.
    wrong = (logits.argmax(1) != labels) | ~np.isfinite(logits).all(1)
    return float(cross_entropy(logits, labels).mean()), int(wrong.sum()) / len(labels)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-log softmax(logits) at the labels; NaN where a logit is not finite."""
    with np.errstate(invalid="ignore"):
        shifted = logits - logits.max(1, keepdims=True)
        return np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]


def untrained(spec: Mapping[str, Any]) -> keras.Model:
    """The model of a run, compiled, its kernels zeros and all else as built."""
    kind = {name: spec[name] for name in ("arm", "recipe", "tier")}
    model, start = compiled(canonical(kind), keras.config.image_data_format())
    for variable, value in start:
        variable.assign(value)
    return model


# Runs of other seeds follow, and to trace a model takes seconds; some train two, in turn.
@lru_cache(maxsize=2)
def compiled(kind: bytes, data_format: str) -> tuple[keras.Model, Start]:
    """A model, and the values that all its variables and its optimizer's have before a run."""
    spec = json.loads(kind)
    tier, recipe = Tier(**spec["tier"]), Recipe(**spec["recipe"])
    model = built(spec["arm"], tier)
    optimizer = SGD(rates(recipe, tier.steps), recipe, model)
    compile_model(model, optimizer, weights(model, recipe.loss_scale))
    variables = [*model.variables, *model.optimizer.variables]
    return model, [(v, np.array(ops.convert_to_numpy(v.value))) for v in variables]


class Stretch(NamedTuple):
    """What training some steps gave, and what it took."""

    loss: float
    error: float
    images: int
    seconds: float


def trained_on(model: keras.Model, batches: Batch, batch_size: int, progress: Progress) -> Stretch:
    """Train on each batch once."""
    started = time.monotonic()
    images, labels = batches
    data = fed(images, targets(model, labels), batch_size=batch_size)
    history = model.fit(**data, verbose=0, shuffle=False, callbacks=[progress]).history
    (accuracy,) = (column for name, column in history.items() if name.endswith("accuracy"))
    seconds = time.monotonic() - started
    return Stretch(history["loss"][0], 1 - accuracy[0], len(labels), seconds)


def joined(stretches: Sequence[Stretch]) -> Stretch:
    """As if they had been one."""
    images = sum(s.images for s in stretches)
    loss, error = (sum(s[i] * (s.images / images) for s in stretches) for i in range(2))
    return Stretch(loss, error, images, sum(s.seconds for s in stretches))


def examination(tier: Tier, arrays: Arrays, recipe: Recipe) -> Batch:
    """Images and labels: the measured training images, then all test images."""
    n = tier.measured_train
    images = np.concatenate((arrays["train_images"][:n], arrays["test_images"]))
    labels = np.concatenate((arrays["train_labels"][:n], arrays["test_labels"]))
    return scaled(images, recipe.inputs), labels


def fitted(tier: Tier, arrays: Arrays) -> Tier:
    """The tier, measuring no more than there is."""
    train, test = (len(arrays[f"{split}_labels"]) for split in ("train", "test"))
    measured = min(tier.measured_train, train), min(tier.measured_test, test)
    return replace(tier, measured_train=measured[0], measured_test=measured[1])


def examined_after(tier: Tier, stream: Stream) -> set[int]:
    """After which steps errors are measured: at the end of an epoch, once half as many images as
    that takes have been trained on; and at the end.
    """
    looked_at = tier.measured_train + tier.measured_test
    epochs = -(-looked_at // (2 * stream.per_epoch * stream.batch_size))
    return {*range(0, tier.steps, epochs * stream.per_epoch), tier.steps} - {0}


def examined(
    model: keras.Model, tier: Tier, images: np.ndarray, labels: np.ndarray
) -> tuple[dict[str, float], dict[str, float]]:
    """In one pass, loss and error of the tier's parts of both splits, and of all test images."""
    logits = predicted(model, images)
    test = slice(tier.measured_train, tier.measured_train + tier.measured_test)
    whole = slice(tier.measured_train, None)
    row: dict[str, float] = {}
    row["train_loss"], row["train_error"] = judged(logits[: test.start], labels[: test.start])
    row["test_loss"], row["test_error"] = judged(logits[test], labels[test])
    test_loss, test_error = judged(logits[whole], labels[whole])
    return row, {"test_loss": test_loss, "test_error": test_error}


def divergence(model: keras.Model, row: Mapping[str, float]) -> str | None:
    """Why the run cannot go on, or None."""
    if not math.isfinite(row["running_loss"]):
        return f"the training loss was not finite in epoch {row['epoch']}"
    if not all(np.isfinite(ops.convert_to_numpy(v.value)).all() for v in model.variables):
        return f"a weight or a moving average was not finite after epoch {row['epoch']}"
    return None


def rounded(value: float) -> float | None:
    """Six significant digits; None for what is not finite (JSON knows no NaN)."""
    if isinstance(value, int):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def columns(rows: Sequence[Mapping[str, float | None]]) -> dict[str, list[float | None]]:
    """Rows as columns of rounded numbers, small enough for a record; None where a row has none."""
    names = dict.fromkeys(name for row in rows for name in row)
    table = {name: [row.get(name) for row in rows] for name in names}
    return {name: [None if x is None else rounded(x) for x in column]
            for name, column in table.items()}  # fmt: skip


# --- a run ------------------------------------------------------------------------------------


def train(
    spec: Mapping[str, Any], arrays: Arrays, emit: Emit = lambda event: None
) -> tuple[dict[str, Any], dict[str, list]]:
    """Train the run that `spec` describes.

    Returns:
        Its result, a pure function of the spec and the environment, and columns of each epoch's
        seconds and images a second. A run that diverges ends early, with its reason.
    """
    recipe = Recipe(**spec["recipe"])
    model = untrained(spec)
    initialise(model, spec["seed"], recipe.initializer)
    if recipe.start:
        body = body_trained(spec, arrays)
        for variable in model.weights:
            if variable.path in body:
                variable.assign(body[variable.path])
    initial = digest(model)
    run = Run(spec, arrays, model, emit)
    run.go()
    result = {
        "outcome": "diverged" if run.reason else "finished",
        "reason": run.reason,
        "parameters": sum(math.prod(v.shape) for v in model.trainable_variables),
        "macs_per_image": keras_ilsvrc.anatomy.profile(model).macs,
        "initial_sha256": initial,
        "weights_sha256": digest(model),
        "curves": columns(run.rows),
        "final": {name: rounded(value) for name, value in run.final.items()},
    }
    if run.watch:
        result["watched"] = columns(run.looks)
    return result, columns(run.timings)


class Run:
    """A run on its way: `rows` of what was measured, `looks` of what was watched."""

    def __init__(self, spec: Mapping[str, Any], arrays: Arrays, model: keras.Model, emit: Emit):
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
        stretches: list[Stretch] = []
        self.emit({"step": 0, "epoch": 1, "loss": None})
        for begin, end in pairwise(sorted({0, *examined, *looked, *alone})):
            stretches.append(self.stretch(begin, end, begin in looked))
            if end in examined:
                self.examine(end, joined(stretches))
                stretches = []
            if self.reason:
                return
        if steps in looked:
            self.look(steps, None)

    def stretch(self, begin: int, end: int, looked: bool) -> Stretch:
        """Train these steps; before and after the first it may be looked at."""
        batches = self.stream.between(begin, end)
        n = self.stream.batch_size
        if looked:
            self.look(begin, (batches[0][:n], batches[1][:n]))
        progress = Progress(self.emit, begin // self.stream.per_epoch + 1, begin)
        stretch = trained_on(self.model, batches, n, progress)
        if looked and self.watch:
            self.looks[-1] |= self.watch.stepped()
        return stretch

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


def body_trained(spec: Mapping[str, Any], arrays: Arrays) -> dict[str, np.ndarray]:
    """By path, the weights of the net that a run starts from, but for its classifier's."""
    tier, classes = Tier(**spec["tier"]), spec["recipe"]["start"]
    recipe = replace(RECIPES[tier.recipe], classes=classes)
    before = {**spec, "recipe": recipe.spec()}
    before.pop("watched", None)
    model = untrained(before)
    initialise(model, spec["seed"], recipe.initializer)
    Run(before, arrays, model, lambda event: None).go()
    return {
        v.path: np.array(ops.convert_to_numpy(v.value))
        for v in model.weights
        if not v.path.startswith("predictions/")
    }


def main(data_path: str) -> None:
    """Train the runs that standard input asks for, telling the parent process of each."""
    configure()
    with np.load(data_path, allow_pickle=False) as file:
        arrays = dict(file)
    serve(lambda spec, emit: trained(spec, arrays, emit))


def trained(spec: Mapping[str, Any], arrays: Arrays, emit: Emit) -> dict[str, Any]:
    """The result of a run and its circumstances, as if the process were its own."""
    gc.collect()
    forget_peak()
    result, timings = train(spec, arrays, emit)
    circumstances = {"epochs": timings, "peak_memory_bytes": peak_memory(), "settings": settings()}
    return {"result": result, "circumstances": circumstances}


def forget_peak() -> None:
    """Let the peak be that of what comes; where the kernel cannot, it is that of the process."""
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        with suppress(OSError):
            switch.write_text("5")


def peak_memory() -> int:
    """The most bytes this process had in memory: macOS counts them, Linux kilobytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent had when it started this process
        (line,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    main(*sys.argv[1:])
