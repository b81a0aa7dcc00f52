"""Files that are whole or not there."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .canonical import canonical, canonical_members, joined
from .errors import InputError

# Of a record or a manifest; theirs are some kilobytes.
LARGEST = 10**6
# A file is not there: it may be damage, where it should be.
MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def write_once(path: Path, data: bytes) -> bool:
    """Write a whole file or none, unless it is there; say whether it was written."""
    with written_beside(path, data) as part:
        try:
            os.link(part, path)
        except FileExistsError:
            return False
        sync(path.parent)
    return True


def write_over(path: Path, data: bytes) -> None:
    """Write a whole file in the place of what was there, or leave that as it is."""
    with written_beside(path, data) as part:
        part.replace(path)
        sync(path.parent)


@contextmanager
def written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """A file in the same folder, synced, that goes if it is not renamed."""
    make(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        os.fchmod(descriptor, 0o644)
        os.close(descriptor)
        write_synced(Path(name), data)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def listed(folder: Path) -> list[Path]:
    """What is in a folder, by name; nothing if it is not there. One that cannot be read is an
    OSError, where `glob` would call it empty.
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def make(folder: Path) -> None:
    """Make a folder and those above it, each so that its name reaches the disk."""
    if not folder.is_dir():
        make(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_canonical(path: Path) -> Any:
    """A JSON file's value, if its bytes are canonical. One that cannot be read for another reason
    than not being there is an OSError: it may be whole.
    """
    return read_checked(path, canonical)[0]


def read_canonical_members(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The same of an object, and the canonical text of each of its members; of what is no object,
    no members.
    """
    texts: dict[str, str] = {}

    def text_of(value: Any) -> bytes:
        if not isinstance(value, dict):
            return canonical(value)
        texts.update(canonical_members(value))
        return joined(texts)

    value, _ = read_checked(path, text_of)
    return value, texts


def read_checked(path: Path, text_of: Callable[[Any], bytes]) -> tuple[Any, bytes]:
    """A JSON file's value and bytes, if they are the text of the value."""
    try:
        data = bounded(path)
        value = json.loads(data)
        text = text_of(value)
    except (*MISSING, ValueError, RecursionError) as error:
        raise damaged(path, f"it cannot be read ({error})") from error
    if text != data:
        raise damaged(path, "its bytes are not in canonical form")
    return value, data


def bounded(path: Path) -> bytes:
    """A file's bytes; ValueError if there are more than LARGEST."""
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    return data


def damaged(path: Path, problem: str) -> InputError:
    """What to raise of a file that is not whole."""
    return InputError(f"{path} is damaged: {problem}; restore it, or move it away to run it again.")
