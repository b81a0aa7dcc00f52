"""Normalization, arXiv:1502.03167, of layers and of inputs: what needs training."""

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
from .claim import Claim, Computed, Trained
from .rules import Within

# Nets without normalization diverge at the rates of those with it.
RATES = (0.01, 0.03, 0.1)

UNTUNED = (
    "all but the learning rate; weights are drawn after He et al., nets without normalization "
    "have biases and 20 layers."
)

SHRUNK = {"laptop": LAPTOP, "night": NIGHT, "smoke": SMOKE}

CIFAR_20 = "CIFAR-10 and a plain net of 20 layers instead of ImageNet and Inception."

# Chance is 2.3. The more steps, the farther a net must come.
LEVELS = {"smoke": 2.0, "laptop": 2.0, "night": 1.5, "paper": 0.5}

STEPS_WHY = "the loss is one that nets come to within the tier's steps; the smoke tier takes four"

sooner = partial(
    Trained,
    metric="steps to the training loss",
    rule="sooner",
    margin=0.4,
    margin_argued="a ratio of 1.49, below half, in logarithms, of the 2.3 from 31.0M to 13.3M "
    "steps",
    seeds=SEEDS,
    decided_at=ALL_TIERS,
    decided_why=STEPS_WHY,
    level=LEVELS,
    rates=RATES,
)

# --- faster, and regular ----------------------------------------------------------------------

FASTER = Claim(
    name="bn-faster",
    quotes={"빠른 수렴과 정규화 효과": "fast convergence and a regularising effect"},
    reading="With normalization a net needs fewer steps to a given training loss, each net at its "
    "best learning rate.",
    paper=(
        "arXiv:1502.03167, figure 3: steps to 72.2 % top-1: Inception 31.0M, with normalization "
        "13.3M, with five times the learning rate 2.1M",
    ),
    statements=(
        sooner(
            name="steps",
            says="plain-20 reaches an evaluation-mode training loss (2.0 at the laptop tier, 1.5 "
            "at night, 0.5 at paper) in fewer steps with normalization than without",
            contrast={"plain-20": 1, "plain-20-no-bn": -1},
        ),
    ),
    untuned=UNTUNED,
    doubts=(
        "the laptop tier's loss, 2.0, is little below chance: the claim is shown of the first "
        "steps. That a net without normalization catches up later is not excluded; the night and "
        "paper tiers ask for less loss. He's initialisation may suit one net better than the "
        "other."
    ),
    shrunk={**SHRUNK, "paper": CIFAR_20},
)

REGULARISES = Claim(
    name="bn-regularises",
    quotes={"빠른 수렴과 정규화 효과": "fast convergence and a regularising effect"},
    reading="Fitted equally well to the same images, a net with normalization generalises better "
    "than one without.",
    paper=("arXiv:1502.03167, section 3.4: the noise of the batch's statistics regularises",),
    statements=(
        Trained(
            name="generalisation gap",
            says="at equal training loss a net of 3x3 stacks has a wider generalisation gap "
            "without normalization than with it",
            contrast={"stack-3x3-no-bn": 1, "stack-3x3": -1},
            metric="generalisation gap at equal training loss",
            rule="greater",
            margin=0.01,
            margin_argued="one point: a smaller gap is of no use; no effect is published",
            seeds=SEEDS,
            decided_at=ALL_TIERS,
            decided_why="1,000 images are seen 40 times and come to be fitted, to a training loss "
            "of 0.5",
            held=FEW,
            level=FITTED_LOSS,
            rates=RATES,
        ),
    ),
    untuned="all but the learning rate; the level of training loss, 0.5, and the number of images.",
    doubts=(
        "a net with normalization reaches the level at another step and with another learning "
        "rate than one without; noise of small batches, and of a larger rate, regularises as "
        "well, and the two are not told apart here. More images, or a sweep of batch sizes, "
        "would."
    ),
    shrunk={
        "laptop": "1,000 images of 16x16 pixels, half of the filters, 312 steps. Overfitting "
        "needs few images, not many steps.",
        "night": f"1,000 images, {NIGHT}",
        "paper": "1,000 images of CIFAR-10, and 13 layers.",
        "smoke": SMOKE,
    },
)

# --- vanishing gradients ----------------------------------------------------------------------

AT_START = "distance of the log10 gradient ratio from 0 at the start"
IN_TRAINING = "distance of the log10 gradient ratio from 0 in training"

