from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.content.seal import keyed_hash, seal, unseal
from gateway.values.errors import BadInput

NONCE = bytes(12)


def test_what_is_sealed_opens_with_the_same_secret_and_context_only() -> None:
    sealed = seal("secret", "Grüße 🍕", "+447700900123", NONCE)
    assert unseal("secret", sealed, "+447700900123") == "Grüße 🍕"
    assert unseal("secret", f" {sealed}\n", "+447700900123") == "Grüße 🍕"
    for secret, text, context in (
        ("other", sealed, "+447700900123"),
        ("secret", sealed, "+447700900124"),
        ("secret", sealed[:-2] + "AA", "+447700900123"),
    ):
        with pytest.raises(BadInput, match="is not what was sealed"):
            unseal(secret, text, context)


@pytest.mark.parametrize("text", ["", "x", "äöü", "!!!!", "AAAA", "A" * 37])
def test_what_was_never_sealed(text: str) -> None:
    with pytest.raises(BadInput, match="is not what was sealed"):
        unseal("secret", text, "")


def test_each_nonce_makes_another_text() -> None:
    assert seal("secret", "x", "", NONCE) != seal("secret", "x", "", b"\1" * 12)


def test_64_hex_digits_are_the_key_itself() -> None:
    key = bytes(range(32))
    sealed = AESGCM(key).encrypt(NONCE, b"hello", b"")
    from base64 import urlsafe_b64encode

    assert unseal(key.hex(), urlsafe_b64encode(NONCE + sealed).decode(), "") == "hello"


def test_hmac_of_rfc_4231() -> None:
    # test case 2 of section 4.3
    assert keyed_hash("Jefe", "what do ya want for nothing?", "sha256") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
