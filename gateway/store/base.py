"""The store's contract: every backend keeps it, one test suite holds them to it (tests/store/test_base.py).

Writes are records of `values`: a record replaces the row with the same primary key (an upsert), `Delete`
removes one, an Event is appended.  `commit` takes a group of them that becomes durable as a whole or not at
all; groups take effect in the order in which commit was called, and several share one transaction.
"""

from __future__ import annotations

import logging
import math
from asyncio import Future, get_running_loop
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from gateway.values.call import Call
from gateway.values.customer import Customer, Device, Raised
from gateway.values.dial import DialEntry, DialList
from gateway.values.event import Event
from gateway.values.link import Link, LinkCounts
from gateway.values.message import Consent, ConsentChange, Message, Offence, Part, Receipt, Segment
from gateway.values.otp import Otp
from gateway.values.work import Begun, Effect, FlowState, FlowVersion, LogbookRow, Notification, Run, Timer

log = logging.getLogger(__name__)

Record = (
    Message
    | Segment
    | Part
    | Receipt
    | Consent
    | Offence
    | ConsentChange
    | Customer
    | Raised
    | Device
    | Call
    | Event
    | Effect
    | Begun
    | Timer
    | Notification
    | FlowVersion
    | FlowState
    | Run
    | LogbookRow
    | Otp
    | Link
    | DialList
    | DialEntry
)

# The table of each record and the fields that make its key; () = append only
TABLES: dict[type[Record], tuple[str, tuple[str, ...]]] = {
    Message: ("messages", ("id",)),
    Segment: ("segments", ("message", "step", "part")),
    Part: ("parts", ("id",)),
    Receipt: ("receipts", ("id",)),
    Consent: ("consents", ("service", "channel", "address")),
    ConsentChange: ("consent_changes", ()),
    Customer: ("customers", ("service", "address")),
    Raised: ("raised", ("service", "correlationid")),
    Device: ("devices", ("digest",)),
    Offence: ("offences", ("service", "address")),
    Call: ("calls", ("id",)),
    Event: ("events", ()),
    Effect: ("effects", ("key",)),
    Begun: ("begun", ("id",)),
    Timer: ("timers", ("kind", "ref")),
    Notification: ("notifications", ("id",)),
    FlowVersion: ("flow_versions", ("service", "flow", "number")),
    FlowState: ("flow_states", ("service", "flow")),
    Run: ("runs", ("id",)),
    LogbookRow: ("logbook_rows", ("id",)),
    Otp: ("otps", ("id",)),
    Link: ("links", ("token",)),
    DialList: ("dial_lists", ("id",)),
    DialEntry: ("dial_entries", ("list", "position")),
}


class Delete(Struct, frozen=True):
    """Remove the row of `record` whose key fields, in TABLES' order, are `key`.  No row is no error."""

    record: type[
        Effect | Begun | Timer | Notification | Part | LogbookRow | Customer | Raised | Otp | Device | Offence
    ]
    key: tuple[str, ...]


class Progress(Struct, frozen=True, gc=False):
    """How far a message has come that the store holds already: of its row only that is written.

    One that the store does not hold any more stays away.
    """

    message: Message


# The fields that a message's way through its plan changes
PROGRESS = ("status", "reason", "code", "carrier", "steps", "step", "waits", "updated_at")

Write = Record | Delete | Progress


class MessageQuery(Struct, frozen=True, kw_only=True):
    """Filters for a search, newest first; "" = any.  `before` is the id after which to go on (paging)."""

    service: str = ""
    direction: str = ""
    status: str = ""
    address: str = ""  # sender or recipient
    correlationid: str = ""
    before: str = ""
    limit: int = 50


class CallQuery(Struct, frozen=True, kw_only=True):
    """Filters for the call records, newest first; "" = any.  `before` is the id after which to go on."""

    service: str = ""
    direction: str = ""  # in | out
    trunk: str = ""
    caller: str | None = None  # "" = withheld, None = any
    called: str = ""
    state: str = ""
    cause: str = ""
    sip_call_id: str = ""
    since: float = 0.0  # begun at that time or later, Unix seconds
    until: float = math.inf  # begun before that
    before: str = ""
    limit: int = 50


# What became of a group of writes: None, they are durable; else why nothing of them is
Told = Callable[[Exception | None], None]


