"""Deeper plain nets train worse; residual nets do not: arXiv:1512.03385, sections 1 and 4."""

from .claim import Claim, Statement

SEEDS = {"smoke": 1, "laptop": 3, "night": 3, "paper": 5}

PAPER = (
    "arXiv:1512.03385, figure 1: on CIFAR-10 a 56-layer plain net has higher training and test "
    "error than a 20-layer one (drawn, not tabulated)",
    "the same paper, table 6: test error of ResNet-20 8.75 %, of ResNet-56 6.97 %",
    "an independent replication of the recipe, five runs each (github.com/nabla0001/resnet): "
    "test error plain-20 9.78 %, plain-56 12.95 %, ResNet-20 8.51 %, ResNet-56 7.40 %",
)

UNTUNED = (
    "learning rate 0.1 at its peak for every arm, as in the paper; momentum, weight decay, "
    "batch size and initialisation are the paper's; images are standardised with ImageNet's "
    "channel means and deviations instead of subtracting the per-pixel mean."
)

SHRUNK = {
    "laptop": (
        "10,000 images of 16x16 pixels, 8 filters in the first stage instead of 16, 312 steps "
        "instead of 64,000. The gap then shows that the deeper plain net is harder to optimise "
        "from the start; that it stays open when both curves are flat, as the paper says, only "
        "the paper tier can show."
    ),
    "night": "1,170 steps instead of 64,000; images and networks are the paper's.",
    "paper": "nothing.",
    "smoke": "everything: a few steps on a few generated images test the plumbing.",
}

GAP_MARGIN = (
    "one point: less than half of the 3.2 points by which the replicated plain-56 is worse in "
    "test error, and far above rounding"
)

DECIDED_WHY = (
    "the effect is a property of optimisation from the first hundred steps on; the smoke tier "
    "takes four"
)

CLAIMS = (
    Claim(
        name="degradation-plain",
        quotes=("Train error가 더 높았음",),
        reading="With 56 layers a plain network has a higher training error than with 20.",
        paper=PAPER,
        statements=(
            Statement(
                name="training error",
                says="plain-56 has a higher training error than plain-20",
                contrast={"plain-56": 1, "plain-20": -1},
                measured_on="train",
                rule="greater",
                margin=0.01,
                margin_argued=GAP_MARGIN,
                seeds=SEEDS,
                decided_at=("laptop", "night", "paper"),
                decided_why=DECIDED_WHY,
            ),
            Statement(
                name="test error",
                says="plain-56 has a higher test error than plain-20",
                contrast={"plain-56": 1, "plain-20": -1},
                measured_on="test",
                rule="greater",
                margin=0.01,
                margin_argued=GAP_MARGIN,
                seeds=SEEDS,
                decided_at=("laptop", "night", "paper"),
                decided_why=DECIDED_WHY,
            ),
        ),
        untuned=UNTUNED,
        shrunk=SHRUNK,
    ),
    Claim(
        name="degradation-difference",
        quotes=("깊게 쌓아도 학습 용이",),
        reading="Depth that harms a plain network harms a residual one less: going from 20 to 56 "
        "layers costs the plain net more training error than the residual net.",
        paper=PAPER,
        statements=(
            Statement(
                name="training error",
                says="(plain-56 - plain-20) exceeds (ResNet-56 - ResNet-20) in training error",
                contrast={"plain-56": 1, "plain-20": -1, "resnet-56": -1, "resnet-20": 1},
                measured_on="train",
                rule="greater",
                margin=0.01,
                margin_argued="one point: less than half of the 4.3 points between the "
                "replicated test errors (3.17 + 1.11)",
                seeds=SEEDS,
                decided_at=("laptop", "night", "paper"),
                decided_why=DECIDED_WHY,
            ),
        ),
        untuned=UNTUNED,
        shrunk=SHRUNK,
    ),
    Claim(
        name="degradation-residual",
        quotes=("깊게 쌓아도 학습 용이",),
        reading="A residual network of 56 layers trains at least as well as one of 20.",
        paper=PAPER,
        statements=(
            Statement(
                name="training error",
                says="the training error of ResNet-56 is not worse than that of ResNet-20",
                contrast={"resnet-56": 1, "resnet-20": -1},
                measured_on="train",
                rule="not inferior",
                margin=0.005,
                margin_argued="half a point: less than half of the 1.8 points by which the "
                "paper's ResNet-56 is better in test error",
                seeds={**SEEDS, "paper": 10},
                decided_at=("night", "paper"),
                decided_why="in a few hundred steps every deeper net is still behind, so the "
                "laptop tier would judge a slow start and not the claim",
            ),
        ),
        untuned=UNTUNED,
        shrunk=SHRUNK,
    ),
)
