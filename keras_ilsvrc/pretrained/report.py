"""What became of every weight of a file and every variable of a model."""

from dataclasses import dataclass, fields
from pathlib import Path

SHOWN = 8


@dataclass(frozen=True)
class Report:
    """Names are the file's, but for those of `fresh` and `reshaped`, which are the model's.

    Attributes:
        path: of the file.
        integrity: what was compared with a checksum, or "not checked".
        matched: went into the model.
        missing: the model needs it, the file has it not.
        unexpected: the file has it, the model has no place for it.
        misshapen: its shape is another one; with both shapes.
        fresh: as initialised, since other classes were asked for.
        reshaped: the first convolution's kernel, for another number of channels.
        left_out: of classifiers that were not asked for, and what `ignore` or `prefix` leave out.
        notes: which of several sets of weights it is, which prefix was taken off, what could not
            be known.
    """

    path: Path
    integrity: str = "not checked"
    matched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every weight of the file and every variable of the model has its place."""
        return not (self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        lists = [f for f in fields(self)[2:] if getattr(self, f.name)]
        lines = [f"{self.path.name}: integrity {self.integrity}"]
        return "\n".join([*lines, *(listed(f.name, getattr(self, f.name)) for f in lists)])


def listed(what: str, names: tuple[str, ...]) -> str:
    """How many and which, the first of them."""
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"  {what.replace('_', ' ')} {len(names)}: {', '.join(names[:SHOWN])}{more}"


class LoadError(ValueError):
    """A file that was not loaded; the model is as it was.

    Attributes:
        report: what fits and what does not, where the file could be read.
    """

    def __init__(self, message: str, report: Report | None = None):
        super().__init__(message if report is None else f"{message}\n{report}")
        self.report = report
