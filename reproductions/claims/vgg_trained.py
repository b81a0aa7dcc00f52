"""VGG, arXiv:1409.1556: what needs training."""

from functools import partial

from .budgets import (
    ALL_TIERS,
    FEW,
    FITTED,
    FITTED_LOSS,
    LAPTOP,
    MORE_FITTED,
    NIGHT,
    SEEDS,
    SMOKE,
)
from .claim import Claim, Trained

CIFAR = "CIFAR-10 instead of ImageNet"

STACKS = (
    "three groups of a widening 1x1 convolution, a stack and a max-pool, on 16, 32 and 64 "
    "channels, in place of VGG's five groups"
)

# --- what a stack expresses -------------------------------------------------------------------

FIVE = (
    "arXiv:1409.1556, section 4.1: the top-1 error of net B with a 5x5 convolution in place of "
    "each pair of 3x3 ones is 7 % higher",
)

fits_worse = partial(
    Trained,
    metric="training error",
    rule="greater",
    margin=0.01,
    margin_argued="one point: less than half of the 7 % by which the paper's 5x5 twin is worse",
    seeds=FITTED,
    decided_at=("paper",),
    decided_why="what a net can express shows when it has fitted what it can, at training errors "
    "below 10 %; before that, how fast it learns",
)

EXPRESSIVE = Claim(
    name="vgg-expressive",
    quotes={
        "더 많은 비선형성 확보 → 표현력이 강해짐": "secures more non-linearity → expressive "
        "power gets stronger"
    },
    reading="Three 3x3 layers fit more than one 7x7 layer because they have three ReLUs. Two "
    "pairs of arms differ in their ReLUs alone or nearly so, and a third in the stack alone.",
    paper=FIVE,
    statements=(
        fits_worse(
            name="stack",
            says="one 7x7 layer has a higher training error than three 3x3 layers with ReLUs",
            contrast={"stack-7x7": 1, "stack-3x3": -1},
        ),
        fits_worse(
            name="stack, test error",
            says="one 7x7 layer has a higher test error than three 3x3 layers with ReLUs, which is "
            "what the paper reports",
            contrast={"stack-7x7": 1, "stack-3x3": -1},
            metric="test error",
        ),
        fits_worse(
            name="ReLUs",
            says="of equal weights, three 3x3 layers without their inner ReLUs have a higher "
            "training error than with them",
            contrast={"stack-3x3-linear": 1, "stack-3x3": -1},
        ),
        fits_worse(
            name="ReLUs without a stack",
            says="one 7x7 layer has a higher training error than 7x7-ReLU-1x1-ReLU-1x1-ReLU, three "
            "ReLUs on one spatial layer (and 2C² weights more)",
            contrast={"stack-7x7": 1, "stack-7x7-1x1-1x1": -1},
        ),
        fits_worse(
            name="stack without ReLUs",
            role="control",
            says="the control: one 7x7 layer fits no worse than three 3x3 layers without inner "
            "ReLUs, whose functions it has but for their borders",
            contrast={"stack-7x7": 1, "stack-3x3-linear": -1},
            rule="not inferior",
            seeds=MORE_FITTED,
        ),
    ),
    untuned="one recipe for all arms, learning rate 0.1 at its peak; all arms are normalized, "
    "since weights drawn after He et al. grow where no ReLU follows.",
    shrunk={"paper": f"{CIFAR}; {STACKS}.", "smoke": SMOKE},
)

# --- what a stack overfits --------------------------------------------------------------------

gap = partial(
    Trained,
    metric="generalisation gap at equal training loss",
    rule="greater",
    margin=0.01,
    margin_argued="one point: a smaller gap is of no use; no effect is published",
    seeds=SEEDS,
    decided_at=ALL_TIERS,
    decided_why="1,000 images are seen 40 times and come to be fitted, to a training loss of 0.5",
    held=FEW,
    level=FITTED_LOSS,
)

OVERFIT = Claim(
    name="vgg-overfit",
    quotes={"더 적은 파라미터 → 과적합 위험 감소": "fewer parameters → lower risk of overfitting"},
    reading="Fitted equally well to few images, 27C² weights generalise better than 49C². Without "
    "inner ReLUs the 3x3 stack is a 7x7 kernel of fewer weights, but for the borders, which "
    "it pads thrice.",
    statements=(
        gap(
            name="stack",
            says="at equal training loss one 7x7 layer has the wider generalisation gap than three "
            "3x3 layers with ReLUs",
            contrast={"stack-7x7": 1, "stack-3x3": -1},
        ),
        gap(
            name="weights",
            says="at equal training loss one 7x7 layer has the wider generalisation gap than three "
            "3x3 layers without inner ReLUs",
            contrast={"stack-7x7": 1, "stack-3x3-linear": -1},
        ),
    ),
    untuned="one recipe for all arms, learning rate 0.1 at its peak; the level of training loss, "
    "0.5, and the number of images.",
    doubts=(
        "at the same training loss the nets have made different numbers of steps, and the one "
        "that fits sooner has seen each image less often. A thousand small images are far from "
        "ImageNet; the night and paper tiers have larger ones, and more of the net."
    ),
    shrunk={
        "laptop": "1,000 images of 16x16 pixels, half of the filters, 312 steps. Overfitting "
        "needs few images, not many steps.",
        "night": f"1,000 images, {NIGHT}",
        "paper": f"{CIFAR}, 1,000 images of it; {STACKS}.",
        "smoke": SMOKE,
    },
)

# --- depth ------------------------------------------------------------------------------------

