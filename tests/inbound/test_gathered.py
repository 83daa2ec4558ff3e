"""Timers that fall together are done together."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from gateway.inbound.gathered import GRAIN_SECONDS, Gathered


class Loop:
    def __init__(self) -> None:
        self.at = 1000.0003
        self.timers: list[tuple[float, Callable[[], object]]] = []

    def call_later(self, delay: float, act: Callable[..., object], /, *arguments: Any) -> object:
        self.timers.append((self.at + delay, lambda: act(*arguments)))
        return None

    def go(self, until: float) -> None:
        due = sorted((timer for timer in self.timers if timer[0] <= until), key=lambda timer: timer[0])
        self.timers = [timer for timer in self.timers if timer[0] > until]
        for self.at, act in due:
            act()
        self.at = until


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_nothing_is_done_early_or_later_than_a_grain(loop: Loop) -> None:
    later, done = Gathered(loop.call_later, lambda: loop.at), []
    due = [loop.at + n * 0.0037 for n in range(50)]
    for at in due:
        later(at - loop.at, lambda at=at: done.append((at, loop.at)))
    loop.go(1010.0)
    assert [at for at, _ in done] == due
    assert all(0 <= late - at <= GRAIN_SECONDS + 1e-6 for at, late in done)


def test_what_falls_together_needs_one_timer(loop: Loop) -> None:
    later = Gathered(loop.call_later, lambda: loop.at)
    for _ in range(20):
        later(1.0, lambda: None)
    assert len(loop.timers) == 1
    loop.go(1002.0)
    later(1.0, lambda: None)
    assert len(loop.timers) == 1


def test_a_cancelled_one_is_not_done_and_a_failing_one_stops_no_other(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    later, done = Gathered(loop.call_later, lambda: loop.at), list[str]()
    later(1.0, done.append, "first")
    later(1.0, done.append, "cancelled").cancel()
    later(1.0, [].pop)
    later(1.0, done.append, "last")
    with caplog.at_level(logging.ERROR):
        loop.go(1002.0)
    assert done == ["first", "last"]
    assert [record.message for record in caplog.records] == ["timer.failed"]
