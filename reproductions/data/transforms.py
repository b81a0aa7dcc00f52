"""Arrays to augmented batches, as pure functions of (seed, epoch): equal on every backend."""

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..evidence.errors import InputError
from ..experiments.recipes import Classes, Inputs, Recipe
from ..experiments.seeds import generator
from ..experiments.tiers import Tier
from .dataset import Data

Arrays = Mapping[str, np.ndarray]
Batch = tuple[np.ndarray, np.ndarray]

# ImageNet's channel means and deviations, in [0, 1]; never recomputed on a subset.
MEAN = np.array([0.485, 0.456, 0.406], "float32")
DEVIATION = np.array([0.229, 0.224, 0.225], "float32")


def standardised(images: np.ndarray) -> np.ndarray:
    """uint8 in [0, 255] -> float32, (x / 255 - MEAN) / DEVIATION."""
    rows = images.reshape(*images.shape[:-2], -1)  # NumPy is slow over an axis of three
    scale, shift = (np.tile(v, images.shape[-2]) for v in (1 / (255 * DEVIATION), MEAN / DEVIATION))
    standard = np.multiply(rows, scale, dtype="float32")
    standard -= shift
    return standard.reshape(images.shape)


def scaled(images: np.ndarray, inputs: Inputs | None) -> np.ndarray:
    """uint8 in [0, 255] -> float32, as a recipe's `inputs` says."""
    if inputs is None:
        return standardised(images)
    return np.multiply(images, 1 / 255 if inputs == "0 to 1" else 1, dtype="float32")


def shrunk(images: np.ndarray, size: int) -> np.ndarray:
    """Means of equal squares of pixels, rounded half up: (n, h, h, 3) -> (n, size, size, 3)."""
    n, side, _, depth = images.shape
    k = side // size
    squares = images.reshape(n, size, k, size, k, depth).astype("uint32")
    return ((squares.sum((2, 4)) + k * k // 2) // (k * k)).astype("uint8")


def at_tier(data: Data, tier: Tier) -> dict[str, np.ndarray]:
    """What a run at `tier` sees of `data`: train_images, train_labels, test_images, test_labels."""
    kept = tier.train_images
    if kept > len(data.train_images):
        raise ValueError(f"the {tier.name} tier needs {kept} images; {data.name} has fewer.")
    # The smoke tier also tests on few images.
    tested = tier.measured_test if tier.name == "smoke" else len(data.test_images)
    return {
        "train_images": shrunk(data.train_images[:kept], tier.image_size),
        "train_labels": data.train_labels[:kept],
        "test_images": shrunk(data.test_images[:tested], tier.image_size),
        "test_labels": data.test_labels[:tested],
    }


def portion(
    arrays: Mapping[str, np.ndarray], recipe: Recipe, seed: int, classes: int
) -> dict[str, np.ndarray]:
    """Of the arrays at a tier what the recipe's classes leave, of the training images those drawn
    for the seed.

    Args:
        classes: of the data set.

    Raises:
        InputError: a label is of no class, or the recipe names classes that are not there.
    """
    kept = {split: of_classes(arrays[f"{split}_labels"], recipe.classes, classes)
            for split in ("train", "test")}  # fmt: skip
    kept["train"] &= drawn(arrays["train_labels"], recipe, seed)
    return {name: array[kept[name.split("_")[0]]] for name, array in arrays.items()}


def drawn(labels: np.ndarray, recipe: Recipe, seed: int) -> np.ndarray:
    """Which training images the recipe draws: all, so many, or so many of each class."""
    places = generator(seed, "drawn").permutation(len(labels))
    kept = np.ones(len(labels), bool)
    if recipe.images_drawn:
        kept[places[recipe.images_drawn :]] = False
    if recipe.labels_drawn:
        kept[places] = occurrence(labels[places]) < recipe.labels_drawn
    return kept


def of_classes(labels: np.ndarray, chosen: Classes | None, classes: int) -> np.ndarray:
    """Which labels are among the chosen classes; None: all of so many.

    Raises:
        InputError: a label is of no class, or classes are chosen that are not there.
    """
    first, last = (0, classes - 1) if chosen is None else map(int, chosen.split(" to "))
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise InputError(
            f"labels run from {labels.min()} to {labels.max()}, and the data set has the classes "
            f"0 to {classes - 1}: train with the data set that the labels are of."
        )
    if not 0 <= first <= last < classes:
        raise InputError(
            f"the recipe trains on the classes {chosen}, and the data set has 0 to {classes - 1}."
        )
    return (labels >= first) & (labels <= last)


def occurrence(labels: np.ndarray) -> np.ndarray:
    """How many equal labels stand before each."""
    places = np.zeros(len(labels), int)
    for label in np.unique(labels):
        places[labels == label] = np.arange((labels == label).sum())
    return places


def order(n: int, seed: int, epoch: int) -> np.ndarray:
    """The permutation in which an epoch visits `n` images."""
    return generator(seed, "order", epoch).permutation(n)


def augmented(images: np.ndarray, recipe: Recipe, seed: int, epoch: int) -> np.ndarray:
    """All images of an epoch, image i flipped and cut as (seed, epoch, i) says."""
    if recipe.flip:
        images = flipped(images, generator(seed, "flip", epoch).random(len(images)) < 0.5)
    if recipe.pad:
        corners = generator(seed, "crop", epoch).integers(2 * recipe.pad + 1, size=(2, len(images)))
        images = cropped(images, recipe.pad, *corners)
    return images


def flipped(images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The chosen images mirrored left to right, the others as they are."""
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)


def cropped(images: np.ndarray, pad: int, top: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Each image cut at its corner (top, left) from itself framed by `pad` black pixels."""
    framed = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(framed, images.shape[1:], (1, 2, 3))
    return windows[np.arange(len(images)), top, left, 0]
