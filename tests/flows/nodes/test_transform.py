from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.definition import faults
from gateway.flows.engine import Advance

# text, changes -> the text, "" and the event error where that cannot be
CASES: list[tuple[str, list[Any], str]] = [
    (" $(sms.text) ", ["trim", "lower"], "order: two"),
    ("a b", ["upper"], "A B"),
    ("a b", ["title"], "A B"),
    ("+44 7700-900123", ["digits"], "447700900123"),
    ("a1-b", ["letters"], "ab"),
    ("Ｈｅｌｌｏ!", ["normalise"], "hello"),
    ("a b&c", ["url-encode"], "a%20b%26c"),
    ("a%20b", ["url-decode"], "a b"),
    ("ä", ["base64-encode"], "w6Q="),
    ("w6Q=", ["base64-decode"], "ä"),
    ("***", ["base64-decode"], ""),
    ('say "x"', ["json"], '"say \\"x\\""'),
    ("four", ["length"], "4"),
    ("a-b-c", [{"replace": "-", "by": "+"}], "a+b+c"),
    ("a-b-c", [{"replace": "-"}], "abc"),
    ("abcdef", [{"first": 4}, {"last": 2}], "cd"),
    ("one two three", [{"word": 2}], "two"),
    ("one two three", [{"word": -1}], "three"),
    ("one", [{"word": 3}, {"default": "none"}], "none"),
    ("x", [{"prefix": "<"}, {"suffix": ">"}], "<x>"),
    ("2.005", [{"round": 1}], "2.0"),
    ("2.5", [{"round": 0}], "2"),
    ("two", [{"round": 1}], ""),
]


@pytest.mark.parametrize(("text", "do", "result"), CASES)
def test_a_text_becomes_another_step_by_step(
    text: str, do: list[Any], result: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    step = play({"type": "transform", "text": text, "do": do, "save": "x"})
    assert left(step) == ("done" if result else "error")
    assert step.run.data.get("x", "") == step.run.data["node.text"] == result


@pytest.mark.parametrize("do", [[], [{}], [{"first": 1, "last": 1}]])
def test_mistakes_are_named(do: list[Any]) -> None:
    node = {"type": "transform", "text": "x", "do": do, "on": {"done": "end", "error": "end"}}
    [fault] = faults("f", {"start": "node", "nodes": {"node": node}})
    assert ".do" in fault.path
