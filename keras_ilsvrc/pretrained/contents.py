"""What a weights file holds, whatever its format."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")


class Tensor(NamedTuple):
    """A tensor of a file, in the file's own layout."""

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Contents:
    """The tensors of a file, in its order.

    Attributes:
        kind: how they are named: "state" as PyTorch's modules are, "keras" by layer and number,
            "legacy" by layer, in an order that counts.
        integrity: which checksum is compared when they are read, or "not checked".
        metadata: what else the file says of itself.
        layers: of a legacy file, the names of each layer's tensors; of Keras 3's, of each class of
            layers in their order.
        sets: of a file with several sets of tensors, each by its name in the file; `tensors` are
            then none, until one is chosen.
    """

    kind: Literal["state", "keras", "legacy"]
    tensors: dict[str, Tensor]
    integrity: str = "not checked"
    metadata: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[tuple[str, ...], ...] = ()
    sets: Mapping[str, dict[str, Tensor]] = field(default_factory=dict)


class FaultError(Exception):
    """What is wrong with a file, as a sentence without its subject."""


def unique(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """The pairs by name, of which each must be there once."""
    found: dict[str, T] = {}
    for name, value in pairs:
        if name in found:
            raise FaultError(f"has {name!r} twice.")
        found[name] = value
    return found


def each(
    sets: Mapping[str, dict[str, Tensor]],
    change: Callable[[Mapping[str, Tensor]], dict[str, Tensor]],
) -> dict[str, dict[str, Tensor]]:
    """`change` of each set; one that has two names keeps them."""
    changed = {id(tensors): change(tensors) for tensors in sets.values()}
    return {name: changed[id(tensors)] for name, tensors in sets.items()}
