"""Data sets as arrays: where they come from, whether they are whole, which ones they are."""

import contextlib
import hashlib
import io
import os
import tarfile
import threading
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ..evidence.errors import InputError
from ..experiments.tiers import Tier
from .memo import remember
from .synthetic import embedded_images

CHOICES = ("auto", "cifar10", "embedded")
EMBEDDED_TIERS = ("smoke", "laptop")
COUNTS = {"cifar10": (50_000, 10_000), "embedded": (10_000, 10_000)}

# The binary version of https://www.cs.toronto.edu/~kriz/cifar.html, and its SHA-256 (from TFDS).
ARCHIVE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
ROW = 1 + 32 * 32 * 3  # a label, then the image's red, green and blue planes
PROBE_SECONDS = 10

# What is known of copies of CIFAR-10, by their fingerprint.
KNOWN_COPIES = {
    "45d97e25d1f166562e0dc7607ce71657ebef18d5d385a876d1a33257a61a0321": (
        "a copy whose images are JPEG files of quality 75; labels and splits are the original "
        "ones. Error rates are a little higher than on the lossless images, from which published "
        "figures come."
    ),
}


@dataclass(frozen=True)
class Data:
    """Images (n, 32, 32, 3) of uint8 in [0, 255], RGB, and labels (n,) of int64 in [0, 10)."""

    name: str
    version: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.train_images, self.train_labels, self.test_images, self.test_labels

    def identity(self) -> dict[str, str]:
        """Name, version and the SHA-256 of the decoded arrays: what a run's key holds."""
        return {"name": self.name, "version": self.version, "sha256": fingerprint(self)}


def fingerprint(data: Data) -> str:
    """SHA-256 over the four arrays."""
    digest = hashlib.sha256()
    for array in data.arrays():
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def load(choice: str, tier: Tier) -> Data:
    """The data that `choice` gives at `tier`, whole.

    "cifar10" is prepared by TensorFlow Datasets or fetched, or refused; "embedded" is generated;
    "auto" is embedded at the smoke tier, elsewhere CIFAR-10 where it is or its site answers, else
    embedded at the tiers that allow it.

    Raises:
        InputError: the data cannot be had, are damaged, or are not allowed at this tier.
    """
    if choice not in CHOICES:
        raise InputError(f"there is no data {choice!r}: choose {', '.join(CHOICES)}.")
    if choice == "embedded" and tier.name not in EMBEDDED_TIERS:
        raise InputError(
            f"the embedded data serve the tiers {' and '.join(EMBEDDED_TIERS)} only: "
            f"the {tier.name} tier needs --data cifar10."
        )
    if choice == "embedded" or (choice == "auto" and tier.name == "smoke"):
        return embedded()
    data = prepared() or archived() or (fetch() if reachable() else None)
    if data:
        return data
    if choice == "auto" and tier.name in EMBEDDED_TIERS:
        return embedded()
    raise InputError(
        f"CIFAR-10 is not prepared under TFDS_DATA_DIR ({tfds_folder()}) and its site did not "
        f"answer within {PROBE_SECONDS} seconds: prepare it there, or go online"
        + ("." if tier.name not in EMBEDDED_TIERS else ", or choose --data embedded.")
    )


def identify(choice: str, tier: Tier) -> dict[str, str]:
    """The identity of the data that `choice` gives at `tier`. The same files are decoded once.

    Raises:
        InputError: as `load`.
    """
    wants_embedded = choice == "embedded" or tier.name == "smoke"
    files = [] if wants_embedded or choice not in CHOICES else prepared_files()
    if not files:
        return load(choice, tier).identity()
    import PIL

    return remember(files, f"Pillow {PIL.__version__}", lambda: load(choice, tier).identity())


def prepared_files() -> list[Path]:
    """The files of CIFAR-10 as TensorFlow Datasets prepared it; none where it is not prepared."""
    import tensorflow_datasets as tfds

    builder = tfds.builder("cifar10", data_dir=tfds_folder())
    return [path for path in Path(builder.data_path).glob("*") if path.is_file()]


def why_embedded() -> str:
    """Why `auto` took the embedded images at a tier that would rather have CIFAR-10."""
    return (
        f"CIFAR-10 is not prepared under TFDS_DATA_DIR ({tfds_folder()}) and its site did not "
        f"answer within {PROBE_SECONDS} seconds: the embedded images stand in."
    )


def embedded() -> Data:
    """The generated set: see `synthetic.py`."""
    return checked(Data("embedded", "1", *embedded_images(*COUNTS["embedded"])))


def copy_note(identity: Mapping[str, str]) -> str:
    """What a reader must know of data before comparing numbers."""
    if identity["name"] == "embedded":
        return (
            "These are GENERATED IMAGES, NOT CIFAR-10: verdicts are about this data set, and "
            "published figures are about another."
        )
    unknown = "these decoded arrays are none that the committed records were made with."
    return f"CIFAR-10: {KNOWN_COPIES.get(identity['sha256'], unknown)}"


# --- CIFAR-10 -------------------------------------------------------------------------------


def tfds_folder() -> Path:
    return Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()


