"""The Reason header (RFC 3326): why a request was sent, in the terms of SIP and of ITU-T Q.850."""

from __future__ import annotations

from typing import NamedTuple

from gateway.protocol.sip.grammar import parse_parameters, split_list

_LONGEST_TEXT = 200  # characters; the sender chooses them


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
