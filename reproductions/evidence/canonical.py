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


def canonical_members(value: Mapping[str, Any]) -> dict[str, str]:
    """The canonical text of each member of an object, without the newline."""
    return {name: canonical(member).decode()[:-1] for name, member in value.items()}


def joined(texts: Mapping[str, str]) -> bytes:
    """The canonical text of the object whose members have these texts."""
    members = (f"{json.dumps(name, ensure_ascii=False)}:{texts[name]}" for name in sorted(texts))
    return f"{{{','.join(members)}}}\n".encode()


def digest_of(texts: Mapping[str, str]) -> str:
    """SHA-256 of the object whose members have these canonical texts."""
    return hashlib.sha256(joined(texts)).hexdigest()


def key_of(spec: Mapping[str, Any]) -> str:
    """The key of a run: 16 hexadecimal digits of its spec's SHA-256."""
    return sha256(spec)[:16]


def key_of_text(text: str) -> str:
    """The key of a run, of its spec's canonical text without the newline."""
    return hashlib.sha256(text.encode() + b"\n").hexdigest()[:16]