DEEPER = Claim(
    name="vgg-deeper",
    quotes={"더 깊은 네트워크 구조 가능": "deeper network structures are possible"},
    reading="With 3x3 filters depth pays: the test error falls from column A (11 layers) to B (13) "
    "to D (16).",
    paper=("arXiv:1409.1556, table 3: top-1 error A 29.6 %, B 28.7 %, D 27.0 %",),
    statements=(
        Trained(
            name="test error",
            says="the test errors of VGG-11, 13 and 16 fall in this order",
            contrast={"vgg-11": 1, "vgg-13": 0, "vgg-16": -1},
            metric="test error",
            rule="falling",
            margin=0.004,
            margin_argued="0.4 points: less than half of the 0.9 points from A to B, the smaller "
            "step",
            seeds=FITTED,
            decided_at=("paper",),
            decided_why="without normalization deeper nets leave chance later; in few steps that "
            "alone would be judged",
            rates=(0.01, 0.03, 0.1),
        ),
    ),
    untuned="all but the learning rate; weights are drawn after He et al. instead of started from "
    "the shallower net's.",
    shrunk={
        "paper": f"{CIFAR}; fully connected layers of 512 units instead of 4,096.",
        "smoke": SMOKE,
    },
)

# --- transfer ---------------------------------------------------------------------------------

transfer = partial(
    Trained,
    contrast={"vgg-11-bn": 1, "vgg-11-bn-transferred": -1},
    metric="error on new classes",
    rule="greater",
    margin=0.02,
    margin_argued="two points: less would hardly be worth a second training; none is published",
    seeds=SEEDS,
    decided_at=ALL_TIERS,
    decided_why="features of a net some way above chance are a better start than none, or they "
    "are not; the smoke tier's are at chance",
)


def labels(number: int) -> dict[str, object]:
    """So many labelled images of each of the new classes, in batches that fit them."""
    return {"classes": "5 to 9", "labels_drawn": number, "batch_size": 50}


TRANSFER = Claim(
    name="vgg-transfer",
    quotes={
        "재사용성, 전이학습(Transfer Learning)에서 높은 활용도": "reusability, of great use in "
        "transfer learning"
    },
    reading="Features learnt on some classes help to tell others apart from few labels. The "
    "control starts from scratch; both then train all layers alike, with as many steps.",
    statements=(
        transfer(
            name="10 labels",
            says="with 10 labels a class, VGG-11 trained on classes 0 to 4 before has a lower "
            "error on classes 5 to 9 than from scratch",
            held=labels(10),
        ),
        transfer(
            name="40 labels",
            says="with 40 labels a class, VGG-11 trained on classes 0 to 4 before has a lower "
            "error on classes 5 to 9 than from scratch",
            held=labels(40),
        ),
        transfer(
            name="160 labels",
            says="with 160 labels a class, VGG-11 trained on classes 0 to 4 before has a lower "
            "error on classes 5 to 9 than from scratch",
            held=labels(160),
        ),
    ),
    untuned="one recipe for both arms and both trainings; VGG is normalized, so that the net from "
    "scratch trains well.",
    doubts=(
        "a net that was trained before has simply made more steps, on images of the same data "
        "set: another start of equal length, from classes of the same kind, is what transfer is, "
        "but gains on other data sets need not be as large. The paper tier has better features, "
        "and longer training from scratch."
    ),
    shrunk={
        "laptop": f"{LAPTOP[:-1]} for each training.",
        "night": f"{NIGHT[:-1]} for each training.",
        "paper": f"{CIFAR}: five classes to learn from.",
        "smoke": SMOKE,
    },
)

# --- perceptual loss --------------------------------------------------------------------------

nearer = partial(
    Trained,
    rule="greater",
    margin=0.1,
    margin_argued="0.1 in log ratio: the other is a tenth farther than the shift; for pixels the "
    "ratio is 1, and none is published",
    seeds={"smoke": 1, "night": 3, "paper": 5},
    decided_at=("night", "paper"),
    decided_why="the features are those of a net that tells most classes apart",
)

NOISE = "log ratio of feature distances, noise to shift"
BLUR = "log ratio of feature distances, blur to shift"

PERCEPTUAL = Claim(
    name="vgg-perceptual",
    quotes={
        "손실 계산용 네트워크( Perceptual Loss)로 자주 활용됨": "often used as a network to "
        "compute losses (perceptual loss)"
    },
    reading="A shift by one pixel looks nearer to the image than noise or blur does. At equal mean "
    "squared error pixels are all equally far, by construction; the features of a trained VGG "
    "should not be, and those of an untrained one are the control.",
    statements=(
        nearer(
            name="noise",
            says="to a trained VGG-11 noise is farther than a one-pixel shift of equal mean "
            "squared error",
            contrast={"vgg-11-bn": 1},
            metric=NOISE,
        ),
        nearer(
            name="blur",
            says="to a trained VGG-11 blur is farther than such a shift",
            contrast={"vgg-11-bn": 1},
            metric=BLUR,
        ),
        nearer(
            name="noise, by training",
            role="control",
            says="the control: noise is farther, for its mean squared error, to a trained VGG-11 "
            "than to an untrained one",
            contrast={"vgg-11-bn": 1, "vgg-11-bn-untrained": -1},
            metric=NOISE,
        ),
        nearer(
            name="blur, by training",
            role="control",
            says="the control: blur is farther, for its mean squared error, to a trained VGG-11 "
            "than to an untrained one",
            contrast={"vgg-11-bn": 1, "vgg-11-bn-untrained": -1},
            metric=BLUR,
        ),
    ),
    untuned="learning rate 0.1 at its peak; VGG is normalized.",
    shrunk={
        "night": f"{CIFAR}, {NIGHT}",
        "paper": f"{CIFAR}: images of 32x32, of which a pixel is more.",
        "smoke": SMOKE,
    },
)

CLAIMS = (EXPRESSIVE, OVERFIT, DEEPER, TRANSFER, PERCEPTUAL)
