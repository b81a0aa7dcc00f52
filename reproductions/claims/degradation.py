"""Deeper plain nets train worse; residual nets do not: arXiv:1512.03385, sections 1 and 4."""

from functools import partial

from .budgets import SEEDS as FIVE_SEEDS
from .budgets import SMOKE
from .claim import Claim, Trained

SEEDS = {"smoke": 1, "laptop": 3, "night": 3, "day": 3, "paper": 5}

PAPER = (
    "arXiv:1512.03385, figure 1: on CIFAR-10 a 56-layer plain net has higher training and test "
    "error than a 20-layer one (drawn, not tabulated)",
    "the same paper, table 6: test error of ResNet-20 8.75 %, of ResNet-56 6.97 %",
    "an independent replication of the recipe, five runs each (github.com/nabla0001/resnet): "
    "test error plain-20 9.78 %, plain-56 12.95 %, ResNet-20 8.51 %, ResNet-56 7.40 %",
)

HEALTHY = (
    "arXiv:1512.03385, section 4.1: the plain nets are trained with batch normalization, so that "
    "neither forward nor backward signals vanish (no figures)",
)

UNTUNED = (
    "learning rate 0.1 at its peak for every arm, as in the paper; momentum, weight decay, "
    "batch size and initialisation are the paper's; images are standardised with ImageNet's "
    "channel means and deviations instead of subtracting the per-pixel mean."
)

UNTUNED_110 = UNTUNED[:-1] + (
    "; where the paper starts 110 layers at 0.01, they take the tier's schedule as all others do."
)

SHRUNK = {
    "laptop": (
        "10,000 images of 16x16 pixels, 8 filters in the first stage instead of 16, 312 steps "
        "instead of 64,000. The gap then shows that the deeper plain net is harder to optimise "
        "from the start; that it stays open when both curves are flat, as the paper says, only "
        "the paper tier can show."
    ),
    "night": "1,170 steps instead of 64,000; images and networks are the paper's.",
    "day": "7,800 steps (20 epochs) instead of 64,000 (164 epochs), and a learning rate that rises "
    "for 390 steps and then falls to zero in a line; images and networks are the paper's. What was "
    "expected, written before its runs: ResNet-56 ends at or below the training error of "
    "ResNet-20, plain-56 above that of plain-20.",
    "paper": "nothing.",
    "smoke": SMOKE,
}

GAP_MARGIN = (
    "one point: less than half of the 3.2 points by which the replicated plain-56 is worse in "
    "test error, and far above rounding"
)

DECIDED_WHY = (
    "the effect is a property of optimisation from the first hundred steps on; the smoke tier "
    "takes four"
)

SHRUNK_BUT_DEEP = {
    **{tier: text for tier, text in SHRUNK.items() if tier != "day"},
    "laptop": "10,000 images of 16x16 pixels, 8 filters in the first stage instead of 16, 312 "
    "steps instead of 64,000; the depths, which the claim is about, are the paper's.",
}

WATCHED_WHY = (
    "gradients can be watched in every net that trains or fails to; the smoke tier's have 14 "
    "layers and take four steps"
)

DECADE = (
    "a decade over 54 layers: gradients that vanish enough to keep a net from training differ by "
    "orders of magnitude; the paper gives no figure"
)

SLOPE_DECADE = (
    "half a decade in a hundred layers: less would not make a factor of ten in any of these nets; "
    "the paper gives no figure"
)

# Of the least-squares line through three values at 20, 56 and 110 layers the slope, a hundred
# layers: depths less their mean, over the sum of their squares.
LINE = {20: -700 / 684, 56: -100 / 684, 110: 800 / 684}
SLOPES = {
    **{f"plain-{depth}": weight for depth, weight in LINE.items()},
    **{f"resnet-{depth}": -weight for depth, weight in LINE.items()},
}

