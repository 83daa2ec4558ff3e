"""One call as the application sees it: its states as a table, its handle, its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.dialog import Dialog
from gateway.protocol.sip.digest import Digest
from gateway.protocol.sip.manner import Binding
from gateway.protocol.sip.message import Request, Response
from gateway.protocol.sip.reason import NORMAL_CLEARING
from gateway.protocol.sip.timers import Timer
from gateway.protocol.sip.transaction import (
    ClientTransaction,
    IllegalTransition,
    ServerTransaction,
    StrangerMuted,
)


class CallState(Enum):
    __hash__ = object.__hash__  # a member is itself; Enum hashes its name, in Python

    INCOMING = auto()  # they call; 100 was sent
    RINGING = auto()  # 180 was sent
    ACCEPTING = auto()  # the application answered; 200 waits for the PRACK of the 180 (RFC 3262 section 3)
    ANSWERED = auto()  # 200 was sent and waits for its ACK
    CLOSING = auto()  # as ANSWERED, but we hung up: BYE must wait for the ACK (section 15)
    CALLING = auto()  # we call; nothing came yet
    PROCEEDING = auto()  # a provisional response came
    ABANDONED = auto()  # we gave up, but CANCEL must wait for a provisional response (section 9.1)
    CANCELLING = auto()  # CANCEL was sent
    ESTABLISHED = auto()
    ENDING = auto()  # BYE was sent
    ENDED = auto()


class CallCause(Enum):
    __hash__ = object.__hash__  # a member is itself; Enum hashes its name, in Python

    RING = auto()
    ACCEPT = auto()
    ANSWER = auto()
    REJECT = auto()
    HANG_UP = auto()
    REMOTE_CANCEL = auto()
    REMOTE_BYE = auto()
    ACK = auto()
    NO_ACK = auto()
    LOST = auto()  # the session timer ran out, or the peer knows nothing of the call any more
    PROVISIONAL = auto()
    AGAIN = auto()  # refused, and asked again: with credentials, with a longer Session-Expires, elsewhere
    SUCCESS = auto()
    FAILURE = auto()  # or nothing came in time
    BYE_DONE = auto()


_S, _C = CallState, CallCause
TRANSITIONS: Mapping[tuple[CallState, CallCause], CallState] = {
    (_S.INCOMING, _C.RING): _S.RINGING,
    (_S.INCOMING, _C.ANSWER): _S.ANSWERED,
    (_S.INCOMING, _C.REJECT): _S.ENDED,
    (_S.INCOMING, _C.REMOTE_CANCEL): _S.ENDED,
    (_S.INCOMING, _C.REMOTE_BYE): _S.ENDED,
    (_S.RINGING, _C.RING): _S.RINGING,
    (_S.RINGING, _C.ANSWER): _S.ANSWERED,
    (_S.RINGING, _C.REJECT): _S.ENDED,
    (_S.RINGING, _C.REMOTE_CANCEL): _S.ENDED,
    (_S.RINGING, _C.REMOTE_BYE): _S.ENDED,
    (_S.RINGING, _C.ACCEPT): _S.ACCEPTING,
    (_S.ACCEPTING, _C.ANSWER): _S.ANSWERED,
    (_S.ACCEPTING, _C.REJECT): _S.ENDED,
    (_S.ACCEPTING, _C.REMOTE_CANCEL): _S.ENDED,
    (_S.ACCEPTING, _C.REMOTE_BYE): _S.ENDED,
    (_S.ANSWERED, _C.ACK): _S.ESTABLISHED,
    (_S.ANSWERED, _C.NO_ACK): _S.ENDING,
    (_S.ANSWERED, _C.HANG_UP): _S.CLOSING,
    (_S.ANSWERED, _C.REMOTE_BYE): _S.ENDED,
    (_S.CLOSING, _C.ACK): _S.ENDING,
    (_S.CLOSING, _C.NO_ACK): _S.ENDING,
    (_S.CLOSING, _C.REMOTE_BYE): _S.ENDED,
    (_S.CALLING, _C.PROVISIONAL): _S.PROCEEDING,
    (_S.CALLING, _C.AGAIN): _S.CALLING,
    (_S.CALLING, _C.SUCCESS): _S.ESTABLISHED,
    (_S.CALLING, _C.FAILURE): _S.ENDED,
    (_S.CALLING, _C.HANG_UP): _S.ABANDONED,
    (_S.PROCEEDING, _C.PROVISIONAL): _S.PROCEEDING,
    (_S.PROCEEDING, _C.AGAIN): _S.CALLING,
    (_S.PROCEEDING, _C.SUCCESS): _S.ESTABLISHED,
    (_S.PROCEEDING, _C.FAILURE): _S.ENDED,
    (_S.PROCEEDING, _C.HANG_UP): _S.CANCELLING,
    (_S.ABANDONED, _C.PROVISIONAL): _S.CANCELLING,
    (_S.ABANDONED, _C.SUCCESS): _S.ENDING,
    (_S.ABANDONED, _C.FAILURE): _S.ENDED,
    (_S.CANCELLING, _C.PROVISIONAL): _S.CANCELLING,
    (_S.CANCELLING, _C.SUCCESS): _S.ENDING,  # the 200 crossed the CANCEL
    (_S.CANCELLING, _C.FAILURE): _S.ENDED,
    (_S.ESTABLISHED, _C.HANG_UP): _S.ENDING,
    (_S.ESTABLISHED, _C.NO_ACK): _S.ENDING,  # of a re-INVITE
    (_S.ESTABLISHED, _C.LOST): _S.ENDING,
    (_S.ESTABLISHED, _C.REMOTE_BYE): _S.ENDED,
    (_S.ENDING, _C.BYE_DONE): _S.ENDED,
    (_S.ENDING, _C.REMOTE_BYE): _S.ENDED,  # both hung up at once
}


class Direction(Enum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(slots=True)
class EarlyDialog:
    """What one branch of a fork has said of our INVITE so far."""

    dialog: Dialog
    sdp: bytes = b""
    rseq: int = -1  # of the latest reliable response
    agreed: bool = False  # `sdp` came reliably: it is the answer (RFC 3262 section 5)


@dataclass(slots=True)
class Reliable:
    """A provisional response of ours that is repeated until its PRACK (RFC 3262 section 3)."""

    rseq: int
    wait: float
    gives_up_at: float
    sdp: bytes = b""
    timer: Timer | None = None


@dataclass(slots=True)
class SessionTimer:
    """RFC 4028: `refreshes` says whether we are to refresh the session, every `interval` seconds at least."""

    interval: int
    refreshes: bool
    refresh: Timer | None = None
    expiry: Timer | None = None


@dataclass(slots=True)
class Change:
    """A re-INVITE or UPDATE of ours under way.  `told`: the application asked for it and hears of its end."""

    sdp: bytes
    told: bool
    retry: Timer | None = None  # after a 491


@dataclass(slots=True)
class Unacked:
    """A 2xx that is repeated until its ACK (section 13.3.1.4)."""

    transaction: ServerTransaction
    wait: float
    gives_up_at: float
    timer: Timer | None = None


@dataclass(slots=True, eq=False)
class Call:
    """A handle.  The application reads what is above the line; the rest belongs to the user agent."""

    id: str
    direction: Direction
    state: CallState
    from_number: str
    to_number: str
    peer: Address  # where the INVITE came from or went to
    trunk: str | None  # by the peer's address; None for an outbound call to nobody's trunk
    # ---
    secure: bool = False  # it was addressed by a sips URI
    digest: Digest | None = None  # our credentials with its trunk
    anonymous: bool = False  # our number is withheld from the other end
    invite: ClientTransaction | ServerTransaction | None = None
    local_tag: str = ""
    dialog: Dialog | None = None
    local_sdp: bytes = b""
    remote_sdp: bytes = b""
    unacked: Unacked | None = None
    acks: dict[tuple[int, str], tuple[Request, Address]] = field(
        default_factory=dict
    )  # by CSeq and remote tag: a fork has its own
    cancel_timer: Timer | None = None
    early: dict[str, EarlyDialog] = field(default_factory=dict)  # of an outbound call, by remote tag
    wants_offer: bool = False  # the caller's PRACK is to answer an offer in our first provisional response
    reliable: Reliable | None = None
    rseq: int = 0  # of our latest reliable response
    following: tuple[int, bytes] | None = None  # status and body of the one that waits for the PRACK of that
    agreed: bool = False  # offer and answer were exchanged before our 200
    offer: ServerTransaction | None = None  # theirs, which the application is to answer
    change: Change | None = None
    session_timer: SessionTimer | None = None
    min_se: int = 0  # the longest Min-SE that a 422 told
    peer_updates: bool = False  # its Allow lists UPDATE
    referring: bool = False  # the end of a transfer is awaited
    redirections: int = 0
    why: int = NORMAL_CLEARING  # we hang up: the cause of ITU-T Q.850 that goes along

    @property
    def ended(self) -> bool:
        """Whether nothing can be asked of the call any more."""
        return self.state in (CallState.ENDING, CallState.ENDED)

    @property
    def call_id(self) -> str:
        """The Call-ID, as it stands in the messages; "" before there is one."""
        return self.invite.request.call_id if self.invite is not None else ""

    @property
    def own_number(self) -> str:
        return self.to_number if self.direction is Direction.INBOUND else self.from_number

    def allows(self, cause: CallCause) -> bool:
        return (self.state, cause) in TRANSITIONS

    def step(self, cause: CallCause) -> None:
        """Raises IllegalTransition, and changes nothing then."""
        try:
            self.state = TRANSITIONS[self.state, cause]
        except KeyError:
            raise IllegalTransition(f"call: {cause.name} in {self.state.name}") from None


@dataclass(frozen=True, slots=True)
class Probe:
    """A handle for an OPTIONS of ours."""

    target: Address


class EndedBy(Enum):
    LOCAL = "local"
    REMOTE = "remote"
    NO_ACK = "no-ack"  # our 200 was never acknowledged
    LOST = "lost"  # the session was not refreshed in time, or the peer denies that the call exists


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """Wants ring, reject or answer.  `sdp` is empty when the caller expects our offer."""

    call: Call
    from_number: str
    to_number: str
    source: Address
    trunk: str
    sdp: bytes
    dialled: str = ""  # the number in To, where a registered user's Request-URI has none


@dataclass(frozen=True, slots=True)
class CallCancelled:
    """The call was over before the application decided: the caller gave up, or the agent drains.

    `reason` is the Reason header of the CANCEL or BYE, mostly empty.
    """

    call: Call
    reason: str


@dataclass(frozen=True, slots=True)
class CallProgress:
    """A provisional response above 100 to our INVITE; with `sdp` media may come already.

    `fork` tells one branch from another when several phones ring: each has its own media.
    """

    call: Call
    status: int
    sdp: bytes
    fork: str = ""


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The call stands: our INVITE got its 200, or our 200 its ACK.

    `sdp` is the body of that, or for a 200 without one what the same phone said before.
    """

    call: Call
    sdp: bytes


