"""Calls to our numbers: the number's policy, and exactly one `call.missed` for each that nobody answers.

No policy here ever answers: a missed call costs the caller nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.config.model import Number, Service, Trunk
from gateway.protocol.sip.call import Call as SipCall
from gateway.protocol.sip.call import CallCancelled, IncomingCall
from gateway.store.base import Unit
from gateway.values.address import Kind, canonical, kind, masked
from gateway.values.call import Call
from gateway.values.clock import Clock
from gateway.values.errors import BadAddress
from gateway.values.event import Event, Trigger
from gateway.values.ids import NewId

log = logging.getLogger(__name__)

_LONGEST_RING_SECONDS = 180.0  # ring-until-cancel: a caller who never gives up
_REMEMBERED = 100_000  # callers whose last missed call is known


class Answering(Protocol):
    """What inbound calls need of SIP (transport.sip_udp.SipEndpoint)."""

    def ring(self, call: SipCall) -> None: ...
    def reject(self, call: SipCall, status: int, reason: str = "") -> None: ...


class _Ringing:
    __slots__ = ("called", "caller", "number", "service", "started_at", "timer", "trunk")

    def __init__(
        self, service: str, number: Number, caller: str, called: str, trunk: str, started_at: float
    ) -> None:
        self.service = service
        self.number = number
        self.caller = caller
        self.called = called
        self.trunk = trunk
        self.started_at = started_at
        self.timer: asyncio.TimerHandle | None = None


class InboundCalls:
    """`record` commits a unit; `consequences` adds what follows from a call's event to it."""

    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        trunks: Mapping[str, Trunk],
        phone: Answering,
        clock: Clock,
        new_id: NewId,
        record: Callable[[Unit], None],
        consequences: Callable[[Unit, Event, Call], None],
    ) -> None:
        self._phone = phone
        self._clock = clock
        self._new_id = new_id
        self._record = record
        self._consequences = consequences
        self._numbers: dict[str, tuple[str, Number]] = {}
        self._trunk_numbers: dict[str, set[str]] = {}
        self._ringing: dict[SipCall, _Ringing] = {}
        self._untold: set[SipCall] = set()  # rejected; said so once the record is durable
        self._all_told = asyncio.Event()
        self._last: OrderedDict[tuple[str, str], float] = OrderedDict()
        self.configure(services, trunks)

    def configure(self, services: Mapping[str, Service], trunks: Mapping[str, Trunk]) -> None:
        """Take the policies of the live services' numbers, and which trunk brings which."""
        self._trunk_numbers = {name: {canonical(n) for n in t.numbers} for name, t in trunks.items()}
        self._numbers = {
            canonical(number): (name, policy)
            for name, service in services.items()
            if service.status == "live"
            for number, policy in service.numbers.items()
        }

    def __len__(self) -> int:
        return len(self._ringing)

    def incoming(self, event: IncomingCall) -> None:
        """An INVITE from a trunk."""
        called = _address(event.to_number)
        service, number = self._numbers.get(called, ("", None))
        if number is None or called not in self._trunk_numbers.get(event.trunk, ()):
            log.info("call.unknown_number", extra={"trunk": event.trunk, "called": event.to_number})
            self._phone.reject(event.call, 404)
            return
        ringing = _Ringing(
            service, number, _address(event.from_number), called, event.trunk, self._clock.now()
        )
        self._ringing[event.call] = ringing
        if number.policy == "reject-at-once":
            self._give_up(event.call)
            return
        self._phone.ring(event.call)
        seconds = float(number.ring) if number.policy == "ring-then-reject" else _LONGEST_RING_SECONDS
        loop = asyncio.get_running_loop()
        ringing.timer = loop.call_later(seconds, self._give_up, event.call)

    def cancelled(self, event: CallCancelled) -> None:
        """The caller hung up before anything else; SIP has answered 487."""
        ringing = self._take(event.call)
        if ringing is not None:
            self._missed(Unit(), ringing, event.call, "caller-cancelled", 487)

    async def stop(self, grace_seconds: float) -> None:
        """Refuse what rings: the callers have missed nobody, but they are told and counted."""
        for call in list(self._ringing):
            self._give_up(call)
        if not self._untold:
            return
        try:
            async with asyncio.timeout(grace_seconds):
                await self._all_told.wait()
        except TimeoutError:
            log.warning("calls.untold", extra={"calls": len(self._untold)})

    def _give_up(self, call: SipCall) -> None:
        """We reject: the policy's time is up."""
        ringing = self._take(call)
        if ringing is None:
            return
        status = 480 if ringing.number.policy == "ring-until-cancel" else int(ringing.number.reject)
        unit = Unit()
        unit.acts.append(lambda: self._reject(call, status))
        self._untold.add(call)
        self._all_told.clear()
        self._missed(unit, ringing, call, "rejected-by-policy", status)

    def _reject(self, call: SipCall, status: int) -> None:
        self._untold.discard(call)
        if not self._untold:
            self._all_told.set()
        if not call.ended:  # it may have been cancelled while its record was written
            self._phone.reject(call, status)

    def _take(self, call: SipCall) -> _Ringing | None:
        ringing = self._ringing.pop(call, None)
        if ringing is not None and ringing.timer is not None:
            ringing.timer.cancel()
        return ringing

    def _missed(self, unit: Unit, ringing: _Ringing, sip: SipCall, cause: str, status: int) -> None:
        now = self._clock.now()
        counted = self._is_news(ringing, self._clock.monotonic())
        call = Call(
            id=self._new_id(),
            direction="in",
            service=ringing.service,
            trunk=ringing.trunk,
            caller=ringing.caller,
            called=ringing.called,
            state="ended",
            cause=cause,
            status=status,
            sip_call_id=sip.id,
            started_at=ringing.started_at,
            ended_at=now,
            counted=counted,
        )
        unit.writes.append(call)
        log.info(
            "call.missed",
            extra={
                "transid": call.id,
                "trunk": call.trunk,
                "caller": masked(call.caller) if call.caller else "",
                "called": call.called,
                "cause": cause,
                "counted": counted,
            },
        )
        if counted:
            event = Event(
                ref=call.id,
                type=Trigger.CALL_MISSED,
                service=call.service,
                at=now,
                data={
                    "from": call.caller,
                    "to": call.called,
                    "cause": cause,
                    "ring_ms": max(0, round((now - ringing.started_at) * 1000)),
                },
            )
            unit.writes.append(event)
            self._consequences(unit, event, call)
        self._record(unit)

    def _is_news(self, ringing: _Ringing, now: float) -> bool:
        """Whether the caller's last missed call of this number is longer ago than its `duplicates`."""
        if not ringing.caller:
            return True  # withheld: nobody knows whether it is the same person
        key = (ringing.caller, ringing.called)
        last = self._last.get(key)
        if last is not None and now - last < float(ringing.number.duplicates):
            return False
        self._last[key] = now
        self._last.move_to_end(key)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        return True


def _address(number: str) -> str:
    """Canonical; "" for a withheld or unreadable number: "anonymous" would pass for a sender ID."""
    try:
        address = canonical(number)
    except BadAddress:
        return ""
    return "" if kind(address) is Kind.SENDER_ID else address
