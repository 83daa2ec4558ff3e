from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.store import timers as timers_module
from gateway.store.base import Delete, Store, Unit
from gateway.store.timers import Timers
from gateway.values.work import Timer


class FakeClock:
    def __init__(self) -> None:
        self.at = 1000.0
        self.set_by = 0.0  # what somebody has set the wall clock forth by

    def now(self) -> float:
        return self.at + self.set_by

    def monotonic(self) -> float:
        return self.at


class Bench:
    """Timers over a clock that is set by hand; `fired` are the refs."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.fired: list[str] = []
        self.woken = asyncio.Event()
        self.timers = Timers(self.clock, self.fire, appointments={"held"})

    def fire(self, timer: Timer) -> None:
        self.fired.append(timer.ref)
        self.woken.set()
        if timer.ref == "bad":
            raise RuntimeError("cannot be served")
        self.timers.clear(Unit(), timer.kind, timer.ref)

    def set(self, ref: str, due: float, kind: str = "step") -> Unit:
        unit = Unit()
        self.timers.set(unit, Timer(kind=kind, ref=ref, due=due))
        return unit

    async def at(self, now: float) -> list[str]:
        """The clock shows `now`: what has fired since the last time."""
        self.clock.at = now
        self.timers._due()  # what the loop does when its timer runs out
        fired, self.fired = self.fired, []
        return fired


@pytest.fixture
async def bench(store: Store) -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.timers.start(store)
    yield bench
    bench.timers.stop()


async def test_timers_fire_when_due_in_their_order(bench: Bench) -> None:
    for ref, due in (("late", 1030.0), ("soon", 1010.0), ("sooner", 1005.0)):
        bench.set(ref, due)
    assert await bench.at(1004.9) == []
    assert await bench.at(1010.0) == ["sooner", "soon"]
    assert len(bench.timers) == 1
    assert await bench.at(2000.0) == ["late"]


async def test_a_timer_is_pending_until_it_is_cleared_or_replaced(bench: Bench) -> None:
    bench.set("bad", 1001.0)
    first = bench.timers.pending("step", "bad")
    assert first is not None and first.due == 1001.0
    assert bench.timers.pending("run", "bad") is None
    await bench.at(1001.0)
    assert bench.timers.pending("step", "bad") is first
    bench.set("bad", 1005.0)
    assert bench.timers.pending("step", "bad") is not first
    bench.timers.clear(Unit(), "step", "bad")
    assert bench.timers.pending("step", "bad") is None


async def test_the_loop_wakes_by_itself(bench: Bench) -> None:
    bench.set("now", 1000.0)
    await asyncio.wait_for(bench.woken.wait(), 30)
    assert bench.fired == ["now"]


async def test_a_timer_fires_once_even_if_nobody_clears_it(bench: Bench) -> None:
    bench.set("bad", 1001.0)
    bench.set("good", 1002.0)
    assert await bench.at(1003.0) == ["bad", "good"], "one that cannot be served does not stop the others"
    assert await bench.at(1004.0) == []


async def test_a_new_timer_replaces_the_old_at_once(bench: Bench) -> None:
    bench.set("m", 1005.0)
    bench.set("m", 1020.0)
    assert await bench.at(1010.0) == []
    assert await bench.at(1020.0) == ["m"]


async def test_a_timer_that_was_not_stored_is_taken_back(bench: Bench) -> None:
    bench.set("other", 1005.0)
    bench.set("m", 1005.0).take_back()
    assert await bench.at(1005.0) == ["other"]


async def test_a_replacement_that_was_not_stored_leaves_the_old(bench: Bench) -> None:
    bench.set("m", 1005.0)
    bench.set("m", 1020.0).take_back()
    assert await bench.at(1005.0) == ["m"]
    assert await bench.at(1030.0) == []


async def test_a_cleared_timer_fires_no_more_and_its_row_goes(bench: Bench) -> None:
    bench.set("m", 1005.0)
    unit = Unit()
    bench.timers.clear(unit, "step", "m")
    assert unit.writes == [Delete(Timer, ("step", "m"))]
    assert await bench.at(1010.0) == []
    again = Unit()
    bench.timers.clear(again, "step", "m")
    assert again.writes == []


async def test_a_clearing_that_was_not_stored_is_taken_back(bench: Bench) -> None:
    bench.set("m", 1005.0)
    unit = Unit()
    bench.timers.clear(unit, "step", "m")
    unit.take_back()
    assert await bench.at(1010.0) == ["m"]


async def test_what_is_taken_back_does_not_touch_what_came_since(bench: Bench) -> None:
    bench.set("m", 1005.0)
    refused = bench.set("m", 1020.0)
    bench.set("m", 1030.0)
    refused.take_back()
    assert await bench.at(1025.0) == []
    assert await bench.at(1030.0) == ["m"]


async def test_stored_timers_are_taken_up_and_those_overdue_fire_at_once(store: Store) -> None:
    await store.commit([Timer(kind="step", ref="past", due=900.0), Timer(kind="run", ref="next", due=1100.0)])
    bench = Bench()
    await bench.timers.start(store)
    await asyncio.wait_for(bench.woken.wait(), 30)
    assert await bench.at(1000.0) == ["past"]
    assert await bench.at(1100.0) == ["next"]
    bench.timers.stop()


async def test_what_was_set_before_the_start_fires_once(store: Store) -> None:
    bench = Bench()
    await bench.set("m", 1000.0).commit(store)
    assert bench.timers._handle is None
    await bench.timers.start(store)
    assert await bench.at(1000.0) == ["m"]
    assert await bench.at(1001.0) == []
    bench.timers.stop()


@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_a_span_is_as_long_wherever_the_wall_clock_is_set_to(bench: Bench, step: float) -> None:
    bench.set("m", 1010.0)
    bench.clock.set_by = step
    bench.set("n", 1020.0 + step)
    assert await bench.at(1009.0) == []
    assert await bench.at(1010.0) == ["m"]
    bench.clock.set_by = 0.0
    assert await bench.at(1019.0) == []
    assert await bench.at(1020.0) == ["n"]


async def test_an_appointment_is_kept_by_the_wall_clock(bench: Bench) -> None:
    bench.set("m", 5000.0, "held")
    bench.set("n", 6000.0, "held")
    assert bench.timers._handle is not None
    assert bench.timers._handle.when() - asyncio.get_running_loop().time() < 61.0, "it may be set any time"
    bench.clock.set_by = 3999.0
    assert await bench.at(1000.0) == []
    assert await bench.at(1001.0) == ["m"]
    bench.clock.set_by = -3600.0
    assert await bench.at(6000.0) == []
    assert await bench.at(9600.0) == ["n"]


async def test_nothing_fires_after_stop(bench: Bench) -> None:
    bench.set("m", 1000.0)
    bench.timers.stop()
    bench.set("n", 1000.0)
    for _ in range(5):
        await asyncio.sleep(0)
    assert bench.fired == []


async def test_long_timers_that_are_cleared_early_do_not_pile_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers_module, "_STALE", 10)
    bench.set("kept", 1500.0)
    for n in range(500):
        bench.set(f"m{n}", 90_000.0)
        bench.timers.clear(Unit(), "step", f"m{n}")
    assert len(bench.timers._spans) <= 13
    assert await bench.at(100_000.0) == ["kept"]
