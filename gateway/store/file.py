"""The file of the store: opened, checked and migrated, one writing and one reading thread, closed.

Beside the file lie `-wal` and `-shm` (SQLite's own), `.lock`, which one daemon holds at a time, and `.mark`
(store.mark).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.store import lock
from gateway.store.base import Told, Write
from gateway.store.engine import Hand, connect, is_damage, set_up
from gateway.store.mark import Mark, beside
from gateway.store.migrations import Foreign, Newer, migrate, pending
from gateway.store.process import ProcessHand
from gateway.store.thread import ThreadHand
from gateway.store.writer import Writer
from gateway.values.errors import StoreError, StoreUnusable

log = logging.getLogger(__name__)

T = TypeVar("T")

OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
CHECKED_OCTETS = 64 << 20  # a file up to this size is checked page by page when opened (about 0.1 s)


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


class SqliteFile:
    """What of store.base.Store is about the file, whatever its rows say."""

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

    def mark(self, id: str) -> None:
        if self._mark is not None:
            self._mark.set(id)

    def marked(self) -> str | None:
        return self._mark.read() if self._mark is not None else None

    async def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
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
