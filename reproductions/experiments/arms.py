"""What varies between runs: the networks that claims compare."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Arm:
    """A network: `keras_ilsvrc.cifar.<network>` or one of the suite's own, with these options.

    `training` is what its runs hold otherwise than the tier's recipe.
    """

    name: str
    network: str
    options: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def spec(self) -> dict[str, Any]:
        """As a run's spec has it."""
        return {"name": self.name, "network": self.network, **self.options}


def draws(arm: Mapping[str, Any]) -> bool:
    """Whether the network draws while it trains."""
    return arm["network"] in ("VGG", "GoogLeNet") or not {"dropout", "jitter"}.isdisjoint(arm)


PLAIN_20 = {"depth": 20}
NO_BN = {"depth": 20, "normalization": None}
VGG_11_BN = {"depth": 11, "normalization": "batch"}

ARMS = {
    arm.name: arm
    for arm in (
        # Depth.
        Arm("plain-20", "PlainNet", {"depth": 20}),
        Arm("plain-56", "PlainNet", {"depth": 56}),
        Arm("plain-110", "PlainNet", {"depth": 110}),
        Arm("resnet-20", "ResNet", {"depth": 20}),
        Arm("resnet-32", "ResNet", {"depth": 32}),
        Arm("resnet-44", "ResNet", {"depth": 44}),
        Arm("resnet-56", "ResNet", {"depth": 56}),
        Arm("resnet-110", "ResNet", {"depth": 110}),
        # Normalization: with it the net is plain-20, plain-56 or resnet-110.
        Arm("plain-20-no-bn", "PlainNet", NO_BN),
        Arm("plain-56-no-bn", "PlainNet", {"depth": 56, "normalization": None}),
        Arm("sigmoid-20", "Plain", {**PLAIN_20, "activation": "sigmoid"}),
        Arm("sigmoid-20-no-bn", "Plain", {**NO_BN, "activation": "sigmoid"}),
        Arm("sigmoid-56", "Plain", {"depth": 56, "activation": "sigmoid"}),
        Arm(
            "sigmoid-56-no-bn",
            "Plain",
            {"depth": 56, "normalization": None, "activation": "sigmoid"},
        ),
        Arm("plain-20-jitter", "Plain", {**PLAIN_20, "jitter": 0.5}),
        Arm("plain-20-dropout", "Plain", {**PLAIN_20, "dropout": 0.2}),
        Arm("plain-20-no-bn-dropout", "Plain", {**NO_BN, "dropout": 0.2}),
        Arm(
            "resnet-110-bn-after-addition",
            "ResNetV2",
            {"depth": 110, "activation_order": "BN after addition"},
        ),
        Arm("resnet-110-pre-activation", "ResNetV2", {"depth": 110}),
        # Inputs: all other arms have standardised ones.
        Arm("plain-20-0-to-1", "PlainNet", PLAIN_20, {"inputs": "0 to 1"}),
        Arm("plain-20-0-to-255", "PlainNet", PLAIN_20, {"inputs": "0 to 255"}),
        Arm("plain-20-no-bn-0-to-1", "PlainNet", NO_BN, {"inputs": "0 to 1"}),
        Arm("plain-20-no-bn-0-to-255", "PlainNet", NO_BN, {"inputs": "0 to 255"}),
        # Stacks of one receptive field.
        Arm("stack-3x3", "Stacks", {"form": "3x3"}),
        Arm("stack-3x3-linear", "Stacks", {"form": "3x3 linear"}),
        Arm("stack-7x7", "Stacks", {"form": "7x7"}),
        Arm("stack-7x7-1x1-1x1", "Stacks", {"form": "7x7 1x1 1x1"}),
        Arm("stack-3x3-no-bn", "Stacks", {"form": "3x3", "normalization": None}),
        # VGG.
        Arm("vgg-11", "VGG", {"depth": 11}),
        Arm("vgg-13", "VGG", {"depth": 13}),
        Arm("vgg-16", "VGG", {"depth": 16}),
        Arm("vgg-11-bn", "VGG", VGG_11_BN),
        Arm("vgg-11-bn-transferred", "VGG", VGG_11_BN, {"start": "0 to 4"}),
        # A learning rate of 0: only the moving averages of normalization come to fit the images.
        Arm("vgg-11-bn-untrained", "VGG", VGG_11_BN, {"schedule": ((0, 0.0), (1, 0.0))}),
        # GoogLeNet; the heads' losses weigh 0.3 each, as in the paper: 1.6 in all.
        Arm("googlenet", "GoogLeNet"),
        Arm("googlenet-heads", "GoogLeNet", {"auxiliary": True}),
        Arm("googlenet-scaled", "GoogLeNet", training={"loss_scale": 1.6}),
        # After.
        Arm("densenet-bc-40", "DenseNet", {"depth": 40}),
        Arm("se-resnet-56", "GatedResNet", {"depth": 56}),
        Arm("se-resnet-56-constant", "GatedResNet", {"depth": 56, "fed": "constant"}),
    )
}
