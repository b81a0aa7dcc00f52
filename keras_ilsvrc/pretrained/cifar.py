"""ResNets for CIFAR-10 by Y. Idelbayev, github.com/akamaster/pytorch_resnet_cifar10.

The names in the files are older than the code's, and the same at every depth.
"""

from .dialect import Contract, Dialect, File
from .torchvision import IMAGENET_MEAN, IMAGENET_STD

NAMES = (
    ("conv1_conv", "conv1"), ("conv1_bn", "bn1"),
    ("conv{s}_block{b}_{i}_conv", "layer{s-1}.{b-1}.conv{i}"),
    ("conv{s}_block{b}_{i}_bn", "layer{s-1}.{b-1}.bn{i}"),
    ("predictions", "linear"),
)  # fmt: skip
CONTRACT = Contract(IMAGENET_MEAN, IMAGENET_STD, 255, "RGB", 32)
URL = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/"
# Depth: the first digits of the file's SHA-256.
FILES = {
    20: "12fca82f", 32: "d509ac18", 44: "014dd654",
    56: "4bfd9763", 110: "1d1ed7c2", 1202: "f3b1deed",
}  # fmt: skip

DIALECTS = {
    f"cifar_resnet{depth}": Dialect(
        CONTRACT,
        options={"shortcut": "A"},
        names=NAMES,
        file=File(f"{URL}resnet{depth}-{digest}.th", digest),
    )
    for depth, digest in FILES.items()
}

OWN = {f"resnet{depth}": f"cifar_resnet{depth}" for depth in FILES}