nearer = partial(
    Trained,
    rule="greater",
    margin=0.5,
    margin_argued="half a decade, a factor of three; no figure is published",
    seeds=SEEDS,
    decided_at=ALL_TIERS,
    decided_why="gradients can be watched in every net; the smoke tier's have 8 layers",
    rates=RATES,
)

# Before the first step a net need not be one that can train, and no rate matters.
deep = partial(nearer, metric=AT_START, rates=())

VANISHING = Claim(
    name="bn-vanishing",
    quotes={
        "오버피팅과 기울기 소실 문제 완화": "alleviates the problems of overfitting and "
        "vanishing gradients"
    },
    reading="With normalization the gradient with respect to activations has more nearly one size "
    "in all layers, for ReLU and for sigmoid. Of 56 layers, which without normalization did not "
    "train at 0.1, only the start is compared.",
    paper=(
        "arXiv:1502.03167, section 4.2.2: with sigmoids Inception with normalization reaches "
        "69.8 %, without it stays at chance",
    ),
    statements=(
        nearer(
            name="ReLU at the start",
            says="before the first step the gradients at the first and the last block of plain-20 "
            "differ by more decades without normalization than with it, up or down",
            contrast={"plain-20-no-bn": 1, "plain-20": -1},
            metric=AT_START,
            doubts="Weights drawn after He et al. are scaled for nets without normalization; other "
            "weights may turn the order around. That normalization itself lets gradients grow with "
            "depth is derived in arXiv:1902.08129.",
        ),
        nearer(
            name="ReLU in training",
            says="through training the gradients at the first and the last block of plain-20 "
            "differ by more decades without normalization than with it",
            contrast={"plain-20-no-bn": 1, "plain-20": -1},
            metric=IN_TRAINING,
            doubts="Twenty layers are few: what is less than half a decade here may be more in "
            "deeper nets, which without normalization did not train at 0.1, the only rate tried. "
            "Each net has its own best rate.",
        ),
        nearer(
            name="sigmoid at the start",
            says="before the first step the gradients at the first and the last block of plain-20 "
            "with sigmoids differ by more decades without normalization than with it",
            contrast={"sigmoid-20-no-bn": 1, "sigmoid-20": -1},
            metric=AT_START,
        ),
        nearer(
            name="sigmoid in training",
            says="through training the gradients at the first and the last block of plain-20 with "
            "sigmoids differ by more decades without normalization than with it",
            contrast={"sigmoid-20-no-bn": 1, "sigmoid-20": -1},
            metric=IN_TRAINING,
            doubts="At no rate did the net without normalization leave chance on the exploring "
            "seed: through training it is nearly what it was at the start.",
        ),
        deep(
            name="ReLU at the start, 56 layers",
            says="before the first step the gradients at the first and the last block of plain-56 "
            "differ by more decades without normalization than with it, up or down",
            contrast={"plain-56-no-bn": 1, "plain-56": -1},
        ),
        deep(
            name="sigmoid at the start, 56 layers",
            says="before the first step the gradients at the first and the last block of plain-56 "
            "with sigmoids differ by more decades without normalization than with it",
            contrast={"sigmoid-56-no-bn": 1, "sigmoid-56": -1},
        ),
    ),
    untuned=UNTUNED,
    doubts=(
        "gradients are compared at each net's own best rate, and only of the first and the last "
        "block. A net that stays at chance has gradients of some size, too, and they mean little. "
        "Weights drawn after He et al. are made to keep gradients of nets without normalization "
        "at one size; before them, normalization had more to mend."
    ),
    shrunk={**SHRUNK, "paper": CIFAR_20},
)

# --- internal covariate shift -----------------------------------------------------------------

# One learning rate for both nets, at which the one without normalization trains: drift grows with
# the rate.
SLOW = 0.01

drifts = partial(
    Trained,
    metric="drift of convolution inputs",
    rule="greater",
    margin=0.0,
    margin_argued="the sign is the claim; no figure is published",
    seeds=SEEDS,
    decided_at=ALL_TIERS,
    decided_why="layers move most in the first hundreds of steps; the smoke tier takes four",
    rate=SLOW,
)

