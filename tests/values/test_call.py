"""What a call's record tells: durations, what is billed, the names that the outside knows."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import to_builtins

from gateway.values.call import Call, cdr


def call(**fields: Any) -> Call:
    plain: dict[str, Any] = {"direction": "in", "service": "s", "trunk": "east", "started_at": 100.0}
    return Call(id="c1", caller="", called="+442079460000", **plain | fields)


@pytest.mark.parametrize(
    ("fields", "ring_ms", "duration_ms", "billable_seconds"),
    [
        ({}, 0, 0, 0),
        ({"rung_at": 100.1}, 0, 0, 0),
        ({"ended_at": 103.0}, 0, 0, 0),
        ({"rung_at": 100.1, "ended_at": 103.0}, 2900, 0, 0),
        ({"rung_at": 100.1, "answered_at": 103.0, "ended_at": 105.0}, 2900, 2000, 2),
        ({"answered_at": 103.0, "ended_at": 105.001}, 0, 2001, 3),
        ({"answered_at": 103.0, "ended_at": 103.0}, 0, 0, 0),
        ({"answered_at": 103.0}, 0, 0, 0),
        ({"rung_at": 101.0, "answered_at": 99.0, "ended_at": 98.0}, 0, 0, 0),  # the clock was set back
    ],
)
def test_durations(fields: dict[str, Any], ring_ms: int, duration_ms: int, billable_seconds: int) -> None:
    one = call(**fields)
    assert (one.ring_ms, one.duration_ms, one.billable_seconds) == (ring_ms, duration_ms, billable_seconds)


def test_the_record_as_it_is_told() -> None:
    told = to_builtins(cdr(call(rung_at=100.25, ended_at=101.0, jitter_ms=0.5, codec="PCMU")))
    assert (told["transid"], told["from"], told["rung"], told["answered"], told["ended"]) == (
        "c1",
        "",
        "1970-01-01T00:01:40.250Z",
        None,
        "1970-01-01T00:01:41.000Z",
    )
    assert (told["codec"], told["jitter_ms"], told["ring_ms"]) == ("PCMU", 0.5, 750)