def prepared() -> Data | None:
    """CIFAR-10 as TensorFlow Datasets prepared it, in its order, decoded by Pillow."""
    import tensorflow_datasets as tfds

    builder = tfds.builder("cifar10", data_dir=tfds_folder())
    if not builder.info.splits:
        return None
    if (form := builder.info.file_format.value) != "array_record":
        raise InputError(
            f"CIFAR-10 under TFDS_DATA_DIR ({tfds_folder()}) is prepared as {form}, which cannot "
            f"be read at random: prepare it with --file_format=array_record, or name another "
            f"TFDS_DATA_DIR."
        )
    # TFDS would decode with OpenCV where that is installed, to other pixels.
    decoders = {"image": tfds.decode.SkipDecoding()}
    try:
        splits = [builder.as_data_source(split, decoders=decoders) for split in ("train", "test")]
        arrays = [array for split in splits for array in decoded(split)]
    except Exception as error:
        raise InputError(
            f"CIFAR-10 under TFDS_DATA_DIR ({tfds_folder()}) cannot be read "
            f"({type(error).__name__}: {error}): prepare it again."
        ) from error
    return checked(Data("cifar10", str(builder.info.version), *arrays))


def decoded(split: Any) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of a random-access split."""
    from PIL import Image

    def pixels(row: Any) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(row["image"])))

    rows = split.__getitems__(range(len(split)))
    return np.stack([*map(pixels, rows)]), np.array([row["label"] for row in rows], "int64")


def archive_path() -> Path:
    return tfds_folder() / "downloads" / Path(ARCHIVE).name


def archived() -> Data | None:
    """CIFAR-10 from its own archive, where an earlier run fetched it whole."""
    path = archive_path()
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != ARCHIVE_SHA256:
        return None
    return read_archive(path)


def reachable() -> bool:
    """Whether the archive's site answers within PROBE_SECONDS, looking up its name included."""
    answered = []

    def ask() -> None:
        request = urllib.request.Request(ARCHIVE, method="HEAD")
        with contextlib.suppress(OSError, HTTPException):
            urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
            answered.append(True)

    probe = threading.Thread(target=ask, daemon=True)
    probe.start()
    probe.join(PROBE_SECONDS)
    return bool(answered)


def fetch() -> Data:
    """CIFAR-10 from its site, fetched by one process at a time: others wait and find it."""
    try:
        archive_path().parent.mkdir(parents=True, exist_ok=True)
        with FileLock(archive_path().with_suffix(".lock"), fallback_to_soft=False):
            data = prepared() or archived() or fetched()
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"fetching CIFAR-10 from its site failed ({type(error).__name__}: {error}): "
            f"try again, or prepare it under TFDS_DATA_DIR."
        ) from error
    if data is None:
        raise InputError(f"CIFAR-10 was fetched but is not under {tfds_folder()}: is it writable?")
    return data


def fetched() -> Data | None:
    """Through TFDS where TensorFlow is installed, else by Keras; what is not whole is removed."""
    try:
        if find_spec("tensorflow"):
            import tensorflow_datasets as tfds

            builder = tfds.builder("cifar10", data_dir=tfds_folder(), file_format="array_record")
            builder.download_and_prepare()
        else:
            import keras

            folder = archive_path().parent
            keras.utils.get_file(
                archive_path().name,
                ARCHIVE,
                file_hash=ARCHIVE_SHA256,
                hash_algorithm="sha256",
                cache_dir=folder.parent,
                cache_subdir=folder.name,
            )
    except Exception:
        archive_path().unlink(missing_ok=True)
        raise
    return prepared() or archived()


def read_archive(path: Path) -> Data:
    """The binary archive's arrays, in its order. Nothing is unpacked to disk."""
    files = [f"data_batch_{i}.bin" for i in range(1, 6)], ["test_batch.bin"]
    with tarfile.open(path) as archive:
        arrays = [part for names in files for part in unpacked(archive, names)]
    return checked(Data("cifar10", "binary", *arrays))


def unpacked(archive: tarfile.TarFile, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of some members."""
    files = (archive.extractfile(f"cifar-10-batches-bin/{name}") for name in names)
    rows = np.concatenate([np.frombuffer(f.read(), "uint8").reshape(-1, ROW) for f in files if f])
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), rows[:, 0].astype("int64")


# --- what is true of whole data ---------------------------------------------------------------


def checked(data: Data) -> Data:
    """`data`, if it is whole.

    Raises:
        InputError: naming the defect.
    """
    for split, count in zip(("train", "test"), COUNTS[data.name], strict=True):
        images, labels = getattr(data, f"{split}_images"), getattr(data, f"{split}_labels")
        if problem := defect(images, labels, count):
            raise InputError(f"the {split} images of {data.name} are damaged: {problem}.")
    if shared := overlap(data):
        raise InputError(f"{data.name} is damaged: {shared} test images are training images, too.")
    return data


def overlap(data: Data) -> int:
    """How many test images are training images, to the bit."""
    seen = {image.tobytes() for image in data.train_images}
    return sum(image.tobytes() in seen for image in data.test_images)


def defect(images: np.ndarray, labels: np.ndarray, count: int) -> str | None:
    """What is wrong with a split that should hold `count` images, or None."""
    if images.dtype != np.uint8 or images.shape[1:] != (32, 32, 3):
        return f"they are {images.dtype} of shape {images.shape[1:]}, not uint8 of (32, 32, 3)"
    if len(images) != count or labels.shape != (count,):
        return f"there are {len(images)} images and {len(labels)} labels, not {count} each"
    if labels.min() < 0 or labels.max() > 9:
        return f"labels run from {labels.min()} to {labels.max()}, not from 0 to 9"
    if missing := sorted(set(range(10)) - set(labels.tolist())):
        return f"no image has the label {missing[0]}"
    if blank := int((images == images[:, :1, :1]).all((1, 2, 3)).sum()):
        return f"{blank} of them are of one colour"
    return None
