import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.inbound.open_runs import OpenRuns
from gateway.values.work import Run

PLAIN: dict[str, Any] = {"service": "s", "flow": "f", "version": "v", "number": "12345"}
PLAIN |= {"created_at": 1.0, "updated_at": 1.0}


def run(id: str = "r1", customer: str = "+447700900123", **more: Any) -> Run:
    return Run(id=id, customer=customer, **PLAIN, **more)


class FakeClock:
    at = 1000.0
    steady = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.steady


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def told() -> list[tuple[str, float]]:
    return []


@pytest.fixture
def runs(clock: FakeClock, told: list[tuple[str, float]]) -> OpenRuns:
    return OpenRuns(clock, lambda id, due: told.append((id, due)))


async def test_a_run_comes_out_as_it_was_put_in(runs: OpenRuns) -> None:
    full = run(data={"sms.words": ["a", "b"], "n": 1.5, "x": None}, inbox=({"text": "hi"},), effects=3)
    runs.put(full)
    assert runs.get("r1") == full
    assert "r1" in runs and len(runs) == 1
    assert runs.get("r2") is None


async def test_the_runs_of_a_customer_come_the_youngest_first(runs: OpenRuns) -> None:
    for id in ("r1", "r2", "r3"):
        runs.put(run(id))
    runs.put(run("other", customer="+1"))
    runs.put(run("r1", effects=1))
    assert [r.id for r in runs.of("+447700900123")] == ["r3", "r2", "r1"]
    runs.put(run("r2", state="ended"))
    assert [r.id for r in runs.of("+447700900123")] == ["r3", "r1"]
    runs.put(run("r3", state="ended"))
    runs.put(run("r1", state="ended"))
    runs.put(run("r1", state="ended"))
    assert list(runs.of("+447700900123")) == []
    assert len(runs) == 1


async def test_time_is_up_once_and_only_for_those_that_still_wait_until_then(
    runs: OpenRuns, clock: FakeClock, told: list[tuple[str, float]]
) -> None:
    runs.put(run("r1", due=1010.0))
    runs.put(run("r2", due=1010.0))
    runs.put(run("r3", due=1010.0))
    runs.put(run("r2", due=1020.0))
    runs.put(run("r3", state="ended"))
    clock.steady = 10.0
    runs.start()
    await asyncio.sleep(0.01)
    assert told == [("r1", 1010.0)]
    clock.steady = 20.0
    runs._due()
    assert told == [("r1", 1010.0), ("r2", 1020.0)]
    runs.stop()


async def test_a_wall_clock_that_is_set_ends_no_time_early(
    runs: OpenRuns, clock: FakeClock, told: list[tuple[str, float]]
) -> None:
    runs.put(run(due=1010.0))
    clock.at += 3600
    runs.start()
    await asyncio.sleep(0.01)
    assert told == []
    runs.stop()


async def test_time_outs_that_are_over_do_not_pile_up(runs: OpenRuns) -> None:
    for n in range(5_000):
        runs.put(replace(run(), due=2000.0 + n))
    assert len(runs._heap) <= 1_100
