"""How far writing to carriers has come, in a file that outlives the process though not the machine.

What is handed to a carrier is marked as begun in the store first (values.work.Begun); between that commit
and the first octet on the wire a kill leaves a doubt that need not be.  So the id of the row is noted in a
mapped page just before: rows with a greater id were never written.  It costs no system call, and holds only
until the machine starts anew: then every row that was begun is in doubt.

Where the system gives a runtime directory, which is empty after each start of the machine, the page is there;
else beside the store, with the id of the machine's start in it.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SIZE, _ID = 128, 64  # octets of the file; where the id begins, behind the boot's
_LONGEST = 48


class Mark:
    def __init__(self, path: Path, boot: str | None = None) -> None:
        """`boot` tells one start of the machine from another; "" = nothing can be known.  Raises OSError."""
        self._boot = _boot_id() if boot is None else boot
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(file, _SIZE)
            self._page = mmap.mmap(file, _SIZE)
        finally:
            os.close(file)
        self._last = self.read() or ""

    def read(self) -> str | None:
        """The greatest id that was set since the machine started; None: nothing is known."""
        if not self._boot or _text(self._page[:_ID]) != self._boot:
            return None
        return _text(self._page[_ID:])

    def set(self, id: str) -> None:
        """What belongs to `id` may be on the wire from now on.  Ids grow; a smaller one changes nothing."""
        if id <= self._last:
            return
        octets = id.encode()
        if len(octets) > _LONGEST:
            raise ValueError(f"{id!r} is too long to be marked")
        known = bool(self._last)
        # a kill in between leaves a mixture no smaller than the id before, and nothing has been written
        self._page[_ID : _ID + _LONGEST] = octets.ljust(_LONGEST, b"\0")
        if not known:
            self._page[:_ID] = self._boot.encode().ljust(_ID, b"\0")
        self._last = id

    def close(self) -> None:
        self._page.close()


def beside(store: Path) -> Mark:
    """The mark of a store.  Raises OSError."""
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if runtime:
        return Mark(Path(runtime, f"{store.name}.mark"), "this")
    return Mark(Path(f"{store}.mark"))


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()[:_ID]
    except (OSError, ValueError):
        return ""


def _text(octets: bytes) -> str:
    return octets.rstrip(b"\0").decode("ascii", "replace")
