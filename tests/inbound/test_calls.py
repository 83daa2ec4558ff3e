"""The records of calls: one commit for what has happened and what follows, and calls that were left open."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.inbound.calls import CallRecords
from gateway.store.base import Unit
from gateway.values.call import Call
from gateway.values.event import Event


class FakeClock:
    def now(self) -> float:
        return 900.0

    def monotonic(self) -> float:
        return 0.0


class Bench:
    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.told: list[str] = []
        self.ended: list[Call] = []
        self.records = CallRecords(
            clock=FakeClock(),
            record=self.units.append,
            consequences=lambda unit, event, call: self.told.append(event.type),
            ended=self.ended.append,
        )


def call(**fields: Any) -> Call:
    plain: dict[str, Any] = {"direction": "in", "service": "shop", "trunk": "east", "started_at": 100.0}
    return Call(id="c1", caller="+447700900123", called="+442079460000", **plain | fields)


def test_a_step_without_an_event_is_only_recorded() -> None:
    it = Bench()
    it.records.note(call(rung_at=100.0))
    assert [unit.writes for unit in it.units] == [[call(rung_at=100.0)]]
    assert it.told == [] and it.ended == []


def test_the_event_of_a_messages_call_belongs_to_the_message() -> None:
    it = Bench()
    it.records.note(
        call(direction="out", message="m1", state="ended", answered_at=101.0, ended_at=103.5), "call.ended"
    )
    [unit] = it.units
    [event] = [write for write in unit.writes if isinstance(write, Event)]
    assert (event.ref, event.at, event.data["call"], event.data["duration_ms"]) == ("m1", 900.0, "c1", 2500)
    assert it.told == ["call.ended"] and len(it.ended) == 1


def test_a_record_that_the_store_refused_is_not_written_over_a_later_one() -> None:
    """It came again behind it, and the call that had ended was ringing for ever."""
    it = Bench()
    over = call(rung_at=100.0, state="ended", ended_at=103.0)
    it.records.note(call(rung_at=100.0))
    it.records.note(over, "call.missed")
    refused, later = it.units
    later.act()
    assert refused.writes == [over]
    refused.act()
    it.records.note(call(rung_at=900.0))
    assert it.units[-1].writes == [call(rung_at=900.0)] and refused.writes == [over]


@pytest.mark.parametrize(
    ("fields", "event", "ended_at"),
    [
        ({"rung_at": 100.5}, "call.missed", 100.5),
        ({"rung_at": 100.5, "state": "answered", "answered_at": 104.0}, "call.ended", 104.0),
        ({"direction": "out"}, "call.ended", 100.0),
        ({"direction": "out", "state": "answered", "answered_at": 107.0}, "call.ended", 107.0),
    ],
)
def test_a_call_that_was_left_open_is_closed_and_bills_nothing(
    fields: dict[str, Any], event: str, ended_at: float
) -> None:
    it = Bench()
    it.records.close([call(**fields)])
    [record] = it.ended
    assert (record.state, record.cause, record.ended_by) == ("ended", "gateway-crashed", "gateway")
    assert (record.ended_at, record.billable_seconds) == (ended_at, 0)
    assert it.told == [event]
