"""The errors of trained weights on labelled images, beside the published ones."""

import re
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Column, Table
from scipy import stats

from .environment import BACKENDS, choose_backend
from .errors import InputError
from .pictures import SHARE, WHOLE, Pictures, View, cut, limited, pictures_of, read, view_of

if TYPE_CHECKING:  # the command line imports no backend
    import keras

    from keras_ilsvrc.catalog import Entry, Published
    from keras_ilsvrc.pretrained import Contract

console = Console()


def asked(verb: Callable) -> Callable:
    """The arguments of `evaluate`."""
    for decorate in reversed((
        click.argument("model"),
        click.option(
            "--source", required=True,
            help="Whose weights, and so whose form of the network: keras, torchvision, timm, "
            "cadene, qubvel or cifar.",
        ),
        click.option(
            "--data", required=True, metavar="FOLDER|NAME",
            help="A folder with one folder of images for each class, which in the order of their "
            "names are classes 0, 1, ... (ImageNet's: n01440764, ...); else the name of a data set "
            "that TensorFlow Datasets prepared under TFDS_DATA_DIR as array_record, of which the "
            "test split is read, or where it has no labels the validation split.",
        ),
        click.option(
            "--crops", type=click.Choice(["1", "10"]), default="1", show_default=True,
            help="1: the crop in the middle. 10: the corners' too, and all mirrored, their "
            "probabilities averaged. Networks for CIFAR see the whole image, once.",
        ),
        click.option(
            "--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="A file of the source's weights; default: its own, fetched once.",
        ),
        click.option(
            "--limit", type=click.IntRange(1),
            help="Only so many images: of a folder the first of each class, then the second, ...",
        ),
        click.option(
            "--batch-size", type=click.IntRange(1), default=50, show_default=True,
            help="Images at a time: it changes nothing but time and memory.",
        ),
        click.option(
            "--backend", type=click.Choice(BACKENDS),
            help="The Keras backend; default: KERAS_BACKEND, else the first that is installed.",
        ),
    )):  # fmt: skip
        verb = decorate(verb)
    return verb


@click.command()
@asked
def evaluate(
    model: str,
    source: str,
    data: str,
    crops: str,
    weights: Path | None,
    limit: int | None,
    batch_size: int,
    backend: str | None,
) -> None:
    """Count MODEL's errors with trained weights, and print them beside the published ones.

    MODEL is a name of keras_ilsvrc.list_models(), such as resnet50. Images are resized and cropped
    as the source says, scaled as its weights want them, and read as a stream. On ImageNet:

    \b
      python -m reproductions evaluate resnet50 --source torchvision --data imagenet/val
      python -m reproductions evaluate resnet50 --source keras --data imagenet2012 --crops 10

    Intervals are Wilson's, of 95 %. Published figures that were measured with other crops, sizes or
    images are shown, and named so.
    """
    choose_backend(backend)
    entry, contract = known(model, source)
    view = view_of(entry.name, source, contract, int(crops))
    pictures = limited(pictures_of(data), limit)
    check_classes(entry, pictures)
    network = loaded(entry.name, source, weights)
    count = counted(network, contract, pictures, view, batch_size)
    console.print(table(f"{entry.name}, weights of {source}", view, pictures, count, entry.errors))
    if pictures.note:
        console.print(pictures.note, soft_wrap=True)


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
    pictures: Pictures, view: View, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Squares (n, resize, resize, 3) and their labels (n,), so many at a time."""
    starts = range(0, pictures.count, batch_size)
    for start in track(starts, "evaluating", console=console, disable=not console.is_terminal):
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
) -> Count:
    """The errors of a network on images; those among five only where there are more classes.

    Raises:
        InputError: an image cannot be read.
    """
    wrong = np.zeros(2, "int64")
    for images, labels in batches(pictures, view, batch_size):
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


# --- the table ------------------------------------------------------------------------------------


def table(
    title: str, view: View, pictures: Pictures, count: Count, figures: "Sequence[Published]"
) -> Table:
    """The errors over the published ones, each with how it was measured."""
    how = Column("how", overflow="fold")
    shown = Table("", how, "top-1 error, %", "top-5 error, %", title=escape(title))
    measured = f"{view}; {count.images:,} images of {pictures.name}"
    cells = [share(wrong, count.images) for wrong in (count.top1, count.top5)]
    shown.add_row("here", escape(measured), *cells, end_section=True)
    for figure in figures:
        same = pictures.standard and fits(figure.protocol, view)
        word, style = ("published", "") if same else ("published, measured otherwise", "dim")
        printed = [percent(error) for error in (figure.top1, figure.top5)]
        shown.add_row(word, f"{figure.protocol} ({figure.source})", *printed, style=style)
    return shown


def fits(protocol: str, view: View) -> bool:
    """Whether a published protocol is this view, on all images and of one training.

    Papers cut their crops from 256 of 224, or as much of other sizes; not all sources do.
    """
    if view.size == WHOLE:
        return protocol == "CIFAR-10 test, trained with crops and flips"
    same = rf"{view.crops} crops?( of {view.size})?, ILSVRC-2012 validation"
    usual = view.resize == round(view.size / SHARE)
    return usual and re.fullmatch(same, protocol) is not None


def share(wrong: int | None, images: int) -> str:
    if wrong is None:
        return "·"
    low, high = (100 * end for end in interval(wrong, images))
    return f"{100 * wrong / images:.2f} ({low:.2f} to {high:.2f})"


def percent(error: float | None) -> str:
    return "·" if error is None else f"{error:g}"