SHIFT = Claim(
    name="bn-shift",
    quotes={
        "내부 공변량 변화(Internal Covariate Shift) 완화": "alleviates internal covariate shift"
    },
    reading="Normalization makes nets fast because the inputs of their layers drift less. Then "
    "drift must be less, by two measures; and a net whose normalized channels are scaled and "
    "shifted at random, anew in each step, must lose the speed. If it is as fast and its inputs "
    "drift, lower drift is not why.",
    paper=(
        "arXiv:1502.03167, section 2: the claim",
        "arXiv:1805.11604, section 2: random shifts behind normalization leave the speed, and "
        "normalization does not reduce the shift (curves, no figures)",
    ),
    statements=(
        drifts(
            name="drift",
            says="the inputs of plain-20's convolutions drift more, in units of their own "
            "deviation, without normalization than with it",
            contrast={"plain-20-no-bn": 1, "plain-20": -1},
        ),
        Trained(
            name="gradients",
            says="a layer's gradients before and after the update of the layers below are more "
            "alike with normalization than without, by their cosine",
            contrast={"plain-20": 1, "plain-20-no-bn": -1},
            metric="cosine of gradients before and after the update below",
            doubts="A net that learns slowly changes little, and its gradients stay alike for that "
            "reason alone: at equal losses the order may be another. arXiv:1805.11604, whose "
            "measure it is, found no gain from normalization either.",
            rule="greater",
            margin=0.0,
            margin_argued="the sign is the claim; no figure is published",
            seeds=SEEDS,
            decided_at=ALL_TIERS,
            decided_why="layers move most in the first hundreds of steps; the smoke tier takes "
            "four",
            rate=SLOW,
        ),
        drifts(
            name="drift with random shifts",
            role="control",
            says="the control: with random shifts behind normalization the inputs drift more than "
            "without normalization",
            contrast={"plain-20-jitter": 1, "plain-20-no-bn": -1},
        ),
        sooner(
            name="speed with random shifts",
            role="opposite",
            says="the opposite: normalization with random shifts behind it is as fast as without "
            "them, within a ratio of 1.49: then lower drift is not why",
            contrast={"plain-20": 1, "plain-20-jitter": -1},
            rule="equivalent",
            seeds={**SEEDS, "paper": 10},
        ),
        sooner(
            name="speed against none",
            role="control",
            says="the control: normalization with random shifts behind it is faster than none",
            contrast={"plain-20-jitter": 1, "plain-20-no-bn": -1},
        ),
    ),
    untuned=f"{UNTUNED[:-1]}; where drift is measured the rate is 0.01 at its peak for all arms; "
    "shifts and scales vary by up to 0.5.",
    doubts=(
        "drift is measured by channel means on one batch, and by one cosine: other measures of a "
        "shift could order the nets otherwise. It is measured at one rate for all, and speed at "
        "each net's best. Random shifts change the noise of training as well as the shift, and "
        "the loss is read in evaluation mode, without them. That a net is as fast in spite of "
        "them speaks against drift as the cause, and for no other one."
    ),
    shrunk={**SHRUNK, "paper": CIFAR_20},
)

# --- dropout ----------------------------------------------------------------------------------

OVERFITS = {"flip": False, "pad": 0}
DROPOUT_WHY = "dropout guards against overfitting, and a net overfits after many epochs"

DROPOUT = Claim(
    name="dropout-needless",
    quotes={
        "Conv 경로에서는 보통 Dropout의 효과가 있어 불필요": "on the convolutional path it "
        "usually has the effect of dropout, which is needless"
    },
    reading="A net with normalization is no worse without dropout, and dropout helps a net without "
    "normalization more.",
    paper=("arXiv:1502.03167, section 4.2.1: dropout is removed from Inception",),
    statements=(
        Trained(
            name="with normalization",
            says="with normalization the test error of plain-20 is no worse without dropout than "
            "with it",
            contrast={"plain-20": 1, "plain-20-dropout": -1},
            metric="test error",
            rule="not inferior",
            margin=0.005,
            margin_argued="half a point: a smaller loss would not be worth a layer; none is "
            "published",
            seeds=MORE_FITTED,
            decided_at=("paper",),
            decided_why=DROPOUT_WHY,
            held=OVERFITS,
        ),
        Trained(
            name="without, less with",
            says="dropout lowers the test error more without normalization than with it",
            contrast={
                "plain-20-no-bn": 1,
                "plain-20-no-bn-dropout": -1,
                "plain-20": -1,
                "plain-20-dropout": 1,
            },
            metric="test error",
            rule="greater",
            margin=0.005,
            margin_argued="half a point, as above",
            seeds=FITTED,
            decided_at=("paper",),
            decided_why=DROPOUT_WHY,
            held=OVERFITS,
            rates=RATES,
        ),
    ),
    untuned="where all arms are normalized the learning rate, 0.1 at its peak; the share of "
    "dropout, 0.2, after each convolution; images are not augmented, so that there is something to "
    "guard against.",
    shrunk={"paper": CIFAR_20, "smoke": SMOKE},
)

