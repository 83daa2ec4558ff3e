from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.channels.base import Carrier
from gateway.outbound import chain
from gateway.outbound.chain import Cause, Decision, Fitness, IllegalTransition
from gateway.values.message import Message, StepPlan, StepRecord, StepState
from gateway.values.outcome import Outcome, Result, Status

S, C = StepState, Cause

# (state, cause) -> state; "" = illegal
EXPECTED: dict[StepState, dict[Cause, StepState | None]] = {
    S.PENDING: {
        C.START: S.TRYING,
        C.SKIP: S.SKIPPED,
        C.ABANDONED: S.SKIPPED,
        C.ACCEPTED: None,
        C.REACHED: None,
        C.FAILED: None,
    },
    S.TRYING: {
        C.START: None,
        C.SKIP: None,
        C.ABANDONED: S.SKIPPED,
        C.ACCEPTED: S.ACCEPTED,
        C.REACHED: S.SUCCEEDED,
        C.FAILED: S.FAILED,
    },
    S.ACCEPTED: {
        C.START: None,
        C.SKIP: None,
        C.ABANDONED: S.ACCEPTED,
        C.ACCEPTED: S.ACCEPTED,
        C.REACHED: S.SUCCEEDED,
        C.FAILED: S.FAILED,
    },
    S.FAILED: {
        C.START: None,
        C.SKIP: None,
        C.ABANDONED: None,
        C.ACCEPTED: S.FAILED,
        C.REACHED: S.SUCCEEDED,
        C.FAILED: S.FAILED,
    },
    S.SUCCEEDED: {
        C.START: None,
        C.SKIP: None,
        C.ABANDONED: None,
        C.ACCEPTED: S.SUCCEEDED,
        C.REACHED: S.SUCCEEDED,
        C.FAILED: S.SUCCEEDED,
    },
    S.SKIPPED: {
        C.START: None,
        C.SKIP: None,
        C.ABANDONED: None,
        C.ACCEPTED: S.SKIPPED,
        C.REACHED: S.SKIPPED,
        C.FAILED: S.SKIPPED,
    },
}


@pytest.mark.parametrize("state", list(StepState))
@pytest.mark.parametrize("cause", list(Cause))
def test_every_state_meets_every_cause(state: StepState, cause: Cause) -> None:
    expected = EXPECTED[state][cause]
    if expected is None:
        with pytest.raises(IllegalTransition, match=f"{state}.*{cause}"):
            chain.after(state, cause)
    else:
        assert chain.after(state, cause) is expected


def sms(via: str = "a", until: Result = Result.ACCEPTED, within: float = 0.0) -> StepPlan:
    return StepPlan(channel="sms", sender="12345", via=via, text="hi", until=until, within_seconds=within)


def voice(via: str = "east", until: Result = Result.ANSWERED, within: float = 0.0) -> StepPlan:
    return StepPlan(
        channel="voice", sender="+442079460000", via=via, text="hi", until=until, within_seconds=within
    )


def message(*plan: StepPlan) -> Message:
    return Message(
        id="m1",
        direction="mt",
        service="alerts",
        sender=plan[0].sender,
        recipient="+447700900001",
        plan=plan,
        steps=(StepRecord(),) * len(plan),
        created_at=0.0,
        updated_at=0.0,
    )


class Network:
    """What channels say of steps: everything fits and is up but for what is named by `via`."""

    def __init__(
        self, *, down: tuple[str, ...] = (), unfit: tuple[str, ...] = (), none: tuple[str, ...] = ()
    ):
        self.down, self.unfit, self.none = set(down), set(unfit), set(none)

    def __call__(self, step: StepPlan) -> Fitness:
        if step.via in self.unfit:
            return Fitness(Carrier(step.via), "opted out")
        if step.via in self.none:
            return Fitness(Carrier("", "no bind"))
        return Fitness(Carrier(step.via, "down" if step.via in self.down else ""))


UP = Network()


