from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import RESULT_BROKEN, Advance

# values -> what the session variables are then, the result of the session
CASES: list[tuple[dict[str, Any], dict[str, Any], int]] = [
    ({"a": "x"}, {"a": "x"}, 1),
    ({"a": "$(size)$(sms.words)", "b": "$(a)!"}, {"a": "Morder two", "b": "Morder two!"}, 1),
    ({"size": "big $(size)"}, {"size": "big M"}, 1),
    ({"n": 3, "f": 2.5, "yes": True}, {"n": 3, "f": 2.5, "yes": True}, 1),
    ({"a": "$(session.nobody)"}, {"size": "M"}, RESULT_BROKEN),
    ({"a": "1234567890" * 2000, "b": "$(a)$(a)"}, {"size": "M"}, RESULT_BROKEN),
]


@pytest.mark.parametrize(("values", "expected", "result"), CASES)
def test_cases(play: Callable[..., Advance], values: Any, expected: Any, result: int) -> None:
    advance = play({"type": "set", "values": values})
    assert advance.effects == ()
    assert {name: advance.run.data.get(name) for name in expected} == expected
    assert advance.run.result == result


def test_a_value_that_cannot_be_made_ends_the_session_with_the_reason(play: Callable[..., Advance]) -> None:
    run = play({"type": "set", "values": {"a": "$(session.nobody)"}}).run
    assert (run.state, run.reason) == ("ended", "unknown variable $(session.nobody)")
    assert "a" not in run.data
