"""What is written of sessions, as the service's [trace] and [logbooks] say, and how long it is kept."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.config.model import Service, Trace
from gateway.content.journal import Journal
from gateway.flows.engine import Advance
from gateway.flows.logbook import typed
from gateway.store.base import Delete, Store, Unit
from gateway.values.work import LogbookRow, Run

_ROWS_AT_ONCE = 1_000  # that go
_DETAILED = 3  # the level at which what was said is recorded


class Records:
    def __init__(self, services: Mapping[str, Service], journal: Journal) -> None:
        self._services = services
        self._journal = journal

    def begun(self, run: Run) -> Run:
        """A new one, with a key of its own where what is said in it is to be recorded."""
        return replace(run, seal=self._journal.key()) if self._level(run) == _DETAILED else run

    def write(self, unit: Unit, advance: Advance) -> None:
        """The session as it is now, what it did, and its rows."""
        run = advance.run
        level = self._level(run) if run.seal else min(self._level(run), _DETAILED - 1)
        # while it is open its data is what it goes on with
        unit.writes.append(run if level == _DETAILED or run.state != "ended" else _bare(run))
        unit.writes.append(self._journal.packed(advance.events, run.seal, level))
        unit.writes.extend(self._typed(row) for row in advance.rows)

    async def tidy(self, store: Store, now: float) -> None:
        """What was said in sessions, and rows of Logbooks, go when they are older than they are kept."""
        for name, service in list(self._services.items()):
            before = now - service.trace.details
            while runs := await store.sealed_runs(name, before, limit=_ROWS_AT_ONCE):
                unit = Unit()
                unit.writes.extend(map(_bare, runs))
                await unit.commit(store)
            for book, settings in service.logbooks.items():
                before = now - settings.retention
                while rows := await store.logbook(name, book, before=before, limit=_ROWS_AT_ONCE):
                    unit = Unit()
                    unit.writes.extend(Delete(LogbookRow, (row.id,)) for row in rows)
                    await unit.commit(store)

    def _level(self, run: Run) -> int:
        service = self._services.get(run.service)
        return (service.trace if service is not None else Trace()).level

    def _typed(self, row: LogbookRow) -> LogbookRow:
        service = self._services.get(row.service)
        book = service.logbooks.get(row.book) if service is not None else None
        return row if book is None else replace(row, data=typed(book.columns, row.data))


def _bare(run: Run) -> Run:
    """Without what was said in it: what the transaction log has sealed of that opens no more."""
    return replace(run, seal="", data={}, inbox=())
