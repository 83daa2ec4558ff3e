"""Texts sealed with a secret of a service: hashes with a key, and AES-256-GCM.

    sealed   base64url without padding of: nonce (12 octets), ciphertext, tag (16 octets)
    key      the secret's 32 octets where it is written as 64 hex digits, else the SHA-256 of its UTF-8 octets

An HMAC's key is the secret's own UTF-8 octets, as those who check it expect.
"""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

from gateway.values.errors import BadInput

NONCE_OCTETS = 12
_HEX = re.compile("[0-9a-fA-F]{64}", re.ASCII)


def keyed_hash(secret: str, text: str, algorithm: str) -> str:
    """HMAC (RFC 2104) in hex digits."""
    return hmac.digest(secret.encode(), text.encode(), algorithm).hex()


def seal(secret: str, text: str, context: str, nonce: bytes) -> str:
    """`nonce` is random, and never the same for two texts of one secret."""
    sealed = _cipher(secret).encrypt(nonce, text.encode(), context.encode())
    return urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()


def unseal(secret: str, sealed: str, context: str) -> str:
    """Raises BadInput for what was not sealed so."""
    from cryptography.exceptions import InvalidTag

    try:
        octets = urlsafe_b64decode(sealed.strip().encode("ascii") + b"=" * (-len(sealed.strip()) % 4))
        opened = _cipher(secret).decrypt(octets[:NONCE_OCTETS], octets[NONCE_OCTETS:], context.encode())
        return bytes(opened).decode()
    except (InvalidTag, binascii.Error, ValueError):  # which of them tells too much
        raise BadInput("is not what was sealed with this secret and context", field="text") from None


def _cipher(secret: str) -> Any:
    # not before somebody asks: 9 MiB
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(bytes.fromhex(secret) if _HEX.fullmatch(secret) else sha256(secret.encode()).digest())
