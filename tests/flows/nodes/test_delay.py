from collections.abc import Callable

import pytest

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
