"""The form of a claim."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .rules import Rule

Kind = Literal["exact", "numeric", "published", "measured", "trained", "imagenet"]
Computable = Literal["exact", "numeric", "published", "measured"]


@dataclass(frozen=True, kw_only=True)
class Computed:
    """One sentence that a computation without training supports or contradicts.

    `check` names what is computed (checks.CHECKS), `rule` what its values must be. `kind` is

    - "exact": counts and graphs, equal or not;
    - "numeric": functions, equal within a tolerance on random inputs of many shapes;
    - "published": arithmetic on published figures;
    - "measured": seconds on a named machine.
    """

    name: str
    says: str
    kind: Computable
    check: str
    rule: Rule


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One sentence that training runs can support or contradict.

    The effect of a seed is the sum of weight x metric over `contrast`. `rule` says what the
    effect must be, against `margin`:

    - "greater": the one-sided lower t-bound of the mean effect exceeds the margin;
    - "not inferior": its upper bound stays below the margin;
    - "equivalent": the interval between the bounds lies within the margin on both sides of zero;
    - "falling": "greater" for each arm less the next, in the order of `contrast`, whose weights
      are 1 for the first, -1 for the last and 0 between;
    - "sooner": the metric counts steps, and the arm of weight 1 takes fewer than that of -1: the
      lower t-bound of the log ratio, of -1's over 1's, exceeds the margin, or, where runs never
      got there, a sign test; contradicted if the upper bound is below zero.

    `seeds` is the number of seeds judged at each tier, `first` the first of them: 0, unless runs of
    lower ones were seen before the rule was fixed. Only tiers in `decided_at` can decide, for the
    reason given. `held` is what the runs of all arms hold otherwise than their tier and its recipe,
    `level` the training loss that the metric is about, at each tier. The schedule peaks at `rate`;
    with `rates` each arm has the best of these, chosen on seeds from 1000 on.
    `doubts` is what else could explain its verdict, beside the claim's. Of the `role` "opposite" a
    REPRODUCED speaks against the claim.
    """

    name: str
    says: str
    contrast: Mapping[str, float]
    metric: str
    rule: Literal["greater", "not inferior", "equivalent", "falling", "sooner"]
    margin: float
    margin_argued: str
    seeds: Mapping[str, int]
    decided_at: tuple[str, ...]
    decided_why: str
    first: int = 0
    held: Mapping[str, Any] = field(default_factory=dict)
    level: Mapping[str, float] = field(default_factory=dict)
    rate: float | None = None
    rates: tuple[float, ...] = ()
    alpha: float = 0.05
    doubts: str = ""
    role: Literal["claim", "control", "opposite"] = "claim"
    kind: Kind = "trained"

    def judged(self, tier: str) -> range:
        """The seeds judged at a tier; none where it has none."""
        return range(self.first, self.first + self.seeds.get(tier, 0))


@dataclass(frozen=True, kw_only=True)
class OnImageNet:
    """One sentence that only ImageNet can decide, by `command`."""

    name: str
    says: str
    command: str
    kind: Kind = "imagenet"


Statement = Computed | Trained | OnImageNet


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a source says, our reading of it, and the statements that settle it.

    `quotes` are verbatim fragments of the source document with their translations; without any
    the claim is a paper's. `paper` are published figures with their place. `untuned` confesses
    what is held fixed without tuning, `shrunk` what is smaller than in the paper and why the claim
    should still hold, for each tier that runs are judged at. `doubts` is what else could explain
    what its runs show, and what would settle it. `backend` is the one in the headline.
    """

    name: str
    quotes: Mapping[str, str] = field(default_factory=dict)
    reading: str
    paper: tuple[str, ...] = ()
    statements: tuple[Statement, ...]
    untuned: str = ""
    shrunk: Mapping[str, str] = field(default_factory=dict)
    doubts: str = ""
    backend: str = "tensorflow"

    @property
    def source(self) -> str:
        return "document" if self.quotes else "paper"

    @property
    def trained(self) -> tuple[Trained, ...]:
        return tuple(s for s in self.statements if isinstance(s, Trained))

    @property
    def computed(self) -> tuple[Computed, ...]:
        return tuple(s for s in self.statements if isinstance(s, Computed))

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that its trained statements compare."""
        return tuple(dict.fromkeys(arm for s in self.trained for arm in s.contrast))
