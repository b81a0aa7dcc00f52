"""AlexNet: Krizhevsky, Sutskever, Hinton (2012)."""

from .claim import Claim, Computed
from .rules import Equal, Rounded

CLAIMS = (
    Claim(
        name="alexnet-size",
        quotes={"AlexNet: 8개의 레이어, 파라미터 수 60M": "AlexNet: 8 layers, 60M parameters"},
        reading="AlexNet has eight layers with weights and 60 million parameters.",
        paper=(
            "Krizhevsky et al. (2012), abstract: 60 million parameters; section 3: eight layers "
            "with weights",
        ),
        statements=(
            Computed(
                name="layers",
                says="AlexNet has 8 weight layers",
                kind="exact",
                check="alexnet-size",
                rule=Equal({"weight layers": 8}),
            ),
            Computed(
                name="parameters",
                says="AlexNet has 60M parameters",
                kind="exact",
                check="alexnet-size",
                rule=Rounded({"parameters": "60M"}),
            ),
        ),
    ),
    Claim(
        name="alexnet-filters",
        quotes={
            "AlexNet 등에서는 11×11, 5×5 등 다양한 크기의 필터 사용": "AlexNet and others used "
            "filters of various sizes, such as 11x11 and 5x5"
        },
        reading="AlexNet's convolutions have kernels of several sizes, 11x11 and 5x5 among them.",
        paper=("Krizhevsky et al. (2012), section 3.5: 11x11, 5x5, and 3x3 in the last three",),
        statements=(
            Computed(
                name="kernels",
                says="the sizes of AlexNet's kernels are 11x11, 5x5 and 3x3",
                kind="exact",
                check="alexnet-filters",
                rule=Equal({"kernels": ["11x11", "5x5", "3x3"]}),
            ),
        ),
    ),
)
