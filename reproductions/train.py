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
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

import keras_ilsvrc

from .backends import configure, fed, settings
from .batches import augmented, order, standardised
from .canonical import canonical
from .child import Emit, serve
from .networks import built
from .recipes import Recipe
from .seeds import generator
from .tiers import Tier

Arrays = Mapping[str, np.ndarray]
Start = list[tuple[keras.Variable, np.ndarray]]


# --- the network ------------------------------------------------------------------------------


def initialise(model: keras.Model, seed: int, initializer: str = "he_normal") -> None:
    """Draws for kernels, keyed by (seed, variable path); constants stay as built."""
    for variable in model.variables:
        if len(variable.shape) > 1:
            variable.assign(INITIALIZERS[initializer](variable.shape, seed, variable.path))


def he_normal(shape: tuple[int, ...], seed: int, path: str) -> np.ndarray:
    """float32 normal draws of variance 2 / fan-in (arXiv:1502.01852, equation 10)."""
    deviation = math.sqrt(2 / math.prod(shape[:-1]))
    draws = generator(seed, "weights", path).standard_normal(shape)
    return (deviation * draws).astype("float32")


INITIALIZERS = {"he_normal": he_normal}


def digest(model: keras.Model) -> str:
    """SHA-256 over the paths and values of all variables, moving averages included."""
    sha = hashlib.sha256()
    for variable in sorted(model.variables, key=lambda v: v.path):
        sha.update(variable.path.encode())
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


def epoch_of(
    arrays: Arrays, recipe: Recipe, seed: int, epoch: int, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of the full batches of one epoch, at most `steps` of them."""
    n = len(arrays["train_labels"])
    chosen = order(n, seed, epoch)[: min(steps, n // recipe.batch_size) * recipe.batch_size]
    images = augmented(arrays["train_images"], recipe, seed, epoch)[chosen]
    return standardised(images), arrays["train_labels"][chosen]


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
    """Logits in evaluation mode, as float64."""
    return model.predict(**fed(images, batch_size=500), verbose=0).astype("float64")


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


def compile_for_training(model: keras.Model, optimizer: keras.Optimizer) -> None:
    """With all variables made: TensorFlow traces a step that makes some twice."""
    optimizer.build(model.trainable_variables)
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=[accuracy])


def untrained(spec: Mapping[str, Any]) -> keras.Model:
    """The model of a run, compiled, its kernels zeros and all else as built."""
    kind = {name: spec[name] for name in ("arm", "recipe", "tier")}
    model, start = compiled(canonical(kind), keras.config.image_data_format())
    for variable, value in start:
        variable.assign(value)
    return model


@lru_cache(maxsize=1)  # runs of other seeds follow, and to trace a model takes seconds
def compiled(kind: bytes, data_format: str) -> tuple[keras.Model, Start]:
    """A model, and the values that all its variables and its optimizer's have before a run."""
    spec = json.loads(kind)
    tier, recipe = Tier(**spec["tier"]), Recipe(**spec["recipe"])
    model = built(spec["arm"], tier)
    compile_for_training(model, SGD(rates(recipe, tier.steps), recipe, model))
    variables = [*model.variables, *model.optimizer.variables]
    return model, [(v, np.array(ops.convert_to_numpy(v.value))) for v in variables]


def trained_epoch(
    model: keras.Model,
    batches: tuple[np.ndarray, np.ndarray],
    batch_size: int,
    progress: Progress,
) -> tuple[dict[str, float], int]:
    """Train an epoch; its running loss and error, its last step's gradient norms; its images."""
    data = fed(*batches, batch_size=batch_size)
    history = model.fit(**data, verbose=0, shuffle=False, callbacks=[progress]).history
    first, last = ops.convert_to_numpy(model.optimizer.norms.value)
    row = {
        "running_loss": history["loss"][0],
        "running_error": 1 - history["accuracy"][0],
        "gradient_norm_first": float(first),
        "gradient_norm_last": float(last),
    }
    return row, len(batches[1])


def examination(tier: Tier, arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels: the measured training images, then all test images."""
    n = tier.measured_train
    images = np.concatenate((arrays["train_images"][:n], arrays["test_images"]))
    return standardised(images), np.concatenate((arrays["train_labels"][:n], arrays["test_labels"]))


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


def columns(rows: list[dict[str, float]]) -> dict[str, list[float | None]]:
    """Rows of equal names as columns of rounded numbers, small enough for a record."""
    return {name: [rounded(row[name]) for row in rows] for name in rows[0]}


def train(
    spec: Mapping[str, Any], arrays: Arrays, emit: Emit = lambda event: None
) -> tuple[dict[str, Any], dict[str, list]]:
    """Train the run that `spec` describes.

    Returns:
        Its result, a pure function of the spec and the environment, and columns of each epoch's
        seconds and images a second. A run that diverges ends early, with its reason.
    """
    tier, recipe, seed = Tier(**spec["tier"]), Recipe(**spec["recipe"]), spec["seed"]
    model = untrained(spec)
    initialise(model, seed, recipe.initializer)
    initial = digest(model)
    rate = rates(recipe, tier.steps)
    images, labels = examination(tier, arrays)
    rows: list[dict[str, float]] = []
    timings: list[dict[str, float]] = []
    step, reason = 0, None
    emit({"step": 0, "epoch": 1, "loss": None})
    while step < tier.steps and not reason:
        epoch, started = len(rows) + 1, time.monotonic()
        row, count = trained_epoch(
            model,
            epoch_of(arrays, recipe, seed, epoch - 1, tier.steps - step),
            recipe.batch_size,
            Progress(emit, epoch, step),
        )
        seconds = time.monotonic() - started
        step += count // recipe.batch_size
        row |= {"epoch": epoch, "step": step, "learning_rate": float(rate[step - 1])}
        reason = divergence(model, row)
        # All test images are looked at once, at the end.
        seen = None if reason or step == tier.steps else tier.measured_train + tier.measured_test
        errors, final = examined(model, tier, images[:seen], labels[:seen])
        rows.append(row | errors)
        timings.append({"seconds": seconds, "images_per_second": count / seconds})
        emit({name: rounded(value) for name, value in (rows[-1] | timings[-1]).items()})
    result = {
        "outcome": "diverged" if reason else "finished",
        "reason": reason,
        "parameters": sum(math.prod(v.shape) for v in model.trainable_variables),
        "macs_per_image": keras_ilsvrc.anatomy.profile(model).macs,
        "initial_sha256": initial,
        "weights_sha256": digest(model),
        "curves": columns(rows),
        "final": {name: rounded(value) for name, value in final.items()},
    }
    return result, columns(timings)


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
