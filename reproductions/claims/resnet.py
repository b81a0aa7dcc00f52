"""ResNet, arXiv:1512.03385 and 1603.05027: what needs no training; degradation has its own file."""

from .claim import Claim, Computed
from .degradation import DEEPER, SHRUNK, UNTUNED
from .normalization import ORDER
from .rules import Equal, Falling, Quicker, Rarer, Within

BASIC_BLOCK = "3x3 Conv → BN → ReLU → 3x3 Conv → BN → add → ReLU"

CLAIMS = (
    Claim(
        name="degradation-capacity",
        quotes={
            "층을 계속 쌓으면 표현력은 늘지만": "stacking more layers adds expressive power, but"
        },
        reading="What 20 layers compute, 56 can compute too: a plain-20 with 36 identity layers "
        "added is a plain-56 with the same outputs, whatever the weights of the 20 are. A "
        "solution as good exists, so that the failure is the optimiser's. The control puts the "
        "identities' ones beside the middle of their kernels.",
        paper=("arXiv:1512.03385, section 1: a solution by construction",),
        statements=(
            Computed(
                name="outputs",
                says="the deepened plain-20 gives what the plain-20 gives",
                kind="numeric",
                check="degradation-capacity",
                rule=Within(absolute=1e-5, relative=1e-4),
            ),
        ),
    ),
    Claim(
        name="identity-path",
        quotes={
            "입력 x를 지름길(Shortcut)로 더해 아이덴티티 경로를 유지": "adds the input x by a "
            "shortcut and so keeps an identity path"
        },
        reading="A block whose branch ends in zeros gives its input, to the bit: with gamma and "
        "beta of the branch's last normalization zero in v1, whose inputs are not negative, and "
        "with the last kernel zero in v2. The controls have the branch as it is, or, in v1, signed "
        "inputs.",
        paper=("arXiv:1512.03385, equation 1; arXiv:1603.05027, equation 3",),
        statements=(
            Computed(
                name="outputs",
                says="blocks with a silenced branch are the identity, bit for bit",
                kind="numeric",
                check="identity-path",
                rule=Within(),
            ),
        ),
    ),
    Claim(
        name="residual-difference",
        quotes={"차이 F(x)=H(x) 를 학습": "learns the difference F(x) = H(x)"},
        reading='The document calls F the difference and writes F(x) = H(x): "- x" was lost. Both '
        "are measured in the graph, where the addition gives H(x).",
        paper=("arXiv:1512.03385, section 3.1: F(x) := H(x) - x",),
        statements=(
            Computed(
                name="as it stands",
                says="the addition's branch gives H(x)",
                kind="numeric",
                check="residual-difference",
                rule=Within("F(x) against H(x)", 1e-6, 1e-6, controls=None),
            ),
            Computed(
                name="with the lost term",
                says="the addition's branch gives H(x) - x",
                kind="numeric",
                check="residual-difference",
                rule=Within("F(x) against H(x) - x", 1e-6, 1e-6, controls="F(x) against H(x)"),
            ),
        ),
    ),
    Claim(
        name="basic-block",
        quotes={
            "3×3 Conv → BN → ReLU → 3×3 Conv → BN + skip add → ReLU": "3x3 Conv → BN → "
            "ReLU → 3x3 Conv → BN + skip add → ReLU"
        },
        reading="The layers of every basic block stand in this order.",
        paper=("arXiv:1512.03385, figures 2 and 5, section 3.4",),
        statements=(
            Computed(
                name="order",
                says="every block of ResNet-18, 34 and 20 reads so",
                kind="exact",
                check="basic-block",
                rule=Equal({name: [BASIC_BLOCK] for name in ("ResNet18", "ResNet34", "ResNet20")}),
            ),
        ),
    ),
    Claim(
        name="bn-everywhere",
        quotes={"모든 Conv 뒤에 BN을 넣어": "a BN is put behind every convolution"},
        reading="Every convolution of a ResNet is followed by normalization, and that by a ReLU "
        "or, at the end of a branch, by the addition.",
        paper=("arXiv:1512.03385, section 3.4: right after each convolution, before activation",),
        statements=(
            Computed(
                name="order",
                says="behind every convolution stands BN, behind that ReLU or the addition",
                kind="exact",
                check="bn-everywhere",
                rule=Equal(
                    {
                        f"{name}, after {what}": words
                        for name in ("resnet34", "resnet50", "resnet152")
                        for what, words in (
                            ("a convolution", ["BN"]),
                            ("its normalization", ["ReLU", "add"]),
                        )
                    }
                ),
            ),
        ),
    ),
    Claim(
        name="bn-order",
        quotes={
            "ResNet에 후속 논문에서는 순서가 바뀜": "in a later paper ResNet's order was changed"
        },
        reading="In ResNet v2 normalization and ReLU stand ahead of each convolution instead of "
        "behind it. The paper adds that BN behind the addition harms deep nets and that full "
        "pre-activation does not.",
        paper=(
            "arXiv:1603.05027, figure 4 and table 2, ResNet-110, CIFAR-10: original 6.61 %, BN "
            "after addition 8.17 %, full pre-activation 6.37 %",
        ),
        statements=(
            Computed(
                name="order",
                says="v1 reads Conv → BN, v2 BN → ReLU → Conv",
                kind="exact",
                check="bn-order",
                rule=Equal(
                    {
                        "v1, after a convolution": ["BN"],
                        "v2, ahead of a convolution": ["BN → ReLU"],
                        "v2, after a convolution": ["BN", "add"],
                    }
                ),
            ),
            *ORDER,
        ),
        untuned=UNTUNED,
        shrunk={tier: SHRUNK[tier] for tier in ("paper", "smoke")},
    ),
    Claim(
        name="bn-modes",
        quotes={
            "학습 시 배치 통계 사용, 추론 시 이동평균(러닝 스탯) 사용": "uses the batch's "
            "statistics in training, moving averages (running statistics) at inference"
        },
        reading="In training normalization uses mean and variance of the batch, at inference "
        "their moving averages, one value a channel each. So at inference an image's output does "
        "not depend on the images beside it; in training it does.",
        paper=("arXiv:1502.03167, algorithms 1 and 2",),
        statements=(
            Computed(
                name="training",
                says="in training the output is the formula's with the batch's moments",
                kind="numeric",
                check="bn-modes",
                rule=Within("training", 1e-5, 1e-5, controls="training, by moving averages"),
            ),
            Computed(
                name="inference",
                says="at inference it is the formula's with the moving averages",
                kind="numeric",
                check="bn-modes",
                rule=Within("inference", 1e-5, 1e-5, controls="inference, by the batch"),
            ),
            Computed(
                name="moving averages",
                says="after three steps the averages are 0.9 of the old and 0.1 of the batch's, "
                "three times over",
                kind="numeric",
                check="bn-modes",
                rule=Within("moving averages", 1e-5, 1e-5, controls="moving averages, unmoved"),
            ),
            Computed(
                name="channels",
                says="there is one average of each kind a channel",
                kind="exact",
                check="bn-modes",
                rule=Equal({"one value a channel": True}),
            ),
            Computed(
                name="batch mates",
                says="at inference other images in the batch change nothing",
                kind="numeric",
                check="bn-modes",
                rule=Within("mates at inference", 1e-6, 1e-6, controls="mates in training"),
            ),
        ),
    ),
    Claim(
        name="dropout-modes",
        quotes={
            "Dropout 처럼 학습 단계와 추론 단계에서 다르게 적용": "applied differently in "
            "training and at inference, as dropout is"
        },
        reading="Dropout is the identity at inference; in training it keeps the mean, because "
        "what is left is enlarged. How far it is off is told in standard deviations of the mean; "
        "five are allowed.",
        paper=("Srivastava et al. (2014), section 10 (the enlarging in training)",),
        statements=(
            Computed(
                name="inference",
                says="at inference dropout is the identity, bit for bit",
                kind="numeric",
                check="dropout-modes",
                rule=Within("inference", controls="training"),
            ),
            Computed(
                name="mean",
                says="in training it keeps the mean",
                kind="numeric",
                check="dropout-modes",
                rule=Within("mean in training", 5, controls="mean, the rest not enlarged"),
            ),
        ),
    ),
    Claim(
        name="resnet-depth",
        quotes={"대표 구성 ResNet-152(152층)": "the representative form, ResNet-152 (152 layers)"},
        reading="The numbers in the names count the weight layers on the main path; projections "
        "are not counted.",
        paper=("arXiv:1512.03385, table 1",),
        statements=(
            Computed(
                name="layers",
                says="ResNet-34, 50, 101 and 152 have as many weight layers",
                kind="exact",
                check="resnet-depth",
                rule=Equal({f"ResNet{n}": n for n in (34, 50, 101, 152)}),
            ),
        ),
    ),
    Claim(
        name="resnet-deeper",
        quotes={
            "깊이가 깊어질수록(34 → 50 → 101 → 152) 오류 감소": "the deeper (34 → 50 → 101 "
            "→ 152), the fewer errors"
        },
        reading="Published errors fall with depth; from 34 to 50 layers the block changes, too. "
        "On CIFAR-10 the same is asked of 20, 32, 44 and 56 layers, of one kind of block.",
        paper=(
            "arXiv:1512.03385, table 3, ten crops, top-1: 24.52 % (34 layers, option B), 22.85 % "
            "(50), 21.75 % (101), 21.43 % (152)",
            "arXiv:1512.03385, table 6, CIFAR-10: 8.75 % (20), 7.51 % (32), 7.17 % (44), 6.97 % "
            "(56)",
        ),
        statements=(
            Computed(
                name="published",
                says="published top-1 errors fall from 34 to 152 layers",
                kind="published",
                check="resnet-deeper",
                rule=Falling(("resnet34", "resnet50", "resnet101", "resnet152")),
            ),
            DEEPER,
        ),
        untuned=UNTUNED,
        shrunk=SHRUNK,
    ),
    Claim(
        name="resnet-cheap",
        quotes={"연산 효율은 VGG 대비 우수": "more efficient in computation than VGG"},
        reading="ResNet-152 needs fewer multiply-accumulates than VGG-16. Whether it takes less "
        "time is another question, and depends on the machine.",
        paper=("arXiv:1512.03385, section 4.1: 11.3 billion against 15.3 and 19.6 billion",),
        statements=(
            Computed(
                name="multiply-accumulates",
                says="ResNet-152 has fewer than VGG-16, and VGG-16 than VGG-19",
                kind="exact",
                check="resnet-cheap",
                rule=Falling(("VGG19 MACs", "VGG16 MACs", "ResNet152 MACs")),
            ),
            *(
                Computed(
                    name=f"seconds, {depth} layers",
                    says=f"an image takes ResNet-{depth} less time than VGG-16, at batch 8",
                    kind="measured",
                    check="resnet-seconds",
                    rule=Quicker(f"ResNet{depth}", "VGG16"),
                )
                for depth in (50, 101, 152)
            ),
        ),
    ),
    Claim(
        name="resnet-human",
        quotes={"이미지 인식 능력이 사람을 뛰어 넘음": "recognises images better than humans"},
        reading="An ensemble of six networks errs on 3.57 % of the test images, one annotator "
        "erred on 76 of 1,500. That is one annotator, five guesses among 1,000 classes, and six "
        "networks; one network of the kind errs on 4.49 %.",
        paper=(
            "arXiv:1409.0575, section 6.4: annotator A1, 5.1 % of 1,500 test images",
            "arXiv:1512.03385, table 5: six networks 3.57 % (test); table 4: one 4.49 % "
            "(validation)",
        ),
        statements=(
            Computed(
                name="six networks",
                says="the annotator errs more often than the ensemble",
                kind="published",
                check="resnet-human",
                rule=Rarer("annotator's errors", "images", "six networks"),
            ),
            Computed(
                name="one network",
                says="the annotator errs more often than one ResNet-152",
                kind="published",
                check="resnet-human",
                rule=Rarer("annotator's errors", "images", "one network"),
            ),
        ),
    ),
)
