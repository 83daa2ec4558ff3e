"""Calls to our numbers: the number's policy, and exactly one `call.missed` for each that nobody answers.

No policy here ever answers: a missed call costs the caller nothing.  A call that rings has a record from the
moment it rings, so that one which the gateway does not live to see the end of is closed at its next start
(inbound.calls); a refusal leaves once the record of it is durable.  Policy "answer" is for inbound.live.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from gateway.config.model import Number, Service, Trunk
from gateway.inbound.callers import LIMIT_SECONDS, Callers
from gateway.inbound.live import Arrival
from gateway.protocol.sip.call import Call as SipCall
from gateway.protocol.sip.call import CallCancelled, IncomingCall
from gateway.protocol.sip.grammar import readable
from gateway.protocol.sip.reason import cause_of, parse_reason
from gateway.store.base import CallQuery, Store, Unit
from gateway.values.address import Kind, canonical, kind, masked
from gateway.values.call import Call
from gateway.values.clock import Clock
from gateway.values.errors import BadAddress
from gateway.values.event import Trigger
from gateway.values.ids import NewId

log = logging.getLogger(__name__)

WAITING_LIMIT = 2_000  # calls whose records wait for the store; above it new ones get 503
_LONGEST_RING_SECONDS = 180.0  # ring-until-cancel: a caller who never gives up
_RING_AGAIN_SECONDS = 60.0
_LOADED = 100_000  # calls that a start looks at
_CALL_ID_LENGTH = 255  # characters of a Call-ID that are kept; the caller chooses them


class Answering(Protocol):
    """What inbound calls need of SIP (transport.sip_endpoint.SipEndpoint)."""

    def ring(self, call: SipCall) -> None: ...
    def reject(self, call: SipCall, status: int, reason: str = "") -> None: ...


class Later(Protocol):
    def __call__(self, delay: float, act: Callable[..., object], /, *arguments: Any) -> Waiting:
        """As asyncio's loop.call_later; seconds."""
        ...


class Waiting(Protocol):
    def cancel(self) -> None: ...


class Noting(Protocol):
    def __call__(self, call: Call, event: str = "", unit: Unit | None = None) -> None:
        """See inbound.calls.CallRecords.note."""
        ...


class _Ringing:
    __slots__ = ("number", "record", "timer")

    def __init__(self, record: Call, number: Number) -> None:
        self.record = record
        self.number = number
        self.timer: Waiting | None = None


