"""Which acts have been handed to carriers and have no outcome yet: one row for all that went together.

After a crash the row tells what may have happened.  It is written once, and deleted with the next row after
the last outcome of its acts has become durable: nothing is written per message.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.store.base import Delete, Unit
from gateway.values.ids import NewId
from gateway.values.work import Begun


class _Batch:
    __slots__ = ("open", "row")

    def __init__(self, row: Begun) -> None:
        self.row = row
        self.open = set(row.keys)  # those whose outcome is not durable


class BegunBook:
    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self._batches: dict[str, _Batch] = {}  # by effect key
        self._over: list[str] = []  # rows that say nothing any more

    def begin(self, unit: Unit, keys: Sequence[str], carrier: str, now: float) -> str:
        """These are about to be written to a carrier; the row joins `unit`.  Gives its id, "" = none."""
        self.clear(unit)
        if not keys:
            return ""
        batch = _Batch(Begun(id=self._new_id(), carrier=carrier, keys=tuple(keys), created_at=now))
        unit.writes.append(batch.row)
        self._batches.update(dict.fromkeys(keys, batch))
        unit.undo.append(lambda: self._forget(batch))
        return batch.row.id

    def end(self, unit: Unit, key: str) -> None:
        """An act has its outcome, which `unit` writes."""
        if key in self._batches:
            unit.acts.append(lambda: self._ended(key))

    def withdraw(self, unit: Unit, key: str) -> None:
        """A carrier has nothing of an act after all: a crash leaves no doubt about it."""
        batch = self._batches.pop(key, None)
        if batch is None:
            return
        batch.open.discard(key)
        row = batch.row
        unit.writes.append(
            Begun(id=row.id, carrier=row.carrier, keys=tuple(batch.open), created_at=row.created_at)
        )
        if not batch.open:
            self._over.append(row.id)

    def clear(self, unit: Unit) -> None:
        """Delete, with `unit`, the rows that say nothing any more."""
        if self._over:
            over, self._over = self._over, []
            unit.writes.extend(Delete(Begun, (id,)) for id in over)
            unit.undo.append(lambda: self._over.extend(over))

    def under_way(self, row: Begun) -> bool:
        """Whether it is of this process, and no trace of a crash."""
        return any(key in self._batches for key in row.keys)

    def _ended(self, key: str) -> None:
        batch = self._batches.pop(key, None)
        if batch is not None:
            batch.open.discard(key)
            if not batch.open:
                self._over.append(batch.row.id)

    def _forget(self, batch: _Batch) -> None:
        for key in batch.row.keys:
            self._batches.pop(key, None)
