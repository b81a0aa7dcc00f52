"""What the document and the papers say, and what settles it: data without logic.

The rule of a statement is fixed before its runs and is read from here, never from the records.
"""

from .claim import Claim, Statement
from .degradation import CLAIMS as DEGRADATION

CLAIMS = {claim.name: claim for claim in DEGRADATION}
FLAGSHIP = tuple(CLAIMS)

__all__ = ["CLAIMS", "FLAGSHIP", "Claim", "Statement"]
