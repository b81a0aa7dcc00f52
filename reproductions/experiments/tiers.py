"""At what budget: how much of the data, how small a network, how many steps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tier:
    """A budget.

    The first `train_images` of the training images are trained on, as `image_size` squares of
    pixel means; the error is measured after each epoch on the first `measured_train` of them and
    the first `measured_test` test images, and at the end on all test images. `depths` replaces
    depths of the arms.
    """

    name: str
    recipe: str
    steps: int
    image_size: int
    width: int
    train_images: int
    measured_train: int
    measured_test: int
    depths: tuple[tuple[int, int], ...] = ()


# The shortest nets of each family: 6n + 2 layers, VGG's 11, DenseNet-BC's 6n + 4.
SHORT = ((20, 8), (32, 8), (44, 14), (56, 14), (110, 20), (13, 11), (16, 11), (40, 10))

TIERS = {
    tier.name: tier
    for tier in (
        Tier("smoke", "short", 4, 16, 8, 256, 128, 128, depths=SHORT),
        Tier("laptop", "short", 312, 16, 8, 10_000, 2_000, 2_000),
        Tier("night", "night", 1_170, 32, 16, 50_000, 5_000, 10_000),
        Tier("day", "night", 7_800, 32, 16, 50_000, 5_000, 10_000),
        Tier("paper", "paper", 64_000, 32, 16, 50_000, 5_000, 10_000),
    )
}

MEANT_FOR = {
    "smoke": "tests: plumbing on a few embedded images, no verdict",
    "laptop": "minutes on two cores: decides the large effects",
    "night": "hours on two cores: the paper's networks for three epochs",
    "day": "eight hours on two cores: the paper's networks for twenty epochs",
    "paper": "a GPU: the paper's networks and schedule",
}

# Threads of a run. Results depend on how work is divided, so that this is the tier's to say, and
# neither the machine's nor `--jobs`'.
THREADS = dict.fromkeys(TIERS, 1)
