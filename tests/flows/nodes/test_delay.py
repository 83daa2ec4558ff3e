from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.flows.definition import faults
from gateway.flows.engine import Advance
from gateway.flows.inputs import Input, MessageIn, TimeUp

# inputs, one second before each -> the event by which the node is left, what the run waits for, until when
CASES: list[tuple[list[Input], str, str, float]] = [
    ([], "", "delay", 1002.0),
    ([TimeUp()], "", "delay", 1002.0),
    ([TimeUp(), TimeUp()], "done", "", 0.0),
    ([MessageIn({"text": "hurry"})], "", "delay", 1002.0),
]


@pytest.mark.parametrize(("inputs", "event", "waiting", "due"), CASES)
def test_cases(
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
    inputs: list[Input],
    event: str,
    waiting: str,
    due: float,
) -> None:
    advance = play({"type": "delay", "for": "2s"}, *inputs)
    assert advance.effects == ()
    assert (left(advance), advance.run.waiting, advance.run.due) == (event, waiting, due)


LONDON = ZoneInfo("Europe/London")  # the zone of the customer's number
WORK: dict[str, Any] = {"window": "09:00-18:00", "days": ["mon", "tue", "wed", "thu", "fri"]}


def local(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).timestamp()


@pytest.mark.parametrize(
    ("table", "now", "until"),
    [
        ({"until": "18:00"}, "2026-06-01T12:00", "2026-06-01T18:00"),
        ({"until": "08:00"}, "2026-06-01T12:00", "2026-06-02T08:00"),
        ({"until": "2026-06-05T10:00"}, "2026-06-01T12:00", "2026-06-05T10:00"),
        ({"until": "2026-06-05T10:00+02:00"}, "2026-06-01T12:00", "2026-06-05T09:00"),
        ({"until": "2026-05-05T10:00"}, "2026-06-01T12:00", ""),
        # the night in which the clock goes forward has no half past one
        ({"until": "07:00"}, "2026-03-28T22:00", "2026-03-29T07:00"),
        ({"for": "1h"} | WORK, "2026-06-01T12:00", "2026-06-01T13:00"),
        ({"for": "8h"} | WORK, "2026-06-01T12:00", "2026-06-02T09:00"),
        (WORK, "2026-06-01T12:00", ""),
        (WORK, "2026-06-01T08:59", "2026-06-01T09:00"),
        (WORK, "2026-06-05T18:00", "2026-06-08T09:00"),  # a Friday evening
        ({"days": ["sun"]}, "2026-06-01T12:00", "2026-06-07T00:00"),
        ({"window": "22:00-06:00"}, "2026-06-01T23:00", ""),
        ({"window": "22:00-06:00"}, "2026-06-01T05:00", ""),
        ({"window": "22:00-06:00"}, "2026-06-01T12:00", "2026-06-01T22:00"),
        ({"until": "18:00", "zone": "Europe/Berlin"}, "2026-06-01T12:00", "2026-06-01T17:00"),
    ],
)
def test_it_goes_on_at_a_time_of_the_customers_day(
    table: dict[str, Any],
    now: str,
    until: str,
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
) -> None:
    step = play({"type": "delay", **table}, at=local(now))
    if until:
        assert datetime.fromtimestamp(step.run.due, LONDON) == datetime.fromtimestamp(local(until), LONDON)
    else:
        assert left(step) == "done"


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({}, "for"),
        ({"for": "1s", "until": "10:00"}, "until"),
        ({"until": "tomorrow"}, "until"),
        ({"window": "9-18"}, "window"),
        ({"for": "1s", "zone": "Europe/Londn"}, "zone"),
        ({"days": ["funday"]}, "days"),
    ],
)
def test_mistakes_are_named(table: dict[str, Any], field: str) -> None:
    node = {"type": "delay", "on": {"done": "end"}, **table}
    [fault] = faults("f", {"start": "node", "nodes": {"node": node}})
    assert fault.path.startswith(f"flows.f.nodes.node.{field}")
