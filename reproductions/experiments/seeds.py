"""Every random draw of an experiment is a pure function of (seed, role, key), on every backend."""

import hashlib

import numpy as np

# Only ever appended to: a role's place is part of every draw.
ROLES = ("weights", "order", "flip", "crop", "embedded data", "check", "dropout", "noise", "drawn")


def generator(seed: int, role: str, *key: int | str) -> np.random.Generator:
    """A generator of its own for each (seed, role, key); `role` is one of ROLES.

    Backends seed differently, and on some the streams of neighbouring seeds overlap; NumPy's
    SeedSequence gives independent ones.
    """
    words = (ROLES.index(role), *map(word, key))
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=words)))


def word(part: int | str) -> int:
    """A number for a part of a key; that of a string does not depend on PYTHONHASHSEED."""
    if isinstance(part, int):
        return part
    return int.from_bytes(hashlib.sha256(part.encode()).digest()[:8], "little")
