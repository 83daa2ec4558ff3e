from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.word_effects import CheckOtp

CODE = {"type": "otp-validate", "code": "$(sms.text)"}


CASES: list[tuple[Any, Any]] = [
    ({}, {}),
    ({"otp": "$(size)"}, {"otp": "M"}),
    ({"reference": "order", "to": "+447700900999"}, {"reference": "order", "address": "+447700900999"}),
]


@pytest.mark.parametrize(("fields", "changed"), CASES)
def test_what_is_compared(
    fields: dict[str, Any], changed: dict[str, Any], play: Callable[..., Advance]
) -> None:
    usual = {"key": "run/1", "otp": "", "address": "+447700900123", "reference": "run", "given": "Order: Two"}
    assert play(CODE | fields).effects == (CheckOtp(**usual | changed),)


@pytest.mark.parametrize("outcome", ["success", "invalid", "expired", "max-attempts", "error"])
def test_how_it_is_left(outcome: str, play: Callable[..., Advance], left: Callable[[Advance], str]) -> None:
    advance = play(CODE, EffectDone("run/1", outcome, {"left": 2}))
    assert left(advance) == outcome and advance.run.data["node.left"] == 2


@pytest.mark.parametrize(("code", "words"), [("Resend!", ["resend"]), (" AGAIN ", ["resend", "again"])])
def test_a_word_that_asks_for_it_again_is_no_try(
    code: str, words: list[str], play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    advance = play({"type": "otp-validate", "code": code, "resend_words": words})
    assert left(advance) == "resend" and advance.effects == ()


def test_a_long_text_is_cut(play: Callable[..., Advance]) -> None:
    [effect] = play({"type": "otp-validate", "code": "1" * 5000}).effects
    assert isinstance(effect, CheckOtp) and len(effect.given) == 200
