"""The backlog beneath a whole notifier, over a store in memory whose reads take their time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import cast

import msgspec
import pytest

from gateway.outbound.notify import backlog, receivers
from gateway.outbound.notify.notifier import Done, Notifier
from gateway.store.base import Delete, Store, Told, Unit, Write
from gateway.values.errors import StoreError, Throttled
from gateway.values.work import Notification

PEERS = ("http://a/", "http://b/", "smpp:c")


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 1_763_906_709.5

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class Shelf:
    """What the store's contract says of notifications; groups take effect at once, or are `refused`."""

    def __init__(self) -> None:
        self.rows: dict[str, Notification] = {}
        self.refused = ""
        self.reads = 0

    def commit(self, writes: Sequence[Write]) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.write(writes, lambda error: done.set_exception(error) if error else done.set_result(None))
        return done

    def write(self, writes: Sequence[Write], done: Told) -> None:
        if self.refused == "at once":
            raise Throttled("full")
        if self.refused:
            done(StoreError("disk full"))
            return
        for write in writes:
            if isinstance(write, Notification):
                self.rows[write.id] = write
            elif isinstance(write, Delete):
                self.rows.pop(write.key[0], None)
        asyncio.get_running_loop().call_soon(done, None)

    def pending(self) -> list[Notification]:
        rows = [row for row in self.rows.values() if row.state == "pending"]
        return sorted(rows, key=lambda row: (row.receiver, row.due, row.id))

    async def notifications(
        self, *, state: str = "pending", receiver: str = "", due_before: float, limit: int
    ) -> list[Notification]:
        self.reads += 1
        rows = [r for r in self.pending() if r.due <= due_before and r.receiver == receiver][:limit]
        for _ in range(3):
            await asyncio.sleep(0)
        return rows

    async def notification_receivers(self) -> list[tuple[str, float]]:
        first: dict[str, float] = {}
        for row in self.pending():
            first.setdefault(row.receiver, row.due)
        return list(first.items())

    async def notification_refs(self, *, limit: int) -> list[tuple[str, str, float]]:
        return [(row.receiver, row.ref, row.due) for row in self.pending()[:limit]]

    async def notification_dues(self, receiver: str, *, limit: int) -> list[tuple[str, float]]:
        rows = [(row.id, row.due) for row in self.pending() if row.receiver == receiver][:limit]
        await asyncio.sleep(0)
        return rows


class Carrier:
    """Carries notifications out when it is told how that goes."""

    def __init__(self, most: int = 1) -> None:
        self.most = most
        self.under_way: list[tuple[Sequence[Notification], Done]] = []
        self.taken: list[Notification] = []

    def together(self, notification: Notification) -> int:
        return self.most

    def send(self, notifications: Sequence[Notification], done: Done) -> None:
        self.under_way.append((notifications, done))

    def answer(self, index: int = 0, reason: str = "", *, away: bool = False) -> None:
        notifications, done = self.under_way.pop(index)
        if not reason:
            self.taken += notifications
        done(reason, away)


