"""The form of a claim."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """One sentence that runs can support or contradict.

    The effect of a seed is the sum of weight x error over `contrast`, the error being that after
    the last epoch, in evaluation mode, of `measured_on` ("train": the fixed training images;
    "test": all test images), as a share of one. `rule` says what the effect must be, against
    `margin`:

    - "greater": the one-sided lower t-bound of the mean effect exceeds the margin;
    - "not inferior": its upper bound stays below the margin.

    `seeds` is the number of seeds judged at each tier, 0 to n - 1. Only tiers in `decided_at`
    can decide, for the reason given.
    """

    name: str
    says: str
    contrast: Mapping[str, int]
    measured_on: str
    rule: str
    margin: float
    margin_argued: str
    seeds: Mapping[str, int]
    decided_at: tuple[str, ...]
    decided_why: str
    alpha: float = 0.05


@dataclass(frozen=True)
class Claim:
    """What a source says, our reading of it, and the statements that settle it.

    `quotes` are verbatim fragments of the source document; `paper` are published figures with
    their place. `untuned` confesses what is held fixed without tuning, `shrunk` what is smaller
    than in the paper and why the claim should still hold. `backend` is the one in the headline.
    """

    name: str
    quotes: tuple[str, ...]
    reading: str
    paper: tuple[str, ...]
    statements: tuple[Statement, ...]
    untuned: str
    shrunk: Mapping[str, str]
    backend: str = "tensorflow"

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that its statements compare."""
        return tuple(dict.fromkeys(arm for s in self.statements for arm in s.contrast))
