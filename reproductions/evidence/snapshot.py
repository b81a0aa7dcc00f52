"""The records of a folder as they were at one moment, each file read once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from .errors import InputError
from .store import COMMITTED, Record, Store, read_record

# The folder of judged records, and those in it whose records decide nothing: of exploration, of
# replications on other seeds, and of reruns on another machine.
JUDGED, EXPLORED, REPLICATED, RERUN = "", "explored", "second", "anew"
PARTS = (JUDGED, EXPLORED, REPLICATED, RERUN)


@dataclass(frozen=True)
class Contents:
    """What the files of one folder hold: first records by key, further results of the same keys,
    and what is wrong with the files that are no whole record, by path.
    """

    first: Mapping[str, Record]
    further: Sequence[Record]
    damage: Mapping[Path, InputError]


class Snapshot:
    """The records of a folder and of the folders in it.

    A file is read when it is first asked for, and never again: a command that works with one
    snapshot sees one state of the evidence, whatever other processes write meanwhile.

    Args:
        folder: of the judged records.
        committed: the folder whose explorations count beside its own.
    """

    def __init__(self, folder: Path, committed: Path = COMMITTED):
        self.folder, self.committed_folder = folder, committed
        self.contents = cache(self._contents)
        self._environments: dict[tuple[str, str], dict[str, Any]] = {}

    def _contents(self, part: str) -> Contents:
        first, further, damage = {}, [], {}
        for path in self.store(part).files():
            try:
                record = read_record(path)
            except InputError as error:
                damage[path] = error
                continue
            if "-" in path.stem:
                further.append(record)
            else:
                first[path.stem] = record
        return Contents(first, further, damage)

    def store(self, part: str = JUDGED) -> Store:
        """The folder of a part, to write to."""
        return Store(self.folder / part)

    def records(self, part: str = JUDGED) -> Mapping[str, Record]:
        """First records of a part, by key.

        Raises:
            InputError: a file is not a whole record.
        """
        contents = self.contents(part)
        for path, error in contents.damage.items():
            if "-" not in path.stem:
                raise error
        return contents.first

    def further(self, part: str = JUDGED) -> Sequence[Record]:
        """Further results of keys that have a first.

        Raises:
            InputError: a file is not a whole record.
        """
        contents = self.contents(part)
        for path, error in contents.damage.items():
            if "-" in path.stem:
                raise error
        return contents.further

    def all_records(self) -> Iterator[Record]:
        """First records and further results of all parts."""
        for part in PARTS:
            yield from self.records(part).values()
            yield from self.further(part)

    def environment(self, part: str, record: Record) -> dict[str, Any]:
        """The packages and the hardware of a record.

        Raises:
            InputError: there is no file of them, or it is damaged.
        """
        place = part, record["circumstances"]["environment"]
        if place not in self._environments:
            self._environments[place] = self.store(part).environment(record)
        return self._environments[place]

    def describe_damage(self) -> list[str]:
        """What is wrong with files of all parts and with the environments that they refer to."""
        found: dict[str, None] = {}
        for part in PARTS:
            contents = self.contents(part)
            found |= dict.fromkeys(map(str, contents.damage.values()))
            for record in (*contents.first.values(), *contents.further):
                try:
                    self.environment(part, record)
                except InputError as error:
                    found[str(error)] = None
        return list(found)

    @cached_property
    def committed(self) -> "Snapshot":
        """Of the committed records: itself, if it is of these."""
        same = self.folder.resolve() == self.committed_folder.resolve()
        return self if same else Snapshot(self.committed_folder, self.committed_folder)

    @cached_property
    def explored(self) -> dict[str, Record]:
        """The explorations that choose learning rates: the committed ones and those here."""
        return {**self.committed.records(EXPLORED), **self.records(EXPLORED)}
