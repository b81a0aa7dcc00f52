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
        layers: of a legacy file, the names of each layer's tensors.
    """

    kind: Literal["state", "keras", "legacy"]
    tensors: dict[str, Tensor]
    integrity: str = "not checked"
    metadata: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[tuple[str, ...], ...] = ()


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