class Case:
    """A message on its way, decision by decision."""

    def __init__(self, *plan: StepPlan, network: Network = UP) -> None:
        self.network, self.now = network, 100.0
        self.rest = -1  # the repetition that a timer waits for
        self._take(chain.begin(message(*plan), network, self.now))

    @property
    def message(self) -> Message:
        return self.last.message

    def status(self) -> Status:
        return self.message.status

    @property
    def states(self) -> list[str]:
        return [str(step.state) for step in self.message.steps]

    @property
    def results(self) -> list[str]:
        return [step.result for step in self.message.steps]

    def tell(self, index: int, result: Result, **fields: Any) -> Decision:
        self.now += 1.0
        outcome = Outcome(result, **fields)
        return self._take(chain.happened(self.message, index, outcome, self.network, self.now))

    def time_out(self, index: int, seconds: float = 1.0) -> Decision:
        self.now += seconds
        return self._take(chain.timed_out(self.message, index, self.network, self.now))

    def rested(self, index: int, seconds: float = 1.0) -> Decision:
        self.now += seconds
        return self._take(chain.rested(self.message, index, self.network, self.now))

    def _take(self, decision: Decision) -> Decision:
        self.last = decision
        if decision.timer_done or decision.start >= 0 or decision.rest >= 0:
            self.rest = decision.rest
        return decision


def test_the_first_step_starts_with_the_message() -> None:
    case = Case(sms("a", within=60.0), sms("b"))
    assert (case.last.start, case.last.timer_due, case.last.timer_done) == (0, 160.0, False)
    assert case.states == ["trying", "pending"]
    assert case.message.step == 0 and case.message.steps[0].carrier == "a"
    assert case.status() is Status.QUEUED


def test_accepted_is_enough_where_no_more_is_asked_for() -> None:
    case = Case(sms(), sms("b"))
    decision = case.tell(0, Result.ACCEPTED, carrier="a")
    assert case.states == ["succeeded", "pending"] and decision.start == -1 and decision.timer_done
    assert case.status() is Status.SENT and case.message.carrier == "a"
    case.tell(0, Result.DELIVERED, carrier="a")
    assert case.status() is Status.DELIVERED


def test_accepted_is_only_progress_where_delivered_is_asked_for() -> None:
    case = Case(sms(until=Result.DELIVERED, within=60.0), sms("b"))
    decision = case.tell(0, Result.ACCEPTED)
    assert case.states == ["accepted", "pending"] and not decision.timer_done
    assert case.status() is Status.SENT
    decision = case.tell(0, Result.DELIVERED)
    assert case.states == ["succeeded", "pending"] and decision.timer_done
    assert case.status() is Status.DELIVERED


def test_an_answered_call_is_more_than_delivered() -> None:
    case = Case(voice(until=Result.DELIVERED))
    case.tell(0, Result.ANSWERED)
    assert case.states == ["succeeded"] and case.status() is Status.ANSWERED


def test_a_rejected_step_moves_the_chain_on() -> None:
    case = Case(sms("a", within=9.0), sms("b"))
    decision = case.tell(0, Result.REJECTED, code="ESME_RINVDSTADR", reason="no such number")
    assert (decision.start, decision.abandon, decision.timer_done) == (1, -1, True)
    assert case.states == ["failed", "trying"] and case.status() is Status.QUEUED
    assert case.message.steps[0].code == "ESME_RINVDSTADR" and case.message.steps[0].ended_at == 101.0


def test_an_undelivered_receipt_moves_the_chain_on_while_delivery_is_waited_for() -> None:
    case = Case(sms("a", until=Result.DELIVERED), voice())
    case.tell(0, Result.ACCEPTED)
    assert case.tell(0, Result.UNDELIVERED).start == 1
    assert case.states == ["failed", "trying"]


def test_an_undelivered_receipt_after_until_was_reached_only_changes_the_status() -> None:
    case = Case(sms("a"), sms("b"))
    case.tell(0, Result.ACCEPTED)
    assert case.tell(0, Result.UNDELIVERED, code="011").start == -1
    assert case.states == ["succeeded", "pending"]
    assert case.status() is Status.FAILED and case.message.code == "011"


def test_a_step_that_runs_out_of_time_is_abandoned_if_no_carrier_has_it() -> None:
    case = Case(sms("a", within=60.0), sms("b", within=5.0))
    decision = case.time_out(0)
    assert (decision.abandon, decision.start, decision.timer_due) == (0, 1, 106.0)
    assert case.results == ["timeout", ""]
    assert case.message.steps[0].reason == "not accepted within 60 s"


