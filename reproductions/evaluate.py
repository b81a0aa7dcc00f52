"""The errors of trained weights on labelled images, beside the published ones.

Where a source does not say how it resizes, the shorter side becomes size / SHARE, bilinearly. Ten
crops are those of AlexNet's paper: out of the square in the middle, as its section 2 has it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Column, Table
from scipy import stats

from .data import tfds_folder
from .environment import BACKENDS, choose_backend
from .errors import InputError

if TYPE_CHECKING:  # the command line imports no backend
    import keras

    from keras_ilsvrc.catalog import Entry, Published
    from keras_ilsvrc.pretrained import Contract

WHOLE = 32  # networks for images of this size see them whole
SHARE = 0.875  # of the shorter side, what a crop is: 224 of 256
# Of TensorFlow Datasets, the splits that published figures are about.
PUBLISHED_ON = ("imagenet2012/validation", "cifar10/test")
JPEG_NOTE = (
    "This copy of CIFAR-10 is of JPEG files: more errors are made than on the lossless images, "
    "which published figures are about."
)

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


# --- what it sees -------------------------------------------------------------------------------


@dataclass(frozen=True)
class View:
    """How an image becomes what a network sees; lengths are in pixels.

    Attributes:
        size: of the crops.
        resize: of the square that they are cut from: the shorter side, resized.
        crops: 1 or 10.
        filter: "bilinear" or "bicubic".
    """

    size: int
    resize: int
    crops: int = 1
    filter: str = "bilinear"

    def __str__(self) -> str:
        cut = f"{self.crops} crop{'s' * (self.crops > 1)} of {self.size}"
        return cut + f" from {self.resize}, {self.filter}" * (self.size != self.resize)


def view_of(name: str, source: str, contract: "Contract", crops: int) -> View:
    """How the weights of a source see images.

    Raises:
        InputError: ten crops of images that are seen whole.
    """
    if contract.size == WHOLE:
        if crops > 1:
            raise InputError(f"{name} sees images whole: leave --crops at 1.")
        return View(WHOLE, WHOLE)
    # timm says so of its own networks; those it took over are resized as their authors do.
    bicubic = source == "timm" and not name.startswith(("vgg", "se"))
    resize = contract.resize or round(contract.size / SHARE)
    return View(contract.size, resize, crops, "bicubic" if bicubic else "bilinear")


def cut(images: np.ndarray, view: View) -> Iterator[np.ndarray]:
    """The crops (n, size, size, 3) of squares (n, resize, resize, 3), one after the other."""
    end = view.resize - view.size
    middle = round(end / 2)
    corners = [(0, 0), (0, end), (end, 0), (end, end)] if view.crops == 10 else []
    for top, left in [*corners, (middle, middle)]:
        crop = images[:, top : top + view.size, left : left + view.size]
        yield crop
        if view.crops == 10:
            yield crop[:, :, ::-1]


def square(image: Image.Image, view: View) -> np.ndarray:
    """The square in the middle of a resized image, (resize, resize, 3), uint8 and RGB."""
    side, shorter = view.resize, min(image.size)
    width, height = (side * length // shorter for length in image.size)
    resized = image.convert("RGB").resize((width, height), Image.Resampling[view.filter.upper()])
    left, top = round((width - side) / 2), round((height - side) / 2)
    return np.asarray(resized.crop((left, top, left + side, top + side)))


# --- images -------------------------------------------------------------------------------------


class Picture(NamedTuple):
    """An image that is not read yet, its label, and what it is called."""

    file: Path | BytesIO
    label: int
    title: str


@dataclass(frozen=True)
class Pictures:
    """Labelled images, none of them read yet.

    Attributes:
        name: of the data.
        classes: how many.
        count: how many images.
        picture: the one of a number, from 0.
        standard: whether published figures may be about exactly these.
        note: what a reader must know of them.
    """

    name: str
    classes: int
    count: int
    picture: Callable[[int], Picture]
    standard: bool = True
    note: str = ""


def pictures_of(data: str) -> Pictures:
    """A folder's images, or else those of a data set.

    Raises:
        InputError: there is neither, or a class has no image.
    """
    if Path(data).is_dir():
        return in_folder(Path(data))
    try:
        return prepared(data)
    except Exception as error:  # whatever TensorFlow Datasets and its readers raise
        raise InputError(
            f"there is no folder {data!r}, and under TFDS_DATA_DIR ({tfds_folder()}) no data set "
            f"of this name with images and labels ({type(error).__name__}): name a folder of class "
            f"folders, or prepare the data set there with --file_format=array_record."
        ) from error


def in_folder(folder: Path) -> Pictures:
    """The first image of each class, then the second of each, ..."""
    classes = [path for path in visible(folder) if path.is_dir()]
    ranked = []
    for label, inside in enumerate(map(visible, classes)):
        if not inside:
            raise InputError(f"the class folder {str(classes[label])!r} is empty: each has images.")
        ranked += [(rank, label, path) for rank, path in enumerate(inside)]
    files = [Picture(path, label, repr(str(path))) for _, label, path in sorted(ranked)]
    return Pictures(str(folder), len(classes), len(files), files.__getitem__)


def visible(folder: Path) -> list[Path]:
    """What is in a folder, but for what the system keeps there."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def prepared(name: str) -> Pictures:
    """A data set as TensorFlow Datasets prepared it, its images still encoded."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=tfds_folder())
    for split in ("test", "validation"):
        if split in builder.info.splits:
            decoders = {"image": tfds.decode.SkipDecoding()}
            rows = builder.as_data_source(split, decoders=decoders)
            if rows[0]["label"] >= 0:  # those of ImageNet's test images are not public
                return of_rows(f"{name}/{split}", builder.info.features["label"].num_classes, rows)
    raise LookupError("neither a test nor a validation split with labels")


def of_rows(name: str, classes: int, rows: Any) -> Pictures:
    def picture(number: int) -> Picture:
        row = rows[number]
        return Picture(BytesIO(row["image"]), int(row["label"]), f"image {number} of {name}")

    copy = name.startswith("cifar10/") and Image.open(picture(0).file).format == "JPEG"
    standard = name in PUBLISHED_ON and not copy
    return Pictures(name, classes, len(rows), picture, standard, JPEG_NOTE if copy else "")


def limited(pictures: Pictures, limit: int | None) -> Pictures:
    if limit is None or limit >= pictures.count:
        return pictures
    name = f"the {pictures.count:,} of {pictures.name}"
    return replace(pictures, name=name, count=limit, standard=False)


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


def read(picture: Picture, view: View) -> np.ndarray:
    try:
        with Image.open(picture.file) as image:
            return square(image, view)
    except Exception as error:  # a decoder may raise anything on bytes that are no image
        raise InputError(
            f"{picture.title} cannot be read as an image ({type(error).__name__}): replace it, or "
            f"take it away."
        ) from error


# --- errors -------------------------------------------------------------------------------------


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
