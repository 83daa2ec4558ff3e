"""Coroutines for callers that are none: they are told what came of it.

What is asked over SMPP mostly needs nothing but memory.  So a coroutine begins at once, and only one that has
to wait costs a task.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class Later:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, T], told: Callable[[T | Exception], None]) -> None:
        """`told` is called once with the result or the error: before this returns if `work` needs not wait.

        Up to its first wait `work` belongs to no task: no asyncio.timeout there.
        """
        result: T | Exception
        try:
            waits_for = work.send(None)
        except StopIteration as end:
            result = end.value
        except Exception as error:
            result = error
        else:
            task = asyncio.create_task(_go_on(work, waits_for, told))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        told(result)


async def _go_on(work: Coroutine[Any, Any, T], waits_for: Any, told: Callable[[T | Exception], None]) -> None:
    result: T | Exception
    try:
        result = await _rest(work, waits_for)
    except Exception as error:
        result = error
    told(result)


@types.coroutine
def _rest(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """What a coroutine that has begun gives when it is driven to its end: as `await` does, from its first
    wait on."""
    try:
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:
                waits_for = work.throw(error)
            else:
                waits_for = work.send(sent)
    except StopIteration as end:
        result: T = end.value
        return result
