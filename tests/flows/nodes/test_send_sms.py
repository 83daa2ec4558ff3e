from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.effects import SendSms
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.values.outcome import Result

TEXT = {"type": "send-sms", "text": "Size $(size)"}
SENT = SendSms(key="run/1", sender="12345", recipient="+447700900123", text="Size M")
DONE = EffectDone("run/1", "success", {"transid": "t", "status": "sent"})

# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[SendSms], str]] = [
    (TEXT, [], [SENT], ""),
    (TEXT, [DONE], [SENT], "success"),
    (TEXT, [EffectDone("run/1", "error", {"reason": "rejected"})], [SENT], "error"),
    (TEXT, [EffectDone("run/1", "melted")], [SENT], "error"),
    (TEXT, [EffectDone("run/2", "success")], [SENT], ""),
    (
        TEXT | {"to": "00 44 7700 900999", "from": "PIZZA", "until": "delivered"},
        [],
        [
            SendSms(
                key="run/1",
                sender="PIZZA",
                recipient="+447700900999",
                text="Size M",
                until=Result.DELIVERED,
            )
        ],
        "",
    ),
    (TEXT | {"to": "$(sms.from)", "from": "$(sms.to)"}, [], [SENT], ""),
    (TEXT | {"to": "$(size)"}, [], [], "error"),
    (TEXT | {"text": "Dear $(session.nobody)"}, [], [], "error"),
    (TEXT | {"text": "$(sms.keyword)"}, [], [], "error"),
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


def test_what_became_of_it_can_be_read(play: Callable[..., Advance]) -> None:
    data = play(TEXT, DONE).run.data
    assert {name: value for name, value in data.items() if name.startswith("node.")} == {
        "node.transid": "t",
        "node.status": "sent",
        "node.reason": "",
        "node.code": "",
    }


def test_the_reason_for_an_unsendable_text_can_be_read(play: Callable[..., Advance]) -> None:
    advance = play(TEXT | {"text": "Dear $(session.nobody)"})
    assert advance.run.data["node.reason"] == "unknown variable $(session.nobody)"
