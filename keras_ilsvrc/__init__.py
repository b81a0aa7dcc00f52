"""The networks of the ImageNet challenge, composed from block primitives, for Keras 3."""

from . import blocks, cifar
from .resnet import ResNet18, ResNet34, ResNet50, ResNet101, ResNet152

__version__ = "0.1.0"

__all__ = ["ResNet18", "ResNet34", "ResNet50", "ResNet101", "ResNet152", "blocks", "cifar"]
