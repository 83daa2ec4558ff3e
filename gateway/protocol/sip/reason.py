"""The Reason header (RFC 3326): why a request was sent, in the terms of SIP and of ITU-T Q.850."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.protocol.sip.grammar import parse_parameters, readable, split_list
from gateway.protocol.sip.message import Message

_LONGEST_TEXT = 200  # characters; the sender chooses them

NORMAL_CLEARING: Final = 16
NO_ANSWER: Final = 19
TEMPORARY_FAILURE: Final = 41
INCOMPATIBLE: Final = 88
TIMER_EXPIRY: Final = 102

TEXTS: Final[Mapping[int, str]] = {
    1: "Unallocated number",
    16: "Normal call clearing",
    17: "User busy",
    18: "No user responding",
    19: "No answer from user",
    21: "Call rejected",
    22: "Number changed",
    28: "Invalid number format",
    41: "Temporary failure",
    79: "Service or option not implemented",
    88: "Incompatible destination",
    102: "Recovery on timer expiry",
}
# RFC 3398 section 8.2.6.1, what an SS7 gateway behind the carrier makes of a refusal without a Reason
_OF_STATUS: Final[Mapping[int, int]] = {
    403: 21,
    404: 1,
    408: 102,
    410: 22,
    480: 18,
    484: 28,
    486: 17,
    500: 41,
    501: 79,
    503: 41,
    504: 102,
    600: 17,
    603: 21,
    604: 1,
}


class Reason(NamedTuple):
    """`q850` and `sip` are 0 where they were not told, `text` is empty where there is none."""

    q850: int
    text: str
    sip: int = 0

    @property
    def words(self) -> str:
        """The text, or else what stands for it."""
        return self.text or (f"SIP {self.sip}" if self.sip else "")


def parse_reason(value: str) -> Reason:
    """Read `Q.850;cause=16;text="Terminated", SIP;cause=200`; what cannot be read says nothing."""
    q850, sip, text = 0, 0, ""
    if not value:
        return Reason(0, "")
    for one in split_list(value):
        protocol, _, rest = one.partition(";")
        parameters = parse_parameters(rest)
        cause = parameters.get("cause") or ""
        number = int(cause[:4]) if cause.isascii() and cause.isdigit() else 0
        match protocol.strip().upper():
            case "Q.850" if number <= 127:
                q850 = q850 or number
            case "SIP" if 100 <= number <= 699:
                sip = sip or number
            case _:
                pass
        text = text or (parameters.get("text") or "")[:_LONGEST_TEXT]
    return Reason(q850, text, sip)


def reason_of(message: Message) -> str:
    """The Reason of a BYE, CANCEL or response as text for `parse_reason`; mostly empty."""
    lines = message.headers.lines("Reason")
    return readable(", ".join(lines)) if lines else ""


def q850(cause: int) -> tuple[str, str]:
    """The header field for one of `TEXTS`."""
    return "Reason", f'Q.850;cause={cause};text="{TEXTS[cause]}"'


def cause_of(status: int) -> int:
    """The cause that goes with a refusal of ours; 0 for none."""
    return _OF_STATUS.get(status, 0)


_REFUSALS = {status: [q850(cause)] for status, cause in _OF_STATUS.items()}


def refusal(status: int) -> list[tuple[str, str]]:
    """The Reason that goes with a refusal of ours (RFC 6432); nothing where the status has no cause."""
    return _REFUSALS.get(status, [])