class Life:
    """A notifier from a start to a stop, on what an earlier one has left on the shelf."""

    def __init__(self, shelf: Shelf, clock: Hands, most: int = 1) -> None:
        self.shelf, self.clock = shelf, clock
        self.carrier = Carrier(most)
        posts = dict.fromkeys(("http", "smpp"), self.carrier)
        self.notifier = Notifier(store=cast(Store, shelf), clock=clock, new_id=self._new_id, posts=posts)

    def _new_id(self) -> str:
        Life.made += 1
        return f"{Life.made:08d}"

    made = 0

    async def owe(self, url: str, ref: str) -> bool:
        unit = Unit()
        self.notifier.owe(unit, service="s", ref=ref, url=url, body={})
        try:
            await unit.commit(cast(Store, self.shelf))
        except (StoreError, Throttled):
            return False
        return True

    async def pause(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def quiet(self) -> None:
        """Carry out whatever comes, for as long as something does."""
        carrier, empty = self.carrier, 0
        while empty < 3:
            empty = 0 if carrier.under_way else empty + 1
            while carrier.under_way:
                carrier.answer()
            try:
                await self.notifier.sweep()
            except (StoreError, Throttled):
                pass
            await self.pause()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So little memory that most of it waits in the store."""
    monkeypatch.setattr(receivers, "IN_MEMORY", 24)
    monkeypatch.setattr(backlog, "PAGE", 5)


def in_order(taken: Sequence[Notification]) -> bool:
    """Within each transaction at each receiver, and none of them twice."""
    by_turn: dict[tuple[str, str], list[str]] = {}
    for notification in taken:
        by_turn.setdefault((notification.receiver, notification.ref), []).append(notification.id)
    return all(ids == sorted(set(ids)) for ids in by_turn.values())


@pytest.mark.parametrize("most", [1, 7])
@pytest.mark.parametrize("seed", range(40))
async def test_whatever_happens_each_is_taken_once_and_in_its_order(
    seed: int, most: int, small: None
) -> None:
    chance, shelf, clock = random.Random(seed), Shelf(), Hands()
    life = Life(shelf, clock, most)
    owed, taken = 0, list[Notification]()
    await life.notifier.sweep()
    sweeps = set[asyncio.Task[None]]()

    async def sweep() -> None:
        try:
            await life.notifier.sweep()
        except (StoreError, Throttled):
            pass

    for _ in range(400):
        carrier = life.carrier
        match chance.choices(range(8), (30, 25, 8, 3, 10, 10, 3, 1))[0]:
            case 0:
                owed += await life.owe(chance.choice(PEERS), f"m{chance.randrange(12)}")
            case 1 if carrier.under_way:
                carrier.answer(chance.randrange(len(carrier.under_way)))
            case 2 if carrier.under_way:
                carrier.answer(chance.randrange(len(carrier.under_way)), "HTTP 503")
            case 3 if carrier.under_way:
                away = [i for i, (ns, _) in enumerate(carrier.under_way) if ns[0].url == "smpp:c"]
                if away:
                    carrier.answer(away[0], "not bound", away=True)
            case 4:
                clock.time += chance.choice((0.0, 0.5, 2.0, 20.0))
            case 5 if not sweeps:
                task = asyncio.create_task(sweep())
                sweeps.add(task)
                task.add_done_callback(sweeps.discard)
            case 6:
                shelf.refused = chance.choice(("", "", "later", "at once"))
            case 7 if not sweeps:
                shelf.refused = ""
                await life.notifier.stop()
                taken += life.carrier.taken
                life = Life(shelf, clock, most)
                await life.notifier.load()
            case _:
                life.notifier.back(chance.choice(PEERS))
        await asyncio.sleep(0)
    shelf.refused = ""
    await asyncio.gather(*sweeps)
    for _ in range(40):
        await life.quiet()
        clock.time += 3600.0
    taken += life.carrier.taken
    assert shelf.pending() == []
    assert life.notifier.waiting == 0
    assert len(taken) == owed and in_order(taken)
    await life.notifier.stop()


async def test_a_backlog_drains_as_fast_as_its_receiver_answers_without_waiting_for_the_clock(
    small: None,
) -> None:
    life = Life(Shelf(), Hands())
    await life.notifier.sweep()
    for n in range(500):
        await life.owe("http://a/", f"m{n}")
    assert life.notifier.waiting <= 24
    await life.quiet()
    assert len(life.carrier.taken) == 500 and in_order(life.carrier.taken)
    assert life.shelf.reads < 300
    await life.notifier.stop()


async def test_room_that_is_made_wakes_the_sweeper(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.outbound.notify.notifier._SWEEP_SECONDS", 3600.0)
    life = Life(Shelf(), Hands())
    life.notifier.start()
    await life.pause()
    for n in range(100):
        await life.owe("http://a/", f"m{n}")
    async with asyncio.timeout(30):
        while len(life.carrier.taken) < 100:
            while life.carrier.under_way:
                life.carrier.answer()
            await asyncio.sleep(0.001)
    await life.notifier.stop()


async def test_all_receivers_are_looked_after_when_there_are_more_transactions_than_are_watched(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "WATCHED", 10)
    shelf, clock = Shelf(), Hands()
    before = Life(shelf, clock)
    for n in range(60):  # before it has read what there is: all of it waits in the store
        await before.owe(PEERS[n // 20], f"m{n}")
    await before.notifier.stop()
    assert before.carrier.under_way == []
    after = Life(shelf, clock)
    await after.quiet()
    assert len(after.carrier.taken) == 60
    await after.notifier.stop()


async def test_what_fails_while_the_store_refuses_is_tried_again_all_the_same() -> None:
    life = Life(Shelf(), Hands())
    await life.notifier.sweep()
    await life.owe("http://a/", "m1")
    life.shelf.refused = "later"
    life.carrier.answer(0, "HTTP 503")
    life.clock.time += 5.0  # it would be due again
    await life.notifier.sweep()
    await life.owe("http://a/", "m1")
    life.shelf.refused = ""
    await life.owe("http://a/", "m1")  # must not overtake it
    await life.pause()
    assert life.carrier.under_way == []
    await life.quiet()
    assert [notification.attempts for notification in life.carrier.taken] == [1, 0]
    assert in_order(life.carrier.taken)
    await life.notifier.stop()


async def test_nobody_is_looked_after_whom_nothing_waits_for() -> None:
    life = Life(Shelf(), Hands())
    await life.notifier.sweep()
    for n in range(20):
        await life.owe("http://a/", f"m{n}")
        life.carrier.answer()
    for _ in range(10):
        life.clock.time += 1.0
        await life.notifier.sweep()
    assert (life.shelf.reads, life.notifier.waiting) == (0, 0)
    await life.notifier.stop()


def test_the_test_itself_sees_disorder() -> None:
    def one(id: str, ref: str) -> Notification:
        return Notification(
            id=id, ref=ref, service="s", url="u", receiver="r", body=b"{}", due=0.0, created_at=0.0
        )

    check: Callable[[Sequence[Notification]], bool] = in_order
    assert check([one("1", "m"), one("3", "n"), one("2", "m")])
    assert not check([one("2", "m"), one("1", "m")])
    assert not check([one("1", "m"), one("1", "m")])
    assert msgspec.json.encode(one("1", "m"))
