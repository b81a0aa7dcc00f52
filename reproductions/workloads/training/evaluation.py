"""Losses and errors of a net in evaluation mode, and whether it can go on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np
from keras import ops

from ...data.transforms import Arrays, Batch, scaled
from ...experiments.recipes import Recipe
from ...experiments.tiers import Tier
from ..backends import fed


def measured_images(tier: Tier, arrays: Arrays, recipe: Recipe) -> Batch:
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


def measure_errors(
    model: keras.Model, tier: Tier, images: np.ndarray, labels: np.ndarray
) -> tuple[dict[str, float], dict[str, float]]:
    """In one pass, loss and error of the tier's parts of both splits, and of all test images."""
    logits = predicted(model, images)
    test = slice(tier.measured_train, tier.measured_train + tier.measured_test)
    whole = slice(tier.measured_train, None)
    row: dict[str, float] = {}
    row["train_loss"], row["train_error"] = loss_and_error(
        logits[: test.start], labels[: test.start]
    )
    row["test_loss"], row["test_error"] = loss_and_error(logits[test], labels[test])
    test_loss, test_error = loss_and_error(logits[whole], labels[whole])
    return row, {"test_loss": test_loss, "test_error": test_error}


def predicted(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Logits in evaluation mode, those of the first output, as float64."""
    logits = model.predict(**fed(images, batch_size=500), verbose=0)
    return (logits if len(model.outputs) == 1 else logits[0]).astype("float64")


def loss_and_error(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Mean cross-entropy and share of errors."""
    # A logit that is not a number is no right answer, whatever argmax says of it.
    wrong = (logits.argmax(1) != labels) | ~np.isfinite(logits).all(1)
    return float(cross_entropy(logits, labels).mean()), int(wrong.sum()) / len(labels)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-log softmax(logits) at the labels; NaN where a logit is not finite."""
    with np.errstate(invalid="ignore"):
        shifted = logits - logits.max(1, keepdims=True)
        return np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]


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
