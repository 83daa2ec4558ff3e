"""`python -m tests.peers.set_clock run ...`: the gateway with a wall clock that a test sets.

The file that $CLOCK_AHEAD names holds how many seconds the clock is ahead, as a double.  The monotonic clock
goes on as ever, as it does when an operator or NTP sets the wall clock.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

_AHEAD = struct.Struct("=d")


def set_ahead(file: Path, seconds: float) -> None:
    """For the test."""
    with file.open("r+b" if file.exists() else "wb") as opened:
        opened.write(_AHEAD.pack(seconds))


def main() -> None:
    true = time.time
    with Path(os.environ["CLOCK_AHEAD"]).open("rb") as opened:
        ahead = mmap.mmap(opened.fileno(), _AHEAD.size, prot=mmap.PROT_READ)
    time.time = lambda: true() + _AHEAD.unpack_from(ahead)[0]

    from gateway.cli import main as gateway

    gateway(prog_name="gateway")


if __name__ == "__main__":
    main()
