"""Hashes of passwords, against hashlib and a published vector; patience with those who guess."""

from __future__ import annotations

import hashlib

import pytest

from gateway.transport import smpp_password
from gateway.transport.smpp_password import Patience, hashed, is_hash, matches


def test_a_hash_knows_its_password() -> None:
    kept = hashed("sesame")
    assert is_hash(kept) and "sesame" not in kept and kept != hashed("sesame")
    assert matches(kept, b"sesame")
    assert not matches(kept, b"Sesame") and not matches(kept, b"") and not matches(kept, kept.encode())


def test_a_hash_made_elsewhere_is_read() -> None:
    # RFC 7914 section 11: PBKDF2-HMAC-SHA256 of "passwd", salt "salt", 1 iteration, the first 32 octets
    digest = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    assert matches(f"pbkdf2-sha256$1$salt${digest}", b"passwd")
    assert digest == hashlib.pbkdf2_hmac("sha256", b"passwd", b"salt", 1).hex()


@pytest.mark.parametrize("kept", ["pbkdf2-sha256$x$salt$00", "pbkdf2-sha256$1$00", "$$$", "plain", ""])
def test_what_is_no_hash_is_the_password_itself(kept: str) -> None:
    assert not is_hash(kept)
    assert matches(kept, kept.encode()) and not matches(kept, b"other")


def test_an_address_that_fails_waits_longer_and_longer_until_it_succeeds() -> None:
    patience, waits = Patience(), []
    for now in range(8):
        waits.append(patience.wait("a", now))
        patience.failed("a", now)
    assert waits == [0, 0, 0, 0.5, 1, 2, 4, 4]
    assert patience.wait("b", 8) == 0
    patience.succeeded("a")
    assert patience.wait("a", 8) == 0


def test_failures_are_forgotten_in_time_and_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    patience = Patience()
    for _ in range(5):
        patience.failed("a", 0)
    assert patience.wait("a", 1) == 2
    assert patience.wait("a", 601) == 0
    patience.failed("a", 601)
    assert patience.wait("a", 601) == 0
    monkeypatch.setattr(smpp_password, "REMEMBERED", 100)
    for number in range(1000):
        patience.failed(str(number), 700)
    assert len(patience) == 100
