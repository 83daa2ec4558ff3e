from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.decrypt import DecryptNode
from gateway.flows.word_effects import Seal

NODE = {"type": "decrypt", "text": "$(sms.text)", "secret": "records", "context": "$(size)"}


CASES: list[tuple[Any, Any]] = [
    ("success", "success"),
    ("error", "error"),
]


@pytest.mark.parametrize(("outcome", "event"), CASES)
def test_it_is_done_where_the_secret_is_known(
    outcome: str, event: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    advance = play(NODE, EffectDone("run/1", outcome, {"result": "r"}))
    effect = Seal(key="run/1", how="decrypt", secret="records", text="Order: Two", context="M")
    assert advance.effects == (effect,)
    assert left(advance) == event and advance.run.data["node.result"] == "r"


def test_the_service_must_have_the_secret() -> None:
    assert DecryptNode(text="x", secret="records").refers() == [("secret", "secret", "records")]
