"""Two agents and a network that loses one datagram in ten: every call ends as it should, and once."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.agent import UserAgent
from gateway.protocol.sip.call import (
    AnswerReceived,
    Call,
    CallAnswered,
    CallCancelled,
    CallEnded,
    CallFailed,
    CallProgress,
    CallState,
    EndedBy,
    IncomingCall,
    OfferReceived,
    SipEvent,
)
from gateway.protocol.sip.timers import LIFETIME

CALLER, CALLEE = Address("192.0.2.1", 5060), Address("192.0.2.2", 5060)
CALLS = 60


class Network:
    """Each datagram takes 5 to 80 ms, or never arrives."""

    def __init__(self, seed: int, loss: float) -> None:
        self.now = 0.0
        self.rng = random.Random(seed)
        self.loss = loss
        self.agents = {
            place: UserAgent(
                *place[:2], admit=lambda source: "east", rng=random.Random(seed + n), user_agent="trunkline"
            )
            for n, place in enumerate((CALLER, CALLEE), 1)
        }
        self.heard: dict[str, dict[Address, list[SipEvent]]] = {}  # by the number that was called
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._queue, (self.now + seconds, self._serial, act))

    def run(self) -> None:
        while True:
            self._settle()
            times = [when for when, _, _ in self._queue[:1]]
            times += [d for agent in self.agents.values() if (d := agent.deadline()) is not None]
            if not times:
                return
            self.now = max(self.now, min(times))
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            for agent in self.agents.values():
                agent.tick(self.now)

    def _settle(self) -> None:
        for here, agent in self.agents.items():
            while (event := agent.next_event()) is not None:
                call: Call = event.call  # type: ignore[union-attr]
                heard = self.heard.setdefault(call.to_number, {CALLER: [], CALLEE: []})
                if not isinstance(event, CallProgress):
                    heard[here].append(event)
                self._act(agent, event, call)
            for data, to, _, _ in agent.datagrams():
                if self.rng.random() >= self.loss:
                    delay = self.rng.uniform(0.005, 0.08)
                    receiver = self.agents[to]
                    self.after(delay, lambda r=receiver, d=data, s=here: r.receive(d, s, self.now))

    def _act(self, agent: UserAgent, event: SipEvent, call: Call) -> None:
        """What the called number says is what happens."""
        kind = call.to_number.partition("-")[0]
        match event:
            case IncomingCall():
                self.after(0.1, lambda: agent.ring(call, self.now))
                if kind == "busy":
                    self.after(2.0, lambda: agent.reject(call, 486, self.now))
                elif kind != "cancel":
                    self.after(2.0, lambda: agent.answer(call, b"answer", self.now))
            case CallAnswered() if (
                call.from_number == kind and kind == "hold" and agent is self.agents[CALLER]
            ):
                self.after(1.0, lambda: agent.offer(call, b"hold", self.now))
            case OfferReceived():
                agent.accept_offer(call, b"held", self.now)
            case AnswerReceived():
                self.after(1.0, lambda: agent.hang_up(call, self.now))
            case CallAnswered() if kind == "talk" and agent is self.agents[CALLEE]:
                self.after(5.0, lambda: agent.hang_up(call, self.now))
            case _:
                pass

    def dial(self, number: str) -> None:
        kind = number.partition("-")[0]
        agent = self.agents[CALLER]
        call = agent.invite(CALLEE, number, kind, b"offer", self.now)
        if kind == "cancel":
            self.after(6.0, lambda: agent.hang_up(call, self.now))


def kinds(events: list[SipEvent]) -> list[object]:
    out: list[object] = []
    for event in events:
        match event:
            case CallFailed(_, status):
                out.append(status)
            case CallEnded(_, by):
                out.append(by)
            case _:
                out.append(type(event))
    return out


EXPECTED: dict[str, tuple[list[object], list[object]]] = {
    "busy": ([486], [IncomingCall]),
    "cancel": ([487], [IncomingCall, CallCancelled]),
    "talk": ([CallAnswered, EndedBy.REMOTE], [IncomingCall, CallAnswered, EndedBy.LOCAL]),
    "hold": (
        [CallAnswered, AnswerReceived, EndedBy.LOCAL],
        [IncomingCall, CallAnswered, OfferReceived, EndedBy.REMOTE],
    ),
}


@pytest.mark.parametrize("seed", range(4))
def test_with_one_datagram_in_ten_lost_both_ways_every_call_ends_as_it_should_and_once(seed: int) -> None:
    network = Network(seed, 0.1)
    numbers = [f"{kind}-{number}" for number in range(CALLS // 4) for kind in EXPECTED]
    for at, number in enumerate(numbers):
        network.after(at / 10, lambda number=number: network.dial(number))
    network.run()
    assert set(network.heard) == set(numbers)
    for number, heard in network.heard.items():
        caller, callee = EXPECTED[number.partition("-")[0]]
        assert (kinds(heard[CALLER]), kinds(heard[CALLEE])) == (caller, callee), number
        calls = {event.call for events in heard.values() for event in events}  # type: ignore[union-attr]
        assert [call.state for call in calls] == [CallState.ENDED] * 2


def test_every_table_is_empty_64_t1_after_the_last_call() -> None:
    network = Network(7, 0.0)
    for at in range(CALLS):
        kind = list(EXPECTED)[at % 4]
        network.after(at / 10, lambda number=f"{kind}-{at}": network.dial(number))
    last = 0.0

    def watch() -> None:
        nonlocal last
        if any(agent.calls for agent in network.agents.values()):
            last = network.now
        if network.now < 60:
            network.after(0.05, watch)

    network.after(0.0, watch)
    network.run()
    assert 10 < last < 30
    # the watch ends by itself at 60 s; nothing else was left to wait for by then
    assert network.now <= max(60.05, last + LIFETIME)
    for agent in network.agents.values():
        assert (agent.calls, agent.layer.clients, agent.layer.servers) == (frozenset(), {}, {})
        assert len(agent.layer.timers) == 0
        assert set(agent.tables().values()) == {0}
