"""The four transaction state machines as tables (RFC 3261 section 17, with RFC 6026's Accepted state).

They hold for every transport: UNRELIABLE_ONLY and ZERO_IF_RELIABLE are the difference.  Timer C belongs to
proxies.  A cause that a table does not list in some state is ignored when the peer is its author (a stray
retransmission), and an IllegalTransition when it is the user of the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.digest import Digest
from gateway.protocol.sip.message import Request, Response
from gateway.protocol.sip.timers import LIFETIME, T1, T2, T4, Timer


class State(Enum):
    __hash__ = object.__hash__  # a member is itself; Enum hashes its name, in Python

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class Cause(Enum):
    """What moves a transaction.  A response is received by a client, sent by a server."""

    __hash__ = object.__hash__  # a member is itself; Enum hashes its name, in Python

    PROVISIONAL = auto()  # 1xx
    SUCCESS = auto()  # 2xx
    FAILURE = auto()  # 3xx to 6xx
    REQUEST = auto()  # the request again
    ACK = auto()
    TRANSPORT_ERROR = auto()
    TIMER_A = auto()
    TIMER_B = auto()
    TIMER_D = auto()
    TIMER_E = auto()
    TIMER_F = auto()
    TIMER_G = auto()
    TIMER_H = auto()
    TIMER_I = auto()
    TIMER_J = auto()
    TIMER_K = auto()
    TIMER_L = auto()
    TIMER_M = auto()


class Act(Enum):
    SEND = auto()  # the request, or the latest response
    ACK = auto()  # acknowledge the failure response
    PASS = auto()  # hand what was received to the user
    FAIL = auto()  # tell the user that nothing more will come


class IllegalTransition(Exception):
    """The user of a transaction asked for a step that its state does not have; nothing changed."""


Table = Mapping[tuple[State, Cause], tuple[State, tuple[Act, ...]]]


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    name: str
    start: State
    table: Table
    running: Mapping[State, frozenset[Cause]]  # the timers that run in a state


FIRST_WAIT: Mapping[Cause, float] = {
    Cause.TIMER_A: T1,
    Cause.TIMER_B: LIFETIME,
    Cause.TIMER_D: LIFETIME,
    Cause.TIMER_E: T1,
    Cause.TIMER_F: LIFETIME,
    Cause.TIMER_G: T1,
    Cause.TIMER_H: LIFETIME,
    Cause.TIMER_I: T4,
    Cause.TIMER_J: LIFETIME,
    Cause.TIMER_K: T4,
    Cause.TIMER_L: LIFETIME,
    Cause.TIMER_M: LIFETIME,
}
# over a reliable transport nothing is repeated, and no copy of a message can come late
UNRELIABLE_ONLY = frozenset({Cause.TIMER_A, Cause.TIMER_E, Cause.TIMER_G})
ZERO_IF_RELIABLE = frozenset({Cause.TIMER_D, Cause.TIMER_I, Cause.TIMER_J, Cause.TIMER_K})
LONGEST_WAIT: Mapping[Cause, float] = {  # the timers that repeat, each time after double the wait
    Cause.TIMER_A: LIFETIME,
    Cause.TIMER_E: T2,
    Cause.TIMER_G: T2,
}

INVITE_CLIENT = Machine(  # RFC 6026 figure 5
    "INVITE client",
    State.CALLING,
    {
        (State.CALLING, Cause.TIMER_A): (State.CALLING, (Act.SEND,)),
        (State.CALLING, Cause.TIMER_B): (State.TERMINATED, (Act.FAIL,)),
        (State.CALLING, Cause.TRANSPORT_ERROR): (State.TERMINATED, (Act.FAIL,)),
        (State.CALLING, Cause.PROVISIONAL): (State.PROCEEDING, (Act.PASS,)),
        (State.CALLING, Cause.SUCCESS): (State.ACCEPTED, (Act.PASS,)),
        (State.CALLING, Cause.FAILURE): (State.COMPLETED, (Act.ACK, Act.PASS)),
        (State.PROCEEDING, Cause.PROVISIONAL): (State.PROCEEDING, (Act.PASS,)),
        (State.PROCEEDING, Cause.SUCCESS): (State.ACCEPTED, (Act.PASS,)),
        (State.PROCEEDING, Cause.FAILURE): (State.COMPLETED, (Act.ACK, Act.PASS)),
        (State.COMPLETED, Cause.FAILURE): (State.COMPLETED, (Act.ACK,)),
        (State.COMPLETED, Cause.TIMER_D): (State.TERMINATED, ()),
        # each 2xx is for the user: a repetition wants its ACK again, a fork's its own
        (State.ACCEPTED, Cause.SUCCESS): (State.ACCEPTED, (Act.PASS,)),
        (State.ACCEPTED, Cause.TIMER_M): (State.TERMINATED, ()),
    },
    {
        State.CALLING: frozenset({Cause.TIMER_A, Cause.TIMER_B}),
        State.COMPLETED: frozenset({Cause.TIMER_D}),
        State.ACCEPTED: frozenset({Cause.TIMER_M}),
    },
)

CLIENT = Machine(  # RFC 3261 figure 6
    "non-INVITE client",
    State.TRYING,
    {
        (State.TRYING, Cause.TIMER_E): (State.TRYING, (Act.SEND,)),
        (State.TRYING, Cause.TIMER_F): (State.TERMINATED, (Act.FAIL,)),
        (State.TRYING, Cause.TRANSPORT_ERROR): (State.TERMINATED, (Act.FAIL,)),
        (State.TRYING, Cause.PROVISIONAL): (State.PROCEEDING, (Act.PASS,)),
        (State.TRYING, Cause.SUCCESS): (State.COMPLETED, (Act.PASS,)),
        (State.TRYING, Cause.FAILURE): (State.COMPLETED, (Act.PASS,)),
        (State.PROCEEDING, Cause.TIMER_E): (State.PROCEEDING, (Act.SEND,)),
        (State.PROCEEDING, Cause.TIMER_F): (State.TERMINATED, (Act.FAIL,)),
        (State.PROCEEDING, Cause.TRANSPORT_ERROR): (State.TERMINATED, (Act.FAIL,)),
        (State.PROCEEDING, Cause.PROVISIONAL): (State.PROCEEDING, (Act.PASS,)),
        (State.PROCEEDING, Cause.SUCCESS): (State.COMPLETED, (Act.PASS,)),
        (State.PROCEEDING, Cause.FAILURE): (State.COMPLETED, (Act.PASS,)),
        (State.COMPLETED, Cause.TIMER_K): (State.TERMINATED, ()),
    },
    {
        State.TRYING: frozenset({Cause.TIMER_E, Cause.TIMER_F}),
        State.PROCEEDING: frozenset({Cause.TIMER_E, Cause.TIMER_F}),
        State.COMPLETED: frozenset({Cause.TIMER_K}),
    },
)

# servers take no TRANSPORT_ERROR: repetitions heal one lost answer, timers end the rest
INVITE_SERVER = Machine(  # RFC 6026 figure 7
    "INVITE server",
    State.PROCEEDING,
    {
        (State.PROCEEDING, Cause.REQUEST): (State.PROCEEDING, (Act.SEND,)),
        (State.PROCEEDING, Cause.PROVISIONAL): (State.PROCEEDING, (Act.SEND,)),
        (State.PROCEEDING, Cause.SUCCESS): (State.ACCEPTED, (Act.SEND,)),
        (State.PROCEEDING, Cause.FAILURE): (State.COMPLETED, (Act.SEND,)),
        (State.COMPLETED, Cause.REQUEST): (State.COMPLETED, (Act.SEND,)),
        (State.COMPLETED, Cause.TIMER_G): (State.COMPLETED, (Act.SEND,)),
        (State.COMPLETED, Cause.TIMER_H): (State.TERMINATED, (Act.FAIL,)),
        (State.COMPLETED, Cause.ACK): (State.CONFIRMED, ()),
        (State.CONFIRMED, Cause.TIMER_I): (State.TERMINATED, ()),
        # the user repeats its 2xx until the ACK; the INVITE again is only swallowed
        (State.ACCEPTED, Cause.SUCCESS): (State.ACCEPTED, (Act.SEND,)),
        (State.ACCEPTED, Cause.ACK): (State.ACCEPTED, (Act.PASS,)),
        (State.ACCEPTED, Cause.TIMER_L): (State.TERMINATED, ()),
    },
    {
        State.COMPLETED: frozenset({Cause.TIMER_G, Cause.TIMER_H}),
        State.CONFIRMED: frozenset({Cause.TIMER_I}),
        State.ACCEPTED: frozenset({Cause.TIMER_L}),
    },
)

SERVER = Machine(  # RFC 3261 figure 8
    "non-INVITE server",
    State.TRYING,
    {
        (State.TRYING, Cause.PROVISIONAL): (State.PROCEEDING, (Act.SEND,)),
        (State.TRYING, Cause.SUCCESS): (State.COMPLETED, (Act.SEND,)),
        (State.TRYING, Cause.FAILURE): (State.COMPLETED, (Act.SEND,)),
        (State.PROCEEDING, Cause.REQUEST): (State.PROCEEDING, (Act.SEND,)),
        (State.PROCEEDING, Cause.PROVISIONAL): (State.PROCEEDING, (Act.SEND,)),
        (State.PROCEEDING, Cause.SUCCESS): (State.COMPLETED, (Act.SEND,)),
        (State.PROCEEDING, Cause.FAILURE): (State.COMPLETED, (Act.SEND,)),
        (State.COMPLETED, Cause.REQUEST): (State.COMPLETED, (Act.SEND,)),
        (State.COMPLETED, Cause.TIMER_J): (State.TERMINATED, ()),
    },
    {State.COMPLETED: frozenset({Cause.TIMER_J})},
)

MACHINES = (INVITE_CLIENT, CLIENT, INVITE_SERVER, SERVER)


def cause_of(status: int) -> Cause:
    if status < 200:
        return Cause.PROVISIONAL
    return Cause.SUCCESS if status < 300 else Cause.FAILURE


@dataclass(slots=True, eq=False)
class Transaction:
    """The state of one transaction; `layer.TransactionLayer` carries out its acts and runs its timers."""

    machine: Machine
    request: Request
    peer: Address
    state: State = field(init=False)
    timers: dict[Cause, Timer] = field(init=False, default_factory=dict)
    waits: dict[Cause, float] = field(init=False, default_factory=dict)  # of the timers that repeat

    def __post_init__(self) -> None:
        self.state = self.machine.start

    def allows(self, cause: Cause) -> bool:
        return (self.state, cause) in self.machine.table

    def step(self, cause: Cause) -> tuple[Act, ...]:
        """Move, and say what is to be done.  Raises IllegalTransition."""
        try:
            self.state, acts = self.machine.table[self.state, cause]
        except KeyError:
            raise IllegalTransition(f"{self.machine.name}: {cause.name} in {self.state.name}") from None
        return acts

    def next_wait(self, cause: Cause) -> float:
        """How long a timer runs when it is started now."""
        if cause in ZERO_IF_RELIABLE and self.peer.reliable:
            return 0.0
        last = self.waits.get(cause)
        if cause is Cause.TIMER_E and self.state is State.PROCEEDING and last is not None:
            wait = T2  # section 17.1.2.2
        else:
            wait = FIRST_WAIT[cause] if last is None else min(2 * last, LONGEST_WAIT[cause])
        if cause in LONGEST_WAIT:
            self.waits[cause] = wait
        return wait

    @property
    def running(self) -> frozenset[Cause]:
        """The timers that run in the present state."""
        timers = self.machine.running.get(self.state, frozenset())
        return timers - UNRELIABLE_ONLY if self.peer.reliable else timers


@dataclass(slots=True, eq=False)
class ClientTransaction(Transaction):
    key: tuple[str, str]  # branch, method
    wire: bytes
    user: object  # whoever the responses are for
    digest: Digest | None = None  # meets the challenges that come back
    challenges: int = 0  # met so far
    datagram: Address | None = None  # where it was to go, had it not been too large for a datagram


@dataclass(slots=True, eq=False)
class ServerTransaction(Transaction):
    key: tuple[object, ...]
    source: Address
    wire: bytes = b""  # the latest response
    user: object = None


class Datagram(NamedTuple):
    """Something to send.  The transaction is told when sending it fails.

    A response over TCP or TLS goes by the connection to `address`; when that is gone, by one to `otherwise`
    (section 18.2.2).
    """

    data: bytes
    address: Address
    transaction: ClientTransaction | None = None
    otherwise: Address | None = None


# what the layer tells its user


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A new request; it wants `TransactionLayer.respond`."""

    transaction: ServerTransaction
    request: Request


@dataclass(frozen=True, slots=True)
class AckReceived:
    """An ACK that belongs to a 2xx, or to nothing."""

    request: Request


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    transaction: ClientTransaction
    response: Response


@dataclass(frozen=True, slots=True)
class TransactionFailed:
    """A client without final response (timer B or F, transport error), or a server without ACK (H)."""

    transaction: ClientTransaction | ServerTransaction
    unreachable: bool  # the datagram could not be sent at all


@dataclass(frozen=True, slots=True)
class StrangerMuted:
    """An address that is nobody's has sent so many requests that it is not answered any more."""

    source: Address


LayerEvent = RequestReceived | AckReceived | ResponseReceived | TransactionFailed | StrangerMuted
