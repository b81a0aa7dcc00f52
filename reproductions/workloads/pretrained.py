"""The errors of trained weights on labelled images."""

from collections.abc import Callable, Iterable, Iterator
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from ..data.images import Pictures, View, cut, read
from ..evidence.errors import InputError

if TYPE_CHECKING:  # the command line imports no backend
    import keras

    from keras_ilsvrc.catalog import Entry
    from keras_ilsvrc.pretrained import Contract


Track = Callable[[Iterable[int]], Iterable[int]]

# --- the network ------------------------------------------------------------------------------


def known(model: str, source: str) -> "tuple[Entry, Contract]":
    """The catalog's entry of a network, and what a source says of its images.

    Raises:
        InputError: there is no such network, or the source does not have it.
    """
    from keras_ilsvrc import catalog, pretrained

    try:
        entry = catalog.entry(model)
    except ValueError as error:
        raise InputError(str(error)) from error
    there = pretrained.sources(entry.name)
    if source not in there:
        have = f"choose --source {' or '.join(there)}" if there else "no source has any"
        raise InputError(f"{source!r} has no weights of {entry.name!r}: {have}.")
    return entry, pretrained.entry(entry.name, source).contract


def check_classes(entry: "Entry", pictures: "Pictures") -> None:
    classes = signature(entry.builder).parameters["classes"].default
    if pictures.classes != classes:
        raise InputError(
            f"{pictures.name} has {pictures.classes:,} classes, and {entry.name} tells {classes:,} "
            f"apart: give a folder of {classes:,} folders of images, or a data set of as many."
        )


def loaded(name: str, source: str, weights: Path | None) -> "keras.Model":
    from keras_ilsvrc import pretrained

    try:
        return pretrained.load(name, source, weights)
    except (ValueError, OSError) as error:  # of a LoadError the first line, without its report
        raise InputError(str(error).splitlines()[0]) from error


# --- errors -------------------------------------------------------------------------------------


def batches(
    pictures: Pictures, view: View, batch_size: int, track: Track = iter
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Squares (n, resize, resize, 3) and their labels (n,), so many at a time."""
    starts = range(0, pictures.count, batch_size)
    for start in track(starts):
        numbers = range(start, min(start + batch_size, pictures.count))
        chosen = [pictures.picture(number) for number in numbers]
        labels = np.array([picture.label for picture in chosen])
        yield np.stack([read(picture, view) for picture in chosen]), labels


class Count(NamedTuple):
    """How many of `images` were not recognised at first, and not among the first five."""

    images: int
    top1: int
    top5: int | None


def counted(
    network: "keras.Model",
    contract: "Contract",
    pictures: Pictures,
    view: View,
    batch_size: int = 50,
    track: Track = iter,
) -> Count:
    """The errors of a network on images; those among five only where there are more classes.

    `track` goes through the first images of batches, telling how far it is.

    Raises:
        InputError: an image cannot be read.
    """
    wrong = np.zeros(2, "int64")
    for images, labels in batches(pictures, view, batch_size, track):
        scores = [predicted(network, crop, contract) for crop in cut(images, view)]
        wrong += mistakes(np.mean(scores, axis=0), labels)
    return Count(pictures.count, int(wrong[0]), int(wrong[1]) if pictures.classes > 5 else None)


def predicted(network: "keras.Model", images: np.ndarray, contract: "Contract") -> np.ndarray:
    """Probabilities (n, classes) of pixels (n, size, size, 3)."""
    import keras

    from keras_ilsvrc import preprocess

    if keras.config.image_data_format() == "channels_first":
        images = images.transpose(0, 3, 1, 2)
    return np.asarray(network.predict_on_batch(preprocess(images, contract)))


def mistakes(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How often the label is not first, and not among five; always where scores are not finite.

    Of equal scores the lower class counts as the higher score, as it does for argmax.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    right = (best == labels[:, None]) & np.isfinite(scores).all(axis=1, keepdims=True)
    return np.array([(~right[:, 0]).sum(), (~right.any(axis=1)).sum()])


def interval(wrong: int, images: int) -> tuple[float, float]:
    """Wilson's interval, of 95 %, of the share of errors."""
    low, high = stats.binomtest(wrong, images).proportion_ci(method="wilson")
    return float(low), float(high)
