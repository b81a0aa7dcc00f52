"""The batches of a run, a pure function of (seed, epoch): equal on every backend."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from ..experiments.recipes import Recipe
from .transforms import Arrays, Batch, augmented, order, scaled


class Stream:
    """The batches of a run: full ones, of each epoch's own order and augmentation. They have as
    many images as the recipe says, or all there are.
    """

    def __init__(self, arrays: Arrays, recipe: Recipe, seed: int):
        self.arrays, self.recipe, self.seed = arrays, recipe, seed
        images = len(arrays["train_labels"])
        self.batch_size = min(recipe.batch_size, images)
        self.per_epoch = images // self.batch_size
        self.epoch = lru_cache(maxsize=1)(self.drawn)  # it may be asked for in parts

    def drawn(self, epoch: int) -> Batch:
        """The images and labels of an epoch's full batches."""
        arrays, recipe = self.arrays, self.recipe
        n = len(arrays["train_labels"])
        chosen = order(n, self.seed, epoch)[: self.per_epoch * self.batch_size]
        images = augmented(arrays["train_images"], recipe, self.seed, epoch)[chosen]
        return scaled(images, recipe.inputs), arrays["train_labels"][chosen]

    def between(self, begin: int, end: int) -> Batch:
        """Those of the steps from `begin` on, before `end`."""
        parts = list(self.parts(begin, end))
        images, labels = zip(*parts, strict=True)
        # One part is a view.
        return parts[0] if len(parts) == 1 else (np.concatenate(images), np.concatenate(labels))

    def parts(self, begin: int, end: int) -> Iterator[Batch]:
        """Of each epoch."""
        for epoch in range(begin // self.per_epoch, -(-end // self.per_epoch)):
            images, labels = self.epoch(epoch)
            places = (step - epoch * self.per_epoch for step in (begin, end))
            first, last = (max(0, place) * self.batch_size for place in places)
            yield images[first:last], labels[first:last]