@dataclass(frozen=True, slots=True)
class CallFailed:
    """Our INVITE came to nothing.

    `unreachable`: no response came; `status` is then ours, 408, or 503 when nothing could even be sent.
    A call that was hung up before its answer fails with 487.  `cause` is the Reason header of the refusal,
    mostly empty; `reason.parse_reason` reads it.
    """

    call: Call
    status: int
    reason: str
    retry_after: int | None  # seconds
    unreachable: bool
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CallEnded:
    """An answered call is over: a BYE came or was just sent.  `reason` is the Reason header of theirs.

    `reason.parse_reason` reads it.
    """

    call: Call
    by: EndedBy
    reason: str


@dataclass(frozen=True, slots=True)
class OfferReceived:
    """The peer changes the session (hold, resume, codec, new address) by re-INVITE or UPDATE.

    Wants `accept_offer` with the answer, or `refuse_offer`, after which all stays as it was.  `sdp` is empty
    when the peer asks for our offer: `accept_offer` takes it then, and AnswerReceived follows.  What repeats
    the session as it is never comes here.
    """

    call: Call
    sdp: bytes


@dataclass(frozen=True, slots=True)
class AnswerReceived:
    """The peer's answer to an offer of ours inside a call.  `sdp` is empty when it broke the rules."""

    call: Call
    sdp: bytes


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """The peer refused an `offer` of ours; the session stays as it was.  `status` is 408 for silence."""

    call: Call
    status: int


