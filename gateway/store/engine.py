"""What executes the store's writes, in a thread (store.thread) or in a process of its own (store.process).

The write-ahead log is moved into the database file (a checkpoint) between transactions, when nothing has come
for a while or the log has grown by some megabytes, never inside a COMMIT that callers wait for.  Past 64 MiB
it is cut back to nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from msgspec import Struct

from gateway.store.rows import statements
from gateway.store.wire import decode

IDLE_SECONDS = 1.0
WAL_STEP = 8 << 20
WAL_LIMIT = 64 << 20

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)  # primary result codes
# What is wrong with one group; other errors of SQLite (disk full, locked, damaged) concern every group
GROUPS_OWN = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    TypeError,
    ValueError,
)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it says that the file is broken."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


class Verdict(Struct, frozen=True, gc=False):
    """What became of a transaction.

    `trouble`: nothing was written, and why; `damaged`: because the file is broken.  `errors`: of each group,
    if one is at fault; "" = written.  `note` is no verdict but a remark in between.
    """

    trouble: str = ""
    damaged: bool = False
    errors: list[str] = []
    note: str = ""


class Hand(Protocol):
    """Where an engine runs.  One transaction is under way at a time; what it tells, it tells in the loop."""

    async def start(
        self,
        replied: Callable[[Verdict], None],
        noted: Callable[[str], None],
        ended: Callable[[str], None],
    ) -> None:
        """`ended(reason)` is told once, "" = as it was asked to.  Raises sqlite3.Error or OSError."""
        ...

    def give(self, groups: list[bytes]) -> None:
        """The groups of the next transaction, in the form of store.wire."""
        ...

    def end(self) -> None:
        """Finish what was given, and close."""
        ...

    @property
    def alive(self) -> bool: ...

    def join(self) -> None:
        """After `ended`: leave nothing behind."""
        ...


class Engine:
    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """`connection` is in autocommit mode and the engine's alone."""
        self.connection, self._path = connection, path
        self._wal = Path(f"{path}-wal")
        self.wal_mark = WAL_STEP
        self.unchecked = False  # something was written since the last checkpoint

    def execute(self, groups: Sequence[bytes]) -> Verdict:
        """All groups (store.wire) in one transaction, or, if one of them cannot be written, the others."""
        self.unchecked = True
        try:
            try:
                self._together(groups)
            except GROUPS_OWN:
                return Verdict(errors=self._apart(groups))
        except sqlite3.Error as error:
            return Verdict(trouble=f"cannot write {self._path}: {error}", damaged=is_damage(error))
        return Verdict()

    def after(self) -> str:
        """Between transactions.  Gives what was wrong with a checkpoint, "" = nothing."""
        return self.checkpoint() if self.wal_size() > self.wal_mark else ""

    def wal_size(self) -> int:
        try:
            return os.stat(self._wal).st_size
        except OSError:
            return 0

    def checkpoint(self) -> str:
        """Move the log into the database; waits for nobody but a reader of the last 100 ms when truncating.

        A log that was moved completely is written again from its start, without growing, so the next growth
        says that its length has been used up.
        """
        self.unchecked = False
        wrong, busy, frames, moved = "", True, 0, 0
        try:
            mode = "TRUNCATE" if self.wal_size() > WAL_LIMIT else "PASSIVE"
            self.connection.execute("PRAGMA busy_timeout = 100")
            try:
                found = self.connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
                busy, frames, moved = found
            finally:
                self.connection.execute("PRAGMA busy_timeout = 5000")
        except sqlite3.Error as error:
            wrong = str(error)
        size = self.wal_size()
        self.wal_mark = size + WAL_STEP if busy or moved < frames else max(size, WAL_STEP)
        return wrong

    def _together(self, groups: Sequence[bytes]) -> None:
        todo = statements(map(decode, groups))
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for sql, values in todo:
                execute(sql, values)
            execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _apart(self, groups: Sequence[bytes]) -> list[str]:
        """One of the groups cannot be written: find it and write the others, still in one transaction."""
        execute = self.connection.execute
        errors = []
        execute("BEGIN IMMEDIATE")
        try:
            for group in groups:
                error = ""
                execute("SAVEPOINT one")
                try:
                    for sql, values in statements([decode(group)]):
                        execute(sql, values)
                except GROUPS_OWN as fault:
                    execute("ROLLBACK TO one")
                    error = str(fault) or type(fault).__name__
                execute("RELEASE one")
                errors.append(error)
            execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return errors

    def _roll_back(self) -> None:
        if self.connection.in_transaction:  # SQLite has done it by itself after some errors
            self.connection.execute("ROLLBACK")


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """In autocommit mode; used by one thread at a time."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=5.0,  # seconds to wait for a lock of a backup or of the operator's own SQL
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def set_up(connection: sqlite3.Connection) -> None:
    """For writing, to a file that is one of ours.  Raises sqlite3.Error."""
    [mode] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError("no write-ahead log is possible here (a network file system?)")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # see above
    connection.execute("PRAGMA cache_size = -8192")  # KiB; the system caches the file as well
