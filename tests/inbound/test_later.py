"""Coroutines that begin at once, and those that have to wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.inbound.later import Later


class Told:
    def __init__(self) -> None:
        self.what: list[Any] = []
        self.event = asyncio.Event()

    def __call__(self, result: Any) -> None:
        self.what.append(result)
        self.event.set()

    async def wait(self) -> Any:
        await asyncio.wait_for(self.event.wait(), 30)
        [what] = self.what
        return what


async def nothing_to_wait_for(result: Any) -> Any:
    if isinstance(result, Exception):
        raise result
    return result


@pytest.mark.parametrize("result", ["done", None, OSError("broken")])
async def test_what_needs_not_wait_has_told_at_once_and_costs_no_task(result: Any) -> None:
    later, told, before = Later(), Told(), asyncio.all_tasks()
    later.run(nothing_to_wait_for(result), told)
    assert told.what == [result]
    assert asyncio.all_tasks() == before


async def waiting(*futures: asyncio.Future[int] | None) -> int:
    """The sum of what comes; None lets others go first."""
    total = 0
    for future in futures:
        if future is None:
            await asyncio.sleep(0)
        else:
            total += await future
    return total


async def test_what_waits_goes_on_when_that_has_come() -> None:
    later, told = Later(), Told()
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    later.run(waiting(first, None, second), told)
    await asyncio.sleep(0)
    assert told.what == []
    first.set_result(3)
    await asyncio.sleep(0)
    second.set_result(4)
    assert await told.wait() == 7


async def test_what_it_waits_for_may_come_before_the_loop_turns() -> None:
    later, told = Later(), Told()
    future = asyncio.get_running_loop().create_future()
    later.run(waiting(None, future), told)
    future.set_result(3)
    assert await told.wait() == 3


async def test_an_error_behind_a_wait_is_told() -> None:
    later, told = Later(), Told()
    future = asyncio.get_running_loop().create_future()
    later.run(waiting(future), told)
    future.set_exception(OSError("broken"))
    assert str(await told.wait()) == "broken"


async def test_a_coroutine_that_handles_what_it_waited_for_goes_on() -> None:
    async def careful(future: asyncio.Future[int]) -> str:
        try:
            await future
        except OSError as error:
            await asyncio.sleep(0)
            return f"handled: {error}"
        return "nothing to handle"

    later, told = Later(), Told()
    future = asyncio.get_running_loop().create_future()
    later.run(careful(future), told)
    future.set_exception(OSError("broken"))
    assert await told.wait() == "handled: broken"
