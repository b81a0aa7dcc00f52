"""GoogLeNet, arXiv:1409.4842: what needs no training."""

from .claim import Claim, Computed, OnImageNet
from .rules import Equal, Falling, Rounded, Within

# Table 1, column "output size": channels.
OUTPUTS = {
    "3a": 256, "3b": 480,
    "4a": 512, "4b": 512, "4c": 512, "4d": 528, "4e": 832,
    "5a": 832, "5b": 1024,
}  # fmt: skip

CLAIMS = (
    Claim(
        name="inception-modules",
        quotes={"Inception 모듈 개수: 9개 쌓아서": "number of Inception modules: 9 are stacked"},
        reading="GoogLeNet has nine Inception modules, each giving the channels of table 1, which "
        "are the sum of its branches'.",
        paper=("arXiv:1409.4842, table 1",),
        statements=(
            Computed(
                name="modules",
                says="nine modules, their outputs those of table 1",
                kind="exact",
                check="inception-modules",
                rule=Equal(
                    {"modules": 9}
                    | OUTPUTS
                    | {f"{name}, sum of branches": n for name, n in OUTPUTS.items()}
                ),
            ),
        ),
    ),
    Claim(
        name="inception-parallel",
        quotes={
            "모두 병렬 실행 후 Concatenation으로 합침": "all run in parallel and are joined by "
            "concatenation"
        },
        reading="In each module four branches lead from one tensor into one concatenation.",
        paper=("arXiv:1409.4842, figure 2(b)",),
        statements=(
            Computed(
                name="branches",
                says="nine modules of four branches, which part at one tensor and meet in one",
                kind="exact",
                check="inception-parallel",
                rule=Equal({"branches of each module": [4], "modules of parallel branches": 9}),
            ),
        ),
    ),
    Claim(
        name="googlenet-depth",
        quotes={"훨씬 깊은 구조(22층)": "a much deeper structure (22 layers)"},
        reading="Along the longest path from image to classifier lie 22 layers with weights.",
        paper=("arXiv:1409.4842, section 5: 22 layers deep when counting layers with parameters",),
        statements=(
            Computed(
                name="layers",
                says="GoogLeNet has 22 weight layers along its main path",
                kind="exact",
                check="googlenet-depth",
                rule=Equal({"weight layers": 22}),
            ),
        ),
    ),
    Claim(
        name="googlenet-params",
        quotes={"파라미터 수 5M": "5M parameters"},
        reading="GoogLeNet has five million parameters. Five is sixty over twelve, the paper's "
        '"12 times fewer" than AlexNet; counted, there are 7.0 million with the classifier of '
        "1,000 classes and 6.0 million without.",
        paper=("arXiv:1409.4842, section 1: 12 times fewer parameters than AlexNet",),
        statements=(
            Computed(
                name="with the classifier",
                says="GoogLeNet has 5M parameters",
                kind="exact",
                check="googlenet-params",
                rule=Rounded({"with the classifier": "5M"}),
            ),
            Computed(
                name="without the classifier",
                says="GoogLeNet without its classifier has 5M parameters",
                kind="exact",
                check="googlenet-params",
                rule=Rounded({"without": "5M"}),
            ),
            Computed(
                name="the paper's ratio",
                says="AlexNet has 12 times the parameters of GoogLeNet",
                kind="exact",
                check="googlenet-params",
                rule=Rounded({"ratio": "12"}),
            ),
        ),
    ),
    Claim(
        name="aux-heads",
        quotes={
            "중간에 2개 삽입, 학습 시에만 사용": "two are inserted in the middle, used in "
            "training only",
            "추론 시에는 제거": "removed at inference",
        },
        reading="There are two auxiliary classifiers, and removing them changes no bit of the "
        "main output.",
        paper=("arXiv:1409.4842, section 5: at inference time they are discarded",),
        statements=(
            Computed(
                name="two",
                says="GoogLeNet has two auxiliary heads",
                kind="exact",
                check="aux-heads",
                rule=Equal({"heads": 2}),
            ),
            Computed(
                name="removed",
                says="removing them changes no bit of the main output",
                kind="numeric",
                check="aux-heads",
                rule=Within(),
            ),
        ),
    ),
    Claim(
        name="pointwise-dense",
        quotes={
            "픽셀 위치별로 독립적으로 FC를 적용하는 것과 같다": "the same as applying a fully "
            "connected layer at each pixel on its own"
        },
        reading="A 1x1 convolution equals a dense layer at every pixel, with the same weights. "
        "The control looks one pixel beside.",
        paper=("arXiv:1312.4400 (Network in Network), section 3.1",),
        statements=(
            Computed(
                name="outputs",
                says="1x1 convolution and dense layer agree on images of any shape",
                kind="numeric",
                check="pointwise-dense",
                rule=Within(absolute=1e-5, relative=1e-6),
            ),
        ),
    ),
    Claim(
        name="pointwise-local",
        quotes={
            "공간적 정보는 거의 보지 않음 (픽셀 단위)": "sees almost no spatial information "
            "(pixel by pixel)"
        },
        reading="The output of a 1x1 convolution at a pixel has no gradient to any other pixel: "
        'not "almost none". The control is a 3x3 convolution.',
        statements=(
            Computed(
                name="gradient",
                says="the gradient to all other pixels is zero",
                kind="numeric",
                check="pointwise-local",
                rule=Within(),
            ),
        ),
    ),
    Claim(
        name="pointwise-example",
        quotes={
            "192채널 입력 → 1×1 Conv(64 filters) → 64채널 출력": "input of 192 channels → 1x1 "
            "convolution (64 filters) → output of 64 channels"
        },
        reading="64 filters of 1x1 on 192 channels give 64 channels, with 12,288 weights.",
        paper=("arXiv:1409.4842, table 1: the first branch of module 3a",),
        statements=(
            Computed(
                name="shape",
                says="64 channels, 192 x 64 weights",
                kind="exact",
                check="pointwise-example",
                rule=Equal({"output channels": 64, "weights": 192 * 64}),
            ),
        ),
    ),
    Claim(
        name="pointwise-cheaper",
        quotes={
            "파라미터 수와 연산량 감소": "fewer parameters and less computation",
            "연산량 줄임 (3×3이나 5×5 Conv 앞단에 사용)": "less computation (used ahead of 3x3 or "
            "5x5 convolutions)",
        },
        reading="Each of the nine modules has fewer parameters and multiply-accumulates than its "
        "naive twin without 1x1 reductions (the paper's figure 2a) on the same input.",
        paper=("arXiv:1409.4842, figure 2 and section 4",),
        statements=(
            Computed(
                name="parameters",
                says="all nine modules have fewer parameters",
                kind="exact",
                check="pointwise-cheaper",
                rule=Equal({"modules": 9, "with fewer parameters": 9}),
            ),
            Computed(
                name="computation",
                says="all nine modules have fewer multiply-accumulates",
                kind="exact",
                check="pointwise-cheaper",
                rule=Equal({"modules": 9, "with fewer MACs": 9}),
            ),
        ),
    ),
    Claim(
        name="inception-cost",
        quotes={"연산량 최적화, 성능 우수": "optimised computation, superior performance"},
        reading="GoogLeNet needs fewer parameters and less computation than the networks before "
        "it. Beside VGG-16 both hold; AlexNet computes less. Performance is ImageNet's to judge.",
        paper=(
            "arXiv:1409.4842, section 1: a budget of 1.5 billion multiply-adds",
            "arXiv:1409.4842, table 2: top-5 test error 6.67 %",
        ),
        statements=(
            Computed(
                name="parameters",
                says="GoogLeNet has fewer parameters than AlexNet, and AlexNet than VGG-16",
                kind="exact",
                check="inception-cost",
                rule=Falling(("VGG16 parameters", "AlexNet parameters", "GoogLeNet parameters")),
            ),
            Computed(
                name="computation beside VGG-16",
                says="GoogLeNet has fewer multiply-accumulates than VGG-16",
                kind="exact",
                check="inception-cost",
                rule=Falling(("VGG16 MACs", "GoogLeNet MACs")),
            ),
            Computed(
                name="computation beside AlexNet",
                says="GoogLeNet has fewer multiply-accumulates than AlexNet",
                kind="exact",
                check="inception-cost",
                rule=Falling(("AlexNet MACs", "GoogLeNet MACs")),
            ),
            OnImageNet(
                name="performance",
                says="GoogLeNet's weights that are at hand (normalized, and with 3x3 for 5x5) err "
                "less than VGG-16's",
                command="python -m reproductions evaluate googlenet --source torchvision "
                "--data FOLDER && python -m reproductions evaluate vgg16 --source keras "
                "--data FOLDER",
            ),
        ),
    ),
    Claim(
        name="inception-later",
        quotes={
            "이후 Inception v2, v3, v4에서 개선되어": "later improved in Inception v2, v3 and v4"
        },
        reading="Each later Inception has a lower published error than the one before.",
        paper=(
            "arXiv:1409.4842, table 3: GoogLeNet, one network, one crop, top-5 error 10.07 %",
            "arXiv:1602.07261, table 2: Inception v2 7.8 %, v3 5.6 %, v4 5.0 %, on 48,238 of the "
            "50,000 validation images",
        ),
        statements=(
            Computed(
                name="errors",
                says="top-5 errors of one crop fall from v1 to v4",
                kind="published",
                check="inception-later",
                rule=Falling(("googlenet", "inception_v2", "inception_v3", "inception_v4")),
            ),
        ),
    ),
)
