import pytest

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import TRANSITIONS, Call, CallCause, CallState, Direction
from gateway.protocol.sip.transaction import IllegalTransition


def call_in(state: CallState) -> Call:
    return Call("id", Direction.INBOUND, state, "1", "2", Address("192.0.2.2", 5060), "east")


@pytest.mark.parametrize("cause", CallCause, ids=lambda cause: cause.name)
@pytest.mark.parametrize("state", CallState, ids=lambda state: state.name)
def test_a_step_follows_the_table_or_raises_and_changes_nothing(state: CallState, cause: CallCause) -> None:
    call = call_in(state)
    if (state, cause) in TRANSITIONS:
        assert call.allows(cause)
        call.step(cause)
        assert call.state is TRANSITIONS[state, cause]
    else:
        assert not call.allows(cause)
        with pytest.raises(IllegalTransition):
            call.step(cause)
        assert call.state is state


def test_every_state_leads_to_the_end() -> None:
    ending = {CallState.ENDED}
    for _ in CallState:
        ending |= {state for (state, _), to in TRANSITIONS.items() if to in ending}
    assert ending == set(CallState)
    assert CallState.ENDED not in {state for state, _ in TRANSITIONS}


def test_both_ways_into_a_call_reach_every_state() -> None:
    reached = {CallState.INCOMING, CallState.CALLING}
    for _ in CallState:
        reached |= {to for (state, _), to in TRANSITIONS.items() if state in reached}
    assert reached == set(CallState)


def test_the_own_number_depends_on_the_direction() -> None:
    call = call_in(CallState.RINGING)
    assert call.own_number == "2"
    call.direction = Direction.OUTBOUND
    assert call.own_number == "1"
    assert not call.ended
