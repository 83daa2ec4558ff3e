from __future__ import annotations

from typing import Any

import pytest

from gateway.config.check_steps import app_faults, step_faults
from gateway.config.model import App, Chain, Seconds, Step


def faults(**fields: Any) -> dict[str, str]:
    step = Step(**fields)
    return {
        fault.path: fault.what for fault in step_faults("s", Chain(steps=[step, Step(channel="sms")]), step)
    }


@pytest.mark.parametrize(
    ("fields", "path", "what"),
    [
        ({"channel": "sms", "until": "read"}, "s.until", "an SMS is never read"),
        ({"channel": "app", "until": "answered"}, "s.until", 'write "accepted" or "delivered" or "read"'),
        ({"channel": "sms", "retries": 11}, "s.retries", "0 to 10"),
        ({"channel": "voice", "retries": 1, "retry_on": ["rejected"]}, "s.retry_on", "not rung again"),
        ({"channel": "sms", "until": "confirmed"}, "s.until", "never confirmed"),
        ({"channel": "voice", "until": "confirmed", "confirm": "12"}, "s.confirm", "is no key"),
        ({"channel": "voice", "confirm": "2"}, "s.confirm", 'without until = "confirmed"'),
        ({"channel": "voice", "ask": "Press"}, "s.ask", 'without until = "confirmed"'),
        ({"channel": "sms", "away": "wait"}, "s.away", "is about apps"),
        ({"channel": "app", "away": "wait"}, "s.within", "must say how long"),
    ],
)
def test_a_step_that_cannot_come_out_so_is_found(fields: Any, path: str, what: str) -> None:
    found = faults(**fields)
    assert list(found) == [path] and what in found[path]


def test_a_step_that_can_is_not() -> None:
    assert faults(channel="app", until="read", away="wait", within=Seconds(60)) == {}
    assert faults(channel="voice", until="confirmed", confirm="#", ask="Press hash") == {}
    last = Step(channel="app", away="wait")
    assert list(step_faults("s", Chain(steps=[last]), last)) == []


def test_an_app_s_times_are_longer_than_none() -> None:
    assert [f.path for f in app_faults("a", App(keep=Seconds(0), token_valid=Seconds(0)))] == [
        "a.token_valid",
        "a.keep",
    ]
    assert list(app_faults("a", App())) == []
