"""What an SMPP session tells the one who drives it (see `session`)."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from gateway.protocol.smpp.fields import DecodeError
from gateway.protocol.smpp.pdu import Bind, Request, Response
from gateway.protocol.smpp.states import State


class Bound(Struct, frozen=True, gc=False):
    """The session can carry traffic.  `system_id` is the peer's name for itself."""

    state: State
    system_id: bytes


class BindRequested(Struct, frozen=True, gc=False):
    """SMSC side: answer with `answer_bind`."""

    pdu: Bind


class BindRefused(Struct, frozen=True, gc=False):
    """ESME side: the SMSC said no; the link is still open."""

    command_status: int


class Requested(Struct, frozen=True, gc=False):
    """The peer asks for something that the state allows: answer with `respond`."""

    pdu: Request


class Notified(Struct, frozen=True, gc=False):
    """alert_notification or outbind, which have no answer."""

    pdu: Request


class Answered(Struct, frozen=True, gc=False):
    """The answer to a request of ours: its own response or a generic_nack."""

    sequence_number: int
    context: object
    pdu: Response


class TimedOut(Struct, frozen=True, gc=False):
    """No answer in time: nobody knows whether the peer acted."""

    sequence_number: int
    context: object


class StrayResponse(Struct, frozen=True, gc=False):
    """An answer to nothing: late (then `context` is the request's), repeated, of another kind or unknown."""

    pdu: Response
    context: object


class Malformed(Struct, frozen=True, gc=False):
    """The peer sent what is no SMPP.  It has been answered where an answer is due."""

    error: DecodeError


class Closed(Struct, frozen=True, gc=False):
    """The end, always the last event: write what is left and close.

    `unanswered`: sequence_number and context of the requests whose fate nobody knows.
    """

    reason: str
    unanswered: list[tuple[int, object]]


Event: TypeAlias = (
    Bound
    | BindRequested
    | BindRefused
    | Requested
    | Notified
    | Answered
    | TimedOut
    | StrayResponse
    | Malformed
    | Closed
)
