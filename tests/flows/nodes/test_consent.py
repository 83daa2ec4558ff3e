from collections.abc import Callable

import pytest

from gateway.flows.effects import UseConsent
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone

# opt, outcome -> the event by which the node is left
CASES: list[tuple[str, str, str]] = [
    ("check", "", ""),
    ("in", "opted-in", "opted-in"),
    ("out", "opted-out", "opted-out"),
    ("check", "error", "error"),
    ("check", "nothing known", "error"),
]


@pytest.mark.parametrize(("opt", "outcome", "event"), CASES)
def test_consent_is_noted_or_asked_for(
    opt: str, outcome: str, event: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    step = play({"type": "consent", "opt": opt}, *([EffectDone("run/1", outcome)] if outcome else []))
    reason = "flow f, node node"
    assert step.effects == (UseConsent(key="run/1", address="+447700900123", what=opt, reason=reason),)
    assert left(step) == event
