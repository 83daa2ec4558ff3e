"""The store in one SQLite file: write-ahead log, `synchronous=FULL`, one writing and one reading thread.

Beside the file lie `-wal` and `-shm` (SQLite's own), `.lock`, which one daemon holds at a time, and `.mark`
(store.mark).
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from gateway.store import lock
from gateway.store.base import TABLES, CallQuery, MessageQuery, Told, Write
from gateway.store.engine import Hand, connect, is_damage, set_up
from gateway.store.mark import Mark, beside
from gateway.store.migrations import Foreign, Newer, migrate, pending
from gateway.store.process import ProcessHand
from gateway.store.queries import queries
from gateway.store.rows import TABLE_OF
from gateway.store.thread import ThreadHand
from gateway.store.writer import Writer
from gateway.values.call import Call
from gateway.values.customer import Customer, Device, Raised
from gateway.values.dial import DialEntry, DialList
from gateway.values.errors import StoreError, StoreUnusable
from gateway.values.event import Event
from gateway.values.link import Link, LinkCounts
from gateway.values.message import Consent, ConsentChange, Message, Offence, Part, Receipt, Segment
from gateway.values.otp import Otp
from gateway.values.story import merged, told
from gateway.values.work import Begun, Effect, FlowState, FlowVersion, LogbookRow, Notification, Run, Timer

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Struct)
T = TypeVar("T")

OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
CHECKED_OCTETS = 64 << 20  # a file up to this size is checked page by page when opened (about 0.1 s)

_LAST = (1 << 63) - 1  # no rowid is greater


def path_of(url: str, state_directory: str | Path) -> Path:
    """The file that a store URL names.  Raises StoreUnusable for anything but a SQLite file.

    sqlite:gateway.db              a path within the state directory
    sqlite:///var/lib/gateway.db   an absolute path, as in any URL with an empty host
    """
    scheme, _, path = url.partition(":")
    absolute = path.startswith("///")
    name = path.lstrip("/") if absolute else path
    if scheme != "sqlite" or not name or name.startswith("/") or name.endswith("/"):
        raise StoreUnusable(
            f"store.url {url!r} is not understood; "
            'use "sqlite:gateway.db" (in the state directory) or "sqlite:///path/to/gateway.db"'
        )
    return Path("/" + name) if absolute else Path(state_directory) / name


def _first_id(since: float) -> str:
    """Not greater than any id that was made at or after that time: they begin with its milliseconds (RFC
    9562, UUIDv7)."""
    made = f"{max(0, int(since * 1000)):012x}"
    return f"{made[:8]}-{made[8:]}"


class SqliteStore:
    """See store.base.Store, whose contract this is."""

    def __init__(
        self, path: Path, *, queue: int = 100_000, process: bool = False, read_only: bool = False
    ) -> None:
        """`queue`: writes that may wait.  `process`: a process of its own writes, not a thread.  `read_only`:
        look into a store that a daemon may be using."""
        self.path = path
        self._limit, self._process, self._read_only = queue, process, read_only
        self._lock = -1
        self._mark: Mark | None = None
        self._reads: sqlite3.Connection | None = None
        self._reader: ThreadPoolExecutor | None = None
        self._writer: Writer | None = None
        self.damage = ""  # what a read or write has found broken in the file; stays until a restart

    async def open(self) -> None:
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        try:
            await asyncio.get_running_loop().run_in_executor(self._reader, self._open)
        except BaseException:
            await self.close()
            raise
        if self._writer is not None:
            try:
                await self._writer.start()
            except (sqlite3.Error, OSError, TimeoutError) as error:
                await self.close()
                raise StoreUnusable(f"{self.path}: its writing process cannot work: {error}") from error

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()
            self._writer = None
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await asyncio.get_running_loop().run_in_executor(reader, self._close)
            reader.shutdown()

    def write(self, writes: Sequence[Write], done: Told) -> None:
        if self._writer is None:
            reason = "opened for reading only" if self._read_only else "not open"
            done(StoreError(f"{self.path} is {reason}"))
        else:
            self._writer.write(writes, done)

    def commit(self, writes: Sequence[Write]) -> asyncio.Future[None]:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: Exception | None) -> None:
            if not waiting.done():  # else its caller was cancelled
                waiting.set_exception(error) if error else waiting.set_result(None)

        self.write(writes, done)
        return waiting

    @property
    def queued(self) -> int:
        return 0 if self._writer is None else self._writer.queued

    @property
    def trouble(self) -> str:
        """Why the last transaction could not be written; "" when it could.  For the readiness check."""
        return "" if self._writer is None else self._writer.trouble

    @property
    def writing(self) -> bool:
        """Whether the writer lives.  False while open means that only a restart helps."""
        return self._writer is not None and self._writer.alive

    async def message(self, id: str) -> Message | None:
        return await self._one(Message, "message", id=id)

    async def messages(self, query: MessageQuery) -> list[Message]:
        # the parameter that leaves the fewest rows chooses the index
        name = "messages"
        for column in ("correlationid", "address", "service", "status"):
            if getattr(query, column):
                name = f"messages_by_{column}"
                break
        return await self._all(
            Message,
            name,
            service=query.service,
            direction=query.direction,
            status=query.status,
            address=query.address,
            correlationid=query.correlationid,
            before=await self._place(query.before),
            limit=query.limit,
        )

    async def _place(self, before: str) -> int:
        """The rowid below which a search goes on."""
        if not before:
            return _LAST
        found = await self._read(lambda reads: reads.execute(queries()["place"], {"id": before}).fetchone())
        return found[0] if found else _LAST

    async def unhandled(self, limit: int) -> list[Message]:
        return await self._all(Message, "unhandled", limit=limit)

    async def parked(self, service: str, limit: int) -> list[Message]:
        return await self._all(Message, "parked", service=service, limit=limit)

    async def events(self, ref: str) -> list[Event]:
        written = await self._all(Event, "events", ref=ref)
        message = await self.message(ref)
        if message is None:
            return written
        return merged(told(message, await self.segments(ref)), written)

    async def segments(self, message: str) -> list[Segment]:
        return await self._all(Segment, "segments", message=message)

    async def segments_of(self, bind: str, smsc_id: str) -> list[Segment]:
        return await self._all(Segment, "segments_of", bind=bind, smsc_id=smsc_id)

    async def segment_to(self, recipient: str, bind: str, smsc_id: str) -> Segment | None:
        return await self._one(Segment, "segment_to", recipient=recipient, bind=bind, smsc_id=smsc_id)

    async def unmatched(self, bind: str, smsc_id: str) -> list[Receipt]:
        return await self._all(Receipt, "unmatched", bind=bind, smsc_id=smsc_id)

    async def unmatched_since(self, at: float) -> list[Receipt]:
        return await self._all(Receipt, "unmatched_since", at=at)

    async def segments_in_doubt(self, since: float) -> list[Segment]:
        return await self._all(Segment, "segments_in_doubt", first=_first_id(since))

    async def parts(self) -> list[Part]:
        return await self._all(Part, "parts")

    async def opted_out(self) -> list[Consent]:
        return await self._all(Consent, "opted_out")

    async def opted_in(self, service: str) -> list[str]:
        return [address for (address,) in await self._rows("opted_in", service=service)]

    async def consents(self, service: str, address: str) -> list[Consent]:
        return await self._all(Consent, "consents", service=service, address=address)

    async def consent_changes(self, service: str, address: str, *, limit: int) -> list[ConsentChange]:
        return await self._all(
            ConsentChange, "consent_changes", service=service, address=address, limit=limit
        )

    async def sent_since(self, service: str, since: float) -> list[tuple[str, float]]:
        return await self._rows("sent_since", service=service, first=_first_id(since))

    async def customers(self) -> list[Customer]:
        return await self._all(Customer, "customers")

    async def devices(self) -> list[Device]:
        return await self._all(Device, "devices")

    async def raised(self) -> list[Raised]:
        return await self._all(Raised, "raised")

    async def otps(self) -> list[Otp]:
        return await self._all(Otp, "otps")

    async def link(self, token: str) -> Link | None:
        return await self._one(Link, "link", token=token)

    async def last_link(self) -> int:
        [(last,)] = await self._rows("last_link")
        return int(last or 0)

    async def link_counts(self, service: str, since: float) -> list[LinkCounts]:
        rows = await self._rows("link_counts", service=service, since=since)
        return [LinkCounts(*row) for row in rows]

    async def offences(self, service: str) -> list[Offence]:
        return await self._all(Offence, "offences", service=service)

    async def call(self, id: str) -> Call | None:
        return await self._one(Call, "call", id=id)

    async def calls(self, query: CallQuery) -> list[Call]:
        # what leaves the fewest rows chooses the index
        name = "calls" if query.state in ("", "ended") else "calls_in_state"
        if query.caller is not None:
            name = "calls_by_caller"
        last = await self.call(query.before) if query.before else None
        return await self._all(
            Call,
            name,
            service=query.service,
            direction=query.direction,
            trunk=query.trunk,
            caller=query.caller,
            called=query.called,
            state=query.state,
            cause=query.cause,
            sip_call_id=query.sip_call_id,
            since=query.since,
            until=query.until,
            at=last.started_at if last else math.inf,
            id=last.id if last else "",
            limit=query.limit,
        )

    async def open_calls(self) -> list[Call]:
        return await self._all(Call, "open_calls")

    async def dial_lists(self, *, service: str = "", name: str = "", limit: int = 50) -> list[DialList]:
        return await self._all(DialList, "dial_lists", service=service, name=name, limit=limit)

    async def dial_due(self, list: str, now: float, limit: int) -> Sequence[DialEntry]:
        return await self._all(DialEntry, "dial_due", list=list, now=now, limit=limit)

    async def dial_next(self, list: str) -> float | None:
        row = await self._read(lambda reads: reads.execute(queries()["dial_next"], {"list": list}).fetchone())
        return None if row is None else float(row[0])

    async def dial_counts(self, list: str) -> dict[str, int]:
        return await self._read(lambda reads: dict(reads.execute(queries()["dial_counts"], {"list": list})))

    async def dial_entries(
        self, list: str, *, state: str = "", after: int = 0, limit: int
    ) -> Sequence[DialEntry]:
        query = "dial_entries_in_state" if state else "dial_entries"
        return await self._all(DialEntry, query, list=list, state=state, after=after, limit=limit)

    async def waiting(self, carrier: str, *, after: str = "", limit: int) -> list[Message]:
        return await self._all(Message, "waiting", carrier=carrier, after=after, limit=limit)

    async def effects(self, *, after: str = "", limit: int = 1000) -> list[Effect]:
        return await self._all(Effect, "effects", after=after, limit=limit)

    async def carriers_owed(self) -> list[str]:
        return await self._read(
            lambda connection: [carrier for (carrier,) in connection.execute(queries()["carriers_owed"])]
        )

    async def begun(self) -> list[Begun]:
        return await self._all(Begun, "begun")

    def mark(self, id: str) -> None:
        if self._mark is not None:
            self._mark.set(id)

    def marked(self) -> str | None:
        return self._mark.read() if self._mark is not None else None

    async def timers(self) -> list[Timer]:
        return await self._all(Timer, "timers")

    async def notifications(
        self, *, state: str = "pending", receiver: str = "", due_before: float, limit: int
    ) -> list[Notification]:
        name = "notifications_by_state"
        if state == "pending":
            name = "notifications_of_receiver" if receiver else "notifications_pending"
        return await self._all(
            Notification, name, state=state, receiver=receiver, due_before=due_before, limit=limit
        )

    async def notification_receivers(self) -> list[tuple[str, float]]:
        return await self._rows("notification_receivers")

    async def notification_refs(self, *, limit: int) -> list[tuple[str, str, float]]:
        return await self._rows("notification_refs", limit=limit)

    async def notification_dues(self, receiver: str, *, limit: int) -> list[tuple[str, float]]:
        return await self._rows("notification_dues", receiver=receiver, limit=limit)

    async def flow_version(self, service: str, flow: str, version: str) -> FlowVersion | None:
        return await self._one(FlowVersion, "flow_version", service=service, flow=flow, version=version)

    async def flow_versions(self, service: str, flow: str) -> list[FlowVersion]:
        return await self._all(FlowVersion, "flow_versions", service=service, flow=flow)

    async def flow_heads(self) -> list[tuple[str, str, int, str]]:
        return await self._rows("flow_heads")

    async def flow_states(self) -> list[FlowState]:
        return await self._all(FlowState, "flow_states")

    async def run(self, id: str) -> Run | None:
        return await self._one(Run, "run", id=id)

    async def runs_of(self, service: str, flow: str, *, limit: int) -> list[Run]:
        return await self._all(Run, "runs_of", service=service, flow=flow, limit=limit)

    async def keyed_runs(self, since: float) -> list[Run]:
        return await self._all(Run, "keyed_runs", since=since)

    async def open_runs(self) -> list[Run]:
        return await self._all(Run, "open_runs")

    async def logbook(
        self, service: str, book: str, *, before: float = math.inf, after: str = "", limit: int
    ) -> list[LogbookRow]:
        return await self._all(
            LogbookRow, "logbook", service=service, book=book, before=before, after=after, limit=limit
        )

    async def counts(self) -> dict[str, int]:
        """Walks an index of each table: a second for some millions of rows, so not for every scrape."""

        def count(connection: sqlite3.Connection) -> dict[str, int]:
            counts = {}
            for table, _ in TABLES.values():
                counts[table] = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for status, number in connection.execute(queries()["messages_per_status"]):
                counts[f"messages.{status}"] = number
            return counts

        return await self._read(count)

    async def _all(self, record: type[R], query: str, **parameters: Any) -> list[R]:
        sql, table = queries()[query], TABLE_OF[record]

        def rows(connection: sqlite3.Connection) -> list[R]:
            cursor = connection.execute(sql, parameters)
            columns = [column for column, *_ in cursor.description]
            return [table.load(columns, row) for row in cursor.fetchall()]

        return await self._read(rows)

    async def _rows(self, query: str, **parameters: Any) -> list[Any]:
        sql = queries()[query]
        return await self._read(lambda connection: connection.execute(sql, parameters).fetchall())

    async def _one(self, record: type[R], query: str, **parameters: Any) -> R | None:
        found = await self._all(record, query, **parameters)
        return found[0] if found else None

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        reader, connection = self._reader, self._reads
        if reader is None or connection is None:
            raise StoreError(f"{self.path} is not open")
        try:
            return await asyncio.get_running_loop().run_in_executor(reader, function, connection)
        except sqlite3.Error as error:
            self._note_unread(error)
            raise StoreError(f"cannot read {self.path}: {error}") from error

    def _note_unread(self, error: sqlite3.Error) -> None:
        if self._read_only:
            return  # whoever looks is told by the exception
        if is_damage(error):
            self._note_damage(f"cannot read {self.path}: {error}")
        else:
            log.error("store.unreadable", extra={"path": str(self.path), "reason": str(error)})

    def _note_damage(self, reason: str) -> None:
        if not self.damage:
            self.damage = reason
            log.critical("store.damaged", extra={"path": str(self.path), "reason": reason})

    # From here on: in the reading thread

    def _open(self) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreUnusable(
                f"Python was built with SQLite {sqlite3.sqlite_version}; 3.37 or newer is needed: "
                "use the Python of a newer system"
            )
        try:
            if self._read_only:
                self._reads = self._look()
            else:
                self._reads = self._prepare()
        except OSError as error:
            raise StoreUnusable(
                f"{error.filename or self.path}: {error.strerror}; "
                "the gateway's user needs to read and write this file and its directory"
            ) from error
        except (Foreign, Newer) as error:
            raise StoreUnusable(f"{self.path}: {error}") from error
        except sqlite3.OperationalError as error:  # cannot be opened, locked, disk full
            raise StoreUnusable(
                f"{self.path}: {error}; check the rights and the space on its disk, and who else has it open"
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreUnusable(
                f"{self.path}: {error}; move it away (with its -wal file) and restore a backup, "
                f"or save what is readable with: sqlite3 {self.path} .recover | sqlite3 new.db"
            ) from error

    def _prepare(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = lock.take(self.path)
        self._keep_private()
        self._mark = beside(self.path)
        writes = connect(self.path, "rw")
        hand: Hand = ThreadHand(writes, self.path)
        self._writer = Writer(hand, self.path, limit=self._limit, shares_lock=True)
        # before anything is changed: is it ours and whole?
        pending(writes)
        if self.path.stat().st_size <= CHECKED_OCTETS:
            [verdict] = writes.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(f"the database is damaged ({verdict})")
        set_up(writes)
        migrate(writes, time.time())
        reads = connect(self.path, "rw")
        reads.execute("PRAGMA query_only = ON")
        self._writer.on_damage = self._note_damage
        if self._process:
            writes.close()  # only now: the last connection to close would take the log away
            hand = ProcessHand(self.path, self._lock)
            self._writer = Writer(hand, self.path, limit=self._limit, shares_lock=False)
            self._writer.on_damage = self._note_damage
        return reads

    def _keep_private(self) -> None:
        """For the gateway's user, and its group if the operator wants so; -wal and -shm get the same mode."""
        try:
            # before SQLite does, so that others cannot read it even for a moment.  Only if it is new: closing
            # a file that SQLite has open in this process would drop SQLite's locks on it (POSIX)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            mode = stat.S_IMODE(self.path.stat().st_mode)
            if mode & stat.S_IRWXO:
                self.path.chmod(mode & ~stat.S_IRWXO)

    def _look(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise StoreUnusable(f"{self.path} does not exist; start the gateway once, it makes it")
        reads = connect(self.path, "ro")
        self._reads = reads
        if pending(reads):
            raise StoreUnusable(
                f"{self.path} is of an older version of trunkline; start the gateway once, it migrates it"
            )
        return reads

    def _close(self) -> None:
        if self._reads is not None:
            self._reads.close()
            self._reads = None
        if self._mark is not None:
            self._mark.close()
            self._mark = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
