"""A source's own files, from Keras' cache or from the network."""

import hashlib
import os
from pathlib import Path

import keras

from .dialect import Dialect, File
from .report import LoadError


def fetched(dialect: Dialect, name: str, source: str, no_top: bool) -> Path:
    """The source's own file, as published: from Keras' cache, or into it."""
    file = dialect.no_top if no_top and dialect.no_top else dialect.file
    if file is None or file.digest is None:
        where = f"fetch {file.url} yourself" if file else f"{source!r} publishes none"
        raise ValueError(
            f"{name!r} of {source!r} has no file with a known checksum: {where}, and give its "
            f"path to pretrained.load."
        )
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    place = home / "models" / file.url.rpartition("/")[2]
    if not place.exists():
        fetch(file, place)
    check_digest(place, file)
    return place


def fetch(file: File, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)  # else Keras would choose another folder
        keras.utils.get_file(
            place.name, file.url, cache_dir=str(place.parents[1]), cache_subdir="models"
        )
    except Exception as error:  # get_file raises Exception itself
        raise OSError(
            f"cannot fetch {file.url} ({error}); put the file in {str(place.parent)!r} by hand, "
            f"as {place.name!r}."
        ) from error


def check_digest(path: Path, file: File) -> None:
    """Against a file's MD5 or SHA-1, or the first digits of its SHA-256."""
    wanted = str(file.digest)
    kind = {32: "md5", 40: "sha1"}.get(len(wanted), "sha256")
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, kind).hexdigest()
    if not found.startswith(wanted):
        raise LoadError(
            f"the file {str(path)!r} is not what {file.url} published: its {kind} is "
            f"{found[: len(wanted)]}, not {wanted}; delete it to fetch it again."
        )
