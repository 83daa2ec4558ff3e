"""Between callbacks, which the inside of the gateway speaks, and coroutines, which tests are written in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


def asked(function: Callable[..., None], *arguments: Any) -> asyncio.Future[Any]:
    """What `function` tells its last argument; an exception that it tells is raised."""
    answer = asyncio.get_running_loop().create_future()

    def told(result: Any) -> None:
        assert not answer.done(), "told twice"
        answer.set_exception(result) if isinstance(result, BaseException) else answer.set_result(result)

    function(*arguments, told)
    return answer


def answering(function: Callable[..., Awaitable[Any]]) -> Callable[..., None]:
    """A coroutine function as a function that tells its last argument the result, or the exception."""
    tasks = set[asyncio.Task[None]]()

    async def answer(told: Callable[[Any], None], arguments: tuple[Any, ...]) -> None:
        try:
            result = await function(*arguments)
        except Exception as error:
            result = error
        told(result)

    def call(*arguments: Any) -> None:
        *given, told = arguments
        task = asyncio.create_task(answer(told, tuple(given)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return call
