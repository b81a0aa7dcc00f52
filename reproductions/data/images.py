"""Labelled images as networks see them: folders and data sets, read as a stream, cut into crops.

Where a source does not say how it resizes, the shorter side becomes size / SHARE, bilinearly. Ten
crops are those of AlexNet's paper: out of the square in the middle, as its section 2 has it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from ..evidence.errors import InputError
from .cifar import tfds_folder

if TYPE_CHECKING:  # the command line imports no backend
    from keras_ilsvrc.pretrained import Contract

WHOLE = 32  # networks for images of this size see them whole
SHARE = 0.875  # of the shorter side, what a crop is: 224 of 256
# Of TensorFlow Datasets, the splits that published figures are about.
PUBLISHED_ON = ("imagenet2012/validation", "cifar10/test")
PUBLISHED_COUNTS = (50_000, 10_000)
JPEG_NOTE = (
    "This copy of CIFAR-10 is of JPEG files: more errors are made than on the lossless images, "
    "which published figures are about."
)

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
    standard = len(files) in PUBLISHED_COUNTS
    return Pictures(str(folder), len(classes), len(files), files.__getitem__, standard)


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


def read(picture: Picture, view: View) -> np.ndarray:
    try:
        with Image.open(picture.file) as image:
            return square(image, view)
    except Exception as error:  # a decoder may raise anything on bytes that are no image
        raise InputError(
            f"{picture.title} cannot be read as an image ({type(error).__name__}): replace it, or "
            f"take it away."
        ) from error
