"""The codes of one-time passwords.

A code is never stored: it is derived anew whenever it is to be said, from a key that lies outside of the
store and from what it is for, so that "send it again" needs no copy of it and a stolen store tells none:

    code   from HMAC-SHA256(key, "code", service, address, id, generation, format, length, counter)
    hash   HMAC-SHA256(key, "hash", salt, code): what an answer is compared with, in constant time

A plain salted hash of six digits is guessed in a second; the key is what keeps it.  Since the address is part
of it, a token that finds its way into a text to somebody else says another code, which nothing accepts.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator

from gateway.values.otp import MASK, Code, Format, Hidden, Otp, proof_of, said_token, taken_out

_ALPHABETS = {
    Format.NUMERIC: "0123456789",
    Format.ALPHABETIC: "ABCDEFGHJKLMNPQRSTUVWXYZ",  # without I and O
    Format.ALPHANUMERIC: "23456789ABCDEFGHJKLMNPQRSTUVWXYZ",
}
_GAP = r"[\s.\-_,:;!\"'()]*"
_BETWEEN = re.compile(r"[\s.\-_,:;!\"'()]+")


class Codes:
    """`key` is the gateway's secret."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def code(self, service: str, address: str, code: Code) -> str:
        alphabet = _ALPHABETS.get(Format(code.format), "") if code.format in set(Format) else ""
        if not alphabet:
            return MASK * code.length
        # what is over the last whole number of alphabets would make its first characters likelier
        fair = 256 - 256 % len(alphabet)
        octets = self._stream(service, address, code.otp, code.generation, code.format, code.length)
        fitting = (alphabet[octet % len(alphabet)] for octet in octets if octet < fair)
        return "".join(next(fitting) for _ in range(code.length))

    def of(self, otp: Otp) -> str:
        code = Code(otp.id, otp.generation, otp.format, otp.length)
        return self.code(otp.service, otp.address, code)

    def hash(self, salt: str, code: str) -> str:
        return self._hmac("hash", salt, code).hex()

    def right(self, otp: Otp, given: str) -> bool:
        """Whether a customer's text says the code, be it "it is 123 456, thanks"."""
        if proof := proof_of(given, otp):
            return hmac.compare_digest(proof, self._proof(otp))
        return hmac.compare_digest(self.hash(otp.salt, entered(given, otp.length, otp.format)), otp.hash)

    def hidden(self, otp: Otp, text: str) -> Hidden | None:
        """The text with masks for the code, if it says it."""
        letters = (re.escape(letter) for letter in self.of(otp))
        pattern = re.compile(rf"(?<!\w){_GAP.join(letters)}(?!\w)", re.IGNORECASE)
        if not pattern.search(text):
            return None
        return Hidden(
            pattern.sub(MASK * otp.length, text),
            pattern,
            otp.length,
            self.said(otp),
            otp.service,
            otp.id,
        )

    def said(self, otp: Otp) -> str:
        """A token that only a customer's text with the code in it brings, and `right` reads."""
        return said_token(otp, self._proof(otp))

    def _proof(self, otp: Otp) -> str:
        return self._hmac("said", otp.service, otp.address, otp.id, otp.generation).hex()[:32]

    def reveal(self, text: str, code: Code, service: str, address: str, *, spoken: bool = False) -> str:
        """A stored text with the code in place of its masks; `spoken`: character by character."""
        said = self.code(service, address, code)
        for at in reversed(code.at):
            # to hear one after the other, a comma between them
            instead = ", ".join(said) if spoken else said
            text = text[:at] + instead + text[at + code.length :]
        return text

    def spoken(self, text: str, service: str, address: str) -> str:
        """A text that is said on the phone to that address, with the code for its token."""
        masked, code = taken_out(text)
        return text if code is None else self.reveal(masked, code, service, address, spoken=True)

    def _stream(self, *what: str | int) -> Iterator[int]:
        counter = 0
        while True:
            yield from self._hmac("code", *what, counter)
            counter += 1

    def _hmac(self, *what: str | int) -> bytes:
        return hmac.digest(self._key, "\0".join(map(str, what)).encode(), "sha256")


def entered(given: str, length: int, format: Format) -> str:
    """What of a text may be the code: all of it without blanks and marks, else the only word so long; one
    text is one try.

    " 123-456. " -> "123456"; "my code is 123456" -> "123456"
    """
    whole = _BETWEEN.sub("", given).upper()
    if len(whole) == length:
        return whole
    words = [word for word in _BETWEEN.split(given.upper()) if len(word) == length]
    if format is Format.NUMERIC:
        words = [word for word in words if word.isdigit()]
    return words[0] if len(words) == 1 else whole
