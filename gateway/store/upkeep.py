"""What an operator does with a store file besides running the gateway on it: back it up, shrink it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from gateway.store import lock
from gateway.store.base import Write
from gateway.store.engine import Engine
from gateway.store.migrations import Foreign, Newer, pending
from gateway.store.wire import encode
from gateway.values.errors import StoreUnusable

_PAGES = 2_000  # copied between two reports of progress: about 8 MB

Progress = Callable[[int, int], None]  # pages copied, pages in all


def backup(path: Path, target: Path, progress: Progress = lambda done, total: None) -> int:
    """Copy the store as it is at this moment, while a gateway may be writing to it.  Octets of the copy.

    `target` must not exist; it appears when it is complete, for its owner only.  Raises StoreUnusable.
    """
    if target.exists():
        raise StoreUnusable(f"{target} exists already; choose another name or move it away")
    partial = target.with_name(target.name + ".partial")
    try:
        # made here, so that nobody else can read it even for a moment
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        with closing(_connect(path, "ro")) as source, closing(_connect(partial, "rw")) as copy:
            # One transaction around all of it: otherwise each commit of the gateway would begin it anew
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            source.backup(
                copy, pages=_PAGES, progress=lambda _, left, total: progress(total - left, total), sleep=0
            )
            [verdict] = copy.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise StoreUnusable(f"the copy of {path} is damaged ({verdict}); so may be the store itself")
        _flush(partial)
        os.rename(partial, target)
        _flush(target.parent)
    except OSError as error:
        raise StoreUnusable(f"{error.filename or target}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StoreUnusable(f"{path} cannot be copied to {target}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target.stat().st_size


def vacuum(path: Path) -> tuple[int, int]:
    """Give the space of deleted rows back to the disk: octets before and after.

    Needs the file to itself, and as much free space on its disk as it has.  Raises StoreUnusable while a
    gateway runs on it.
    """
    if not path.exists():
        raise StoreUnusable(f"{path} does not exist")
    try:
        held = lock.take(path)
        try:
            before = octets(path)
            with closing(_connect(path, "rw")) as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return before, octets(path)
        finally:
            os.close(held)
    except OSError as error:
        raise StoreUnusable(f"{error.filename or path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StoreUnusable(f"{path} cannot be vacuumed: {error}") from error


def write(path: Path, writes: Sequence[Write]) -> None:
    """Write a group of records beside a gateway that may be running; it does not know of them until it looks.

    Raises StoreUnusable.
    """
    if not path.exists():
        raise StoreUnusable(f"{path} does not exist; start the gateway once, it makes it")
    try:
        with closing(_connect(path, "rw")) as connection:
            if pending(connection):
                raise StoreUnusable(
                    f"{path} is of an older version of trunkline; start the gateway once on it"
                )
            verdict = Engine(connection, path).execute([encode(writes)])
    except (Foreign, Newer, sqlite3.Error) as error:
        raise StoreUnusable(f"{path} cannot be written: {error}") from error
    if wrong := verdict.trouble or "".join(verdict.errors):
        raise StoreUnusable(f"{path} cannot be written: {wrong}")


def octets(path: Path) -> int:
    """What the store takes on disk, its write-ahead log included."""
    files = (path, Path(f"{path}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=5.0, isolation_level=None)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
