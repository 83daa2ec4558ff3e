import pytest

from gateway.protocol.sip.headers import Via
from gateway.protocol.sip.message import make_request
from gateway.protocol.sip.timers import LIFETIME, T2
from gateway.protocol.sip.transaction import (
    CLIENT,
    FIRST_WAIT,
    INVITE_CLIENT,
    LONGEST_WAIT,
    MACHINES,
    Cause,
    IllegalTransition,
    Machine,
    State,
    Transaction,
    cause_of,
)

BYE = make_request(
    "BYE",
    "sip:a@b",
    via=Via("UDP", "h", None, {}),
    from_="<sip:a@b>;tag=1",
    to="<sip:c@d>",
    call_id="c",
    cseq=1,
)
EVERY = [(machine, state, cause) for machine in MACHINES for state in State for cause in Cause]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_is_reached_and_left_and_every_timer_is_heeded(machine: Machine) -> None:
    reached = {machine.start}
    for _ in State:
        reached |= {to for (state, _), (to, _) in machine.table.items() if state in reached}
    assert reached == {state for state, _ in machine.table} | {State.TERMINATED}
    assert State.TERMINATED not in {state for state, _ in machine.table}
    for state, timers in machine.running.items():
        assert all((state, timer) in machine.table for timer in timers)
    heeded = {cause for _, cause in machine.table if cause.name.startswith("TIMER")}
    assert heeded == {timer for timers in machine.running.values() for timer in timers}


@pytest.mark.parametrize(("machine", "state", "cause"), EVERY, ids=lambda value: getattr(value, "name", ""))
def test_a_step_follows_the_table_or_raises_and_changes_nothing(
    machine: Machine, state: State, cause: Cause
) -> None:
    transaction = Transaction(machine, BYE, ("h", 1))
    transaction.state = state
    row = machine.table.get((state, cause))
    assert transaction.allows(cause) is (row is not None)
    if row is None:
        with pytest.raises(IllegalTransition):
            transaction.step(cause)
        assert transaction.state is state
    else:
        assert transaction.step(cause) == row[1]
        assert transaction.state is row[0]


def test_waits_double_up_to_their_limit() -> None:
    invite, other = Transaction(INVITE_CLIENT, BYE, ("h", 1)), Transaction(CLIENT, BYE, ("h", 1))
    assert [invite.next_wait(Cause.TIMER_A) for _ in range(7)] == [0.5, 1, 2, 4, 8, 16, 32]
    assert [other.next_wait(Cause.TIMER_E) for _ in range(5)] == [0.5, 1, 2, T2, T2]
    assert other.next_wait(Cause.TIMER_F) == LIFETIME


def test_a_provisional_response_slows_timer_e_to_t2() -> None:
    other = Transaction(CLIENT, BYE, ("h", 1))
    other.next_wait(Cause.TIMER_E)
    other.step(Cause.PROVISIONAL)
    assert other.next_wait(Cause.TIMER_E) == T2


def test_every_timer_has_a_wait() -> None:
    timers = {timer for machine in MACHINES for timers in machine.running.values() for timer in timers}
    assert timers == set(FIRST_WAIT)
    assert set(LONGEST_WAIT) < timers


def test_status_classes() -> None:
    assert [cause_of(status) for status in (100, 199, 200, 299, 300, 699)] == [
        Cause.PROVISIONAL,
        Cause.PROVISIONAL,
        Cause.SUCCESS,
        Cause.SUCCESS,
        Cause.FAILURE,
        Cause.FAILURE,
    ]
