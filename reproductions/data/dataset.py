"""What a data set is: its name, its splits and classes, its arrays, and whether they are whole."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..evidence.errors import InputError

Identity = dict[str, str]
IMAGE_SHAPE = (32, 32, 3)


@dataclass(frozen=True)
class Archive:
    """A tar file of rows of bytes: labels, then an image's red, green and blue planes.

    Attributes:
        url: where it is fetched from.
        sha256: of the whole file.
        folder: of its members.
        train: the members of the training split, in their order.
        test: those of the test split.
        labels: how many label bytes a row begins with; the last of them is the class.
    """

    url: str
    sha256: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: int = 1


@dataclass(frozen=True)
class Dataset:
    """A data set by name.

    Attributes:
        name: as in the spec of a run; of one with an archive also TensorFlow Datasets' name.
        title: as readers know it.
        counts: images of the training and of the test split.
        classes: labels are 0 to classes - 1, and each occurs.
        archive: where it is fetched from, if it is published.
        generate: gives the arrays of both splits, if it is generated: images, labels, twice.
        known_copies: what a reader must know of copies, by fingerprint.
        least_error: the least test error of the papers; less is not plausible.
    """

    name: str
    title: str
    counts: tuple[int, int]
    classes: int
    archive: Archive | None = None
    generate: Callable[[int, int], tuple[np.ndarray, ...]] | None = None
    known_copies: Mapping[str, str] = field(default_factory=dict)
    least_error: float = 0.0


@dataclass(frozen=True)
class Data:
    """Images (n, 32, 32, 3) of uint8 in [0, 255], RGB, and labels (n,) of int64 from 0 on."""

    name: str
    version: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.train_images, self.train_labels, self.test_images, self.test_labels

    def identity(self) -> Identity:
        """Name, version and the SHA-256 of the decoded arrays: what a run's key holds."""
        return {"name": self.name, "version": self.version, "sha256": fingerprint(self)}


def fingerprint(data: Data) -> str:
    """SHA-256 over the four arrays."""
    digest = hashlib.sha256()
    for array in data.arrays():
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def checked(data: Data, dataset: Dataset) -> Data:
    """`data`, if it is the whole of `dataset`.

    Raises:
        InputError: naming the defect.
    """
    for split, count in zip(("train", "test"), dataset.counts, strict=True):
        images, labels = getattr(data, f"{split}_images"), getattr(data, f"{split}_labels")
        if problem := defect(images, labels, count, dataset.classes):
            raise InputError(f"the {split} images of {data.name} are damaged: {problem}.")
    if shared := overlap(data):
        raise InputError(f"{data.name} is damaged: {shared} test images are training images, too.")
    return data


def overlap(data: Data) -> int:
    """How many test images are training images, to the bit."""
    seen = {image.tobytes() for image in data.train_images}
    return sum(image.tobytes() in seen for image in data.test_images)


def defect(images: np.ndarray, labels: np.ndarray, count: int, classes: int) -> str | None:
    """What is wrong with a split that should hold `count` images of so many classes, or None."""
    last = classes - 1
    if images.dtype != np.uint8 or images.shape[1:] != IMAGE_SHAPE:
        return f"they are {images.dtype} of shape {images.shape[1:]}, not uint8 of {IMAGE_SHAPE}"
    if len(images) != count or labels.shape != (count,):
        return f"there are {len(images)} images and {len(labels)} labels, not {count} each"
    if labels.min() < 0 or labels.max() > last:
        return f"labels run from {labels.min()} to {labels.max()}, not from 0 to {last}"
    if missing := sorted(set(range(classes)) - set(labels.tolist())):
        return f"no image has the label {missing[0]}"
    if blank := int((images == images[:, :1, :1]).all((1, 2, 3)).sum()):
        return f"{blank} of them are of one colour"
    return None
