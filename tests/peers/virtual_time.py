"""Time that does not pass: an event loop that has nothing else to do goes on to its next timer at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Jumping:
    """A loop's selector that never waits: the time for which it should have waited has passed."""

    def __init__(self, selector: Any) -> None:
        self._selector = selector
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready: list[Any] = self._selector.select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen again: the test waits for ever")
        if not ready and timeout:
            self.now += timeout
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)


@contextmanager
def virtual_time() -> Iterator[None]:
    """For the loop that runs, which starts again at 0.  Nothing that comes through a socket or from a thread
    is waited for."""
    loop: Any = asyncio.get_running_loop()
    selector = loop._selector
    jumping = _Jumping(selector)
    loop._selector, loop.time = jumping, lambda: jumping.now
    try:
        yield
    finally:
        loop._selector = selector
        del loop.time
