"""The life of an SMPP session as data (SMPP 3.4 section 2.2), and who may ask what when (section 2.3).

    OPEN -- bind --> BINDING -- granted --> BOUND_TX, _RX or _TRX -- unbind --> UNBINDING --> CLOSED

Which bind was asked for, the requests without an answer yet and the timers are not in the table: they have
more values than a table can list, and `SmppSession` keeps them beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from gateway.protocol.smpp.operations import (
    AlertNotification,
    CancelSm,
    Outbind,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
)
from gateway.protocol.smpp.pdu import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DeliverSm,
    EnquireLink,
    Request,
    SubmitSm,
    Unbind,
)


class Role(Enum):
    ESME = "ESME"  # asks for the bind
    SMSC = "SMSC"  # grants it


class State(Enum):
    OPEN = auto()
    BINDING = auto()
    BOUND_TX = auto()
    BOUND_RX = auto()
    BOUND_TRX = auto()
    UNBINDING = auto()
    CLOSED = auto()


class Cause(Enum):
    BIND_REQUESTED = auto()
    BOUND_AS_TRANSMITTER = auto()
    BOUND_AS_RECEIVER = auto()
    BOUND_AS_TRANSCEIVER = auto()
    BIND_REFUSED = auto()
    UNBIND_SENT = auto()
    UNBIND_RECEIVED = auto()
    UNBIND_ANSWERED = auto()
    LINK_LOST = auto()  # the connection, the framing, or a peer that answers no more


class IllegalTransition(Exception):
    """A cause that has no meaning in the state; nothing was changed."""

    def __init__(self, state: State, cause: Cause) -> None:
        super().__init__(f"{cause.name} in {state.name}")


TRANSITIONS: Mapping[tuple[State, Cause], State] = {
    (State.OPEN, Cause.BIND_REQUESTED): State.BINDING,
    (State.BINDING, Cause.BOUND_AS_TRANSMITTER): State.BOUND_TX,
    (State.BINDING, Cause.BOUND_AS_RECEIVER): State.BOUND_RX,
    (State.BINDING, Cause.BOUND_AS_TRANSCEIVER): State.BOUND_TRX,
    (State.BINDING, Cause.BIND_REFUSED): State.OPEN,  # closing the link is the transport's choice
    (State.BOUND_TX, Cause.UNBIND_SENT): State.UNBINDING,
    (State.BOUND_RX, Cause.UNBIND_SENT): State.UNBINDING,
    (State.BOUND_TRX, Cause.UNBIND_SENT): State.UNBINDING,
    (State.BOUND_TX, Cause.UNBIND_RECEIVED): State.CLOSED,
    (State.BOUND_RX, Cause.UNBIND_RECEIVED): State.CLOSED,
    (State.BOUND_TRX, Cause.UNBIND_RECEIVED): State.CLOSED,
    (State.UNBINDING, Cause.UNBIND_RECEIVED): State.CLOSED,  # both at once
    (State.UNBINDING, Cause.UNBIND_ANSWERED): State.CLOSED,
    **{(state, Cause.LINK_LOST): State.CLOSED for state in State},
}


def after(state: State, cause: Cause) -> State:
    """The state that follows.  Raises IllegalTransition."""
    try:
        return TRANSITIONS[state, cause]
    except KeyError:
        raise IllegalTransition(state, cause) from None


BOUND = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})
_TO_SMSC = frozenset({State.BOUND_TX, State.BOUND_TRX})
_TO_ESME = frozenset({State.BOUND_RX, State.BOUND_TRX})
_LINK = BOUND | {State.UNBINDING}

# requests by the side that sends them; what is not listed for a side is not its to ask
LEGAL: Mapping[Role, Mapping[type[Request], frozenset[State]]] = {
    Role.ESME: {
        BindTransmitter: frozenset({State.OPEN}),
        BindReceiver: frozenset({State.OPEN}),
        BindTransceiver: frozenset({State.OPEN}),
        SubmitSm: _TO_SMSC,
        SubmitMulti: _TO_SMSC,
        DataSm: _TO_SMSC,
        QuerySm: _TO_SMSC,
        CancelSm: _TO_SMSC,
        ReplaceSm: _TO_SMSC,
        EnquireLink: _LINK,
        Unbind: _LINK,
    },
    Role.SMSC: {
        Outbind: frozenset({State.OPEN}),
        DeliverSm: _TO_ESME,
        DataSm: _TO_ESME,
        AlertNotification: _TO_ESME,
        EnquireLink: _LINK,
        Unbind: _LINK,
    },
}
NEVER_ANSWERED: frozenset[type[Request]] = frozenset({Outbind, AlertNotification})