class Unit:
    """One decision: the writes that belong together, and the acts that may follow once they are durable."""

    __slots__ = ("acts", "undo", "writes")

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.acts: list[Callable[[], None]] = []
        self.undo: list[Callable[[], None]] = []  # what memory must forget if the writes do not succeed

    def join(self, other: Unit) -> None:
        """Take another decision in: both become durable, or neither."""
        self.writes += other.writes
        self.acts += other.acts
        self.undo += other.undo

    async def commit(self, store: Store) -> None:
        """Make the writes durable, then act.  Raises StoreError or Throttled; then nothing was done.

        A caller that is cancelled meanwhile changes nothing: what is durable is acted upon.
        """
        waiting = get_running_loop().create_future()

        def done(error: Exception | None) -> None:
            if not waiting.done():
                waiting.set_exception(error) if error else waiting.set_result(None)

        self.commit_soon(store, done)
        await waiting

    def commit_soon(self, store: Store, done: Told) -> None:
        """`commit` for callers that are no coroutine: `done` is told None, or the StoreError.

        It may be told before this returns.  Raises Throttled; then it is told nothing.
        """
        if not self.writes:
            self._committed(None, done)
            return
        try:
            store.write(self.writes, lambda error: self._committed(error, done))
        except BaseException:
            self.take_back()
            raise

    def _committed(self, error: Exception | None, done: Told) -> None:
        if error is None:
            self.act()
        else:
            self.take_back()
        done(error)

    def act(self) -> None:
        """What was decided has become durable: do what follows."""
        for act in self.acts:
            try:
                act()
            except Exception:  # the others are of other messages
                log.exception("unit.act_failed")
        self.acts.clear()  # some know the unit: it would be garbage in a cycle

    def take_back(self) -> None:
        """Forget what was decided: it will not become durable."""
        for undo in reversed(self.undo):
            undo()


