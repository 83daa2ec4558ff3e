"""Calls of a call list that were answered: each begins the session of the list's flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.config.model import CallList
from gateway.inbound.actions import Subject
from gateway.rules import variables
from gateway.store.base import Unit
from gateway.values.call import Call
from gateway.values.clock import Clock
from gateway.values.dial import DialEntry
from gateway.values.errors import BadInput


class Sessions(Protocol):
    """The open runs (inbound.runs)."""

    def start(self, unit: Unit, flow: str, subject: Subject) -> str: ...


class Live(Protocol):
    """Calls that are up (inbound.live)."""

    def hand_over(self, owner: str, run: str, longest_seconds: float) -> None: ...


class DialledCalls:
    """`sender` gives the canonical number from which a service's list calls."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        live: Callable[[], Live | None],
        clock: Clock,
        refusal: Callable[[str, str], str],
        sender: Callable[[str, str], str],
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._clock = clock
        self._refusal = refusal
        self._sender = sender

    def begin(self, unit: Unit, entry: DialEntry, service: str, wanted: CallList, carrier: str) -> str:
        """The session's id.  Raises BadInput when there can be none."""
        live = self._live()
        if live is None:
            raise BadInput("the gateway has no telephony any more")
        now, number = self._clock.now(), self._sender(service, wanted.sender)
        call = Call(
            id=entry.message,
            direction="out",
            service=service,
            trunk=carrier,
            caller=number,
            called=entry.number,
            state="answered",
            cause="answered",
            status=200,
            started_at=now,
            answered_at=now,
        )
        opted_out = bool(self._refusal(service, entry.number))
        seen = variables.subject(service=service, customer=entry.number, opted_out=opted_out)
        subject = Subject(
            ref=entry.message,
            type="call",
            service=service,
            customer=entry.number,
            number=number,
            variables={**entry.variables, **variables.call(call), **seen},
        )
        run = self._sessions.start(unit, wanted.flow, subject)
        if not run:
            raise BadInput("a session with the same session key is open")
        live.hand_over(entry.owner, run, float(wanted.longest))
        return run
