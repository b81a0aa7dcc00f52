"""What we found: the results that a reader of the review should know."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..analysis.findings import Finding
from ..analysis.replications import Repeats, of
from ..analysis.verdict import CONTRADICTED, INCONCLUSIVE, REPRODUCED
from ..evidence.canonical import sha256


@dataclass(frozen=True, kw_only=True)
class Result:
    """A result told in words, over the statements that it rests on.

    `words` has each statement's verdict, by (claim, statement), and `records` the digest of all
    records behind them, when `text` was written: of other ones it may not be true. `figure` is that
    of a claim.
    """

    title: str
    text: str
    words: Mapping[tuple[str, str], str]
    records: str
    figure: str

    def findings(self, found: Sequence[Finding]) -> list[Finding]:
        """What the records say of its statements, in its order."""
        by_name = {(f.claim.name, f.statement.name): f for f in found}
        return [by_name[name] for name in self.words]

    def holds(self, found: Sequence[Finding], made: Repeats) -> bool:
        """Whether verdicts and records are those that the text is about."""
        told = self.findings(found)
        words = [finding.verdict.word for finding in told]
        return words == list(self.words.values()) and digest(told, made) == self.records


def digest(found: Iterable[Finding], made: Repeats) -> str:
    """Of the records behind findings, those of all groups and of what was made again."""
    every = [*found, *(repeat.repeated for finding in found for repeat in of(finding, made))]
    records = (r for finding in every for runs in finding.runs for r in runs.records.values())
    return sha256(sorted({record["sha256"] for record in records}))[:16]


RESULTS = (
    Result(
        title="Depth harms the start of training in plain nets, and in residual ones far less",
        text="After a thousand steps of the paper's 64,000, or some hundred, a plain net of 56 "
        "layers has a higher training error than one of 20, and a higher test error; shortcuts "
        "take away most of the difference. On average the residual net of 56 layers is itself "
        "still behind that of 20, and whether by more than half a point is left open. In the "
        "laptop tier's smaller nets the gap of the plain ones is about as wide at a third of the "
        "paper's rate: on TensorFlow 22 points, and 24 on the same seeds at the paper's, 20 on the "
        "judged ones (26 on PyTorch, 24 on JAX). Another rate could still narrow it. "
        "That nets end so, where all curves are flat, only the paper tier can show.",
        words={
            ("degradation-plain", "training error"): REPRODUCED,
            ("degradation-plain", "test error"): REPRODUCED,
            ("degradation-difference", "training error"): REPRODUCED,
            ("degradation-residual", "training error"): INCONCLUSIVE,
        },
        records="209b17c19efd6b71",
        figure="degradation-difference",
    ),
    Result(
        title="Overfitting is not why, and in 56 layers with batch normalization gradients seldom "
        "vanish",
        text="The review gives both as the reason. A net that overfits has a lower training "
        "error, and this one has a higher (at night and laptop tier). Gradients are of the laptop "
        "tier's smaller nets. With batch normalization that of 56 layers is before the first step "
        "over a thousand times as large at the first block as at the last, as the theory of "
        "normalization has it (arXiv:1902.08129); that does not make it the cause, either. "
        "Through training it is about half as large on average. A tenth, as an average through "
        "training, is reached by none of the five judged runs, by none of the same made anew, and "
        "by one of five on other seeds, the one with the highest training error of these 15. "
        "Among them error tends to be the higher the smaller the ratio (r = −0.83, −0.70 without "
        "that one; seen afterwards), but not at a third of the rate (−0.16). Most of these nets "
        "train badly without vanishing gradients; what part these have where they shrink no tier "
        "here settles. Of 110 layers it is left open: those plain nets stay at chance, or within "
        "two points of it at a third of the rate, and gradients of a net that does not learn say "
        "little. Before the first step they are a million times larger at the first block than at "
        "the last, and through training smaller: 150 to 2·10⁸ times in the judged runs, 60 to "
        "2·10⁸ in the same made anew, 6 to 24,000 on other seeds, 3 to 110,000 at a third of the "
        "rate.",
        words={
            ("cause-overfitting", "training error"): CONTRADICTED,
            ("cause-vanishing", "vanishing at the start"): CONTRADICTED,
            ("cause-vanishing", "vanishing in training"): CONTRADICTED,
            ("cause-vanishing", "exploding at the start"): REPRODUCED,
            ("gradient-flow", "slope in training"): REPRODUCED,
        },
        records="0f52f552619d3277",
        figure="cause-vanishing",
    ),
    Result(
        title="Batch normalization speeds up the first steps, and less shift is not shown to be "
        "why",
        text="The net with normalization comes to a training loss of 2.0, where guessing gives "
        "2.3, in fewer steps, each net at the rate that was best on one exploring seed, by more "
        "than the ratio asked for, 1.49, on five of five seeds. On other seeds that ratio is just "
        "shown again; in the same runs made anew, and at a third of the rates, it is left open. At "
        "a rate of 0.01 for all nets the inputs of its layers do drift less. But a layer's "
        "gradient before and after the layers below have moved, the other measure of the shift, is "
        "less alike with normalization than without; a net that learns slowly changes little, "
        "which may be all that this shows. Random shifts behind it make inputs drift more than "
        "without any normalization; what they cost of the speed, if anything, is left open. The "
        "paper tier, which asks for a lower loss, may settle it; at night, with three seeds, one "
        "run that never gets there leaves it open.",
        words={
            ("bn-faster", "steps"): REPRODUCED,
            ("bn-shift", "drift"): REPRODUCED,
            ("bn-shift", "gradients"): CONTRADICTED,
            ("bn-shift", "drift with random shifts"): REPRODUCED,
            ("bn-shift", "speed with random shifts"): INCONCLUSIVE,
            ("bn-shift", "speed against none"): INCONCLUSIVE,
        },
        records="355868b20c6b9416",
        figure="bn-shift",
    ),
    Result(
        title="In twenty layers normalization evens out gradients of sigmoids; of ReLUs not at the "
        "start, and little in training",
        text="With sigmoids and no normalization the gradient loses eight decades in twenty "
        "layers, and the net never leaves chance; normalization mends it. With ReLUs and "
        "weights drawn after He et al. normalization turns the fault around: before the first step "
        "the gradient without it is smaller at the first block than at the last, threefold in "
        "twenty layers and over thirtyfold in fifty-six, and with it larger, over tenfold and over "
        "two thousandfold. In training, each at its own best rate, twenty layers with it are "
        "nearer to one size by 0.24 decades, where half a decade was asked for; made anew by 0.08, "
        "on other seeds by 0.07, at a third of the rates by none. Fifty-six without it were tried "
        "at 0.1 alone, at which twenty without it stay at chance as well. There gradients do "
        "vanish: at the first block they mostly become exactly zero, while those at the last stay "
        "near 0.03 (four of five judged runs, all five made anew, three of five on other seeds). "
        "With it fifty-six barely leave chance at that rate (errors of 75 to 88 %), and no "
        "statement here compares the two in training. The night and paper tiers have wider nets.",
        words={
            ("bn-vanishing", "sigmoid at the start"): REPRODUCED,
            ("bn-vanishing", "sigmoid in training"): REPRODUCED,
            ("bn-vanishing", "ReLU at the start"): CONTRADICTED,
            ("bn-vanishing", "ReLU at the start, 56 layers"): CONTRADICTED,
            ("bn-vanishing", "ReLU in training"): CONTRADICTED,
        },
        records="3a9a9905497ee6cd",
        figure="bn-vanishing",
    ),
    Result(
        title="In a small GoogLeNet the extra heads had no vanishing gradient to prevent",
        text="With a quarter of the filters, on images of 16x16 pixels, for 312 steps, without "
        "heads, and with weights drawn after He et al., the gradient at module 3a is nearly twice "
        "as large as that at 5b before the first step, and through training about half as large: "
        "far from a tenth. The heads' share of it is a fifth of that of the main loss, it points a "
        "little the same way, and all together is no larger than what 1.6 times the main loss "
        "gives. Whether heads lower the test error after long training is another question, and "
        "not run: the paper tier asks it.",
        words={
            ("aux-gradient", "vanishing at the start"): CONTRADICTED,
            ("aux-gradient", "vanishing in training"): CONTRADICTED,
            ("aux-gradient", "size"): CONTRADICTED,
            ("aux-gradient", "direction"): REPRODUCED,
            ("aux-gradient", "more than scale"): CONTRADICTED,
        },
        records="2df8bbb3c5f196f7",
        figure="aux-gradient",
    ),
)
