"""What varies between runs: the networks that claims compare."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """A network: `keras_ilsvrc.cifar.<network>(depth)`."""

    name: str
    network: str
    depth: int


ARMS = {
    arm.name: arm
    for arm in (
        Arm("plain-20", "PlainNet", 20),
        Arm("plain-56", "PlainNet", 56),
        Arm("resnet-20", "ResNet", 20),
        Arm("resnet-56", "ResNet", 56),
    )
}
