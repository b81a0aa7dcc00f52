"""GoogLeNet, arXiv:1409.4842: what needs training."""

from functools import partial

from .budgets import ALL_TIERS, FITTED, NIGHT, SEEDS, SMOKE
from .claim import Claim, Trained

RATES = (0.01, 0.03, 0.1)
# A step costs as much as ten of ResNet-20's.
SMALL_BATCHES = {"batch_size": 32}

watched = partial(
    Trained,
    rule="greater",
    margin=0.0,
    margin_argued="the sign is the claim; no figure is published",
    seeds=SEEDS,
    decided_at=ALL_TIERS,
    decided_why="gradients can be watched in every net; the smoke tier takes four steps",
    held=SMALL_BATCHES,
    rates=RATES,
)

vanishing = partial(
    watched,
    contrast={"googlenet": -1},
    margin=1.0,
    margin_argued="a decade over nine modules: what a loss weight of 0.3 can mend is no less; no "
    "figure is published",
)

better = partial(
    Trained,
    metric="test error",
    rule="greater",
    margin=0.0,
    margin_argued="any gain counts: the paper gives no figure",
    seeds=FITTED,
    decided_at=("paper",),
    decided_why="heads may speed up the first steps or not; the claim is about the trained net",
    rates=RATES,
)

AUX = Claim(
    name="aux-gradient",
    quotes={
        "중간에 2개 삽입, 학습 시에만 사용하여 vanishing gradient 방지": "two are inserted in the "
        "middle and used only in training, to prevent vanishing gradients"
    },
    reading="Without the heads gradients vanish on the way to the first modules, and the heads "
    "bring them there. If they do not vanish there is nothing to prevent. What the heads add could "
    "as well be a larger loss: the control has the main loss times 1.6, the sum of the weights.",
    paper=(
        "arXiv:1409.4842, section 5: heads on 4a and 4d with loss weight 0.3 increase the "
        "gradient signal (no figures)",
        "arXiv:1512.00567, section 4: heads do not help early in training, and removing the lower "
        "one costs nothing (no figures)",
    ),
    statements=(
        vanishing(
            name="vanishing at the start",
            says="without heads, before the first step, the gradient at module 3a is less than a "
            "tenth of that at 5b",
            metric="log10 gradient ratio from 3a to 5b at the start",
        ),
        vanishing(
            name="vanishing in training",
            says="without heads, through training, the gradient at module 3a is less than a tenth "
            "of that at 5b",
            metric="log10 gradient ratio from 3a to 5b in training",
        ),
        watched(
            name="size",
            says="at 3a the heads' gradient is larger than that of the main loss",
            contrast={"googlenet-heads": 1},
            metric="log10 ratio of auxiliary to main gradients at 3a",
        ),
        watched(
            name="direction",
            says="at 3a the heads' gradient points the way of that of the main loss: the cosine is "
            "above 0",
            contrast={"googlenet-heads": 1},
            metric="cosine of main and auxiliary gradients at 3a",
        ),
        watched(
            name="more than scale",
            role="control",
            says="the control: through training the gradient at 3a is larger with heads than with "
            "1.6 times the main loss",
            contrast={"googlenet-heads": 1, "googlenet-scaled": -1},
            metric="log10 gradient norm at 3a in training",
        ),
        better(
            name="test error",
            says="with heads the test error is lower than without",
            contrast={"googlenet": 1, "googlenet-heads": -1},
        ),
        better(
            name="test error, more than scale",
            role="control",
            says="the control: with heads the test error is lower than with 1.6 times the main "
            "loss",
            contrast={"googlenet-scaled": 1, "googlenet-heads": -1},
        ),
    ),
    untuned="all but the learning rate; there is no normalization, as in the paper, and weights "
    "are drawn after He et al.; where gradients are watched a batch has 32 images.",
    doubts=(
        "the net is narrow, its images small and its first layers few: vanishing over 22 layers "
        "of 224x224 pixels may be worse than over nine modules here. Weights drawn after He et "
        "al. keep gradients larger than those of the paper may have done. The paper tier would "
        "settle what becomes of the error."
    ),
    shrunk={
        "laptop": "10,000 images of 16x16 pixels, a quarter of the filters, 312 steps of 32.",
        "night": f"{NIGHT[:-1]} of 32 images.",
        "paper": "CIFAR-10 instead of ImageNet: the stem is one 3x3 convolution of stride 1, two "
        "reductions of the grid remain, and the heads pool the whole image.",
        "smoke": SMOKE,
    },
)

CLAIMS = (AUX,)
