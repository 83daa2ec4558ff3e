"""The store in one SQLite file: what is asked of it.  What is written goes by store.rows."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Struct

from gateway.store.base import TABLES, CallQuery, MessageQuery
from gateway.store.file import SqliteFile
from gateway.store.queries import queries
from gateway.store.rows import TABLE_OF
from gateway.values.call import Call
from gateway.values.customer import Customer, Device, Raised
from gateway.values.dial import DialEntry, DialList
from gateway.values.event import Event
from gateway.values.ids import first_id
from gateway.values.link import Link, LinkCounts
from gateway.values.message import Consent, ConsentChange, Message, Offence, Part, Receipt, Segment
from gateway.values.otp import Otp
from gateway.values.story import merged, told
from gateway.values.work import Begun, Effect, FlowState, FlowVersion, LogbookRow, Notification, Run, Timer

R = TypeVar("R", bound=Struct)

_LAST = (1 << 63) - 1  # no rowid is greater


class SqliteStore(SqliteFile):
    """See store.base.Store, whose contract this is."""

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
        found = await self.read(lambda reads: reads.execute(queries()["place"], {"id": before}).fetchone())
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
        return await self._all(Segment, "segments_in_doubt", first=first_id(since))

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
        return await self._rows("sent_since", service=service, first=first_id(since))

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

    async def links_of(self, service: str, address: str) -> list[Link]:
        return await self._all(Link, "links_of", service=service, address=address)

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
        row = await self.read(lambda reads: reads.execute(queries()["dial_next"], {"list": list}).fetchone())
        return None if row is None else float(row[0])

    async def dial_counts(self, list: str) -> dict[str, int]:
        return await self.read(lambda reads: dict(reads.execute(queries()["dial_counts"], {"list": list})))

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
        return await self.read(
            lambda connection: [carrier for (carrier,) in connection.execute(queries()["carriers_owed"])]
        )

    async def begun(self) -> list[Begun]:
        return await self._all(Begun, "begun")

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

    async def sealed_runs(self, service: str, before: float, *, limit: int) -> list[Run]:
        return await self._all(Run, "sealed_runs", service=service, before=before, limit=limit)

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

        return await self.read(count)

    async def _all(self, record: type[R], query: str, **parameters: Any) -> list[R]:
        sql, table = queries()[query], TABLE_OF[record]

        def rows(connection: sqlite3.Connection) -> list[R]:
            cursor = connection.execute(sql, parameters)
            columns = [column for column, *_ in cursor.description]
            return [table.load(columns, row) for row in cursor.fetchall()]

        return await self.read(rows)

    async def _rows(self, query: str, **parameters: Any) -> list[Any]:
        sql = queries()[query]
        return await self.read(lambda connection: connection.execute(sql, parameters).fetchall())

    async def _one(self, record: type[R], query: str, **parameters: Any) -> R | None:
        found = await self._all(record, query, **parameters)
        return found[0] if found else None
