"""Registered and staying so, on a virtual clock."""

import itertools

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.protocol.sip.headers import Via
from gateway.protocol.sip.message import Response, make_request, respond
from gateway.protocol.sip.registration import (
    LONGEST_EXPIRES,
    TRANSITIONS,
    Cause,
    Registration,
    State,
    granted_seconds,
)
from gateway.protocol.sip.transaction import IllegalTransition

CONTACT = "sip:u@192.0.2.1:5060"
REQUEST = make_request(
    "REGISTER", "sip:carrier.example", via=Via("UDP", "192.0.2.1", 5060, {"branch": "z9hG4bK1"}),
    from_="<sip:u@carrier.example>;tag=a", to="<sip:u@carrier.example>", call_id="c", cseq=1,
)  # fmt: skip


def answer(status: int, *headers: tuple[str, str]) -> Response:
    return respond(REQUEST, status, headers=headers)


def ok(seconds: int = 600) -> Response:
    return answer(200, ("Contact", f"<{CONTACT}>;expires={seconds}"))


def registration() -> Registration:
    """One that has just asked for 3600 seconds at 0."""
    one = Registration(3600, lambda: 0.0, 0.0)
    assert one.tick(0.0) == 3600
    return one


def registered(seconds: int = 600) -> Registration:
    one = registration()
    assert one.answered(ok(seconds), CONTACT, 0.0) is None
    return one


def test_it_is_refreshed_well_before_it_expires() -> None:
    one = registered(600)
    assert (one.registered, one.reason, one.deadline()) == (True, "", 450.0)
    assert one.tick(449.0) is None
    assert one.tick(450.0) == 3600
    one.answered(ok(600), CONTACT, 451.0)
    assert one.deadline() == 901.0


def test_a_lost_refresh_is_tried_again_while_the_old_one_holds() -> None:
    one = registered(600)
    one.tick(450.0)
    one.unanswered(482.0)
    assert one.registered
    assert one.deadline() == 484.0
    assert one.tick(484.0) == 3600


def test_it_ends_when_it_expires() -> None:
    one = registered(600)
    one.tick(450.0)
    assert one.deadline() == 600.0
    one.tick(600.0)
    assert (one.registered, one.reason, one.state) == (False, "it has expired", State.REGISTERING)


def test_a_registrar_that_wants_longer_is_asked_for_that() -> None:
    one = registration()
    assert one.answered(answer(423, ("Min-Expires", "7200")), CONTACT, 1.0) == 7200
    one.answered(ok(7200), CONTACT, 1.0)
    assert one.tick(one.deadline() or 0) == 7200


@pytest.mark.parametrize("least", ["", "60", "3600", str(LONGEST_EXPIRES + 1), "x", "-1", "\u0663"])
def test_a_423_that_makes_no_sense_is_a_refusal(least: str) -> None:
    one = registration()
    assert one.answered(answer(423, ("Min-Expires", least)), CONTACT, 1.0) is None
    assert one.reason.startswith("REGISTER: 423")


def test_the_waits_between_tries_double_up_to_a_limit_with_jitter() -> None:
    chance = itertools.cycle([0.0, 0.5])
    one = Registration(3600, lambda: next(chance), 0.0)
    waits = []
    now = 0.0
    for _ in range(9):
        one.tick(now)
        one.unanswered(now)
        waits.append((one.deadline() or 0) - now)
        now = one.deadline() or 0
    assert waits == [2.0, 6.0, 8.0, 24.0, 32.0, 96.0, 128.0, 225.0, 150.0]


def test_retry_after_is_obeyed_within_reason() -> None:
    one = registration()
    one.answered(answer(503, ("Retry-After", "90 (maintenance)")), CONTACT, 0.0)
    assert one.deadline() == 90.0
    one.tick(90.0)
    one.answered(answer(503, ("Retry-After", "999999")), CONTACT, 90.0)
    assert one.deadline() == 90.0 + 3600


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_password_that_is_not_liked_is_not_tried_again_soon(status: int) -> None:
    one = registration()
    one.answered(answer(status), CONTACT, 0.0)
    assert (one.deadline() or 0) >= 60
    assert one.reason.startswith(f"REGISTER: {status}")


