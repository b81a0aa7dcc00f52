"""OpenMMLab's copies of MSRA's ResNets and of VGG-16, in PyTorch's files and names.

The ResNets are Caffe's (`caffe.py`), without the classifier: load them with include_top=False, or
for `classes` of your own. VGG's first kernel is turned around for RGB.
"""

from .caffe import ONES, resnet
from .dialect import Contract, Dialect, File
from .torchvision import CLASSIFIER, RESNET, vgg

URL = "https://download.openmmlab.com/pretrain/third_party/"
MEAN = (103.53, 116.28, 123.675)


def file(name: str, digest: str) -> File:
    return File(f"{URL}{name}-{digest}.pth", digest)


def backbone(depth: int, digest: str) -> Dialect:
    form = resnet(depth)
    images = Contract(MEAN, ONES, 1, "BGR", 224)
    published = file(f"resnet{depth}_msra", digest)
    return Dialect(images, form.rules, form.options, RESNET, file=published)


DIALECTS: dict[str, Dialect] = {
    "resnet50": backbone(50, "5891d200"),
    "resnet101": backbone(101, "6cc46731"),
    "vgg16": Dialect(
        Contract(MEAN[::-1], ONES, 1, "RGB", 224),
        names=(*vgg("D", 2), *CLASSIFIER),
        file=file("vgg16_caffe", "292e1171"),
    ),
}

OWN = {
    "resnet50_msra": "resnet50",
    "resnet101_msra": "resnet101",
    "resnet50_caffe": "resnet50",
    "resnet101_caffe": "resnet101",
    "vgg16_caffe": "vgg16",
}
