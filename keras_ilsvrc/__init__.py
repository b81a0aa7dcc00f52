"""The networks of the ImageNet challenge, composed from block primitives, for Keras 3.

    model = keras_ilsvrc.ResNet50(classes=10)      # the signature of keras.applications

catalog     list_models, get_model, entry: the networks by name, with their papers' figures
cifar       the papers' networks for 32 x 32 images
anatomy     profile, stages, features: what a graph says of itself; backbones
export      export: files for ONNX Runtime, OpenVINO, LiteRT, TensorFlow, PyTorch
finetune    plan: frozen stages, rates by layer; AuxiliaryModel
images      ImageFolder: folders of images as batches
explain     grad_cam, cam, saliency, occlusion, overlay
losses      Content, Style, Weighted
inference   drop_auxiliary, fold_batch_norm, lay_out_kernels; plain: Keras' layers
pretrained  load, save: trained weights of other zoos, strictly; their images' scale
blocks      the vocabulary, for networks of your own
layers      BatchNormalization on the backends' kernels, LocalResponseNormalization
"""

from . import startup  # isort: skip  (before Keras: it chooses the command line's backend)
from . import (
    anatomy,
    assembly,
    blocks,
    catalog,
    cifar,
    explain,
    export,
    finetune,
    images,
    inference,
    layers,
    losses,
    pretrained,
)
from .alexnet import AlexNet
from .catalog import get_model, list_models
from .densenet import DenseNet121, DenseNet161, DenseNet169, DenseNet201, DenseNet264
from .inception_v1 import GoogLeNet, InceptionV1
from .inception_v2 import InceptionV2
from .inception_v3 import InceptionV3
from .inception_v4 import InceptionResNetV1, InceptionResNetV2, InceptionV4
from .pretrained import decode_predictions, preprocess
from .pretrained.loading import with_weights
from .resnet import (
    PlainNet18,
    PlainNet34,
    ResNet18,
    ResNet34,
    ResNet50,
    ResNet101,
    ResNet152,
)
from .resnet_v2 import ResNet50V2, ResNet101V2, ResNet152V2, ResNet200V2
from .resnext import ResNeXt50, ResNeXt101
from .senet import SEInceptionV2, SENet154, SEResNet50, SEResNet101, SEResNet152, SEResNeXt50
from .vgg import VGG11, VGG13, VGG16, VGG19
from .zfnet import ZFNet

__version__ = "0.1.0"

del startup

# Builders have weights=..., and what loads weights builds networks: the lower module is told here.
assembly.weights_loader = with_weights

__all__ = [
    "VGG11",
    "VGG13",
    "VGG16",
    "VGG19",
    "AlexNet",
    "DenseNet121",
    "DenseNet161",
    "DenseNet169",
    "DenseNet201",
    "DenseNet264",
    "GoogLeNet",
    "InceptionResNetV1",
    "InceptionResNetV2",
    "InceptionV1",
    "InceptionV2",
    "InceptionV3",
    "InceptionV4",
    "PlainNet18",
    "PlainNet34",
    "ResNeXt50",
    "ResNeXt101",
    "ResNet18",
    "ResNet34",
    "ResNet50",
    "ResNet50V2",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "ResNet200V2",
    "SEInceptionV2",
    "SENet154",
    "SEResNeXt50",
    "SEResNet50",
    "SEResNet101",
    "SEResNet152",
    "ZFNet",
    "anatomy",
    "blocks",
    "catalog",
    "cifar",
    "decode_predictions",
    "explain",
    "export",
    "finetune",
    "get_model",
    "images",
    "inference",
    "layers",
    "list_models",
    "losses",
    "preprocess",
    "pretrained",
]
