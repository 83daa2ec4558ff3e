from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.effects import HttpRequest
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context
from gateway.flows.nodes.http import HttpNode
from gateway.values.work import Run

ASK = {"type": "http", "url": "https://example.org/price?size=$(size)&text=$(sms.text)"}
URL = "https://example.org/price?size=M&text=Order%3A%20Two"
ASKED = HttpRequest(key="run/1", method="GET", url=URL)


def answer(status: int, body: str = "", event: str = "success") -> EffectDone:
    return EffectDone("run/1", event, {"status": status, "body": body})


# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[HttpRequest], str]] = [
    (ASK, [], [ASKED], ""),
    (ASK, [answer(200)], [ASKED], "success"),
    (ASK, [answer(204)], [ASKED], "success"),
    (ASK, [answer(404)], [ASKED], "error"),
    (ASK, [answer(500, event="error")], [ASKED], "error"),
    (ASK, [EffectDone("run/1", "timeout")], [ASKED], "timeout"),
    (ASK, [EffectDone("run/1", "error", {"reason": "connection refused"})], [ASKED], "error"),
    (
        ASK | {"method": "POST", "body": {"q": 'say "$(sms.text)"', "n": [1, "$(size)"]}, "timeout": "3s"},
        [],
        [
            HttpRequest(
                key="run/1",
                method="POST",
                url=URL,
                headers={"Content-Type": "application/json"},
                body='{"q":"say \\"Order: Two\\"","n":[1,"M"]}',
                timeout_seconds=3.0,
            )
        ],
        "",
    ),
    (
        ASK | {"body": "$(sms.text)", "headers": {"X-Size": "$(size)"}},
        [],
        [HttpRequest(key="run/1", method="GET", url=URL, headers={"X-Size": "M"}, body="Order: Two")],
        "",
    ),
    (ASK | {"body": {"q": "$(session.nobody)"}}, [], [], "error"),
]


@pytest.mark.parametrize(("table", "inputs", "effects", "event"), CASES)
def test_cases(
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
    table: Any,
    inputs: Any,
    effects: Any,
    event: str,
) -> None:
    advance = play(table, *inputs)
    assert list(advance.effects) == effects
    assert left(advance) == event


def test_a_time_out_goes_where_errors_go_when_it_is_not_wired(play: Callable[..., Advance]) -> None:
    table = ASK | {"on": {"success": "end", "error": "end:7"}}
    assert play(table, EffectDone("run/1", "timeout")).run.result == 7


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"price": 9.5}', {"price": 9.5}),
        ("[1]", [1]),
        ("not json", ""),
        ("", ""),
        ("[" * 40 + "]" * 40, ""),
        ("[" * 100_000 + "]" * 100_000, ""),
        ('{"a":' * 100_000, ""),
    ],
)
def test_the_answer_is_kept_as_json_where_it_is_json_of_sane_depth(
    play: Callable[..., Advance], body: str, expected: Any
) -> None:
    data = play(ASK, answer(200, body)).run.data
    assert data["node.json"] == expected
    assert data["node.body"] == body[:20_000]
    assert data["node.status"] == 200


def test_a_value_in_a_header_cannot_begin_another_header() -> None:
    run = Run(
        id="run",
        service="s",
        flow="f",
        version="v",
        customer="+447700900123",
        number="",
        data={"sms.text": "a\r\nX-Admin: 1"},
        created_at=0,
        updated_at=0,
    )
    node = HttpNode(url="https://example.org", headers={"X-Text": "$(sms.text)"})
    step = node.enter(Context(run, "node", 0.0))
    assert isinstance(step, Act) and isinstance(step.effect, HttpRequest)
    assert step.effect.headers == {"X-Text": "a X-Admin: 1"}