ratio = partial(
    Trained,
    rule="greater",
    margin=1.0,
    margin_argued=DECADE,
    seeds=FIVE_SEEDS,
    decided_at=("laptop", "night", "paper"),
    decided_why=WATCHED_WHY,
)
vanishing = partial(ratio, contrast={"plain-56": -1})
exploding = partial(ratio, contrast={"plain-56": 1})
blocked = partial(ratio, contrast={"plain-56": 1, "resnet-56": -1})
steeper = partial(ratio, contrast=SLOPES, margin=0.5, margin_argued=SLOPE_DECADE)

deviation = partial(
    Trained,
    metric="deviation of layer responses",
    margin=0.0,
    margin_argued="the figure shows an order and no sizes: any difference in its direction counts",
    seeds={"smoke": 1, "paper": 5},
    decided_at=("paper",),
    decided_why="every response has deviation 1 at the start, behind batch normalization; "
    "how large the layers come to be shows in trained nets only",
)

CLAIMS = (
    Claim(
        name="degradation-plain",
        quotes={"Train error가 더 높았음": "the training error was higher"},
        reading="With 56 layers a plain network has a higher training error than with 20.",
        paper=PAPER,
        statements=(
            Trained(
                name="training error",
                says="plain-56 has a higher training error than plain-20",
                contrast={"plain-56": 1, "plain-20": -1},
                metric="training error",
                rule="greater",
                margin=0.01,
                margin_argued=GAP_MARGIN,
                seeds=SEEDS,
                first=3,
                decided_at=("laptop", "night", "day", "paper"),
                decided_why=DECIDED_WHY,
            ),
            Trained(
                name="test error",
                says="plain-56 has a higher test error than plain-20",
                contrast={"plain-56": 1, "plain-20": -1},
                metric="test error",
                rule="greater",
                margin=0.01,
                margin_argued=GAP_MARGIN,
                seeds=SEEDS,
                first=3,
                decided_at=("laptop", "night", "day", "paper"),
                decided_why=DECIDED_WHY,
            ),
        ),
        untuned=UNTUNED,
        doubts=(
            "a slow start instead of a worse end: in few steps the deeper net has left chance "
            "later, and the same gap would be seen of two nets that end alike. The paper tier, "
            "where both curves are flat, would settle it; a learning rate that suits 56 layers "
            "better than 0.1 could narrow the gap, too."
        ),
        shrunk=SHRUNK,
    ),
    Claim(
        name="degradation-difference",
        quotes={"깊게 쌓아도 학습 용이": "easy to train even when stacked deep"},
        reading="Depth that harms a plain network harms a residual one less: going from 20 to 56 "
        "layers costs the plain net more training error than the residual net.",
        paper=PAPER,
        statements=(
            Trained(
                name="training error",
                says="(plain-56 - plain-20) exceeds (ResNet-56 - ResNet-20) in training error",
                contrast={"plain-56": 1, "plain-20": -1, "resnet-56": -1, "resnet-20": 1},
                metric="training error",
                rule="greater",
                margin=0.01,
                margin_argued="one point: less than half of the 4.3 points between the "
                "replicated test errors (3.17 + 1.11)",
                seeds=SEEDS,
                first=3,
                decided_at=("laptop", "night", "day", "paper"),
                decided_why=DECIDED_WHY,
            ),
        ),
        untuned=UNTUNED,
        doubts=(
            "residual nets leave chance sooner at any depth, so that the difference may be of the "
            "start alone. The paper tier, where all four curves are flat, would settle it."
        ),
        shrunk=SHRUNK,
    ),
    Claim(
        name="degradation-residual",
        quotes={"깊게 쌓아도 학습 용이": "easy to train even when stacked deep"},
        reading="A residual network of 56 layers trains at least as well as one of 20.",
        paper=PAPER,
        statements=(
            Trained(
                name="training error",
                says="the training error of ResNet-56 is not worse than that of ResNet-20",
                contrast={"resnet-56": 1, "resnet-20": -1},
                metric="training error",
                rule="not inferior",
                margin=0.005,
                margin_argued="half a point: less than half of the 1.8 points by which the "
                "paper's ResNet-56 is better in test error",
                seeds={**SEEDS, "paper": 10},
                first=3,
                decided_at=("night", "day", "paper"),
                decided_why="in a few hundred steps every deeper net is still behind, so the "
                "laptop tier would judge a slow start and not the claim; three epochs of the "
                "night tier left it open, which is why there are the twenty of the day tier",
            ),
        ),
        untuned=UNTUNED,
        doubts=(
            "a deeper net of either kind is slower at first; behind after few steps may be ahead "
            "after many. The paper tier would settle it."
        ),
        shrunk=SHRUNK,
    ),
    Claim(
        name="cause-overfitting",
        quotes={
            "오버피팅, vanishing gradient 문제로 인해": "because of problems of overfitting and "
            "vanishing gradients"
        },
        reading="The 56-layer plain net is worse because it overfits. A net that overfits has a "
        "lower training error, not a higher one.",
        paper=PAPER,
        statements=(
            Trained(
                name="training error",
                says="the training error of plain-56 is below that of plain-20, as overfitting "
                "would have it",
                contrast={"plain-20": 1, "plain-56": -1},
                metric="training error",
                rule="greater",
                margin=0.0,
                margin_argued="overfitting predicts the sign, whatever the size",
                seeds=SEEDS,
                first=3,
                decided_at=("laptop", "night", "day", "paper"),
                decided_why=DECIDED_WHY,
            ),
            Trained(
                name="generalisation gap",
                role="control",
                says="at equal training loss, where both nets fit, plain-56 has the wider "
                "generalisation gap (for the record: it would not explain a higher training error)",
                contrast={"plain-56": 1, "plain-20": -1},
                metric="generalisation gap at equal training loss",
                rule="greater",
                margin=0.01,
                margin_argued="one point, as for the errors; no gap is published",
                seeds={"smoke": 1, "paper": 5},
                decided_at=("paper",),
                decided_why="in fewer steps plain-56 does not fit its training images",
                level={"smoke": 2.3, "paper": 0.3},
            ),
        ),
        untuned=UNTUNED,
        doubts=(
            "too few steps for either net to overfit: what is excluded here is that overfitting "
            "explains this gap, not that plain-56 would overfit if it came to fit its images. The "
            "paper tier has the gap at equal training loss."
        ),
        shrunk=SHRUNK,
    ),
    Claim(
        name="cause-vanishing",
        quotes={
            "오버피팅, vanishing gradient 문제로 인해": "because of problems of overfitting and "
            "vanishing gradients"
        },
        reading="The 56-layer plain net is worse because its gradients vanish on the way to its "
        "first layers. Gradients of another size or none: that they explode, or stay as large, "
        "contradicts it alike.",
        paper=HEALTHY,
        statements=(
            vanishing(
                name="vanishing at the start",
                says="before the first step the gradient of plain-56 at its first block is less "
                "than a tenth of that at its last",
                metric="log10 gradient ratio at the start",
            ),
            vanishing(
                name="vanishing in training",
                says="through training the gradient of plain-56 at its first block is less than a "
                "tenth of that at its last",
                metric="log10 gradient ratio in training",
            ),
            exploding(
                name="exploding at the start",
                role="opposite",
                says="the opposite: before the first step it is more than ten times as large",
                metric="log10 gradient ratio at the start",
            ),
            exploding(
                name="exploding in training",
                role="opposite",
                says="the opposite: through training it is more than ten times as large",
                metric="log10 gradient ratio in training",
            ),
        ),
        untuned=UNTUNED,
        doubts=(
            "the ratio of gradients with respect to activations is not that of updates: batch "
            "normalization rescales what weights get, so that gradients of unequal size need not "
            "train badly, nor equal ones well. Which size of gradients goes with failure, a sweep "
            "of depths and initialisations would show; no tier here settles the cause."
        ),
        shrunk=SHRUNK_BUT_DEEP,
    ),
    Claim(
        name="gradient-flow",
        quotes={
            "정보/그라디언트가 막힘없이 흐름": "information and gradients flow without obstruction"
        },
        reading="The gradient with respect to activations keeps its size on the way through a "
        "residual net better than through a plain one, and the more so the deeper they are.",
        paper=HEALTHY,
        statements=(
            blocked(
                name="ratio at the start",
                says="before the first step the gradients at the first and the last block differ "
                "by more decades in plain-56 than in ResNet-56, up or down",
                metric="distance of the log10 gradient ratio from 0 at the start",
            ),
            blocked(
                name="ratio in training",
                says="through training they differ by more decades in plain-56 than in ResNet-56",
                metric="distance of the log10 gradient ratio from 0 in training",
            ),
            steeper(
                name="slope at the start",
                says="before the first step the decades between the gradients at the first and the "
                "last block grow faster with depth in plain nets than in residual ones: the "
                "difference of the least-squares slopes over 20, 56 and 110 layers, in decades a "
                "hundred layers",
                metric="distance of the log10 gradient ratio from 0 at the start",
            ),
            steeper(
                name="slope in training",
                says="through training the decades between the gradients at the first and the last "
                "block grow faster with depth in plain nets than in residual ones, by the same "
                "slopes",
                metric="distance of the log10 gradient ratio from 0 in training",
                doubts="At the laptop tier the effect is that of 110 layers alone, one seed's more "
                "than the others': that plain net never leaves chance, and its gradient, at the "
                "start a million times larger at the first block than at the last, is through "
                "training over a hundred times smaller, on other seeds 6 to 24,000 times. Of a "
                "net that does not learn, gradients say little.",
            ),
        ),
        untuned=UNTUNED_110,
        doubts=(
            "two ends are compared, and a gradient may be lost between them; and sizes say "
            "nothing of directions. The laptop tier's narrow nets have fewer channels to average "
            "over; the paper tier has the paper's widths, and would settle it."
        ),
        shrunk=SHRUNK_BUT_DEEP,
    ),
    Claim(
        name="responses",
        reading="The layers of a trained residual net respond less than those of a plain net, and "
        "the less the deeper it is: each changes its input by little.",
        paper=(
            "arXiv:1512.03385, figure 7: standard deviations of the 3x3 layers' outputs, behind "
            "batch normalization and before ReLU or addition, on CIFAR-10: ResNets below plain "
            "nets, ResNet-110 below 56 below 20 (drawn, not tabulated)",
        ),
        statements=(
            deviation(
                name="20 layers",
                says="the responses of ResNet-20 deviate less than those of plain-20",
                contrast={"plain-20": 1, "resnet-20": -1},
                rule="greater",
            ),
            deviation(
                name="56 layers",
                says="the responses of ResNet-56 deviate less than those of plain-56",
                contrast={"plain-56": 1, "resnet-56": -1},
                rule="greater",
            ),
            deviation(
                name="depth",
                says="the responses of ResNet-20, 56 and 110 deviate less in this order",
                contrast={"resnet-20": 1, "resnet-56": 0, "resnet-110": -1},
                rule="falling",
            ),
        ),
        untuned=UNTUNED_110,
        shrunk={tier: SHRUNK[tier] for tier in ("paper", "smoke")},
    ),
)

# A statement of the claim resnet-deeper.
DEEPER = Trained(
    name="CIFAR-10",
    says="on CIFAR-10 the test errors of ResNet-20, 32, 44 and 56 fall in this order",
    contrast={"resnet-20": 1, "resnet-32": 0, "resnet-44": 0, "resnet-56": -1},
    metric="test error",
    rule="falling",
    margin=0.001,
    margin_argued="a tenth of a point: half of the 0.2 points from ResNet-44 (7.17 %) to "
    "ResNet-56 (6.97 %), the smallest step of arXiv:1512.03385, table 6",
    seeds={"smoke": 1, "paper": 5},
    decided_at=("paper",),
    decided_why="the published steps are parts of a point between nets that fit their training "
    "images; in fewer steps the deeper nets are still behind",
)
