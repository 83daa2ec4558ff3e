"""One call between an agent and a peer that does what it likes, as long as each message is well formed."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.protocol.sip.call import (
    AnswerReceived,
    CallEnded,
    CallState,
    EndedBy,
    InfoReceived,
    OfferReceived,
    OfferRefused,
    ReferProgress,
)
from gateway.protocol.sip.message import Request, Response
from gateway.protocol.sip.timers import LIFETIME
from gateway.protocol.sip.transaction import IllegalTransition
from tests.protocol.sip.conftest import Wire

sdps = st.sampled_from([b"offer", b"hold", b"moved", b""])


class DialogMachine(RuleBasedStateMachine):
    """The invariants are what both ends of a dialog may rely on, whatever crosses whatever."""

    @initialize(inbound=st.booleans(), timer=st.booleans())
    def begin(self, inbound: bool, timer: bool) -> None:
        self.wire = Wire()
        fields = (("Supported", "timer"), ("Session-Expires", "90;refresher=uac")) if timer else ()
        theirs = (("Session-Expires", "90;refresher=uas"),) if timer else ()
        self.call = self.wire.answered(headers=fields)[0] if inbound else self.wire.dialled(headers=theirs)[0]
        self.cseq = 100  # theirs
        self.asked: dict[int, str] = {}  # our answers by their CSeq, "" while there is none
        self.branches: dict[int, str] = {}
        self.unacked: set[int] = set()  # our 2xx to their INVITEs
        self.ours: list[Request] = []  # our requests that have no final response
        self.our_cseq = 0
        self.ends: list[CallEnded] = []
        self.offers = 0  # waiting for the application

    def take(self) -> None:
        for message in self.wire.sent():
            if isinstance(message, Response):
                if message.cseq_method == "CANCEL":
                    continue
                before = self.asked[message.cseq]
                if message.status >= 200:
                    word = str(message.status)
                    assert before in ("", word), "two final responses that differ"
                    self.asked[message.cseq] = word
                    if message.cseq_method == "INVITE" and message.status < 300:
                        self.unacked.add(message.cseq)
            elif message.method == "ACK":
                assert message.cseq <= self.our_cseq or self.call.dialog is not None
            elif all(message.cseq != known.cseq for known in self.ours):
                assert message.cseq > self.our_cseq, "our numbers rise"
                self.our_cseq = message.cseq
                self.ours.append(message)
        for event in self.wire.events():
            match event:
                case CallEnded():
                    self.ends.append(event)
                case OfferReceived():
                    assert not self.ends
                    self.offers += 1
                    assert self.offers == 1, "one offer at a time"
                case AnswerReceived() | OfferRefused() | InfoReceived() | ReferProgress():
                    assert not self.ends, "nothing follows the end"
                case _:
                    raise AssertionError(event)

    def ask(self, method: str, body: bytes = b"") -> None:
        self.cseq += 1
        request = self.wire.inside(self.call, method, self.cseq, body=body)
        self.asked[self.cseq] = ""
        self.branches[self.cseq] = request.via.branch
        self.wire.send(request)
        self.take()

    # --- the peer

    @rule(body=sdps)
    def they_reinvite(self, body: bytes) -> None:
        self.ask("INVITE", body)

    @rule(body=sdps)
    def they_update(self, body: bytes) -> None:
        self.ask("UPDATE", body)

    @rule(method=st.sampled_from(["INFO", "OPTIONS", "NOTIFY", "PRACK", "SUBSCRIBE"]))
    def they_ask_for_something_else(self, method: str) -> None:
        self.ask(method)
        assert self.asked[self.cseq]

    @precondition(lambda self: self.unacked)
    @rule()
    def they_acknowledge(self) -> None:
        cseq = min(self.unacked)
        self.unacked.remove(cseq)
        self.wire.send(self.wire.inside(self.call, "ACK", cseq, body=b"answer"))
        self.take()

    @precondition(lambda self: self.asked)
    @rule()
    def they_cancel_their_last(self) -> None:
        cseq = max(self.asked)
        self.wire.send(self.wire.inside(self.call, "CANCEL", cseq, branch=self.branches[cseq]))
        self.take()
        if self.call.offer is None:
            self.offers = 0

    @precondition(lambda self: self.ours)
    @rule(status=st.sampled_from([100, 180, 200, 404, 405, 408, 481, 488, 491, 500]), which=st.integers(0, 3))
    def they_answer(self, status: int, which: int) -> None:
        request = self.ours[which % len(self.ours)]
        self.wire.reply(
            request, status, body=b"answer" if request.method == "INVITE" and status == 200 else b""
        )
        if status >= 200:
            self.ours.remove(request)
        self.take()

    @rule()
    def they_hang_up(self) -> None:
        live = self.call.state is not CallState.ENDED
        self.ask("BYE")
        assert self.asked[self.cseq] == ("200" if live else "481")
        assert self.call.state is CallState.ENDED

    # --- the application

    @precondition(lambda self: self.offers)
    @rule(sdp=st.sampled_from([b"answer", b"held"]), accept=st.booleans())
    def we_judge_their_offer(self, sdp: bytes, accept: bool) -> None:
        self.offers = 0
        if self.call.offer is None:  # the call ended meanwhile
            with pytest.raises(IllegalTransition):
                self.wire.agent.accept_offer(self.call, sdp, self.wire.now)
        elif accept:
            self.wire.agent.accept_offer(self.call, sdp, self.wire.now)
        else:
            self.wire.agent.refuse_offer(self.call, self.wire.now)
        self.take()

    @rule()
    def we_offer(self) -> None:
        try:
            self.wire.agent.offer(self.call, b"ours", self.wire.now)
        except IllegalTransition:
            assert (
                self.call.state is not CallState.ESTABLISHED
                or self.call.change
                or self.call.offer
                or self.unacked
            )
        self.take()

    @rule()
    def we_refer(self) -> None:
        try:
            self.wire.agent.refer(self.call, "sip:x@y", self.wire.now)
        except IllegalTransition:
            assert self.call.state is not CallState.ESTABLISHED or self.call.referring
        self.take()

    @rule()
    def we_hang_up(self) -> None:
        self.wire.agent.hang_up(self.call, self.wire.now)
        self.take()
        assert self.call.ended

    @rule(seconds=st.sampled_from([0.0, 0.3, 2.0, 5.0, 33.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.wire.pass_time(seconds)
        self.take()

    # --- what holds

    @invariant()
    def it_ends_once_and_is_told(self) -> None:
        if hasattr(self, "wire"):
            assert len(self.ends) == (1 if self.call.ended else 0)

    @invariant()
    def what_is_over_has_been_forgotten(self) -> None:
        if hasattr(self, "wire") and self.call.state is CallState.ENDED:
            assert self.wire.agent.calls == frozenset()
            assert self.wire.agent.tables()["sip_dialogs"] == 0
            assert self.call.offer is None

    def teardown(self) -> None:
        if not hasattr(self, "wire"):
            return
        self.we_hang_up()
        self.wire.pass_time(3 * LIFETIME)
        self.take()
        assert len(self.ends) == 1
        assert all(self.asked.values()), "each request of theirs has its final response"
        assert set(self.wire.agent.tables().values()) == {0}
        assert self.ends[0].by in EndedBy


DialogMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestDialog = DialogMachine.TestCase
