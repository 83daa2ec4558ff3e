"""The Reason header (RFC 3326): why a request was sent, in the terms of SIP and of ITU-T Q.850."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.protocol.sip.grammar import parse_parameters, readable, split_list
from gateway.protocol.sip.message import Message

_LONGEST_TEXT = 200  # characters; the sender chooses them

NORMAL_CLEARING: Final = 16
TIMER_EXPIRY: Final = 102

TEXTS: Final[Mapping[int, str]] = {
    1: "Unallocated number",
    16: "Normal call clearing",
    17: "User busy",
    18: "No user responding",
    21: "Call rejected",
    22: "Number changed",
    28: "Invalid number format",
    41: "Temporary failure",
    79: "Service or option not implemented",
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
    """`q850` is 0 where it was not told, `text` is empty where there is none."""

    q850: int
    text: str


def parse_reason(value: str) -> Reason:
    """Read `Q.850;cause=16;text="Terminated", SIP;cause=200`; what cannot be read says nothing."""
    q850, text = 0, ""
    if not value:
        return Reason(0, "")
    for one in split_list(value):
        protocol, _, rest = one.partition(";")
        parameters = parse_parameters(rest)
        cause = parameters.get("cause") or ""
        if protocol.strip().upper() == "Q.850" and cause.isascii() and cause.isdigit():
            q850 = q850 or (int(cause[:4]) if int(cause[:4]) <= 127 else 0)
        text = text or (parameters.get("text") or "")[:_LONGEST_TEXT]
    return Reason(q850, text)


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
