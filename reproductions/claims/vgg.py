"""VGG, arXiv:1409.1556: what needs no training."""

from .claim import Claim, Computed, OnImageNet
from .rules import Equal

COLUMNS = "ABDE"  # of table 1; C, the authors' exception, has 1x1 convolutions too
CHANNELS = (1, 3, 16, 64, 256)

CLAIMS = (
    Claim(
        name="vgg-depth",
        quotes={
            "학습되는 층(Convolution + Fully Connected)을 각각 16개, 19개 사용": "uses 16 and 19 "
            "trained layers (convolution + fully connected)"
        },
        reading="VGG-16 and VGG-19 have 16 and 19 layers with weights, three of them dense.",
        paper=("arXiv:1409.1556, table 1: 13 or 16 convolutions and three dense layers",),
        statements=(
            Computed(
                name="layers",
                says="VGG-16 and VGG-19 have 13 and 16 convolutions and 3 dense layers",
                kind="exact",
                check="vgg-depth",
                rule=Equal(
                    {
                        "vgg16 convolutions": 13, "vgg16 dense": 3, "vgg16 weight layers": 16,
                        "vgg19 convolutions": 16, "vgg19 dense": 3, "vgg19 weight layers": 19,
                    }
                ),
            ),
        ),
    ),
    Claim(
        name="vgg-uniform",
        quotes={
            "모든 Conv Layer를 3×3 필터로 통일": "every convolution has 3x3 filters",
            "2×2 Max Pooling으로 다운샘플링": "downsampling by 2x2 max pooling",
            "Fully Connected Layer 3개 + Softmax 출력": "3 fully connected layers and a softmax",
        },
        reading="All kernels are 3x3, all pools 2x2 with stride 2, and three dense layers end in "
        "a softmax, in columns A, B, D and E of the paper's table. Column C has 1x1 kernels too.",
        paper=("arXiv:1409.1556, table 1 and section 2.1",),
        statements=(
            Computed(
                name="kernels",
                says="every convolution of columns A, B, D and E is 3x3; C has 1x1 ones, too",
                kind="exact",
                check="vgg-uniform",
                rule=Equal(
                    {f"{column} kernels": ["3x3"] for column in COLUMNS}
                    | {"C kernels": ["3x3", "1x1"]}
                ),
            ),
            Computed(
                name="pools",
                says="every pool is 2x2 with stride 2",
                kind="exact",
                check="vgg-uniform",
                rule=Equal({f"{column} pools": ["2x2/2"] for column in COLUMNS}),
            ),
            Computed(
                name="head",
                says="three dense layers end in a softmax",
                kind="exact",
                check="vgg-uniform",
                rule=Equal(
                    {f"{column} dense": 3 for column in COLUMNS}
                    | {f"{column} output": "softmax" for column in COLUMNS}
                ),
            ),
        ),
    ),
    Claim(
        name="vgg-receptive-field",
        quotes={"같은 수용영역(Receptive Field)": "the same receptive field"},
        reading="Three 3x3 convolutions see the same 7x7 pixels as one 7x7 convolution. Two see "
        "5x5: the control.",
        paper=("arXiv:1409.1556, section 2.3: two 3x3 layers see 5x5, three 7x7",),
        statements=(
            Computed(
                name="pixels",
                says="an output of three 3x3 convolutions has a gradient to the 49 pixels of one "
                "7x7 convolution, and to no others",
                kind="numeric",
                check="vgg-receptive-field",
                rule=Equal(
                    {
                        "7x7 once, by the graph": "7x7",
                        "7x7 once, by the gradient": ["7x7: 49 pixels"],
                        "3x3 thrice, by the graph": "7x7",
                        "3x3 thrice, by the gradient": ["7x7: 49 pixels"],
                        "3x3 twice, by the gradient": ["5x5: 25 pixels"],
                    }
                ),
            ),
        ),
    ),
    Claim(
        name="vgg-weights",
        quotes={
            "7×7 필터 1개 = 49개의 파라미터": "one 7x7 filter = 49 parameters",
            "3×3 필터 3개 = 27개의 파라미터": "three 3x3 filters = 27 parameters",
        },
        reading="With C channels in and out a 7x7 convolution has 49 C² weights, three 3x3 ones "
        "have 27 C².",
        paper=("arXiv:1409.1556, section 2.3: 27 C² against 49 C², 81 % more",),
        statements=(
            Computed(
                name="weights",
                says=f"49 C² and 27 C² weights, for C = {', '.join(map(str, CHANNELS))}",
                kind="exact",
                check="vgg-weights",
                rule=Equal(
                    {f"7x7 once, C = {c}": 49 * c * c for c in CHANNELS}
                    | {f"3x3 thrice, C = {c}": 27 * c * c for c in CHANNELS}
                ),
            ),
        ),
    ),
    Claim(
        name="vgg-relus",
        quotes={
            "7×7 한 번 = ReLU 1번": "7x7 once = one ReLU",
            "3×3 세 번 = ReLU 3번": "3x3 three times = three ReLUs",
        },
        reading="A ReLU follows every convolution, so that three have three and one has one.",
        paper=("arXiv:1409.1556, section 2.3: three non-linear rectification layers, not one",),
        statements=(
            Computed(
                name="ReLUs",
                says="behind every convolution of VGG stands a ReLU, which makes 1 of one 7x7 "
                "convolution and 3 of three 3x3 ones",
                kind="exact",
                check="vgg-relus",
                rule=Equal(
                    {
                        "vgg16, activations": ["relu"],
                        "vgg19, activations": ["relu"],
                        "7x7 once": 1,
                        "3x3 thrice": 3,
                    }
                ),
            ),
        ),
    ),
    Claim(
        name="vgg-top5",
        quotes={"Top-5 Accuracy: 92.7%": "top-5 accuracy: 92.7 %"},
        reading="That is the test accuracy of seven networks together (error 7.3 %). One VGG-16 "
        "errs on 8.8 % at one scale.",
        paper=(
            "arXiv:1409.1556, table 6: seven networks 7.3 % (test), two 6.8 %",
            "arXiv:1409.1556, tables 3 to 5, VGG-16, validation: 8.8 % at one scale, 8.1 % "
            "trained with scale jitter, 7.5 % at several scales, 7.2 % with several crops and "
            "dense evaluation",
        ),
        statements=(
            OnImageNet(
                name="top-5 accuracy",
                says="one VGG-16 is right among five guesses on 92.7 % of ImageNet's images",
                command="python -m reproductions evaluate vgg16 --source keras --data FOLDER",
            ),
        ),
    ),
    Claim(
        name="vgg-ranks",
        quotes={
            "분류(Classification) 2등, 위치(Localization) 1등":
            "second in classification, first in "
            "localization"
        },
        reading="In ILSVRC 2014 VGG's entries came second in classification and first in "
        "localization.",
        paper=(
            "arXiv:1409.4842, table 2, classification error: GoogLeNet 6.67 %, VGG 7.32 %, "
            "MSRA 7.35 %",
            "arXiv:1409.1556, appendix A, localization error: VGG 25.3 %, GoogLeNet 26.7 %",
        ),
        statements=(
            Computed(
                name="ranks",
                says="VGG is 2nd by classification error and 1st by localization error",
                kind="published",
                check="vgg-ranks",
                rule=Equal({"classification": 2, "localization": 1}),
            ),
        ),
    ),
)  # fmt: skip
