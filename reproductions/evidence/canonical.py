"""One text, one digest for a value, and so one key for a run."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: sorted, without spaces, UTF-8, a newline at the end."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode() + b"\n"


def sha256(value: Any) -> str:
    """SHA-256 of the canonical text."""
    return hashlib.sha256(canonical(value)).hexdigest()


def key_of(spec: Mapping[str, Any]) -> str:
    """The key of a run: 16 hexadecimal digits of its spec's SHA-256."""
    return sha256(spec)[:16]