@dataclass(frozen=True, slots=True)
class InfoReceived:
    """INFO inside a call (RFC 6086), answered by `status`: a key that was pressed, or with another status
    than 200 what we do not know.  `content_type` is lower case, without parameters."""

    call: Call
    status: int
    content_type: str
    digit: str = ""


@dataclass(frozen=True, slots=True)
class ReferProgress:
    """How a transfer by `refer` goes on (RFC 3515): the status of the peer's new call, as it tells.

    Before the first news `status` is 100.  `final`: no more will come.  The REFER itself may be refused: then
    the refusal is the only news.  A peer that hangs up before the end says no more: CallEnded comes then.
    """

    call: Call
    status: int
    final: bool


@dataclass(frozen=True, slots=True)
class OptionsAnswered:
    """`status` is None when no answer came."""

    probe: Probe
    status: int | None


@dataclass(frozen=True, slots=True)
class RegisterAnswered:
    """A final response to a REGISTER that is no challenge we could meet; None when none came."""

    binding: Binding
    response: Response | None


CallEvent = (
    IncomingCall
    | CallCancelled
    | CallProgress
    | CallAnswered
    | CallFailed
    | CallEnded
    | OfferReceived
    | AnswerReceived
    | OfferRefused
    | InfoReceived
    | ReferProgress
)
SipEvent = CallEvent | OptionsAnswered | RegisterAnswered | StrangerMuted