class InboundCalls:
    """`note` records a call with its event and what follows from that; `overloaded` is told of each call
    that is turned away because too many records wait for the store; `answer` takes the calls to numbers
    whose policy that is."""

    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        trunks: Mapping[str, Trunk],
        phone: Answering,
        clock: Clock,
        new_id: NewId,
        note: Noting,
        overloaded: Callable[[str], None],
        later: Later,
        answer: Callable[[Arrival], None],
    ) -> None:
        self._phone = phone
        self._clock = clock
        self._new_id = new_id
        self._note = note
        self._overloaded = overloaded
        self._later = later
        self._answer = answer
        self._numbers: dict[str, tuple[str, Number]] = {}
        self._trunk_numbers: dict[str, set[str]] = {}
        self._ringing: dict[SipCall, _Ringing] = {}
        self._untold: set[SipCall] = set()  # rejected; said so once the record is durable
        self._all_told = asyncio.Event()
        self._waiting = 0  # records that are not durable yet
        self._callers = Callers()
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

    async def load(self, store: Store) -> None:
        """Know again who has rung lately: a restart makes nobody's next call news."""
        policies = [number for _, number in self._numbers.values()]
        window = max((float(number.duplicates) for number in policies), default=0.0)
        if any(number.caller_limit for number in policies):
            window = max(window, LIMIT_SECONDS)
        now = self._clock.now()
        calls = await store.calls(CallQuery(direction="in", since=now - window, limit=_LOADED))
        for call in reversed(calls):
            if call.caller and call.ended_at and not call.answered_at and not call.uncounted:
                ago = max(0.0, now - call.ended_at)
                self._callers.remember(call.caller, call.called, self._clock.monotonic() - ago)

    def __len__(self) -> int:
        """Calls that ring."""
        return len(self._ringing)

    @property
    def waiting(self) -> int:
        """Records that are not durable yet."""
        return self._waiting

    def incoming(self, event: IncomingCall) -> None:
        """An INVITE from a trunk."""
        called = _address(event.to_number)
        service, number = self._numbers.get(called, ("", None))
        if number is None or called not in self._trunk_numbers.get(event.trunk, ()):
            log.info("call.unknown_number", extra={"trunk": event.trunk, "called": event.to_number})
            self._phone.reject(event.call, 404)
            return
        if self._waiting >= WAITING_LIMIT:
            self._overloaded(event.trunk)
            self._phone.reject(event.call, 503)
            return
        now, caller = self._clock.now(), _address(event.from_number)
        record = Call(
            id=self._new_id(),
            direction="in",
            service=service,
            trunk=event.trunk,
            caller=caller,
            called=called,
            sip_call_id=readable(event.call.call_id)[:_CALL_ID_LENGTH],
            started_at=now,
            flood=self._callers.floods(caller, called, number, event.trunk, self._clock.monotonic()),
        )
        if number.policy == "answer":
            self._answer(Arrival(event, number, record))
            return
        if number.policy == "reject-at-once":
            self._ringing[event.call] = _Ringing(record, number)
            self._give_up(event.call)
            return
        self._phone.ring(event.call)
        ringing = self._ringing[event.call] = _Ringing(replace(record, rung_at=now), number)
        self._wait(
            event.call,
            ringing,
            float(number.ring) if number.policy == "ring-then-reject" else _LONGEST_RING_SECONDS,
        )
        self._keep(ringing.record)

    def cancelled(self, event: CallCancelled) -> None:
        """The caller hung up before anything else; SIP has answered 487."""
        ringing = self._take(event.call)
        if ringing is not None:
            why = parse_reason(event.reason)
            self._missed(
                Unit(),
                ringing,
                cause="caller-cancelled",
                status=487,
                q850=why.q850,
                reason=why.words,
                ended_by="caller",
                elsewhere=why.sip == 200,
            )

    async def stop(self, grace_seconds: float) -> None:
        """Refuse what rings: the callers have missed nobody, but they are told and counted."""
        for call in list(self._ringing):
            self._give_up(call, "gateway-stopped")
        if not self._untold:
            return
        try:
            async with asyncio.timeout(grace_seconds):
                await self._all_told.wait()
        except TimeoutError:
            log.warning("calls.untold", extra={"calls": len(self._untold)})

    def _wait(self, call: SipCall, ringing: _Ringing, seconds: float) -> None:
        """Ring for so long.  180 is repeated meanwhile, so that no proxy gives up (RFC 3261, 13.3.1.1)."""
        if seconds <= _RING_AGAIN_SECONDS:
            ringing.timer = self._later(seconds, self._give_up, call)
        else:
            left = seconds - _RING_AGAIN_SECONDS
            ringing.timer = self._later(_RING_AGAIN_SECONDS, self._ring_again, call, ringing, left)

    def _ring_again(self, call: SipCall, ringing: _Ringing, seconds: float) -> None:
        self._phone.ring(call)
        self._wait(call, ringing, seconds)

    def _give_up(self, call: SipCall, cause: str = "rejected-by-policy") -> None:
        """We reject: the policy's time is up, or the gateway's."""
        ringing = self._take(call)
        if ringing is None:
            return
        status = 480 if ringing.number.policy == "ring-until-cancel" else int(ringing.number.reject)
        unit = Unit()
        unit.acts.append(lambda: self._reject(call, status))
        self._untold.add(call)
        self._all_told.clear()
        self._missed(unit, ringing, cause=cause, status=status, q850=cause_of(status), ended_by="gateway")

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

    def _missed(
        self,
        unit: Unit,
        ringing: _Ringing,
        *,
        cause: str,
        status: int,
        ended_by: str,
        q850: int = 0,
        reason: str = "",
        elsewhere: bool = False,
    ) -> None:
        """`elsewhere`: somebody else has answered, a branch of a fork: then the caller has missed nobody."""
        call = ringing.record
        call = replace(
            call,
            state="ended",
            cause=cause,
            status=status,
            q850=q850,
            reason=reason,
            ended_by=ended_by,
            ended_at=self._clock.now(),
            uncounted="answered-elsewhere"
            if elsewhere
            else self._callers.uncounted(call.caller, call.called, ringing.number, self._clock.monotonic()),
        )
        # a burst of them is no reason to write as many lines: the record has all of it
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "call.missed",
                extra={
                    "transid": call.id,
                    "trunk": call.trunk,
                    "caller": masked(call.caller) if call.caller else "",
                    "called": call.called,
                    "cause": cause,
                    "uncounted": call.uncounted,
                },
            )
        self._keep(call, "" if call.uncounted else Trigger.CALL_MISSED, unit)

    def _keep(self, call: Call, event: str = "", unit: Unit | None = None) -> None:
        unit = unit or Unit()
        unit.acts.append(self._kept)
        self._waiting += 1
        self._note(call, event, unit)

    def _kept(self) -> None:
        self._waiting -= 1


def _address(number: str) -> str:
    """Canonical; "" for a withheld or unreadable number: "anonymous" would pass for a sender ID."""
    try:
        address = canonical(number)
    except BadAddress:
        return ""
    return "" if kind(address) is Kind.SENDER_ID else address