class Store(Protocol):
    async def open(self) -> None:
        """Make or migrate the schema and start the writer.  Raises StoreUnusable, naming file and remedy."""
        ...

    async def close(self) -> None:
        """Commit what is queued and close."""
        ...

    def write(self, writes: Sequence[Write], done: Told) -> None:
        """Queue one atomic group at once; `done` is told None when it is durable, or the StoreError: then
        nothing of it was written.  It may be told before this returns.

        Raises Throttled when the writer's queue is full; then it is told nothing.
        """
        ...

    def commit(self, writes: Sequence[Write]) -> Future[None]:
        """`write` for a caller that awaits its end.  Raises Throttled at the call; the future StoreError."""
        ...

    @property
    def queued(self) -> int:
        """Writes that wait for the writer."""
        ...

    async def message(self, id: str) -> Message | None: ...
    async def messages(self, query: MessageQuery) -> list[Message]: ...
    async def unhandled(self, limit: int) -> list[Message]:
        """MO in status `received`, oldest first: their decision is still owed."""
        ...

    async def parked(self, service: str, limit: int) -> list[Message]:
        """MO that wait for a suspended service, oldest first."""
        ...

    async def events(self, ref: str) -> list[Event]:
        """The transaction log of one transaction or run: what its rows tell (values.story) and what was
        written, in the order in which it happened."""
        ...

    async def segments(self, message: str) -> list[Segment]: ...
    async def segments_of(self, bind: str, smsc_id: str) -> list[Segment]:
        """The youngest 32 that the carrier behind `bind` knows by this id, or by one that differs from it in
        leading zeros and case only, youngest first."""
        ...

    async def segment_to(self, recipient: str, bind: str, smsc_id: str) -> Segment | None:
        """The youngest to this recipient that the carrier behind `bind` knows by this very id."""
        ...

    async def unmatched(self, bind: str, smsc_id: str) -> list[Receipt]:
        """Receipts that came before the id they speak of was known, oldest first."""
        ...

    async def unmatched_since(self, at: float) -> list[Receipt]:
        """All of them that came at or after `at`, oldest first."""
        ...

    async def segments_in_doubt(self, since: float) -> list[Segment]:
        """Segments without an answer, of messages whose id was made at or after `since`, oldest first."""
        ...

    async def parts(self) -> list[Part]: ...
    async def opted_out(self) -> list[Consent]:
        """Every consent row that says no."""
        ...

    async def opted_in(self, service: str) -> list[str]:
        """The addresses of all who have said yes to a service, by every channel or by SMS; some twice."""
        ...

    async def consents(self, service: str, address: str) -> list[Consent]: ...
    async def consent_changes(self, service: str, address: str, *, limit: int) -> list[ConsentChange]:
        """Newest first."""
        ...

    async def sent_since(self, service: str, since: float) -> list[tuple[str, float]]:
        """(recipient, time) of what a service has sent, or has tried to, since then; oldest first."""
        ...

    async def customers(self) -> list[Customer]: ...
    async def devices(self) -> list[Device]: ...
    async def raised(self) -> list[Raised]:
        """Oldest first."""
        ...

    async def otps(self) -> list[Otp]:
        """Oldest first."""
        ...

    async def link(self, token: str) -> Link | None: ...
    async def links_of(self, service: str, address: str) -> list[Link]: ...
    async def last_link(self) -> int:
        """The greatest `number` of all links; 0 without one."""
        ...

    async def link_counts(self, service: str, since: float) -> list[LinkCounts]:
        """Of the links that were made at or after `since`, by name."""
        ...

    async def offences(self, service: str) -> list[Offence]:
        """Of one service, most first."""
        ...

    async def call(self, id: str) -> Call | None: ...
    async def calls(self, query: CallQuery) -> list[Call]: ...
    async def open_calls(self) -> list[Call]:
        """Those that have not ended, oldest first."""
        ...

    async def dial_lists(self, *, service: str = "", name: str = "", limit: int = 50) -> list[DialList]:
        """Newest first."""
        ...

    async def dial_due(self, list: str, now: float, limit: int) -> Sequence[DialEntry]:
        """Entries that wait and whose time has come, the longest due first."""
        ...

    async def dial_next(self, list: str) -> float | None:
        """When the first of those that wait is due; None: none waits."""
        ...

    async def dial_counts(self, list: str) -> dict[str, int]:
        """How many entries are in each state."""
        ...

    async def dial_entries(
        self, list: str, *, state: str = "", after: int = 0, limit: int
    ) -> Sequence[DialEntry]:
        """By position; go on after the last."""
        ...

    async def waiting(self, carrier: str, *, after: str = "", limit: int) -> list[Message]:
        """Those whose step is being tried by that carrier, begun or not, by id, which is by age; go on after
        the last id."""
        ...

    async def carriers_owed(self) -> list[str]:
        """The carriers that messages wait for, without looking at each of the messages."""
        ...

    async def effects(self, *, after: str = "", limit: int = 1000) -> list[Effect]:
        """By key, which is by age; go on after the last key."""
        ...

    async def begun(self) -> list[Begun]:
        """Oldest first."""
        ...

    def mark(self, id: str) -> None:
        """What belongs to the Begun of that id, and to those before it, may be on the wire from now on."""
        ...

    def marked(self) -> str | None:
        """The last one that was marked, also by a process that was killed.  None: nobody knows."""
        ...

    async def timers(self) -> list[Timer]: ...
    async def notifications(
        self, *, state: str = "pending", receiver: str = "", due_before: float, limit: int
    ) -> list[Notification]:
        """Those due, oldest due first: of one receiver, or receiver by receiver."""
        ...

    async def notification_receivers(self) -> list[tuple[str, float]]:
        """Everybody who is owed something, and when the first of it is due."""
        ...

    async def notification_refs(self, *, limit: int) -> list[tuple[str, str, float]]:
        """(receiver, transaction, due) of what is owed, in the order of `notifications`."""
        ...

    async def notification_dues(self, receiver: str, *, limit: int) -> list[tuple[str, float]]:
        """(id, due) of what one receiver is owed, oldest due first."""
        ...

    async def flow_version(self, service: str, flow: str, version: str) -> FlowVersion | None:
        """The youngest with this content hash."""
        ...

    async def flow_versions(self, service: str, flow: str) -> list[FlowVersion]:
        """By number."""
        ...

    async def flow_heads(self) -> list[tuple[str, str, int, str]]:
        """(service, flow, number, version) of every version of every flow."""
        ...

    async def flow_states(self) -> list[FlowState]: ...
    async def run(self, id: str) -> Run | None: ...
    async def runs_of(self, service: str, flow: str, *, limit: int) -> list[Run]:
        """The youngest of a flow, youngest first; walks all runs."""
        ...

    async def keyed_runs(self, since: float) -> list[Run]:
        """Runs with a session key that began at or after that time, oldest first."""
        ...

    async def sealed_runs(self, service: str, before: float, *, limit: int) -> list[Run]:
        """Runs that ended before then and can still be read in detail, those that ended first first."""
        ...

    async def open_runs(self) -> list[Run]:
        """Runs that have not ended, oldest first."""
        ...

    async def logbook(
        self, service: str, book: str, *, before: float = math.inf, after: str = "", limit: int
    ) -> list[LogbookRow]:
        """Rows of a Logbook that were written before that time, by id, which is by age of their sessions; go
        on after the last id."""
        ...

    async def counts(self) -> dict[str, int]:
        """Rows by table, and messages by status as "messages.queued"."""
        ...
