"""The keys of SRTP in a session description: a=crypto lines (RFC 4568).

    a=crypto:TAG SUITE inline:BASE64[|LIFETIME][|MKI:LENGTH] [SESSION-PARAMETER ...]

The base64 text holds the master key and then the master salt.  Whoever can read the description can read the
call: it has to travel over TLS.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final

# RFC 4568 section 6.2, RFC 7714 section 14.2: octets of master key and salt; the first is preferred
SUITES: Final = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
OFFERED: Final = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")


@dataclass(frozen=True, slots=True)
class Crypto:
    """One line that we can use.  `key` is master key and salt; it is in no repr, and so in no log."""

    tag: int
    suite: str
    key: bytes = field(repr=False)


def parse_crypto(value: str) -> Crypto | None:
    """Read what follows "a=crypto:"; None for a line that asks for more than we do, or that is broken.

    A line that cannot be used is passed over, as one of an unknown suite is (RFC 4568 section 5.1.2).
    """
    words = value.split()
    if len(words) < 3:
        return None
    tag, suite, key_parameters, *session_parameters = words
    if not (tag.isascii() and tag.isdigit() and len(tag) <= 9) or suite not in SUITES:
        return None
    # WSH is a hint; any other parameter changes what goes over the wire (section 6.3)
    if any(not parameter.upper().startswith("WSH=") for parameter in session_parameters):
        return None
    method, _, inline = key_parameters.partition(":")
    text, *rest = inline.split("|")
    if (
        method.lower() != "inline" or ";" in inline or any(":" in part for part in rest)
    ):  # an MKI, or many keys
        return None
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Crypto(int(tag), suite, key) if len(key) == SUITES[suite] else None


def crypto_line(crypto: Crypto) -> str:
    """What follows "a=crypto:"."""
    return f"{crypto.tag} {crypto.suite} inline:{base64.b64encode(crypto.key).decode()}"