# --- inputs -----------------------------------------------------------------------------------

scaled = partial(
    sooner,
    margin=0.22,
    margin_argued="a ratio of 1.25: a quarter more steps would be worth a division; none is "
    "published",
    rates=RATES,
)

SCALED = Claim(
    name="inputs-scaled",
    quotes={
        "입력은 0 ~ 1 사이의 값으로 정규화 시켜주는 것이 좋습니다": "it is good to normalize "
        "the inputs to values between 0 and 1"
    },
    reading="With inputs from 0 to 1 a net needs fewer steps to a given training loss than with "
    "inputs from 0 to 255, each at its best learning rate. Standardised inputs, and normalization "
    "behind the first convolution, are the controls.",
    statements=(
        scaled(
            name="without normalization",
            says="plain-20 without normalization reaches the loss sooner with 0 to 1 than with 0 "
            "to 255",
            contrast={"plain-20-no-bn-0-to-1": 1, "plain-20-no-bn-0-to-255": -1},
        ),
        scaled(
            name="with normalization",
            says="plain-20 with normalization reaches the loss sooner with 0 to 1 than with 0 to "
            "255",
            contrast={"plain-20-0-to-1": 1, "plain-20-0-to-255": -1},
        ),
        scaled(
            name="standardised, without normalization",
            role="control",
            says="the control: plain-20 without normalization reaches the loss sooner still with "
            "standardised inputs than with 0 to 1",
            contrast={"plain-20-no-bn": 1, "plain-20-no-bn-0-to-1": -1},
        ),
        scaled(
            name="standardised, with normalization",
            role="control",
            says="the control: plain-20 with normalization reaches the loss sooner still with "
            "standardised inputs than with 0 to 1",
            contrast={"plain-20": 1, "plain-20-0-to-1": -1},
        ),
        Computed(
            name="at the start",
            says="behind the first convolution normalization makes 0 to 255 what 0 to 1 is, up to "
            "its epsilon",
            kind="numeric",
            check="inputs-scaled",
            rule=Within(absolute=1e-4, relative=1e-4),
        ),
    ),
    untuned=UNTUNED,
    doubts=(
        "one initialisation for all inputs: weights drawn for inputs of another size would undo "
        "the difference, as a learning rate for the first layer alone would. The claim is about "
        "what happens where nobody does so."
    ),
    shrunk={**SHRUNK, "paper": "nothing: the sentence names neither data nor net."},
)

CLAIMS = (FASTER, REGULARISES, VANISHING, SHIFT, DROPOUT, SCALED)

# --- order (a claim of resnet.py) -------------------------------------------------------------

# arXiv:1603.05027, appendix: 400 of 64,000 steps at 0.01, then as in arXiv:1512.03385.
WARM_UP = (
    (0, 0.01),
    (0.00625, 0.01),
    (0.00625, 0.1),
    (0.5, 0.1),
    (0.5, 0.01),
    (0.75, 0.01),
    (0.75, 0.001),
    (1, 0.001),
)

ordered = partial(
    Trained,
    metric="test error",
    decided_at=("paper",),
    decided_why="a claim about errors of nets of 110 layers that have been trained to the end",
    held={"schedule": WARM_UP},
)

# Statements of the claim bn-order.
ORDER = (
    ordered(
        name="BN after addition",
        says="the test error of ResNet-110 is higher with BN after the addition",
        contrast={"resnet-110-bn-after-addition": 1, "resnet-110": -1},
        rule="greater",
        margin=0.007,
        margin_argued="0.7 points: less than half of the 1.56 points from 6.61 % to 8.17 % in "
        "arXiv:1603.05027, table 2",
        seeds=FITTED,
    ),
    ordered(
        name="full pre-activation",
        says="the test error of ResNet-110 with full pre-activation is not worse than the "
        "original's",
        contrast={"resnet-110-pre-activation": 1, "resnet-110": -1},
        rule="not inferior",
        margin=0.001,
        margin_argued="a tenth of a point: less than half of the 0.24 points from 6.61 % to "
        "6.37 % in the same table",
        seeds=MORE_FITTED,
    ),
)
