"""What a rule says of a statement."""

from dataclasses import dataclass

REPRODUCED, CONTRADICTED = "REPRODUCED", "CONTRADICTED"


INCONCLUSIVE, NOT_RUN = "INCONCLUSIVE", "NOT RUN"


Outcome = tuple[str, str]  # a verdict's word, and why


@dataclass(frozen=True)
class Verdict:
    """What the rule says, why, and the numbers behind it, in the metric's own scale.

    `effects` has each seed's effect, None where a run is missing, diverged or never got there. The
    bounds are the one-sided t-bounds at the statement's alpha, `p` the one-sided t-test's value for
    the rule's direction; they are None where fewer than two effects are known, or some are not. A
    verdict without training has the word and the reason alone.
    """

    word: str
    reason: str
    effects: tuple[float | None, ...] = ()
    mean: float | None = None
    lower: float | None = None
    upper: float | None = None
    p: float | None = None
    superior: bool | None = None
