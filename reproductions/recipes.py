"""What is held between runs: how networks are trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Stochastic gradient descent with momentum, after section 3.4 of arXiv:1512.03385.

    Weights start as He et al. draw them. `schedule` gives (share of the steps, learning rate)
    pairs joined by straight lines. `weight_decay` times the weights is added to every gradient
    before momentum. A training image is flipped every second time, and cut at random from a
    frame of `pad` black pixels.
    """

    name: str
    schedule: tuple[tuple[float, float], ...]
    pad: int
    flip: bool = True
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 1e-4
    initializer: str = "he_normal"


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("short", schedule=((0, 0), (0.15, 0.1), (1, 0)), pad=0),
        Recipe("night", schedule=((0, 0), (0.05, 0.1), (1, 0)), pad=4),
        # Section 4.2: 0.1, divided by 10 after 32,000 and 48,000 of 64,000 steps.
        Recipe(
            "paper",
            schedule=((0, 0.1), (0.5, 0.1), (0.5, 0.01), (0.75, 0.01), (0.75, 0.001), (1, 0.001)),
            pad=4,
        ),
    )
}