@pytest.mark.parametrize(("headers", "granted"), [
    ([("Contact", "<sip:u@192.0.2.1:5060>;expires=60")], 60),
    ([("Contact", "<sip:u@192.0.2.9>;expires=5, <sip:u@192.0.2.1:5060;x=y>;q=0.5;expires=61")], 61),
    ([("Contact", "<sip:u@192.0.2.9>;expires=5"), ("Contact", f"<{CONTACT}>;expires=62")], 62),
    ([("Contact", f"<{CONTACT}>"), ("Expires", "63")], 63),
    ([("Contact", "<sip:u@203.0.113.7:1024>;expires=5"), ("Expires", "64")], 64),
    ([("Contact", "<<<"), ("Contact", "*"), ("Expires", "x")], 3600),
    ([], 3600),
    ([("Contact", f"<{CONTACT}>;expires=99999999999")], LONGEST_EXPIRES),
])  # fmt: skip
def test_our_contact_is_found_among_others(headers: list[tuple[str, str]], granted: int) -> None:
    assert granted_seconds(answer(200, *headers), CONTACT, 3600) == granted


def test_no_time_at_all_is_a_refusal() -> None:
    one = registration()
    one.answered(ok(0), CONTACT, 0.0)
    assert (one.registered, one.reason) == (False, "REGISTER: 200 it gave no time")


def test_it_is_removed_in_the_end() -> None:
    one = registered()
    assert one.stop() == 0
    assert one.answered(ok(0), CONTACT, 1.0) is None
    assert one.state is State.STOPPED
    assert one.stop() is None


def test_the_removal_waits_for_the_answer_that_is_due() -> None:
    one = registration()
    assert one.stop() is None
    assert one.answered(ok(), CONTACT, 1.0) == 0
    one.unanswered(33.0)
    assert one.state is State.STOPPED


def test_what_is_not_registered_needs_no_removal() -> None:
    one = Registration(3600, lambda: 0.0, 0.0)
    assert one.stop() is None
    assert one.state is State.STOPPED


def test_it_can_be_asked_for_early() -> None:
    one = registered()
    one.refresh(5.0)
    assert one.tick(5.0) == 3600


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("cause", Cause)
def test_a_step_that_the_table_does_not_have_changes_nothing(state: State, cause: Cause) -> None:
    one = Registration(3600, lambda: 0.0, 0.0)
    one.state = state
    if (state, cause) in TRANSITIONS:
        one._step(cause)
        assert one.state is TRANSITIONS[state, cause]
    else:
        with pytest.raises(IllegalTransition):
            one._step(cause)
        assert one.state is state


class AnyCarrier(RuleBasedStateMachine):
    """Whatever a registrar answers and whenever: one REGISTER at a time, and always another moment to try."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.one = Registration(3600, lambda: 0.5, self.now)
        self.open = 0

    def asked(self, seconds: int | None) -> None:
        self.open += seconds is not None

    @precondition(lambda self: self.one.deadline() is not None)
    @rule(late=st.floats(0, 5000))
    def time_passes(self, late: float) -> None:
        self.now = max(self.now, self.one.deadline() or 0.0) + late
        self.asked(self.one.tick(self.now))

    @precondition(lambda self: self.open)
    @rule(
        status=st.sampled_from([200, 200, 401, 403, 423, 500, 503]),
        seconds=st.integers(0, 100_000),
        waits=st.integers(0, 10_000),
    )
    def answer(self, status: int, seconds: int, waits: int) -> None:
        headers = [("Contact", f"<{CONTACT}>;expires={seconds}"), ("Min-Expires", str(seconds))]
        self.open -= 1
        self.asked(
            self.one.answered(answer(status, *headers, ("Retry-After", str(waits))), CONTACT, self.now)
        )

    @precondition(lambda self: self.open)
    @rule()
    def silence(self) -> None:
        self.open -= 1
        self.asked(self.one.unanswered(self.now))

    @rule()
    def stop(self) -> None:
        self.asked(self.one.stop())

    @invariant()
    def one_request_at_a_time(self) -> None:
        assert self.open in (0, 1)
        waiting = self.one.state in (State.UNREGISTERED, State.REGISTERED)
        assert self.open == (0 if waiting or self.one.state is State.STOPPED else 1)
        assert not waiting or self.one.deadline() is not None


TestAnyCarrier = AnyCarrier.TestCase
