from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance

GO = {
    "type": "branch",
    "cases": [
        {"when": 'size == "L"', "go": "end:21"},
        {"when": '"two" in sms.words', "go": "end:22"},
        {"when": "true", "go": "end:23"},
    ],
    "else": "end:29",
}

# table -> the way it goes, the result of the session
CASES: list[tuple[dict[str, Any], str, int]] = [
    (GO, "case 2", 22),
    (GO | {"cases": [{"when": 'size == "M"', "go": "end"}]}, "case 1", 0),
    (GO | {"cases": [{"when": "sms.text == 3", "go": "end"}]}, "else", 29),
    (GO | {"cases": [{"when": "custom.nothing", "go": "end"}]}, "else", 29),
]


@pytest.mark.parametrize(("table", "event", "result"), CASES)
def test_cases(
    play: Callable[..., Advance], left: Callable[[Advance], str], table: Any, event: str, result: int
) -> None:
    advance = play(table)
    assert advance.effects == ()
    assert (left(advance), advance.run.result) == (event, result)


def test_a_condition_that_cannot_be_evaluated_is_noted_in_the_log(play: Callable[..., Advance]) -> None:
    advance = play(GO | {"cases": [{"when": "size > 3", "go": "end"}]})
    (note,) = [event.data["note"] for event in advance.events if "note" in event.data]
    assert note.startswith("case 1 could not be evaluated: No such overload")
