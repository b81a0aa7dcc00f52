"""What the document and the papers say, and what settles it: data without logic.

The rule of a statement is fixed before its runs and is read from here, never from the records.
"""

from . import (
    after,
    alexnet,
    degradation,
    googlenet,
    googlenet_trained,
    normalization,
    resnet,
    vgg,
    vgg_trained,
)
from .claim import Claim, Computed, OnImageNet, Statement, Trained

# In the order of the document.
CLAIMS = {
    claim.name: claim
    for room in (
        alexnet, vgg, vgg_trained, googlenet, googlenet_trained, degradation, resnet,
        normalization, after,
    )
    for claim in room.CLAIMS
}  # fmt: skip
FLAGSHIP = ("degradation-plain", "degradation-difference", "degradation-residual")

__all__ = ["CLAIMS", "FLAGSHIP", "Claim", "Computed", "OnImageNet", "Statement", "Trained"]