def test_a_step_that_runs_out_of_time_with_its_carrier_is_not_called_back() -> None:
    case = Case(sms("a", until=Result.DELIVERED, within=60.0), sms("b"))
    case.tell(0, Result.ACCEPTED)
    decision = case.time_out(0)
    assert (decision.abandon, decision.start) == (-1, 1)
    assert case.states == ["failed", "trying"]


def test_running_out_of_time_at_the_last_step_expires_the_message() -> None:
    case = Case(sms(within=60.0))
    decision = case.time_out(0)
    assert case.status() is Status.EXPIRED and decision.timer_done and decision.abandon == 0


def test_the_timer_of_a_step_that_the_chain_has_left_does_nothing() -> None:
    case = Case(sms("a", within=60.0), sms("b", within=60.0))
    case.tell(0, Result.REJECTED)
    before = case.message
    decision = case.time_out(0)
    assert decision == Decision(before)  # and the timer, which is the second step's now, stays


def test_the_timer_of_a_step_that_is_done_is_of_no_use() -> None:
    case = Case(sms(within=60.0))
    case.tell(0, Result.ACCEPTED)
    before = case.message
    assert case.time_out(0) == Decision(before, timer_done=True)


def test_late_receipt_cancels_remaining_steps() -> None:
    case = Case(sms("a", until=Result.DELIVERED, within=60.0), sms("b"), voice())
    case.tell(0, Result.ACCEPTED)
    case.time_out(0)
    decision = case.tell(0, Result.DELIVERED, carrier="a")
    assert (decision.abandon, decision.start, decision.timer_done) == (1, -1, True)
    assert case.states == ["succeeded", "skipped", "pending"]
    assert case.status() is Status.DELIVERED and case.message.carrier == "a"


def test_what_the_cancelled_step_reports_afterwards_changes_nothing() -> None:
    case = Case(sms("a", until=Result.DELIVERED, within=60.0), voice())
    case.tell(0, Result.ACCEPTED)
    case.time_out(0)
    case.tell(0, Result.DELIVERED)
    before = case.message
    for result in (Result.REJECTED, Result.ANSWERED, Result.TIMEOUT):
        assert case.tell(1, result) == Decision(before)


def test_a_failure_of_the_step_in_progress_after_a_late_success_starts_no_other() -> None:
    case = Case(sms("a", until=Result.DELIVERED, within=60.0), sms("b", until=Result.DELIVERED), voice())
    case.tell(0, Result.ACCEPTED)
    case.time_out(0)
    case.tell(1, Result.ACCEPTED)
    assert case.tell(0, Result.DELIVERED).abandon == 1
    assert case.tell(1, Result.UNDELIVERED).start == -1
    assert case.states == ["succeeded", "failed", "pending"]
    assert case.status() is Status.DELIVERED


def test_a_late_acceptance_takes_nothing_back_from_a_person_who_has_it() -> None:
    case = Case(sms("a", within=60.0), voice())
    case.time_out(0)
    case.tell(1, Result.ANSWERED)
    case.tell(0, Result.ACCEPTED)
    assert case.status() is Status.ANSWERED
    assert case.states == ["succeeded", "succeeded"]


def test_a_late_success_counts_after_the_chain_has_ended() -> None:
    case = Case(sms("a", until=Result.DELIVERED, within=60.0))
    case.tell(0, Result.ACCEPTED)
    case.time_out(0)
    assert case.status() is Status.EXPIRED
    decision = case.tell(0, Result.DELIVERED)
    assert case.status() is Status.DELIVERED and decision.abandon == -1


@pytest.mark.parametrize("first", [Result.UNDELIVERED, Result.REJECTED, Result.EXPIRED])
def test_the_first_final_state_wins(first: Result) -> None:
    case = Case(sms(until=Result.DELIVERED))
    case.tell(0, Result.ACCEPTED)
    case.tell(0, first)
    before = case.message
    for contradiction in (Result.DELIVERED, Result.ACCEPTED, Result.EXPIRED, Result.IN_DOUBT):
        assert case.tell(0, contradiction) == Decision(before)


def test_delivered_stays_delivered() -> None:
    case = Case(sms())
    case.tell(0, Result.DELIVERED)
    before = case.message
    for contradiction in (Result.UNDELIVERED, Result.ACCEPTED, Result.DELIVERED):
        assert case.tell(0, contradiction) == Decision(before)


