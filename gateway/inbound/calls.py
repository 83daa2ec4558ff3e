"""The records of calls, both ways: how far one has come, its event and what follows, in one commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from gateway.store.base import Unit, Write
from gateway.values.call import Call
from gateway.values.clock import Clock
from gateway.values.event import Event, Trigger

log = logging.getLogger(__name__)

CRASHED = "gateway-crashed"


class CallRecords:
    """`record` commits a unit; `consequences` adds what follows from a call's event to it; `ended` is told of
    each call that is over."""

    def __init__(
        self,
        *,
        clock: Clock,
        record: Callable[[Unit], None],
        consequences: Callable[[Unit, Event, Call], None],
        ended: Callable[[Call], None],
    ) -> None:
        self._clock = clock
        self._record = record
        self._consequences = consequences
        self._ended = ended
        self._writing: dict[str, list[Unit]] = {}  # by call: what is not durable yet

    def note(self, call: Call, event: str = "", unit: Unit | None = None) -> None:
        """The call has come so far: "call.missed", "call.answered", "call.ended", or "" for no event.

        `unit` brings acts that wait until it is durable.
        """
        unit = unit or Unit()
        self._write(call, unit)
        if event:
            happened = Event(
                ref=call.message or call.id,
                type=event,
                service=call.service,
                at=self._clock.now(),
                data=_data(call),
            )
            unit.writes.append(happened)
            self._consequences(unit, happened, call)
        if call.state == "ended":
            self._ended(call)
        self._record(unit)

    def _write(self, call: Call, unit: Unit) -> None:
        """A unit that the store refuses is written later, maybe behind those that came after it: each of them
        writes the call as it is by then."""
        writing = self._writing.setdefault(call.id, [])
        for earlier in writing:
            earlier.writes = [call if _is_of(write, call) else write for write in earlier.writes]
        writing.append(unit)
        unit.writes.append(call)
        unit.acts.append(lambda: self._written(call.id, unit))

    def _written(self, id: str, unit: Unit) -> None:
        writing = self._writing[id]
        writing.remove(unit)
        if not writing:
            del self._writing[id]

    def close(self, calls: Iterable[Call]) -> None:
        """End calls that an earlier life of the gateway has left open when it was killed.

        Nobody knows when they ended: the record gives the last moment at which the call is known to have gone
        on, so that no second too many is billed.
        """
        for call in calls:
            closed = replace(
                call,
                state="ended",
                cause=CRASHED,
                reason="the gateway was killed while the call went on; when it ended is not known",
                ended_by="gateway",
                ended_at=max(call.started_at, call.rung_at, call.answered_at),
            )
            missed = call.direction == "in" and not call.answered_at
            log.warning("call.left_open", extra={"transid": call.id, "trunk": call.trunk})
            self.note(closed, Trigger.CALL_MISSED if missed else Trigger.CALL_ENDED)


def _is_of(write: Write, call: Call) -> bool:
    return isinstance(write, Call) and write.id == call.id


def _data(call: Call) -> dict[str, Any]:
    data: dict[str, Any] = {
        "from": call.caller,
        "to": call.called,
        "trunk": call.trunk,
        "cause": call.cause,
        "status": call.status,
        "ring_ms": call.ring_ms,
    }
    if call.answered_at:
        data["duration_ms"] = call.duration_ms
    if call.message:
        data["call"] = call.id
    return data
