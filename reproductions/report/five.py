"""What we found: the results that a reader of the review should know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..findings import Finding
from ..judge import CONTRADICTED, INCONCLUSIVE, REPRODUCED
from .view import told_in_short


@dataclass(frozen=True, kw_only=True)
class Result:
    """A result told in words, over the statements that it rests on.

    `verdicts` has what was found of each statement, by (claim, statement), when `text` was written:
    of other records it may not be true. `figure` is that of a claim.
    """

    title: str
    text: str
    verdicts: Mapping[tuple[str, str], tuple[str, str]]
    figure: str

    def findings(self, found: Sequence[Finding]) -> list[Finding]:
        """What the records say of its statements, in its order."""
        by_name = {(f.claim.name, f.statement.name): f for f in found}
        return [by_name[name] for name in self.verdicts]

    def holds(self, found: Sequence[Finding]) -> bool:
        """Whether the verdicts are those that the text is about, to the last figure shown."""
        told = [(f.verdict.word, told_in_short(f)) for f in self.findings(found)]
        return told == list(self.verdicts.values())


RESULTS = (
    Result(
        title="Depth harms the start of training in plain nets, and in residual ones far less",
        text="After a thousand steps of the paper's 64,000, or some hundred, a plain net of 56 "
        "layers has a higher training error than one of 20, and a higher test error; shortcuts "
        "take away most of the difference. On average the residual net of 56 layers is itself "
        "still behind that of 20, and whether by more than half a point is left open. A learning "
        "rate that suits 56 layers better than the paper's could narrow the gap. That nets end "
        "so, where all curves are flat, only the paper tier can show.",
        verdicts={
            ("degradation-plain", "training error"): (REPRODUCED, "+29.1 points (+27.0 … +31.2)"),
            ("degradation-plain", "test error"): (REPRODUCED, "+27.9 points (+26.2 … +29.5)"),
            ("degradation-difference", "training error"): (
                REPRODUCED,
                "+25.3 points (+18.9 … +31.6)",
            ),
            ("degradation-residual", "training error"): (
                INCONCLUSIVE,
                "+3.9 points (−3.4 … +11.1)",
            ),
        },
        figure="degradation-difference",
    ),
    Result(
        title="Overfitting is not why, and in 56 layers gradients seldom vanish",
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
        "here settles. Of 110 layers it is left open: those plain nets never leave chance here, "
        "and gradients of a net that does not learn say little. At their first block they are a "
        "million times larger than at the last before the first step, and smaller through "
        "training: 150 to 10⁸ times in the judged runs, 60 to 10⁸ in the same made anew, 6 to "
        "24,000 on other seeds, 3 to 110,000 at a third of the rate.",
        verdicts={
            ("cause-overfitting", "training error"): (CONTRADICTED, "−29.1 points (−31.2 … −27.0)"),
            ("cause-vanishing", "vanishing at the start"): (
                CONTRADICTED,
                "−3.36 decades (−3.62 … −3.10)",
            ),
            ("cause-vanishing", "vanishing in training"): (
                CONTRADICTED,
                "+0.25 decades (+0.09 … +0.41)",
            ),
            ("cause-vanishing", "exploding at the start"): (
                REPRODUCED,
                "+3.36 decades (+3.10 … +3.62)",
            ),
            ("gradient-flow", "slope in training"): (REPRODUCED, "+3.94 decades (+0.88 … +7.01)"),
        },
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
        "night and paper tiers, which ask for a lower loss, would settle it.",
        verdicts={
            ("bn-faster", "steps"): (
                REPRODUCED,
                "1 run never got there; plain-20 was first, by more than a ratio of "
                "1.49, on 5 of 5 seeds, plain-20-no-bn on 0",
            ),
            ("bn-shift", "drift"): (REPRODUCED, "+0.19 deviations (+0.15 … +0.23)"),
            ("bn-shift", "gradients"): (CONTRADICTED, "−0.15 (−0.19 … −0.10)"),
            ("bn-shift", "drift with random shifts"): (
                REPRODUCED,
                "+0.17 deviations (+0.12 … +0.21)",
            ),
            ("bn-shift", "speed with random shifts"): (
                INCONCLUSIVE,
                "+0.31 log ratio (+0.14 … +0.47)",
            ),
            ("bn-shift", "speed against none"): (
                INCONCLUSIVE,
                "1 run never got there; plain-20-jitter was first, by more than a "
                "ratio of 1.49, on 3 of 5 seeds, plain-20-no-bn on 0",
            ),
        },
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
        verdicts={
            ("bn-vanishing", "sigmoid at the start"): (REPRODUCED, "+7.58 decades (+7.47 … +7.69)"),
            ("bn-vanishing", "sigmoid in training"): (REPRODUCED, "+7.87 decades (+7.81 … +7.93)"),
            ("bn-vanishing", "ReLU at the start"): (CONTRADICTED, "−0.62 decades (−0.79 … −0.45)"),
            ("bn-vanishing", "ReLU at the start, 56 layers"): (
                CONTRADICTED,
                "−1.81 decades (−1.93 … −1.70)",
            ),
            ("bn-vanishing", "ReLU in training"): (CONTRADICTED, "+0.24 decades (−0.01 … +0.48)"),
        },
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
        verdicts={
            ("aux-gradient", "vanishing at the start"): (
                CONTRADICTED,
                "−0.26 decades (−0.30 … −0.23)",
            ),
            ("aux-gradient", "vanishing in training"): (
                CONTRADICTED,
                "+0.25 decades (+0.20 … +0.29)",
            ),
            ("aux-gradient", "size"): (CONTRADICTED, "−0.69 decades (−0.72 … −0.66)"),
            ("aux-gradient", "direction"): (REPRODUCED, "+0.14 (+0.10 … +0.19)"),
            ("aux-gradient", "more than scale"): (CONTRADICTED, "−0.07 decades (−0.12 … −0.02)"),
        },
        figure="aux-gradient",
    ),
)
