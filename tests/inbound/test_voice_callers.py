"""Missed-call numbers behind the real user agent, in virtual time, against callers who do anything at all."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.model import Number, Seconds, Service, Trunk
from gateway.inbound.calls import CallRecords
from gateway.inbound.voice import InboundCalls
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.agent import UserAgent
from gateway.protocol.sip.call import Call as SipCall
from gateway.protocol.sip.call import CallCancelled, IncomingCall
from gateway.protocol.sip.message import Response, parse
from gateway.protocol.sip.timers import LIFETIME
from gateway.store.base import Unit
from gateway.values.call import Call
from gateway.values.event import Event

PEER = Address("192.0.2.2", 5060)
NUMBERS = {
    "+442079460001": Number(policy="reject-at-once", reject=603, duplicates=Seconds(0)),
    "+442079460002": Number(policy="ring-then-reject", ring=Seconds(5), duplicates=Seconds(0)),
    "+442079460003": Number(policy="ring-until-cancel", duplicates=Seconds(0)),
}
CALLERS = ("+447700900001", "+447700900002", "anonymous", "")


class Timer:
    def __init__(self, act: Callable[[], object]) -> None:
        self.act: Callable[[], object] | None = act

    def cancel(self) -> None:
        self.act = None


class Site:
    """The user agent and what decides about its calls; the store takes its time; time passes when told."""

    def __init__(self) -> None:
        self.at = 1000.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self.units: list[Unit] = []
        self.records: dict[str, list[Call]] = {}
        self.missed: list[str] = []
        self.answers: list[Response] = []
        self.incoming = 0
        self.answered: list[object] = []
        self.agent = UserAgent(
            "192.0.2.1", 5060, admit=lambda source: "east", rng=random.Random(1), user_agent="test"
        )
        ids = map(str, itertools.count(1))
        self.calls = InboundCalls(
            services={"shop": Service(name="Shop", numbers=NUMBERS)},
            trunks={"east": Trunk(host=PEER.host, numbers=list(NUMBERS))},
            phone=self,
            clock=self,
            new_id=lambda: next(ids),
            note=CallRecords(
                clock=self,
                record=self.units.append,
                consequences=lambda unit, event, call: None,
                ended=lambda call: None,
            ).note,
            overloaded=lambda trunk: None,
            later=self.later,
            answer=self.answered.append,
        )

    # what the calls need

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def ring(self, call: SipCall) -> None:
        self.agent.ring(call, self.at)

    def reject(self, call: SipCall, status: int, reason: str = "") -> None:
        self.agent.reject(call, status, self.at, reason)

    def later(self, seconds: float, act: Callable[..., object], *arguments: Any) -> Timer:
        timer = Timer(lambda: act(*arguments))
        heapq.heappush(self._timers, (self.at + seconds, next(self._order), timer))
        return timer

    # what happens to them

    def receive(self, datagram: str) -> None:
        self.agent.receive(datagram.encode(), PEER, self.at)
        self.settle()

    def store(self) -> None:
        """All that was recorded becomes durable."""
        units, self.units[:] = list(self.units), []
        for unit in units:
            for write in unit.writes:
                if isinstance(write, Call):
                    self.records.setdefault(write.id, []).append(write)
                elif isinstance(write, Event):
                    self.missed.append(write.ref)
            unit.act()
        self.settle()

    def forward(self, seconds: float) -> None:
        end = self.at + seconds
        while True:
            ours = self._timers[0][0] if self._timers else end
            due = min(ours, self.agent.deadline() or end, end)
            self.at = max(self.at, due)
            if due >= end:
                break
            self.agent.tick(self.at)
            while self._timers and self._timers[0][0] <= self.at:
                if (act := heapq.heappop(self._timers)[2].act) is not None:
                    act()
            self.settle()
            self.store()

    def settle(self) -> None:
        while True:
            for datagram in self.agent.datagrams():
                message = parse(datagram[0])
                if isinstance(message, Response):
                    self.answers.append(message)
            event = self.agent.next_event()
            if event is None:
                return
            if isinstance(event, IncomingCall):
                self.incoming += 1
                self.calls.incoming(event)
            elif isinstance(event, CallCancelled):
                self.calls.cancelled(event)


class Caller:
    """One call as its caller sees it."""

    def __init__(self, site: Site, n: int, number: str, name: str) -> None:
        self._site, self._n, self._number, self._name = site, n, number, name

    def send(self, method: str, *, cseq: int = 1, tag: bool = False, other: bool = False) -> None:
        branch = f"z9hG4bK-{self._n}{'-b' if other else ''}"
        to = self._tag() if tag else ""
        self._site.receive(
            f"{method} sip:{self._number}@192.0.2.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {PEER.host}:{PEER.port};branch={branch}\r\n"
            f"From: <sip:{self._name + '@' if self._name else ''}192.0.2.2>;tag=from{self._n}\r\n"
            f"To: <sip:{self._number}@192.0.2.1>{f';tag={to}' if to else ''}\r\n"
            f"Call-ID: call-{self._n}\r\nCSeq: {cseq} {method}\r\nContact: <sip:192.0.2.2>\r\n"
            "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )

    def _tag(self) -> str:
        """Of the latest answer to the INVITE."""
        own = [a for a in self._site.answers if a.call_id == f"call-{self._n}" and a.cseq_method == "INVITE"]
        return own[-1].to_tag if own else "none"

    def does(self, what: str) -> None:
        match what:
            case "INVITE again":
                self.send("INVITE")
            case "CANCEL":
                self.send("CANCEL")
            case "ACK":
                self.send("ACK", tag=True)
            case "ACK astray":
                self.send("ACK", tag=True, other=True)
            case "BYE":
                self.send("BYE", cseq=2, tag=True, other=True)
            case _:
                self.send(what, cseq=3, tag=True, other=True)


DEEDS = ("INVITE again", "CANCEL", "ACK", "ACK astray", "BYE", "INFO", "OPTIONS", "INVITE", "PRACK", "FOO")
_step = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(list(NUMBERS)), st.sampled_from(CALLERS)),
    st.tuples(st.just("do"), st.integers(0, 9), st.sampled_from(DEEDS)),
    st.tuples(st.just("wait"), st.sampled_from((0.01, 0.4, 1.0, 6.0, 40.0)), st.none()),
    st.tuples(st.just("store"), st.none(), st.none()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_step, max_size=40))
def test_whatever_callers_do_nothing_is_billed_and_each_call_is_one_record_and_one_event(
    steps: list[tuple[str, Any, Any]],
) -> None:
    site, callers = Site(), list[Caller]()
    for what, one, other in steps:
        if what == "call":
            callers.append(Caller(site, len(callers), one, other))
            callers[-1].send("INVITE")
        elif what == "do" and callers:
            callers[one % len(callers)].does(other)
        elif what == "wait":
            site.forward(one)
        elif what == "store":
            site.store()
    site.store()
    site.forward(200 + 2 * LIFETIME)  # every ring is over, and so is every transaction
    assert {a.status // 100 for a in site.answers if a.cseq_method == "INVITE"} <= {1, 4, 5, 6}
    assert site.answered == []
    assert site.incoming >= len(callers)
    assert len(site.records) == site.incoming
    for states in site.records.values():
        assert len(states) <= 2 and states[-1].state == "ended"
        assert (states[-1].answered_at, states[-1].billable_seconds) == (0.0, 0)
    assert sorted(site.missed) == sorted(site.records)
    assert len(site.calls) == site.calls.waiting == 0
    assert site.agent.tables() == {"sip_transactions": 0, "sip_dialogs": 0, "sip_timers": 0}
