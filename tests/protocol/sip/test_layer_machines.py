"""The four transactions against models of RFC 3261 section 17 and RFC 6026, over UDP and TCP, in any order of
messages and time.  The models know the standard's prose, not the tables."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.protocol.sip.address import Address, Transport
from gateway.protocol.sip.layer import TransactionLayer
from gateway.protocol.sip.message import Request, Response, make_request, parse, respond
from gateway.protocol.sip.transaction import (
    AckReceived,
    ClientTransaction,
    IllegalTransition,
    RequestReceived,
    ResponseReceived,
    ServerTransaction,
    TransactionFailed,
)

T1, T2, T4 = 0.5, 4.0, 5.0
US = Address("192.0.2.1", 5060)
FOREVER = float("inf")

transports = st.sampled_from(["udp", "tcp"])
seconds = st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0, 3.9, 4.0, 5.0, 8.0, 31.0, 32.0])
failures = st.sampled_from([302, 404, 486, 503, 603])


class Repetition:
    """When something is sent again: after `wait`, which doubles up to `longest`; never over TCP."""

    def __init__(self, now: float, reliable: bool, longest: float) -> None:
        self.wait, self.longest = T1, longest
        self.next = FOREVER if reliable else now + T1

    def due(self, until: float, slow: bool = False) -> list[float]:
        times = []
        while self.next <= until:
            times.append(self.next)
            self.wait = T2 if slow else min(2 * self.wait, self.longest)
            self.next += self.wait
        return times


class LayerMachine(RuleBasedStateMachine):
    """What was sent and told is compared after every step; times are compared to the millisecond."""

    @initialize(transport=transports, seed=st.integers(0, 99))
    def begin(self, transport: Transport, seed: int) -> None:
        self.peer = Address("192.0.2.2", 5070, transport)
        self.reliable = transport == "tcp"
        self.layer = TransactionLayer("192.0.2.1", 5060, rng=random.Random(seed))
        self.now = 0.0
        self.sent: list[tuple[float, str]] = []
        self.told: list[str] = []
        self.gone_at = FOREVER  # in the model
        self.gone = False
        self.expected_sent: list[tuple[float, str]] = []
        self.expected_told: list[str] = []
        self.start()

    def start(self) -> None:
        raise NotImplementedError

    def model_time(self, until: float) -> None:
        """What the model does between now and then, its own end included."""
        raise NotImplementedError

    def name(self, event: object) -> str:
        match event:
            case ResponseReceived(_, response):
                return str(response.status)
            case RequestReceived(transaction, request):
                self.server: ServerTransaction = transaction
                return request.method
            case AckReceived():
                return "ACK"
            case TransactionFailed():
                return "failed"
        raise AssertionError(event)

    def collect(self) -> None:
        for datagram in self.layer.datagrams():
            message = parse(datagram.data)
            assert message is not None and datagram.address == self.peer
            word = message.method if isinstance(message, Request) else str(message.status)
            self.sent.append((round(self.now, 3), word))
        while (event := self.layer.next_event()) is not None:
            self.told.append(self.name(event))

    def expect(self, word: str) -> None:
        self.expected_sent.append((round(self.now, 3), word))

    @rule(wait=seconds)
    def time_passes(self, wait: float) -> None:
        end = self.now + wait
        self.model_time(end)
        while (deadline := self.layer.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.layer.tick(self.now)
            self.collect()
        self.now = end
        self.layer.tick(end)
        self.collect()

    def live(self) -> bool:
        """Whether the transaction is still there for a message that arrives now."""
        if not self.gone and self.now >= self.gone_at:
            self.gone = True
        return not self.gone

    @invariant()
    def same_as_the_model(self) -> None:
        if hasattr(self, "layer"):
            self.collect()
            assert self.sent == self.expected_sent
            assert self.told == self.expected_told
            self.layer.tick(self.now)
            assert self.live() is bool(self.layer.clients or self.layer.servers)

    def teardown(self) -> None:
        if not hasattr(self, "layer"):
            return
        while (deadline := self.layer.deadline()) is not None:
            self.layer.tick(deadline)
        left = list(self.layer.clients.values()) + list(self.layer.servers.values())
        assert len(self.layer.timers) == 0
        assert left == [] or self.waits_for_its_user()

    def waits_for_its_user(self) -> bool:
        return False


class ClientMachine(LayerMachine):
    method = "OPTIONS"

    def start(self) -> None:
        request = make_request(
            self.method, "sip:b@h", via=self.layer.via(self.peer.transport), from_="<sip:a@h>;tag=1",
            to="<sip:b@h>", call_id="c", cseq=1,
        )  # fmt: skip
        self.client: ClientTransaction = self.layer.request(request, self.peer, 0.0, None)
        self.expect(self.method)
        self.again = Repetition(0.0, self.reliable, T2)
        self.fails_at = 64 * T1
        self.provisional = self.final = False

    def receive(self, status: int) -> None:
        self.layer.tick(self.now)
        self.layer.receive(bytes(respond(self.client.request, status, to_tag="t")), self.peer, self.now)

    def model_time(self, until: float) -> None:
        for at in self.again.due(min(until, self.fails_at - 0.001), slow=self.provisional):
            self.expected_sent.append((round(at, 3), self.method))
        if self.fails_at <= until:
            self.expected_told.append("failed")
            self.over(self.fails_at)

    def over(self, at: float) -> None:
        self.gone_at, self.fails_at, self.again.next = at, FOREVER, FOREVER

    @rule(status=st.sampled_from([100, 180]))
    def provisional_response(self, status: int) -> None:
        if self.live() and not self.final:
            self.provisional = True
            self.expected_told.append(str(status))
        self.receive(status)

    @rule(status=st.one_of(st.just(200), failures))
    def final_response(self, status: int) -> None:
        if self.live() and not self.final:
            self.final = True
            self.expected_told.append(str(status))
            self.over(self.now + (0 if self.reliable else T4))
        self.receive(status)

    @rule()
    def transport_error(self) -> None:
        if self.live() and not self.final:
            self.final = True
            self.expected_told.append("failed")
            self.over(self.now)
        self.layer.send_failed(self.client, self.now)


class InviteClientMachine(ClientMachine):
    method = "INVITE"

    def start(self) -> None:
        super().start()
        self.again.longest = FOREVER
        self.accepted = False
        self.rings = False

    @rule(status=st.sampled_from([100, 180]))
    def provisional_response(self, status: int) -> None:
        if self.live() and not self.final:
            self.rings = True
            self.fails_at = self.again.next = FOREVER
            self.expected_told.append(str(status))
        self.receive(status)

    @rule(status=st.one_of(st.just(200), failures))
    def final_response(self, status: int) -> None:
        success = status == 200
        if self.live():
            if not self.final:
                self.final, self.accepted = True, success
                self.expected_told.append(str(status))
                self.over(self.now + (0 if self.reliable and not success else 64 * T1))
                if not success:
                    self.expect("ACK")
            elif self.accepted and success:
                self.expected_told.append(str(status))  # again, or from another branch
            elif not self.accepted and not success:
                self.expect("ACK")
        self.receive(status)

    @rule()
    def transport_error(self) -> None:
        if self.live() and not self.final and not self.rings:
            self.final = True
            self.expected_told.append("failed")
            self.over(self.now)
        self.layer.send_failed(self.client, self.now)

    def waits_for_its_user(self) -> bool:
        return self.rings and not self.final  # it may ring as long as its user likes


class ServerMachine(LayerMachine):
    method = "OPTIONS"

    def start(self) -> None:
        self.latest = ""
        self.final = False
        self.again = Repetition(0.0, True, T2)
        self.fails_at = FOREVER
        self.expected_told.append(self.method)
        self.receive(self.method)
        self.collect()

    def receive(self, method: str) -> None:
        self.layer.tick(self.now)
        self.layer.receive(
            (
                f"{method} sip:us@192.0.2.1 SIP/2.0\r\n"
                "Via: SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKx;rport\r\n"
                "Max-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:us@h>\r\nCall-ID: c\r\n"
                f"CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
            ).encode(),
            self.peer,
            self.now,
        )

    def answer(self, status: int) -> Response:
        return respond(self.server.request, status, to_tag="t")

    def model_time(self, until: float) -> None:
        for at in self.again.due(min(until, self.fails_at - 0.001)):
            self.expected_sent.append((round(at, 3), self.latest))
        if self.fails_at <= until:
            self.expected_told.append("failed")
            self.gone_at, self.fails_at, self.again.next = self.fails_at, FOREVER, FOREVER

    @precondition(lambda self: self.live())
    @rule()
    def the_request_again(self) -> None:
        if self.latest:
            self.expect(self.latest)
        self.receive(self.method)

    @precondition(lambda self: not self.final)
    @rule(status=st.sampled_from([100, 180, 183]))
    def provisional(self, status: int) -> None:
        self.latest = str(status)
        self.expect(self.latest)
        self.layer.respond(self.server, self.answer(status), self.now)

    @precondition(lambda self: not self.final)
    @rule(status=st.one_of(st.just(200), failures))
    def final_answer(self, status: int) -> None:
        self.final, self.latest = True, str(status)
        self.expect(self.latest)
        self.gone_at = self.now + (0 if self.reliable else 64 * T1)
        self.layer.respond(self.server, self.answer(status), self.now)

    @precondition(lambda self: self.final)
    @rule(status=st.sampled_from([180, 404]))
    def nothing_follows_the_final_answer(self, status: int) -> None:
        with pytest.raises(IllegalTransition):
            self.layer.respond(self.server, self.answer(status), self.now)

    def waits_for_its_user(self) -> bool:
        return not self.final


class InviteServerMachine(ServerMachine):
    method = "INVITE"

    def start(self) -> None:
        super().start()
        self.accepted = self.confirmed = False

    @precondition(lambda self: self.live())
    @rule()
    def the_request_again(self) -> None:
        if self.latest and not self.accepted and not self.confirmed:
            self.expect(self.latest)
        self.receive("INVITE")

    @precondition(lambda self: not self.final)
    @rule(status=st.one_of(st.just(200), failures))
    def final_answer(self, status: int) -> None:
        self.final, self.accepted, self.latest = True, status == 200, str(status)
        self.expect(self.latest)
        if self.accepted:
            self.gone_at = self.now + 64 * T1
        else:
            self.again = Repetition(self.now, self.reliable, T2)
            self.fails_at = self.now + 64 * T1
        self.layer.respond(self.server, self.answer(status), self.now)

    @precondition(lambda self: self.final and self.accepted and self.live())
    @rule()
    def the_user_repeats_its_2xx(self) -> None:
        self.layer.tick(self.now)
        self.expect("200")
        self.layer.respond(self.server, self.answer(200), self.now)

    @rule()
    def ack(self) -> None:
        if not self.live() or (self.final and self.accepted):
            self.expected_told.append(
                "ACK"
            )  # one that belongs to a 2xx, or to nothing, is the user's to judge
        elif self.final and not self.confirmed:
            self.confirmed = True
            self.fails_at = self.again.next = FOREVER
            self.gone_at = self.now + (0 if self.reliable else T4)
        self.receive("ACK")


for _machine in (ClientMachine, InviteClientMachine, ServerMachine, InviteServerMachine):
    _machine.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)

TestClient = ClientMachine.TestCase
TestInviteClient = InviteClientMachine.TestCase
TestServer = ServerMachine.TestCase
TestInviteServer = InviteServerMachine.TestCase
