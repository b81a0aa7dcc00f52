"""What a weights file holds, whatever its format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np


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
    """

    kind: Literal["state", "keras", "legacy"]
    tensors: dict[str, Tensor]
    integrity: str = "not checked"
    metadata: Mapping[str, str] = field(default_factory=dict)


class FaultError(Exception):
    """What is wrong with a file, as a sentence without its subject."""
