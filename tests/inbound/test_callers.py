"""Who has just rung, who rings too often, which ranges flood us."""

from __future__ import annotations

import pytest

from gateway.config.model import Number, Seconds
from gateway.inbound import callers
from gateway.inbound.callers import Callers

OURS = "+442079460000"


def test_the_window_begins_with_the_last_call_that_was_news() -> None:
    it, number = Callers(), Number(duplicates=Seconds(60))
    heard = [it.uncounted("+447700900123", OURS, number, at) for at in (0.0, 50.0, 61.0, 100.0, 121.0)]
    assert heard == ["", "duplicate", "", "duplicate", ""]


def test_each_of_our_numbers_has_its_own_callers() -> None:
    it, number = Callers(), Number()
    assert it.uncounted("+447700900123", OURS, number, 0.0) == ""
    assert it.uncounted("+447700900123", "+442079460001", number, 0.0) == ""


def test_the_limit_is_for_an_hour() -> None:
    it, number = Callers(), Number(duplicates=Seconds(0), caller_limit=2)
    heard = [it.uncounted("+447700900123", OURS, number, at) for at in (0.0, 1.0, 2.0, 3599.0, 3600.0)]
    assert heard == ["", "", "caller-limit", "caller-limit", ""]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "_CALLERS", 2)
    monkeypatch.setattr(callers, "_RANGES", 2)
    it, number = Callers(), Number()
    for n in range(5):
        it.uncounted(f"+44770090012{n}", OURS, number, 0.0)
        it.floods(f"+4477{n}0900123", OURS, number, "east", 0.0)
    assert it.uncounted("+447700900124", OURS, number, 0.0) == "duplicate"
    assert it.uncounted("+447700900120", OURS, number, 0.0) == ""
    assert len(it._ranges) == 2


def flooded(it: Callers, numbers: list[str], at: float = 0.0, limit: int = 3) -> list[bool]:
    return [it.floods(number, OURS, Number(flood=limit), "east", at) for number in numbers]


RANGE = [f"+44770090{n:04}" for n in range(3)]


def test_one_caller_makes_no_flood() -> None:
    assert flooded(Callers(), ["+447700900123"] * 9) == [False] * 9


def test_withheld_callers_are_one_range() -> None:
    assert flooded(Callers(), [""] * 4) == [False, False, True, True]


def test_no_limit_knows_no_flood() -> None:
    assert flooded(Callers(), [*RANGE, *RANGE], limit=0) == [False] * 6


def test_a_flood_lasts_until_a_minute_has_passed_with_few_callers() -> None:
    it = Callers()
    assert flooded(it, RANGE) == [False, False, True]
    assert flooded(it, RANGE[:1], at=60.0) == [True]
    assert flooded(it, RANGE[:1], at=120.0) == [False]


def test_a_flood_of_long_ago_is_over() -> None:
    it = Callers()
    assert flooded(it, RANGE) == [False, False, True]
    assert flooded(it, RANGE[:1], at=180.0) == [False]
