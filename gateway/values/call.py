"""Calls as they are stored."""

from __future__ import annotations

from msgspec import Struct


class Call(Struct, frozen=True, kw_only=True):
    """One call, inbound or outbound: its record is its CDR.  Times are Unix seconds, 0 = did not happen."""

    id: str  # transid, UUIDv7
    direction: str  # in | out
    service: str
    trunk: str
    caller: str  # canonical; "" = withheld
    called: str
    state: str = "ringing"  # ringing | answered | ended
    # in: caller-cancelled | rejected-by-policy; out: answered or a Result (busy, no-answer, ...)
    cause: str = ""
    status: int = 0  # final SIP status
    message: str = ""  # outbound: the message whose voice step this is
    step: int = -1
    sip_call_id: str = ""
    started_at: float
    answered_at: float = 0.0
    ended_at: float = 0.0
    counted: bool = True  # inbound: False when the duplicate window swallowed its event
