"""Calls as they are stored."""

from __future__ import annotations

import math
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from gateway.values.clock import iso


class Call(Struct, frozen=True, gc=False, kw_only=True):
    """One call, inbound or outbound: its record is its CDR.  Times are Unix seconds, 0 = did not happen."""

    id: str  # transid, UUIDv7
    direction: str  # in | out
    service: str
    trunk: str
    caller: str  # canonical; "" = withheld
    called: str
    state: str = "ringing"  # ringing | answered | ended
    # in: caller-cancelled | rejected-by-policy; out: answered or a Result (busy, no-answer, ...);
    # both: gateway-stopped | gateway-crashed
    cause: str = ""
    status: int = 0  # final SIP status
    q850: int = 0  # cause value of ITU-T Q.850, as whoever ended it told it (Reason header, RFC 3326)
    reason: str = ""  # in words, where there are any: the peer's, or ours
    ended_by: str = ""  # caller | called (the network on that side included) | gateway
    message: str = ""  # outbound: the message whose voice step this is
    step: int = -1
    sip_call_id: str = ""
    started_at: float  # the INVITE
    rung_at: float = 0.0  # the first 180 or 183
    answered_at: float = 0.0
    ended_at: float = 0.0
    flood: bool = False  # inbound: one of a burst of calls by callers of one range of numbers
    # inbound: why no event was made of it: duplicate | caller-limit | answered-elsewhere
    uncounted: str = ""
    codec: str = ""
    dtmf: int = 0  # digits that were received
    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0  # of those that should have been received
    jitter_ms: float = 0.0  # of those that were (RFC 3550 section 6.4.1), at the end
    recording: str = ""  # file

    @property
    def ring_ms(self) -> int:
        """From the first ringing to the answer, or else to the end."""
        until = self.answered_at or self.ended_at
        return max(0, round((until - self.rung_at) * 1000)) if self.rung_at and until else 0

    @property
    def duration_ms(self) -> int:
        """From the answer to the end."""
        both = self.answered_at and self.ended_at
        return max(0, round((self.ended_at - self.answered_at) * 1000)) if both else 0

    @property
    def billable_seconds(self) -> int:
        """The duration, each second that was begun counted whole."""
        return math.ceil(self.duration_ms / 1000)


class Figures(Protocol):
    """What a call's media tells of itself (protocol.rtp.stream.MediaStats)."""

    @property
    def codec(self) -> str: ...
    @property
    def sent(self) -> int: ...
    @property
    def packets(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def jitter_seconds(self) -> float: ...
    @property
    def dtmf(self) -> int: ...
    @property
    def recording(self) -> str: ...


def with_media(call: Call, media: Figures) -> Call:
    """The record with what its media has come to."""
    return replace(
        call,
        codec=media.codec,
        dtmf=media.dtmf,
        packets_sent=media.sent,
        packets_received=media.packets,
        packets_lost=media.lost,
        jitter_ms=round(media.jitter_seconds * 1000, 3),
        recording=media.recording,
    )


class Cdr(Struct, frozen=True, gc=False, kw_only=True):
    """A call as it is told outside: by the command line, the HTTP API and notifications.

    Times are RFC 3339 in UTC, null = did not happen; `from` is "" when the caller's number is withheld.
    """

    transid: str
    direction: str
    service: str
    trunk: str
    caller: str = field(name="from")
    called: str = field(name="to")
    state: str
    cause: str
    status: int
    q850: int
    reason: str
    ended_by: str
    message: str
    sip_call_id: str
    started: str | None
    rung: str | None
    answered: str | None
    ended: str | None
    ring_ms: int
    duration_ms: int
    billable_seconds: int
    flood: bool
    uncounted: str
    codec: str
    dtmf: int
    packets_sent: int
    packets_received: int
    packets_lost: int
    jitter_ms: float
    recording: str


def cdr(call: Call) -> Cdr:
    return Cdr(
        transid=call.id,
        direction=call.direction,
        service=call.service,
        trunk=call.trunk,
        caller=call.caller,
        called=call.called,
        state=call.state,
        cause=call.cause,
        status=call.status,
        q850=call.q850,
        reason=call.reason,
        ended_by=call.ended_by,
        message=call.message,
        sip_call_id=call.sip_call_id,
        started=_when(call.started_at),
        rung=_when(call.rung_at),
        answered=_when(call.answered_at),
        ended=_when(call.ended_at),
        ring_ms=call.ring_ms,
        duration_ms=call.duration_ms,
        billable_seconds=call.billable_seconds,
        flood=call.flood,
        uncounted=call.uncounted,
        codec=call.codec,
        dtmf=call.dtmf,
        packets_sent=call.packets_sent,
        packets_received=call.packets_received,
        packets_lost=call.packets_lost,
        jitter_ms=call.jitter_ms,
        recording=call.recording,
    )


def _when(at: float) -> str | None:
    return iso(at) if at else None
