"""The lock beside a SQLite file: whoever holds it may count on being alone with the file."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from gateway.values.errors import StoreUnusable

WAIT_SECONDS = 2.0
_PAUSE_SECONDS = 0.02


def take(path: Path) -> int:
    """Hold `path`'s lock file until the descriptor that this returns is closed, or the process ends.

    Of a gateway that was killed the writing process may still be finishing its last transaction: it is waited
    for.  Raises StoreUnusable, naming the process that holds it.
    """
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + WAIT_SECONDS
    while not _taken(lock):
        if time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS)
            continue
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise StoreUnusable(
            f"{path} is in use by another gateway (process {holder}); "
            "stop that one first, or give this one a state directory of its own"
        ) from None
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def holder(path: Path) -> int | None:
    """The process that holds `path`'s lock file; None: nobody does."""
    try:
        lock = os.open(f"{path}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _taken(lock):
            return None
        written = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        return int(written) if written.isdecimal() else None
    finally:
        os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