def test_failed_after_accepted_stays_failed() -> None:
    case = Case(sms())
    case.tell(0, Result.ACCEPTED)
    case.tell(0, Result.UNDELIVERED)
    case.tell(0, Result.DELIVERED)
    case.tell(0, Result.ACCEPTED)
    assert case.status() is Status.FAILED


def test_in_doubt_moves_the_chain_on_and_is_a_status_of_its_own() -> None:
    case = Case(sms("a"), sms("b"))
    assert case.tell(0, Result.IN_DOUBT).start == 1
    case = Case(sms("a"))
    case.tell(0, Result.IN_DOUBT, reason="no answer")
    assert case.status() is Status.IN_DOUBT and case.message.reason == "no answer"


@pytest.mark.parametrize(
    ("news", "status"),
    [
        (Result.DELIVERED, Status.DELIVERED),
        (Result.ACCEPTED, Status.SENT),
        (Result.UNDELIVERED, Status.FAILED),
        (Result.EXPIRED, Status.EXPIRED),
    ],
)
def test_news_settles_what_was_in_doubt(news: Result, status: Status) -> None:
    case = Case(sms())
    case.tell(0, Result.IN_DOUBT)
    case.tell(0, news)
    assert case.status() is status
    assert case.results == [str(news)]


def test_a_step_that_is_not_applicable_is_told_apart_from_one_that_is_not_available() -> None:
    case = Case(
        sms("a"), sms("b"), sms("c"), sms("d"), network=Network(unfit=("a",), none=("b",), down=("c",))
    )
    assert case.last.start == 3
    assert case.states == ["skipped", "skipped", "skipped", "trying"]
    assert case.results == ["not-applicable", "not-available", "not-available", ""]
    assert [s.reason for s in case.message.steps] == ["opted out", "no bind", "down", ""]


@pytest.mark.parametrize(
    ("network", "code", "reason"),
    [
        (Network(unfit=("a",)), "not-applicable", "opted out"),
        (Network(none=("a",)), "not-available", "no bind"),
    ],
)
def test_a_message_that_nothing_can_carry_fails_at_once(network: Network, code: str, reason: str) -> None:
    case = Case(sms("a"), network=network)
    assert case.last.start == -1 and case.last.timer_done
    assert (case.status(), case.message.code, case.message.reason) == (Status.FAILED, code, reason)


def test_a_lone_step_waits_for_its_carrier() -> None:
    case = Case(sms("a", within=60.0), network=Network(down=("a",)))
    assert case.last.start == 0 and case.last.timer_due == 160.0
    assert case.states == ["trying"] and case.message.steps[0].reason == "down"


def test_a_step_waits_for_its_carrier_when_no_later_one_can_be_tried() -> None:
    network = Network(down=("a", "b"), unfit=("c",))
    case = Case(sms("a"), sms("b"), sms("c"), network=network)
    assert case.last.start == 0
    assert case.states == ["trying", "pending", "pending"]


def test_the_steps_after_one_that_waited_are_tested_again_when_it_has_failed() -> None:
    network = Network(down=("a", "b"), unfit=("c",))
    case = Case(sms("a"), sms("b"), sms("c"), network=network)
    network.down.clear()
    assert case.tell(0, Result.REJECTED).start == 1
    assert case.tell(1, Result.REJECTED).start == -1
    assert case.states == ["failed", "failed", "skipped"]
    assert case.results[2] == "not-applicable"
    assert case.status() is Status.FAILED and case.message.code == "rejected"


def test_the_last_step_that_was_tried_gives_the_status() -> None:
    network = Network(unfit=("c",))
    case = Case(sms("a"), sms("b", within=5.0), sms("c"), network=network)
    case.tell(0, Result.REJECTED)
    case.time_out(1)
    assert case.states == ["failed", "failed", "skipped"]
    assert case.status() is Status.EXPIRED and case.message.carrier == "b"


def test_an_outcome_of_a_step_that_is_not_there_changes_nothing() -> None:
    case = Case(sms())
    before = case.message
    assert case.tell(7, Result.DELIVERED) == Decision(before)
    assert case.tell(-1, Result.DELIVERED) == Decision(before)


def repeated(step: StepPlan, times: int, *results: str, pause: float = 30.0) -> list[StepPlan]:
    """A step with its repetitions after a failure with one of `results`."""
    again = [
        replace(step, again=n, pause_seconds=pause, retry_on=results or ("busy",))
        for n in range(1, times + 1)
    ]
    return [step, *again]


