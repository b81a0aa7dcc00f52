"""A run's net before its first step: the same weights on every backend."""

import hashlib
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from ...data.registry import dataset_of
from ...evidence.canonical import canonical
from ...experiments.recipes import Recipe
from ...experiments.seeds import generator
from ...experiments.tiers import Tier
from .losses import compile_model, weights
from .networks import built, named_variables
from .optimizer import SGD, rates

Start = list[tuple[keras.Variable, np.ndarray]]


def untrained(spec: Mapping[str, Any]) -> keras.Model:
    """The model of a run, compiled, its kernels zeros and all else as built."""
    kind = {name: spec[name] for name in ("arm", "recipe", "tier")}
    classes = dataset_of(spec["data"]).classes
    model, start = compiled(canonical(kind), classes, keras.config.image_data_format())
    for variable, value in start:
        variable.assign(value)
    return model


# Runs of other seeds follow, and to trace a model takes seconds; some train two, in turn.
@lru_cache(maxsize=2)
def compiled(kind: bytes, classes: int, data_format: str) -> tuple[keras.Model, Start]:
    """A model, and the values that all its variables and its optimizer's have before a run."""
    spec = json.loads(kind)
    tier, recipe = Tier(**spec["tier"]), Recipe(**spec["recipe"])
    model = built(spec["arm"], tier, classes)
    optimizer = SGD(rates(recipe, tier.steps), recipe, model)
    compile_model(model, optimizer, weights(model, recipe.loss_scale))
    variables = [*model.variables, *model.optimizer.variables]
    return model, [(v, np.array(ops.convert_to_numpy(v.value))) for v in variables]


def initialise(model: keras.Model, seed: int, initializer: str = "he_normal") -> None:
    """Draws for kernels, keyed by (seed, the variable's name), and for layers that draw; constants
    stay as built.
    """
    for name, variable in named_variables(model).items():
        if len(variable.shape) > 1:
            variable.assign(INITIALIZERS[initializer](variable.shape, seed, name))
        elif variable.name == "seed_generator_state":
            drawn = generator(seed, "dropout", name).integers(2**31)
            variable.assign(np.array((drawn, 0), "uint32"))


def he_normal(shape: tuple[int, ...], seed: int, name: str) -> np.ndarray:
    """float32 normal draws of variance 2 / fan-in (arXiv:1502.01852, equation 10)."""
    deviation = math.sqrt(2 / math.prod(shape[:-1]))
    draws = generator(seed, "weights", name).standard_normal(shape)
    return (deviation * draws).astype("float32")


INITIALIZERS = {"he_normal": he_normal}


def digest(model: keras.Model) -> str:
    """SHA-256 over the names and values of all variables, moving averages included."""
    sha = hashlib.sha256()
    for name, variable in sorted(named_variables(model).items()):
        sha.update(name.encode())
        sha.update(ops.convert_to_numpy(variable.value).tobytes())
    return sha.hexdigest()
