"""What the agent answers outside calls, and two agents over a network that loses, doubles and reorders."""

import heapq
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.agent import UserAgent
from gateway.protocol.sip.call import (
    Call,
    CallAnswered,
    CallCancelled,
    CallEnded,
    CallFailed,
    CallProgress,
    CallState,
    IncomingCall,
    OptionsAnswered,
)
from gateway.protocol.sip.timers import LIFETIME

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, NOTIFY"


def test_options_says_what_is_supported(wire) -> None:
    wire.send(wire.request("OPTIONS"))
    (ok,) = wire.sent()
    assert (ok.status, ok.headers.get("Allow"), ok.headers.get("Accept")) == (
        200,
        ALLOW,
        "application/sdp, multipart/mixed",
    )
    assert ok.headers.get("Supported") == "100rel, timer"
    assert ok.to_tag
    assert wire.events() == []


def test_strangers_are_forbidden(wire) -> None:
    wire.send(wire.request("INVITE"), source=Address("198.51.100.1", 5060))
    wire.send(wire.request("ACK"), source=Address("198.51.100.1", 5060))
    assert wire.words() == ["403 INVITE"]
    assert wire.events() == []


@given(st.lists(st.binary(max_size=80), max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_rubbish_and_mutilated_requests_raise_nothing(pieces: list[bytes], rng: random.Random) -> None:
    agent = UserAgent(
        "192.0.2.1", 5060, admit=lambda source: "east", rng=random.Random(1), user_agent="trunkline"
    )
    base = (
        b"%s sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%d\r\nFrom: <sip:b@h>;tag=1\r\n"
        b"To: <sip:a@h>\r\nCall-ID: %d\r\nCSeq: 1 %s\r\nRecord-Route: <sip:p;lr>\r\n"
        b"Contact: <sip:b@h>\r\n\r\n"
    )
    for number, piece in enumerate(pieces):
        method = rng.choice([b"INVITE", b"BYE", b"CANCEL", b"ACK", b"OPTIONS", b"INFO", b"FOO"])
        data = base % (method, number, number, method)
        cut = rng.randrange(len(data))
        agent.receive(
            data[:cut] + piece + data[cut + rng.choice([0, 1, len(piece)]) :], Address("192.0.2.2", 1), 0.0
        )
        while (event := agent.next_event()) is not None:
            if isinstance(event, IncomingCall):
                agent.ring(event.call, 0.0)
                agent.answer(event.call, b"v=0", 0.0)
    now = 0.0
    while (deadline := agent.deadline()) is not None:
        now = deadline
        agent.tick(now)
    assert agent.idle
    assert now <= 3 * LIFETIME


class Bench:
    """Two agents and a network with a seed; each end's application acts at random."""

    CALLER = Address("192.0.2.1", 5060)
    CALLEE = Address("192.0.2.2", 5060)

    def __init__(self, seed: int, loss: float) -> None:
        self.rng = random.Random(seed)
        self.loss = loss
        self.now = 0.0
        self.serial = 0
        self.agents = {
            address: UserAgent(
                *address[:2], admit=lambda source: "east", rng=random.Random(seed + n), user_agent="trunkline"
            )
            for n, address in enumerate((self.CALLER, self.CALLEE))
        }
        self.queue: list[tuple[float, int, str, Address, object]] = []
        self.closed: Counter[Call] = Counter()
        self.opened: list[Call] = []
        self.rejected: set[Call] = set()

    def later(self, delay: float, what: str, address: Address, content: object) -> None:
        self.serial += 1
        heapq.heappush(self.queue, (self.now + delay, self.serial, what, address, content))

    def run(self) -> None:
        agent = self.agents[self.CALLER]
        for number in range(3):
            call = agent.invite(self.CALLEE, f"+4420{number}", "+4179", b"offer", self.now)
            self.opened.append(call)
            # no call rings or talks for ever: the application sees to that, and here at the latest after 90 s
            self.later(self.rng.choice([0.0, 0.3, 5.0, 40.0, 90.0]), "hang up", self.CALLER, call)
        self.settle()
        while True:
            times = [d for agent in self.agents.values() if (d := agent.deadline()) is not None]
            if self.queue:
                times.append(self.queue[0][0])
            if not times:
                return
            self.now = max(self.now, min(times))
            if self.queue and self.queue[0][0] <= self.now:
                _, _, what, address, content = heapq.heappop(self.queue)
                self.do(what, address, content)
            for agent in self.agents.values():
                agent.tick(self.now)
            self.settle()

    def do(self, what: str, address: Address, content: object) -> None:
        agent = self.agents[address]
        other = self.CALLER if address == self.CALLEE else self.CALLEE
        match what, content:
            case "datagram", bytes():
                agent.receive(content, other, self.now)
            case "hang up", Call():
                if content.state in (CallState.INCOMING, CallState.RINGING):
                    self.rejected.add(content)
                agent.hang_up(content, self.now)
            case "ring", Call() if content.state is CallState.INCOMING:
                agent.ring(content, self.now)
            case "reject", Call() if content.state in (CallState.INCOMING, CallState.RINGING):
                agent.reject(content, 486, self.now)
                self.rejected.add(content)
            case "answer", Call() if content.state in (CallState.INCOMING, CallState.RINGING):
                agent.answer(content, b"answer", self.now)

    def settle(self) -> None:
        for address, agent in self.agents.items():
            while (event := agent.next_event()) is not None:
                match event:
                    case IncomingCall(call):
                        self.opened.append(call)
                        self.later(0.1, "ring", address, call)
                        self.later(
                            self.rng.choice([0.0, 1.0, 6.0]),
                            self.rng.choice(["reject", "answer"]),
                            address,
                            call,
                        )
                        self.later(self.rng.choice([8.0, 95.0]), "hang up", address, call)
                    case CallCancelled(call) | CallEnded(call) | CallFailed(call):
                        self.closed[call] += 1
                    case CallAnswered(call):
                        assert not self.closed[call]
                    case CallProgress() | OptionsAnswered():
                        pass
            for datagram in agent.datagrams():
                for _ in range(self.rng.choice([1, 1, 1, 2])):
                    if self.rng.random() >= self.loss:
                        delay = self.rng.choice([0.001, 0.02, 0.7])
                        self.later(delay, "datagram", datagram.address, datagram.data)


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.95]))
@settings(max_examples=150, deadline=None)
def test_whatever_the_network_does_every_call_ends_once_and_nothing_is_left(seed: int, loss: float) -> None:
    bench = Bench(seed, loss)
    bench.run()
    for call in bench.opened:
        assert call.state is CallState.ENDED
        assert bench.closed[call] == (0 if call in bench.rejected else 1)
    for agent in bench.agents.values():
        assert (agent.idle, agent.calls, agent.layer.clients, agent.layer.servers) == (
            True,
            frozenset(),
            {},
            {},
        )
        assert len(agent.layer.timers) == 0
    assert bench.now < 100 + 4 * LIFETIME
    if loss == 0:
        assert len(bench.opened) == 6
