"""Every state with every cause, against what is written here and nowhere else."""

import itertools

import pytest

from gateway.protocol.smpp.states import (
    BOUND,
    LEGAL,
    TRANSITIONS,
    Cause,
    IllegalTransition,
    Role,
    State,
    after,
)

EXPECTED = {
    "OPEN": {"BIND_REQUESTED": "BINDING"},
    "BINDING": {
        "BOUND_AS_TRANSMITTER": "BOUND_TX",
        "BOUND_AS_RECEIVER": "BOUND_RX",
        "BOUND_AS_TRANSCEIVER": "BOUND_TRX",
        "BIND_REFUSED": "OPEN",
    },
    "BOUND_TX": {"UNBIND_SENT": "UNBINDING", "UNBIND_RECEIVED": "CLOSED"},
    "BOUND_RX": {"UNBIND_SENT": "UNBINDING", "UNBIND_RECEIVED": "CLOSED"},
    "BOUND_TRX": {"UNBIND_SENT": "UNBINDING", "UNBIND_RECEIVED": "CLOSED"},
    "UNBINDING": {"UNBIND_RECEIVED": "CLOSED", "UNBIND_ANSWERED": "CLOSED"},
    "CLOSED": {},
}


@pytest.mark.parametrize(("state", "cause"), list(itertools.product(State, Cause)))
def test_a_cause_leads_where_the_standard_says_or_nowhere(state: State, cause: Cause) -> None:
    wanted = "CLOSED" if cause is Cause.LINK_LOST else EXPECTED[state.name].get(cause.name)
    if wanted:
        assert after(state, cause) is State[wanted]
    else:
        with pytest.raises(IllegalTransition, match=f"{cause.name} in {state.name}"):
            after(state, cause)


def test_closed_is_the_end() -> None:
    assert {after for (state, _), after in TRANSITIONS.items() if state is State.CLOSED} == {State.CLOSED}


def test_no_message_is_legal_outside_a_bind() -> None:
    for role in Role:
        for kind, states in LEGAL[role].items():
            if kind.name.endswith("_sm") or kind.name == "submit_multi":
                assert states < BOUND