def test_a_step_is_tried_again_after_its_pause_before_the_next_one_is() -> None:
    case = Case(*repeated(voice(), 1), sms("b"))
    decision = case.tell(0, Result.BUSY, code="486")
    assert (decision.start, decision.rest, decision.timer_due) == (-1, 1, 131.0)
    assert case.states == ["failed", "pending", "pending"] and case.status() is Status.QUEUED
    assert case.message.waits == ""
    assert case.rested(1, 30.0).start == 1
    assert case.tell(1, Result.BUSY).start == 2
    assert case.states == ["failed", "failed", "trying"]


def test_what_failed_for_good_is_not_tried_again() -> None:
    case = Case(*repeated(voice(), 2), sms("b"))
    decision = case.tell(0, Result.REJECTED)
    assert (decision.start, decision.rest) == (3, -1)
    assert case.states == ["failed", "skipped", "skipped", "trying"]
    assert "rejected, which is for good" in case.message.steps[1].reason


def test_a_step_that_was_not_tried_is_not_tried_again() -> None:
    case = Case(*repeated(sms("a"), 1), sms("b"), network=Network(unfit=("a",)))
    assert case.last.start == 2 and case.states == ["skipped", "skipped", "trying"]


def test_a_late_success_ends_the_rest() -> None:
    case = Case(*repeated(sms(until=Result.DELIVERED, within=60.0), 1, "timeout"))
    case.tell(0, Result.ACCEPTED)
    assert case.time_out(0).rest == 1
    decision = case.tell(0, Result.DELIVERED)
    assert decision.timer_done and case.status() is Status.DELIVERED
    assert case.rested(1) == Decision(case.message, timer_done=True)
    assert case.states == ["succeeded", "pending"]


def test_after_the_rest_a_carrier_that_is_down_is_passed_over() -> None:
    case = Case(*repeated(sms("a"), 1, "undelivered"), sms("b"))
    case.tell(0, Result.UNDELIVERED)
    case.network = Network(down=("a",))
    assert case.rested(1).start == 2
    assert case.results == ["undelivered", "not-available", ""]


def limited(step: StepPlan, seconds: float) -> StepPlan:
    return replace(step, chain_seconds=seconds)


def test_no_step_begins_when_the_time_of_the_chain_is_over() -> None:
    case = Case(
        limited(sms("a", within=60.0), 90.0), limited(sms("b", within=60.0), 90.0), limited(sms(), 90.0)
    )
    assert case.last.timer_due == 160.0
    assert case.time_out(0, 60.0).timer_due == 190.0, "what is left of the chain's time"
    decision = case.time_out(1, 30.0)
    assert decision.start == -1 and decision.timer_done and decision.abandon == 1
    assert case.states == ["failed", "failed", "skipped"] and case.status() is Status.EXPIRED
    assert case.message.steps[1].reason == "not accepted when the chain's 90 s were over"
    assert case.message.steps[2].reason == "the chain's 90 s are over before it"


def test_a_step_without_a_time_of_its_own_has_the_chain_s() -> None:
    case = Case(limited(sms(until=Result.DELIVERED), 90.0))
    assert (case.last.timer_due, case.last.timer_done) == (190.0, False)
    case.tell(0, Result.ACCEPTED)
    assert case.time_out(0, 89.0).timer_done and case.status() is Status.EXPIRED


def test_a_rest_that_would_outlast_the_chain_is_not_begun() -> None:
    case = Case(*(limited(step, 25.0) for step in repeated(voice(), 1)), limited(sms("b"), 25.0))
    assert case.tell(0, Result.BUSY).start == 2
    assert case.states == ["failed", "skipped", "trying"]


plans = st.lists(
    st.builds(
        sms,
        st.sampled_from("abcd"),
        st.sampled_from([Result.ACCEPTED, Result.DELIVERED]),
        st.sampled_from([0.0, 60.0]),
    ),
    min_size=1,
    max_size=4,
)
REPORTS = [r for r in Result if r not in (Result.NOT_APPLICABLE, Result.NOT_AVAILABLE, Result.TIMEOUT)]
happenings = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from([*REPORTS, None]), st.sets(st.sampled_from("abcd"))),
    max_size=25,
)


