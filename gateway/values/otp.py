"""One-time passwords: what is kept of one, and where one stands in a text.  The code itself is neither."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

LONGEST = 32
MASK = "*"  # in stored texts, one for each character; a septet in every alphabet, as the code's are


class Format(StrEnum):
    """Letters and digits that nobody takes for each other; typed in any case."""

    NUMERIC = "numeric"
    ALPHABETIC = "alphabetic"
    ALPHANUMERIC = "alphanumeric"


class OtpState(StrEnum):
    PENDING = "pending"
    USED = "used"  # validated: it will not be again
    LOCKED = "locked"  # tried too often


class Otp(Struct, frozen=True, gc=False, kw_only=True):
    """A code that was sent to a customer.  `hash` is what is kept of it: a keyed hash of salt and code, whose
    key lies outside of the store (content.otp)."""

    id: str
    service: str
    address: str  # canonical
    reference: str = ""  # the client's own, such as that of an order
    format: Format = Format.NUMERIC
    length: int = 6
    generation: int = 1  # a resend may bring a new code
    salt: str  # hex
    hash: str  # hex
    state: OtpState = OtpState.PENDING
    sends: int = 1
    attempts: int = 0
    most_attempts: int
    created_at: float
    sent_at: float
    expires_at: float
    validity_seconds: float


class Code(Struct, frozen=True, gc=False):
    """Which code a text says, and the places in it where its first character goes."""

    otp: str
    generation: int
    format: str
    length: int
    at: tuple[int, ...] = ()


# What stands for a code in a text until the message is planned: for a private use, as Unicode calls it
_TOKEN = re.compile("\ue000otp:([0-9a-f-]{1,36}):([0-9]{1,3}):([a-z]{1,12}):([0-9]{1,2})\ue001")
# and for a code that a customer has sent back, in what a session keeps of the text; `proof` is content.otp's
_SAID = re.compile("\ue000said:([0-9a-f-]{1,36}):([0-9a-f]{32}):([0-9]{1,2})\ue001")
_MARK = "\ue000"


class Hidden(Struct, frozen=True):
    """A text in which a customer sends a code back: `masked` as it is kept, shown and told.

    `otp` is whose code it says; "" = only digits, as many as one of the service's has, and `said` are these.
    """

    masked: str
    pattern: re.Pattern[str]  # what is masked of a text
    length: int
    said: str
    service: str
    otp: str = ""

    def mask(self, text: str) -> str:
        return self.pattern.sub(MASK * self.length, text)

    def spoken(self, masked: str) -> str:
        """A masked text as sessions and rules get it: with a token for the code, which only a comparison with
        that code can read."""
        return masked.replace(MASK * self.length, self.said)


def token(otp: Otp) -> str:
    """What a text says instead of the code."""
    return f"\ue000otp:{otp.id}:{otp.generation}:{otp.format}:{otp.length}\ue001"


def said_token(otp: Otp, proof: str) -> str:
    return f"\ue000said:{otp.id}:{proof}:{otp.length}\ue001"


def proof_of(text: str, otp: Otp) -> str:
    """The proof in it that a customer has sent that code; "" = there is none."""
    return next((said[2] for said in _SAID.finditer(text) if said[1] == otp.id), "")


def taken_out(text: str) -> tuple[str, Code | None]:
    """The text with masks for its code's tokens, and which code that is; of several only the first is one."""
    if _MARK not in text:
        return text, None
    text = _SAID.sub(lambda said: MASK * min(int(said[3]), LONGEST), text)
    found: Code | None = None
    places: list[int] = []
    parts: list[str] = []
    end = length = 0
    for match in _TOKEN.finditer(text):
        code = Code(match[1], int(match[2]), match[3], min(int(match[4]), LONGEST))
        parts.append(text[end : match.start()])
        length += len(parts[-1])
        end = match.end()
        found = found or code
        if code == found:
            places.append(length)
            parts.append(MASK * code.length)
            length += code.length
    parts.append(text[end:])
    if found is None:
        return text, None
    return "".join(parts), Code(found.otp, found.generation, found.format, found.length, tuple(places))
