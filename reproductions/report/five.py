"""What we found: the results that a reader of the review should know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..findings import Finding


@dataclass(frozen=True, kw_only=True)
class Result:
    """A result told in words, over the statements that it rests on.

    `words` has each statement's verdict, by (claim, statement), when `text` was written: of other
    records it may not be true. `figure` is that of a claim.
    """

    title: str
    text: str
    words: Mapping[tuple[str, str], str]
    figure: str

    def findings(self, found: Sequence[Finding]) -> list[Finding]:
        """What the records say of its statements, in its order."""
        by_name = {(f.claim.name, f.statement.name): f for f in found}
        return [by_name[name] for name in self.words]

    def holds(self, found: Sequence[Finding]) -> bool:
        """Whether the verdicts are those that the text is about."""
        return [f.verdict.word for f in self.findings(found)] == list(self.words.values())


RESULTS: tuple[Result, ...] = ()
