"""gateway.protocol.sdp.crypto, with the lines of RFC 4568."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sdp.crypto import SUITES, Crypto, crypto_line, parse_crypto

KEY = base64.b64decode("WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz")
LINE = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"


@pytest.mark.parametrize("more", ["", "|2^20", "|1048576", " WSH=64"])
def test_a_line_we_can_use(more: str) -> None:
    assert parse_crypto(LINE + more) == Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "1 AES_CM_128_HMAC_SHA1_80",
        LINE + "|2^20|1:4",  # an MKI in each packet
        LINE + ";inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
        LINE + " UNENCRYPTED_SRTP",
        LINE + " KDR=1",
        LINE.replace("_80", "_96"),
        LINE.replace("1 ", "x ", 1),
        LINE.replace("inline", "uri"),
        LINE[:-4],
        LINE + "=!",
    ],
)
def test_a_line_that_asks_for_more_or_is_broken_is_passed_over(line: str) -> None:
    assert parse_crypto(line) is None


@given(st.integers(1, 999), st.sampled_from(sorted(SUITES)), st.binary(min_size=44, max_size=44))
def test_lines_are_read_as_they_are_written(tag: int, suite: str, key: bytes) -> None:
    crypto = Crypto(tag, suite, key[: SUITES[suite]])
    assert parse_crypto(crypto_line(crypto)) == crypto


@given(st.text(max_size=120))
def test_any_text_gives_a_line_or_none(text: str) -> None:
    parse_crypto(text)
    parse_crypto(LINE + text)
    parse_crypto(LINE[: len(text)] + text)
