from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import RESULT_BROKEN, Advance

# table -> result, reason
CASES: list[tuple[dict[str, Any], int, str]] = [
    ({"type": "end"}, 0, ""),
    ({"type": "end", "code": 102, "reason": "size $(size)"}, 102, "size M"),
    ({"type": "end", "reason": "$(session.nobody)"}, RESULT_BROKEN, "unknown variable $(session.nobody)"),
]


@pytest.mark.parametrize(("table", "result", "reason"), CASES)
def test_cases(play: Callable[..., Advance], table: Any, result: int, reason: str) -> None:
    advance = play(table)
    assert advance.effects == ()
    assert (advance.run.state, advance.run.result, advance.run.reason) == ("ended", result, reason)
