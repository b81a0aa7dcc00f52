"""What is held between runs: how networks are trained."""

from dataclasses import dataclass, replace
from typing import Any, Literal

Inputs = Literal["0 to 1", "0 to 255"]
Classes = Literal["0 to 4", "5 to 9"]


@dataclass(frozen=True)
class Recipe:
    """Stochastic gradient descent with momentum, after section 3.4 of arXiv:1512.03385.

    Weights start as He et al. draw them. `schedule` gives (share of the steps, learning rate)
    pairs joined by straight lines. `weight_decay` times the weights is added to every gradient
    before momentum. A training image is flipped every second time, and cut at random from a
    frame of `pad` black pixels.

    None is as usual: `inputs` standardised, all `classes`, all images (else `images_drawn` at
    random, or `labels_drawn` of each class, others each seed), the loss times 1 (`loss_scale`).
    `start` names classes on which the same net was trained before, by the tier's own recipe; its
    last layer is drawn anew.
    """

    name: str
    schedule: tuple[tuple[float, float], ...]
    pad: int
    flip: bool = True
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 1e-4
    initializer: str = "he_normal"
    inputs: Inputs | None = None
    classes: Classes | None = None
    images_drawn: int | None = None
    labels_drawn: int | None = None
    loss_scale: float | None = None
    start: Classes | None = None

    def spec(self) -> dict[str, Any]:
        """As a run's spec has it: a setting that is as usual is absent."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def at(self, rate: float) -> "Recipe":
        """The same with `rate` at the schedule's peak."""
        peak = max(value for _, value in self.schedule)
        return replace(self, schedule=tuple((t, value / peak * rate) for t, value in self.schedule))


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
