"""What came after: DenseNet, arXiv:1608.06993, and SENet, arXiv:1709.01507."""

from functools import partial

from .budgets import FITTED, MORE_FITTED, SMOKE
from .claim import Claim, Computed, Trained
from .rules import Falling

FINAL_WHY = (
    "a claim about errors of a point and less, between nets that have been trained to the end"
)

RECIPE = "the recipe, which is the one of arXiv:1512.03385 for all arms, learning rate 0.1 at first"

LEAN = Claim(
    name="densenet-lean",
    reading="DenseNet-BC of 40 layers, growth 12, is as good as ResNet-20 with fewer parameters. "
    "It does not need less compute.",
    paper=(
        "arXiv:1608.06993, table 2: DenseNet-BC of 100 layers, growth 12 and 0.8M parameters, "
        "4.51 % test error on CIFAR-10 with augmentation",
        "arXiv:1512.03385, table 6: ResNet-110 of 1.7M parameters, 6.43 %, the best of five (mean "
        "6.61 %)",
    ),
    statements=(
        Trained(
            name="test error",
            says="the test error of DenseNet-BC-40 is not worse than that of ResNet-20",
            contrast={"densenet-bc-40": 1, "resnet-20": -1},
            metric="test error",
            rule="not inferior",
            margin=0.005,
            margin_argued="half a point: less than half of the 1.9 points by which the paper's "
            "DenseNet of 0.8M parameters is better than ResNet-110 of 1.7M",
            seeds=MORE_FITTED,
            decided_at=("paper",),
            decided_why=FINAL_WHY,
        ),
        Computed(
            name="parameters",
            says="DenseNet-BC-40 has fewer parameters than ResNet-20",
            kind="exact",
            check="densenet-lean",
            rule=Falling(("ResNet20 parameters", "DenseNetBC40 parameters")),
        ),
        Computed(
            name="computation",
            says="and more multiply-accumulates",
            kind="exact",
            check="densenet-lean",
            rule=Falling(("DenseNetBC40 MACs", "ResNet20 MACs")),
        ),
    ),
    untuned=f"{RECIPE}; DenseNet's own has 300 epochs instead of 164.",
    shrunk={
        "paper": "the nets: 40 layers against 20 instead of 100 against 110.",
        "smoke": SMOKE,
    },
)

lower = partial(
    Trained,
    metric="test error",
    rule="greater",
    margin=0.005,
    margin_argued="half a point: less than half of the 1.16 points at 110 layers",
    seeds=FITTED,
    decided_at=("paper",),
    decided_why=FINAL_WHY,
)

GAIN = Claim(
    name="senet-gain",
    reading="Gates that see the image lower a residual net's error. Gates of as many parameters "
    "that are fed a constant are the control.",
    paper=(
        "arXiv:1709.01507, table 4: ResNet-110 6.37 %, SE-ResNet-110 5.21 % test error on CIFAR-10",
    ),
    statements=(
        lower(
            name="gates",
            says="the test error of SE-ResNet-56 is below that of ResNet-56",
            contrast={"resnet-56": 1, "se-resnet-56": -1},
        ),
        lower(
            name="gates that see",
            role="control",
            says="the control: it is below that of the same net whose gates are fed a constant",
            contrast={"se-resnet-56-constant": 1, "se-resnet-56": -1},
        ),
    ),
    untuned=f"{RECIPE}.",
    shrunk={
        "paper": "56 layers instead of 110; the gates have at least four units between, where a "
        "sixteenth of the channels is fewer.",
        "smoke": SMOKE,
    },
)

CLAIMS = (LEAN, GAIN)
