from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.call_effects import CallEffect, Patch, Play
from gateway.flows.effects import PlaceCall
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.values.dialogue import CALLER_GONE, Utterance

TABLE = {"type": "patch", "to": "+447700900999", "text": "One moment"}
SAID = Play(key="run/1", prompt=(Utterance(text="One moment"),), meanwhile=Utterance())
HELD = Play(key="run/1", prompt=(Utterance(text="One moment"),), meanwhile=Utterance(wav="music.wav"))
PLACED = PlaceCall(key="run/2", sender="", recipient="+447700900999", keep="patch")
PATCHED = Patch(key="run/3")
DONE, ANSWERED = EffectDone("run/1", "done"), EffectDone("run/2", "answered", {"transid": "t"})

# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[CallEffect | PlaceCall], str]] = [
    (TABLE, [], [SAID], ""),
    (TABLE | {"hold": "music.wav"}, [], [HELD], ""),
    (TABLE, [EffectDone("run/1", "hangup")], [SAID], "hangup"),
    (TABLE, [DONE], [SAID, PLACED], ""),
    (TABLE, [DONE, EffectDone("run/2", "busy")], [SAID, PLACED], "busy"),
    (TABLE, [DONE, EffectDone("run/2", "no-answer", {"code": "487"})], [SAID, PLACED], "no-answer"),
    (TABLE, [DONE, EffectDone("run/2", "no-answer", {"code": CALLER_GONE})], [SAID, PLACED], "hangup"),
    (TABLE, [DONE, ANSWERED], [SAID, PLACED, PATCHED], ""),
    (
        TABLE,
        [DONE, ANSWERED, EffectDone("run/3", "ended", {"transid": "t", "seconds": 7.5})],
        [SAID, PLACED, PATCHED],
        "done",
    ),
    (TABLE, [DONE, ANSWERED, EffectDone("run/3", "hangup")], [SAID, PLACED, PATCHED], "hangup"),
    (TABLE | {"to": "nobody at all"}, [], [], "error"),
    (TABLE | {"from": "12345"}, [], [], "error"),
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


def test_how_long_they_talked_is_known(play: Callable[..., Advance]) -> None:
    ended = EffectDone("run/3", "ended", {"transid": "t", "seconds": 7.5})
    data = play(TABLE, DONE, ANSWERED, ended).run.data
    assert (data["node.transid"], data["node.seconds"]) == ("t", 7.5)
