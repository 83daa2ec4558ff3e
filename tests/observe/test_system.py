from __future__ import annotations

import gc
import time
import uuid

import pytest

from gateway.observe.system import IdSource, SystemClock, collect_for_calls, collect_rarely, new_id


class Hands:
    """A clock that is set by hand."""

    def __init__(self, now: float) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def test_system_clock_tells_unix_time_and_never_steps_back() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 1
    assert clock.monotonic() <= clock.monotonic() <= time.monotonic()


def test_a_moment_of_the_wall_clock_has_its_place_on_the_monotonic_one() -> None:
    clock = SystemClock()
    assert abs(clock.steady(clock.now() - 60.0) - (clock.monotonic() - 60.0)) < 1


def test_new_id_is_a_uuid_version_7_of_now() -> None:
    before = time.time()
    id = uuid.UUID(new_id())
    assert (id.version, id.variant) == (7, uuid.RFC_4122)
    assert before - 0.002 <= (id.int >> 80) / 1000 <= time.time() + 0.002


def test_ids_are_all_different_and_in_the_order_of_making() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert len(set(ids)) == 20_000
    assert ids == sorted(ids)


def test_ids_keep_their_order_when_the_clock_steps_back() -> None:
    clock = Hands(1792419911.5)
    make = IdSource(clock)
    first = make()
    clock.time -= 3600
    second = make()
    clock.time += 3600.001
    assert first < second < make()


@pytest.mark.parametrize("octet", [b"\x00", b"\xff"])
def test_extreme_randomness_still_gives_rising_ids(octet: bytes) -> None:
    make = IdSource(Hands(1792419911.5), lambda octets: octet * octets)
    ids = [make() for _ in range(5_000)]
    assert ids == sorted(set(ids))
    assert uuid.UUID(ids[-1]).version == 7


@pytest.mark.parametrize("milliseconds", [1792419911001, 1792419911333, 1792419911999, 1])
def test_the_time_in_an_id_is_exact(milliseconds: int) -> None:
    make = IdSource(Hands((milliseconds + 0.5) / 1000))
    assert uuid.UUID(make()).int >> 80 == milliseconds


def test_randomness_is_drawn_for_a_thousand_ids_at_once() -> None:
    draws: list[int] = []

    def randomness(octets: int) -> bytes:
        draws.append(octets)
        return bytes(octets)

    make = IdSource(Hands(1.0), randomness)
    for _ in range(1001):
        make()
    assert draws == [10_000, 10_000]


def test_the_collector_is_kept_and_looks_less_often() -> None:
    before = gc.get_threshold()
    try:
        collect_rarely()
        assert gc.isenabled() and gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def test_no_collection_during_calls_takes_long_whatever_lives() -> None:
    before = gc.get_threshold()
    pauses: list[float] = []
    began = 0.0

    def collecting(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.thread_time()
        else:
            pauses.append(time.thread_time() - began)

    collect_for_calls(True)
    gc.callbacks.append(collecting)
    try:
        kept = [[[number]] for number in range(200_000)]  # messages that wait for their carriers
    finally:
        gc.callbacks.remove(collecting)
        collect_for_calls(False)
        gc.set_threshold(*before)
    assert kept and len(pauses) > 50
    assert max(pauses) < 0.005


def test_what_piled_up_before_a_call_is_not_looked_at_during_it() -> None:
    before = gc.get_threshold()
    try:
        collect_for_calls(False)
        kept = [[number] for number in range(30_000)]
        collect_for_calls(True)
        assert kept and sum(map(len, (gc.get_objects(0), gc.get_objects(1)))) < 1_000
    finally:
        gc.set_threshold(*before)
