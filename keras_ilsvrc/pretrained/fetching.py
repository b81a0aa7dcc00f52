"""A source's own files, from Keras' cache or from the network."""

import os
from pathlib import Path

import keras

from .dialect import Dialect, File
from .files import sha256
from .report import LoadError


def fetched(dialect: Dialect, name: str, source: str, no_top: bool) -> Path:
    """The source's own file, from Keras' cache or from the network, and as published."""
    file = dialect.no_top if no_top and dialect.no_top else dialect.file
    if file is None or file.digest is None:
        where = f"fetch {file.url} yourself" if file else f"{source!r} publishes none"
        raise ValueError(f"{name!r} of {source!r} has no file with a known checksum: {where}, and "
                         f"give its path to pretrained.load.")  # fmt: skip
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    place = home / "models" / file.url.rpartition("/")[2]
    whole = len(file.digest) == 32
    try:
        path = keras.utils.get_file(
            place.name,
            file.url,
            cache_dir=str(home),
            cache_subdir="models",
            file_hash=file.digest if whole else None,
            hash_algorithm="md5" if whole else "auto",
        )
    except Exception as error:  # get_file raises Exception itself
        raise OSError(
            f"cannot fetch {file.url} ({error}); put the file in {str(place.parent)!r} by hand, "
            f"as {place.name!r}."
        ) from error
    if not whole:
        check_digest(Path(path), file)
    return Path(path)


def check_digest(path: Path, file: File) -> None:
    found = sha256(path)
    if not found.startswith(str(file.digest)):
        raise LoadError(
            f"the file {str(path)!r} is not what {file.url} published: its SHA-256 begins with "
            f"{found[:8]}, not {file.digest}; delete it to fetch it again."
        )
