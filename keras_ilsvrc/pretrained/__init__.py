"""Networks in the form of other zoos: the only room that knows that these exist.

A zoo's *dialect* is what it does differently from a network's paper, as rules for its leaves.
"""

from typing import Any

import keras

from ..blocks import rules
from ..catalog import entry
from . import keras_applications

SOURCES = {"keras": keras_applications.DIALECTS}


def build(name: str, source: str = "keras", **options: Any) -> keras.Model:
    """The network `name` as another zoo has it, with random weights.

    Args:
        name: a name of the catalog, or the builder's.
        source: "keras": keras.applications.
        options: the builder's.

    Raises:
        ValueError: there is no such source, it has no such network, or an option is wrong.
    """
    if source not in SOURCES:
        raise ValueError(f"source is {', '.join(map(repr, SOURCES))}, not {source!r}.")
    found = entry(name)
    if found.name not in SOURCES[source]:
        raise ValueError(f"{source!r} has no {name!r}; it has {', '.join(SOURCES[source])}.")
    with rules(*SOURCES[source][found.name]):
        return found.builder(**found.options, **options)
