"""A source's own files, from Keras' cache or from the network."""

import hashlib
import os
import secrets
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
    """From the first host that answers; moved into its place when it is whole."""
    failed: list[tuple[str, Exception]] = []
    for url in (file.url, *file.mirrors):
        beside = place.with_name(f".{place.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)  # else Keras would choose another
            keras.utils.get_file(
                beside.name, url, cache_dir=str(place.parents[1]), cache_subdir="models"
            )
            check_digest(beside, file)
            os.replace(beside, place)
            return
        except Exception as error:  # get_file raises Exception itself
            failed.append((url, error))
        finally:
            beside.unlink(missing_ok=True)
    if len(failed) == 1 and isinstance(failed[0][1], LoadError):
        raise failed[0][1]
    raise OSError(
        f"cannot fetch {'; '.join(f'{url} ({error})' for url, error in failed)}; put the file in "
        f"{str(place.parent)!r} by hand, as {place.name!r}."
    ) from failed[-1][1]


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
