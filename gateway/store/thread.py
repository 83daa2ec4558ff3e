"""The store's engine in a thread of this process.

A thread takes turns with the event loop at Python's lock, twice for each statement, and a turn costs up to
some 70 us of processor time; it needs no memory of its own to speak of.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.store.engine import IDLE_SECONDS, Engine, Verdict

_log = logging.getLogger(__name__)


class ThreadHand:
    """engine.Hand."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.engine, self._path = Engine(connection, path), path
        self._orders: queue.SimpleQueue[list[bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    async def start(
        self,
        replied: Callable[[Verdict], None],
        noted: Callable[[str], None],
        ended: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._replied, self._noted, self._ended = replied, noted, ended
        self._thread.start()

    def give(self, groups: list[bytes]) -> None:
        self._orders.put(groups)

    def end(self) -> None:
        if self._thread.ident is None:  # it was never started
            self.engine.connection.close()
        else:
            self._orders.put(None)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        reason = ""
        try:
            while self._turn():
                pass
        except BaseException as error:
            _log.exception("store.writer_died", extra={"path": str(self._path)})
            reason = f"the store's writer has ended: {error!r}; restart the gateway"
        finally:
            self.engine.connection.close()
        self._tell(self._ended, reason)

    def _turn(self) -> bool:
        """One transaction and what follows it; False when it was the last."""
        wrong = ""
        try:
            groups = self._orders.get(timeout=IDLE_SECONDS if self.engine.unchecked else None)
        except queue.Empty:
            wrong = self.engine.checkpoint()
        else:
            if groups is None:
                return False
            self._tell(self._replied, self.engine.execute(groups))
            wrong = self.engine.after()
        if wrong:
            self._tell(self._noted, wrong)
        return True

    def _tell(self, function: Callable[[Any], None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # the loop is closed: nobody waits any more
            _log.warning("store.loop_closed", extra={"path": str(self._path)})
