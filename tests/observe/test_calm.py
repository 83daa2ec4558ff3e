from __future__ import annotations

import logging

import pytest

from gateway.observe import calm
from gateway.observe.calm import BURST, SECONDS, Calm


class Listener:
    """Lines that a Calm lets through, over a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calm = Calm(lambda: self.now)

    def hear(self, event: str, level: int = logging.WARNING, **fields: object) -> logging.LogRecord | None:
        record = logging.makeLogRecord({"name": "gateway", "msg": event, "levelno": level, **fields})
        return record if self.calm.filter(record) else None


@pytest.fixture
def listener() -> Listener:
    return Listener()


def test_what_comes_again_and_again_is_written_now_and_then_with_how_often(listener: Listener) -> None:
    heard = [listener.hear("refused") for _ in range(BURST + 100)]
    assert [record is not None for record in heard] == [True] * BURST + [False] * 100
    listener.now += SECONDS
    record = listener.hear("refused")
    assert record is not None and record.__dict__["unwritten"] == 100
    assert listener.hear("refused") is None


def test_after_a_while_there_is_room_for_a_burst_again_and_no_more(listener: Listener) -> None:
    for _ in range(BURST):
        assert listener.hear("refused") is not None
    listener.now += 1000 * SECONDS
    heard = [listener.hear("refused") for _ in range(BURST + 1)]
    assert [record is not None for record in heard] == [True] * BURST + [False]
    assert not any("unwritten" in record.__dict__ for record in heard if record)


@pytest.mark.parametrize("field", ["bind", "account", "link"])
def test_one_that_is_loud_does_not_silence_another(listener: Listener, field: str) -> None:
    for _ in range(BURST + 1):
        listener.hear("refused", **{field: "north"})
    assert listener.hear("refused", **{field: "north"}) is None
    assert listener.hear("refused", **{field: "south"}) is not None
    assert listener.hear("dropped", **{field: "north"}) is not None


def test_what_is_no_fault_is_always_written(listener: Listener) -> None:
    assert all(listener.hear("sms.received", logging.INFO) for _ in range(10 * BURST))


def test_the_oldest_kinds_are_forgotten(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calm, "_KINDS", 2)
    for name in ("a", "b", "c"):
        for _ in range(BURST + 1):
            listener.hear(name)
    assert listener.hear("c") is None and listener.hear("b") is None
    assert listener.hear("a") is not None
