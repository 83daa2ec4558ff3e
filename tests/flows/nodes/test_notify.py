from collections.abc import Callable

import pytest

from gateway.flows.effects import Notify
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone

# inputs -> the event by which the node is left
CASES: list[tuple[list[EffectDone], str]] = [
    ([], ""),
    ([EffectDone("run/1", "success")], "success"),
    ([EffectDone("run/1", "error", {"reason": "nobody to notify"})], "error"),
]


@pytest.mark.parametrize(("inputs", "event"), CASES)
def test_a_notification_is_owed(
    inputs: list[EffectDone], event: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    step = play({"type": "notify", "url": "https://x.example/", "body": {"size": "$(size)"}}, *inputs)
    assert step.effects == (Notify(key="run/1", url="https://x.example/", body={"size": "M"}),)
    assert left(step) == event
