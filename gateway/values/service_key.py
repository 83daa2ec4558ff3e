"""Keys of services as they stand in a file: themselves, or "sha256:" and the hex digits of their digest.

A digest tells nothing of a key that chance has made (`gateway service key`); of one that somebody thought up
it would, by trying.
"""

from __future__ import annotations

import hashlib
import re

_HASHED = re.compile(r"sha256:([0-9a-f]{64})")


def hashed(key: str) -> str:
    """How the file may hold it."""
    return f"sha256:{digest_of(key).hex()}"


def is_hashed(written: str) -> bool:
    return _HASHED.fullmatch(written) is not None


def digest(written: str) -> bytes:
    """Of the key that stands in the file."""
    found = _HASHED.fullmatch(written)
    return bytes.fromhex(found[1]) if found else digest_of(written)


def digest_of(key: str) -> bytes:
    """Of the key that a client shows."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
