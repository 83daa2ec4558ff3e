from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.otp_generate import OtpGenerateNode
from gateway.flows.word_effects import IssueOtp

# fields of the node -> fields of the effect
CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"validity": "2m", "length": 8}, {"validity_seconds": 120.0, "length": 8}),
    ({"to": "+44 7700 900999"}, {"address": "+447700900999"}),
    ({"reference": "order $(size)"}, {"reference": "order M"}),
    (
        {"format": "alphanumeric", "attempts": 3, "resend": "new"},
        {"format": "alphanumeric", "attempts": 3, "resend": "new"},
    ),
]


@pytest.mark.parametrize(("fields", "changed"), CASES)
def test_what_is_asked_for(
    fields: dict[str, Any], changed: dict[str, Any], play: Callable[..., Advance]
) -> None:
    usual = {"key": "run/1", "address": "+447700900123", "reference": "run", "validity_seconds": 300.0}
    assert play({"type": "otp-generate", **fields}).effects == (IssueOtp(**usual | changed),)


@pytest.mark.parametrize(
    ("outcome", "event"),
    [("success", "success"), ("refused", "refused"), ("error", "error"), ("odd", "error")],
)
def test_how_it_is_left(
    outcome: str, event: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    data = {"id": "o1", "code": "token", "wait": 7}
    advance = play({"type": "otp-generate"}, EffectDone("run/1", outcome, data))
    assert left(advance) == event
    assert (advance.run.data["node.code"], advance.run.data["node.wait"]) == ("token", 7)


def test_a_withheld_number_gets_none(play: Callable[..., Advance], left: Callable[[Advance], str]) -> None:
    assert left(play({"type": "otp-generate", "to": "nobody"})) == "error"


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"length": 3}, "length"), ({"attempts": -1}, "attempts"), ({"validity": 5.0}, "validity")],
)
def test_mistakes(fields: dict[str, Any], field: str) -> None:
    assert [name for name, _ in OtpGenerateNode(**fields).mistakes()] == [field]


def test_its_code_is_good_for_as_long_as_it_is_valid() -> None:
    assert OtpGenerateNode().lifetime_seconds() == 300.0
