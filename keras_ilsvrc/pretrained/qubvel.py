"""P. Iakubovskii's classification_models (image-classifiers), version 1.0.0.

Its layers have no names: files are read in the order of their layers.
"""

from typing import Any

from ..blocks import Rule
from .dialect import Contract, Dialect, File
from .torchvision import IMAGENET_MEAN, IMAGENET_STD

CONTRACT = Contract(IMAGENET_MEAN, IMAGENET_STD, 255, "RGB", 224)
RULES = (
    Rule("norm", {"epsilon": 9.999999747378752e-06, "momentum": 0.99}),
    Rule("max_pool", {"padding": "zeros"}),
)
URL = "https://github.com/qubvel/classification_models/releases/download/0.0.1/"

# name: its name there, MD5 with top, MD5 without
FILES = {
    "se_resnet50":  ("seresnet50",
                     "ff0ce1ed5accaad05d113ecef2d29149", "043777781b0d5ca756474d60bf115ef1"),
    "se_resnet101": ("seresnet101",
                     "5c31adee48c82a66a32dee3d442f5be8", "1c373b0c196918713da86951d1239007"),
    "se_resnet152": ("seresnet152",
                     "96fc14e3a939d4627b0174a0e80c7371", "f58d4c1a511c7445ab9a2c2b83ee4e7b"),
    "se_resnext50": ("seresnext50",
                     "5310dcd58ed573aecdab99f8df1121d5", "b0f23d2e1cd406d67335fb92d85cc279"),
    "senet154":     ("senet154",
                     "c8eac0e1940ea4d8a2e0b2eb0cdf4e75", "d854ff2cd7e6a87b05a8124cd283e0f2"),
}  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {
    f"se_resnet{depth}": {"stride_on": "1x1"} for depth in (50, 101, 152)
}

DIALECTS = {
    name: Dialect(
        CONTRACT,
        RULES,
        OPTIONS.get(name, {}),
        file=File(f"{URL}{theirs}_imagenet_1000.h5", top),
        no_top=File(f"{URL}{theirs}_imagenet_1000_no_top.h5", no_top),
    )
    for name, (theirs, top, no_top) in FILES.items()
}

OWN = {theirs: name for name, (theirs, *_) in FILES.items()}
