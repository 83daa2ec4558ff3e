from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from gateway.outbound.notify import outcomes
from gateway.outbound.notify.outcomes import Outcome, Outcomes
from gateway.store.base import Delete, Store, Write
from gateway.values.errors import StoreError, Throttled, Unstorable
from gateway.values.work import Notification


def one(n: int) -> Notification:
    return Notification(
        id=f"n{n}", ref="m", service="s", url="u", receiver="r", body=b"{}", due=0.0, created_at=0.0
    )


def taken(n: int) -> Outcome:
    return Outcome([Delete(Notification, (f"n{n}",))], [one(n)])


class Shelf:
    """A store that takes what it likes."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.mood = ""
        self.unstorable = ""

    def commit(self, writes: Sequence[Write]) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        keys = [cast(Delete, write).key[0] for write in writes]
        if self.mood == "throttled":
            raise Throttled("full")
        if self.mood:
            done.set_exception(StoreError("disk full"))
        elif self.unstorable in keys:
            done.set_exception(Unstorable("a record cannot be stored"))
        else:
            self.groups.append(keys)
            asyncio.get_running_loop().call_soon(done.set_result, None)
        return done


class Bench:
    def __init__(self) -> None:
        self.shelf = Shelf()
        self.recorded: list[str] = []
        self.outcomes = Outcomes(cast(Store, self.shelf), self._note)

    def _note(self, gone: Sequence[Notification]) -> None:
        self.recorded += [notification.id for notification in gone]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.recorded) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


async def test_what_comes_together_is_recorded_together_and_told_afterwards() -> None:
    bench = Bench()
    for n in range(5):
        bench.outcomes.add(taken(n))
    assert bench.shelf.groups == [] and bench.recorded == []
    await bench.until(5)
    assert bench.shelf.groups == [["n0", "n1", "n2", "n3", "n4"]]
    assert bench.recorded == ["n0", "n1", "n2", "n3", "n4"]


async def test_many_do_not_wait_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "_TOGETHER", 3)
    bench = Bench()
    for n in range(7):
        bench.outcomes.add(taken(n))
    assert bench.shelf.groups == [["n0", "n1", "n2"], ["n3", "n4", "n5"]]
    await bench.outcomes.close()
    assert bench.shelf.groups[2:] == [["n6"]]
    assert len(bench.recorded) == 7


@pytest.mark.parametrize("mood", ["throttled", "disk full"])
async def test_what_the_store_refuses_is_kept_and_recorded_once_it_takes_it(mood: str) -> None:
    bench = Bench()
    bench.shelf.mood = mood
    bench.outcomes.add(taken(1))
    await bench.outcomes.again()
    bench.outcomes.add(taken(2))
    await bench.outcomes.again()
    assert bench.recorded == []
    bench.shelf.mood = ""
    await bench.outcomes.again()
    assert sorted(bench.recorded) == ["n1", "n2"]
    await bench.outcomes.close()
    assert len(bench.recorded) == 2


async def test_one_that_cannot_be_stored_does_not_keep_the_others_from_it() -> None:
    bench = Bench()
    bench.shelf.unstorable = "n1"
    for n in range(3):
        bench.outcomes.add(taken(n))
    await bench.outcomes.close()
    assert sorted(bench.recorded) == ["n0", "n2"]
    await bench.outcomes.again()
    assert len(bench.recorded) == 2
