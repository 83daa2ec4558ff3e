"""A timer for what need not be exact: what falls into the same few milliseconds is done in one turn."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, Protocol

log = logging.getLogger(__name__)

GRAIN_SECONDS = 0.01


class Later(Protocol):
    def __call__(self, delay: float, act: Callable[..., object], /, *arguments: Any) -> object:
        """As asyncio's loop.call_later; seconds."""
        ...


class Gathered:
    """Stands in for loop.call_later, never too early and at most GRAIN_SECONDS late.

    What is done in one turn of the loop shares a commit, and the loop is woken once for all of it.
    """

    def __init__(self, later: Later, monotonic: Callable[[], float]) -> None:
        self._later = later
        self._monotonic = monotonic
        self._due: dict[int, list[Waiting]] = {}  # by the grain at whose end it is done

    def __call__(self, delay: float, act: Callable[..., object], /, *arguments: Any) -> Waiting:
        now = self._monotonic()
        grain = math.ceil((now + delay) / GRAIN_SECONDS)
        waiting = Waiting(act, arguments)
        if (others := self._due.get(grain)) is not None:
            others.append(waiting)
        else:
            self._due[grain] = [waiting]
            self._later(max(0.0, grain * GRAIN_SECONDS - now), self._do, grain)
        return waiting

    def _do(self, grain: int) -> None:
        for waiting in self._due.pop(grain):
            try:
                waiting.do()
            except Exception:  # the others are of other calls
                log.exception("timer.failed")


class Waiting:
    __slots__ = ("_act", "_arguments")

    def __init__(self, act: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._act: Callable[..., object] | None = act
        self._arguments = arguments

    def cancel(self) -> None:
        self._act, self._arguments = None, ()

    def do(self) -> None:
        if self._act is not None:
            self._act(*self._arguments)
