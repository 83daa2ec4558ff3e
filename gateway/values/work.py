"""What is still to be done, as it is stored: effects, timers, notifications, runs."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct


class Effect(Struct, frozen=True, gc=False, kw_only=True):
    """An outward act, recorded with the state change that decided it and before it is carried out.

    ready -> begun -> (row deleted).  After a crash `ready` acts are carried out, `begun` ones are in doubt.
    `key` is its idempotency key, "RUN/N".  What a message's step is to do has no row of its own: the message
    `waits`, and a `Begun` tells that it may have happened.
    """

    key: str
    kind: str  # http | call
    ref: str  # run
    state: str = "ready"  # ready | begun
    data: dict[str, Any] = {}
    created_at: float


class Begun(Struct, frozen=True, gc=False, kw_only=True):
    """Steps of messages that were handed to a carrier together.  Deleted when all of them have their outcome.

    One that is over already may still be named here.  `keys` are "MESSAGE/STEP".
    """

    id: str
    carrier: str
    keys: tuple[str, ...]
    created_at: float


class Timer(Struct, frozen=True, gc=False, kw_only=True):
    """A moment at which something is owed: kind `step` (a chain's `within`), `run` (a node's time-out),
    `held` (a message's time to go out), `query` (a carrier is to be asked about a segment)."""

    kind: str
    ref: str
    due: float  # Unix seconds
    data: dict[str, Any] = {}


class Done(Protocol):
    """Told once what became of a notification, or of several that went together."""

    def __call__(self, reason: str, away: bool, for_good: bool = False, /) -> None:
        """`reason`: why it was not taken, "" = it was.  `away`: that was no attempt, nobody is there to take
        it.  `for_good`: the receiver will not have it, however often it is asked."""
        ...


class Notification(Struct, frozen=True, gc=False, kw_only=True):
    """A POST that is owed to a notify URL.  Deleted when it was taken; `dead` after the last attempt."""

    id: str
    ref: str  # transaction
    service: str
    url: str
    receiver: str = ""  # whose the URL is, a host or an account: what is slow or away as one
    body: bytes
    state: str = "pending"  # pending | dead
    attempts: int = 0
    due: float
    reason: str = ""  # why the last attempt failed
    created_at: float


class FlowVersion(Struct, frozen=True, gc=False, kw_only=True):
    """An immutable version of a flow; runs stay on theirs."""

    service: str
    flow: str
    number: int  # from 1
    version: str  # content hash, 12 hex digits; a version that was rolled back to has the same one again
    author: str = ""
    note: str = ""
    definition: dict[str, Any]
    created_at: float


class FlowState(Struct, frozen=True, gc=False, kw_only=True):
    """Which versions of a flow new sessions get (flows.rollout); 0 = none."""

    service: str
    flow: str
    live: int = 0
    other: int = 0  # what `percent` of a hundred customers get in the place of `live`
    percent: int = 0
    draft: int = 0  # for test numbers
    file: str = ""  # the state of the service file that was taken up last
    updated_at: float


class Run(Struct, frozen=True, gc=False, kw_only=True):
    """One execution of one flow version: the session of the glossary."""

    id: str  # session ID, UUIDv7
    service: str
    flow: str
    version: str
    customer: str  # canonical address
    number: str  # ours, on which it began
    state: str = "working"  # working | waiting | ended
    node: str = ""
    waiting: str = ""  # what for: "effect:KEY", "delay", or "message" and names of events, blanks between
    data: dict[str, Any] = {}  # session data: variables, node outputs as "node.field"
    inbox: tuple[dict[str, Any], ...] = ()  # messages that came while no node was waiting for one
    effects: int = 0  # how many effects it has decided on; numbers the next
    logged: int = 0  # how many rows it has written to Logbooks; numbers the next
    parent: str = ""  # the run whose call-flow node began it, and under which effect key
    parent_key: str = ""
    depth: int = 0  # how many such runs are above it
    key: str = ""  # session key: a second session with the same one is not begun
    due: float = 0.0  # when the waiting node's time runs out; 0 = never
    result: int = -1  # flow result code once ended
    reason: str = ""
    seal: str = ""  # the key that what was said is sealed with; "" = it is not recorded, or kept no more
    created_at: float
    updated_at: float


class LogbookRow(Struct, frozen=True, gc=False, kw_only=True):
    """A row of a Logbook that the service declares: its columns are in `data`."""

    id: str  # "RUN/N"
    service: str
    book: str
    run: str
    transid: str = ""  # the transaction that began the session
    at: float
    data: dict[str, Any] = {}
