"""CIFAR-10 and CIFAR-100: as TensorFlow Datasets prepared them, or as their archives have them."""

import contextlib
import hashlib
import io
import os
import tarfile
import threading
import urllib.request
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ..evidence.errors import InputError
from .dataset import IMAGE_SHAPE, Archive, Data, Dataset, checked

PROBE_SECONDS = 10


def find(dataset: Dataset) -> Data | None:
    """The data set, prepared or fetched; None where it is not here and its site does not answer."""
    here = prepared(dataset) or archived(dataset)
    return here or (fetch(dataset) if reachable(dataset) else None)


def archive_of(dataset: Dataset) -> Archive:
    assert dataset.archive, f"{dataset.name} has no archive"
    return dataset.archive


def tfds_folder() -> Path:
    return Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()


def prepared(dataset: Dataset) -> Data | None:
    """A data set as TensorFlow Datasets prepared it, in its order, decoded by Pillow."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(dataset.name, data_dir=tfds_folder())
    if not builder.info.splits:
        return None
    if (form := builder.info.file_format.value) != "array_record":
        raise InputError(
            f"{dataset.title} under TFDS_DATA_DIR ({tfds_folder()}) is prepared as {form}, "
            f"which cannot be read at random: prepare it with --file_format=array_record, or name "
            f"another TFDS_DATA_DIR."
        )
    # TFDS would decode with OpenCV where that is installed, to other pixels.
    decoders = {"image": tfds.decode.SkipDecoding()}
    try:
        splits = [builder.as_data_source(split, decoders=decoders) for split in ("train", "test")]
        arrays = [array for split in splits for array in decoded(split)]
    except Exception as error:
        raise InputError(
            f"{dataset.title} under TFDS_DATA_DIR ({tfds_folder()}) cannot be read "
            f"({type(error).__name__}: {error}): prepare it again."
        ) from error
    return checked(Data(dataset.name, str(builder.info.version), *arrays), dataset)


def prepared_files(dataset: Dataset) -> list[Path]:
    """The files that TensorFlow Datasets prepared; none where it prepared none."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(dataset.name, data_dir=tfds_folder())
    return [path for path in Path(builder.data_path).glob("*") if path.is_file()]


def decoded(split: Any) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of a random-access split."""
    from PIL import Image

    def pixels(row: Any) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(row["image"])))

    rows = split.__getitems__(range(len(split)))
    return np.stack([*map(pixels, rows)]), np.array([row["label"] for row in rows], "int64")


def archive_path(dataset: Dataset) -> Path:
    return tfds_folder() / "downloads" / Path(archive_of(dataset).url).name


def archived(dataset: Dataset) -> Data | None:
    """A data set from its own archive, where an earlier run fetched it whole."""
    path, digest = archive_path(dataset), archive_of(dataset).sha256
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        return None
    return read_archive(path, dataset)


def reachable(dataset: Dataset) -> bool:
    """Whether the archive's site answers within PROBE_SECONDS, looking up its name included."""
    answered = []

    def ask() -> None:
        request = urllib.request.Request(archive_of(dataset).url, method="HEAD")
        with contextlib.suppress(OSError, HTTPException):
            urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
            answered.append(True)

    probe = threading.Thread(target=ask, daemon=True)
    probe.start()
    probe.join(PROBE_SECONDS)
    return bool(answered)


def fetch(dataset: Dataset) -> Data:
    """A data set from its site, fetched by one process at a time: others wait and find it."""
    try:
        path = archive_path(dataset)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), fallback_to_soft=False):
            data = prepared(dataset) or archived(dataset) or fetched(dataset)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"fetching {dataset.title} from its site failed ({type(error).__name__}: {error}): "
            f"try again, or prepare it under TFDS_DATA_DIR."
        ) from error
    if data is None:
        raise InputError(
            f"{dataset.title} was fetched but is not under {tfds_folder()}: is it writable?"
        )
    return data


def fetched(dataset: Dataset) -> Data | None:
    """Through TFDS where TensorFlow is installed, else by Keras; what is not whole is removed."""
    try:
        if find_spec("tensorflow"):
            import tensorflow_datasets as tfds

            builder = tfds.builder(dataset.name, data_dir=tfds_folder(), file_format="array_record")
            builder.download_and_prepare()
        else:
            import keras

            path, archive = archive_path(dataset), archive_of(dataset)
            folder = path.parent
            keras.utils.get_file(
                path.name,
                archive.url,
                file_hash=archive.sha256,
                hash_algorithm="sha256",
                cache_dir=folder.parent,
                cache_subdir=folder.name,
            )
    except Exception:
        archive_path(dataset).unlink(missing_ok=True)
        raise
    return prepared(dataset) or archived(dataset)


def read_archive(path: Path, dataset: Dataset) -> Data:
    """The arrays of an archive, in its order. Nothing is unpacked to disk."""
    archive = archive_of(dataset)
    with tarfile.open(path) as file:
        arrays = [part for names in (archive.train, archive.test)
                  for part in read_members(file, archive, names)]  # fmt: skip
    return checked(Data(dataset.name, "binary", *arrays), dataset)


def read_members(
    file: tarfile.TarFile, archive: Archive, names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of some members."""
    row = archive.labels + int(np.prod(IMAGE_SHAPE))
    members = (file.extractfile(f"{archive.folder}/{name}") for name in names)
    rows = np.concatenate([np.frombuffer(m.read(), "uint8").reshape(-1, row) for m in members if m])
    images = rows[:, archive.labels :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), rows[:, archive.labels - 1].astype("int64")