@given(
    plans,
    happenings,
    st.sets(st.sampled_from("abcd")),
    st.integers(0, 2),
    st.sampled_from([0.0, 10.0, 300.0]),
)
def test_whatever_happens_a_step_starts_once_and_the_chain_ends_or_waits(
    steps: list[StepPlan],
    happenings: list[tuple[int, Result | None, set[str]]],
    unfit: set[str],
    times: int,
    seconds: float,
) -> None:
    results = ("undelivered", "busy", "timeout")
    plan = [limited(again, seconds) for step in steps for again in repeated(step, times, *results)]
    case = Case(*plan, network=Network(unfit=tuple(unfit)))
    started = [case.last.start] if case.last.start >= 0 else []
    delivered = False
    for index, result, down in happenings:
        case.network.down = down
        if case.rest >= 0 and result is None:
            case.rested(case.rest, 30.0)
        elif index >= len(plan) or case.message.steps[index].state is StepState.PENDING:
            continue  # a channel reports only what it was given
        elif result is None:
            case.time_out(index)
        else:
            case.tell(index, result)
        if case.last.start >= 0:
            started.append(case.last.start)
        delivered = delivered or case.status() is Status.DELIVERED
        assert not delivered or case.status() in (Status.DELIVERED, Status.ANSWERED)
        check(case, started)


def check(case: Case, started: list[int]) -> None:
    assert started == sorted(set(started)), "each once, in order"
    assert case.message.step == (started[-1] if started else -1)
    now_tried = [i for i, s in enumerate(case.message.steps) if s.state is StepState.TRYING]
    waits_for = now_tried + [i for i, s in enumerate(case.message.steps) if s.state is StepState.ACCEPTED]
    assert len(now_tried) <= 1 and all(i == case.message.step for i in now_tried)
    assert waits_for or case.rest >= 0 or case.status() is not Status.QUEUED, (
        "it ends, or waits for something"
    )
    if any(s.state is StepState.SUCCEEDED for s in case.message.steps):
        assert not now_tried


def test_each_way_of_failing_leads_to_the_next_step() -> None:
    case = Case(sms("a"), sms("b", within=9.0), sms("c"), sms("d"))
    fail: list[Callable[[], Decision]] = [
        lambda: case.tell(0, Result.REJECTED),
        lambda: case.time_out(1),
        lambda: case.tell(2, Result.IN_DOUBT),
    ]
    assert [step().start for step in fail] == [1, 2, 3]
    assert case.tell(3, Result.ACCEPTED).start == -1
    assert case.states == ["failed", "failed", "failed", "succeeded"]


def test_a_step_that_says_so_waits_for_its_installation_though_a_later_one_could_be_tried() -> None:
    away = Network(down=("shop",))
    patient = replace(sms("shop", within=90.0), channel="app", away="wait")
    case = Case(patient, sms("b"), network=away)
    assert (case.last.start, case.last.timer_due) == (0, 190.0)
    assert case.message.steps[0].reason == "down"
    [moved, _] = Case(replace(patient, away="last"), sms("b"), network=away).message.steps
    assert moved.state is S.SKIPPED and moved.result == Result.NOT_AVAILABLE


def test_what_waits_waits_in_the_queue_that_the_carrier_names() -> None:
    decision = chain.begin(message(sms()), lambda step: Fitness(Carrier("shop", "away", "app:x")), 1.0)
    assert (decision.message.waits, decision.message.steps[0].carrier) == ("app:x", "shop")


def test_a_call_that_is_to_be_confirmed_has_come_to_something_only_then() -> None:
    asked = voice(until=Result.CONFIRMED, within=300.0)
    case = Case(asked, sms("b"))
    answered = chain.happened(case.message, 0, Outcome(Result.ANSWERED), UP, 110.0)
    assert (answered.message.steps[0].state, answered.message.status) == (S.ACCEPTED, Status.SENT)
    confirmed = chain.happened(answered.message, 0, Outcome(Result.CONFIRMED), UP, 120.0)
    assert confirmed.message.status is Status.ANSWERED and confirmed.start < 0
    alone = chain.happened(answered.message, 0, Outcome(Result.UNCONFIRMED, "not pressed"), UP, 120.0)
    assert (alone.start, alone.message.steps[0].result) == (1, "unconfirmed")
    late = chain.happened(alone.message, 0, Outcome(Result.CONFIRMED), UP, 130.0)
    assert late.message.steps[0].state is S.FAILED  # the person has hung up: nothing comes any more
