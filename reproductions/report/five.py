"""What we found: the results that a reader of the review should know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..findings import Finding
from ..judge import CONTRADICTED, INCONCLUSIVE, REPRODUCED


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


RESULTS = (
    Result(
        title="Depth harms the training of plain nets, and that of residual ones far less",
        text="A plain net of 56 layers ends with a higher training error than one of 20, and "
        "with a higher test error; shortcuts take away most of the difference. After some hundred "
        "steps, or a thousand of the paper's 64,000, this is a statement about how nets begin to "
        "train, not about where they end: the residual net of 56 layers is itself still behind "
        "that of 20.",
        words={
            ("degradation-plain", "training error"): REPRODUCED,
            ("degradation-plain", "test error"): REPRODUCED,
            ("degradation-difference", "training error"): REPRODUCED,
        },
        figure="degradation-difference",
    ),
    Result(
        title="Of 56 layers neither overfitting nor vanishing gradients is why",
        text="The review gives both as the reason. A net that overfits has a lower training "
        "error, and this one has a higher. With batch normalization its gradient does not "
        "vanish on the way to the first block: before the first step it is over a thousand "
        "times as large there as at the last, as the theory of normalization has it "
        "(arXiv:1902.08129), and through training about half as large on average, at single looks "
        "down to a seventeenth. That gradients are large at first does not make them the cause, "
        "either. Of 110 layers the review may be right: those plain nets never leave chance "
        "here, and through training their gradient is over a hundred times smaller at the first "
        "block than at the last.",
        words={
            ("cause-overfitting", "training error"): CONTRADICTED,
            ("cause-vanishing", "vanishing at the start"): CONTRADICTED,
            ("cause-vanishing", "vanishing in training"): CONTRADICTED,
            ("cause-vanishing", "exploding at the start"): REPRODUCED,
        },
        figure="cause-vanishing",
    ),
    Result(
        title="Batch normalization speeds up training, and less shift is not shown to be why",
        text="The net with normalization comes to a given loss in fewer steps, each net at its "
        "best learning rate; a ratio of 1.5 is shown on one machine, and on another, which "
        "rounds otherwise, left open. The inputs of its layers do drift less. But a layer's "
        "gradient before and after the layers below have moved, the other measure of the "
        "shift, is less alike with normalization than without. Random shifts behind it make "
        "inputs drift more than without any normalization, and seem to cost some of the speed; "
        "whether all of it is left open.",
        words={
            ("bn-faster", "steps"): REPRODUCED,
            ("bn-shift", "drift"): REPRODUCED,
            ("bn-shift", "gradients"): CONTRADICTED,
            ("bn-shift", "drift with random shifts"): REPRODUCED,
            ("bn-shift", "speed with random shifts"): INCONCLUSIVE,
            ("bn-shift", "speed against none"): INCONCLUSIVE,
        },
        figure="bn-shift",
    ),
    Result(
        title="In twenty layers normalization evens out gradients of sigmoids, not of ReLUs",
        text="With sigmoids and no normalization the gradient loses eight decades in twenty "
        "layers, and the net never leaves chance; normalization mends it. With ReLUs and "
        "weights drawn after He et al. normalization turns the fault around: before the first step "
        "the gradient without it is smaller at the first block than at the last, threefold in "
        "twenty layers and over thirtyfold in fifty-six, and with it larger, over tenfold and over "
        "two thousandfold. In training twenty layers with it are a little nearer to one "
        "size, by less than half a decade. Fifty-six without it never leave chance at the "
        "learning rate of the others; on four of five seeds they die, and their gradient is zero "
        "at both ends. What normalization does against that is not judged here.",
        words={
            ("bn-vanishing", "sigmoid at the start"): REPRODUCED,
            ("bn-vanishing", "sigmoid in training"): REPRODUCED,
            ("bn-vanishing", "ReLU at the start"): CONTRADICTED,
            ("bn-vanishing", "ReLU at the start, 56 layers"): CONTRADICTED,
            ("bn-vanishing", "ReLU in training"): CONTRADICTED,
        },
        figure="bn-vanishing",
    ),
    Result(
        title="GoogLeNet's extra heads had no vanishing gradient to prevent",
        text="Without heads, and with weights drawn after He et al., the gradient at module 3a is "
        "nearly twice as large as that at 5b before the first step, and through training about "
        "half as large: far from a tenth. The heads' share of it is a fifth of that "
        "of the main loss, it points a little the same way, and all together is no larger "
        "than what 1.6 times the main loss gives. Whether heads lower the test error after "
        "long training is another question, and not run.",
        words={
            ("aux-gradient", "vanishing at the start"): CONTRADICTED,
            ("aux-gradient", "vanishing in training"): CONTRADICTED,
            ("aux-gradient", "size"): CONTRADICTED,
            ("aux-gradient", "direction"): REPRODUCED,
            ("aux-gradient", "more than scale"): CONTRADICTED,
        },
        figure="aux-gradient",
    ),
)
