"""When a submit_sm is to go out, and for how long it is tried."""

import pytest

from gateway.inbound.times import LONGEST_SECONDS, times
from gateway.values.errors import BadInput


def test_a_validity_runs_from_the_scheduled_time_and_has_an_end() -> None:
    assert times(b"000001000000000R", b"000003000000000R", 1e9) == (1e9 + 86400, 2 * 86400)
    assert times(b"", b"990000000000000R", 1e9) == (0, LONGEST_SECONDS)
    with pytest.raises(BadInput, match="validity_period"):
        times(b"", b"x", 1e9)


@pytest.mark.parametrize(
    ("schedule", "validity", "code"),
    [(b"tomorrow", b"", "bad_schedule"), (b"", b"000000000000000R", "bad_validity")],
)
def test_what_cannot_be_says_which_it_is(schedule: bytes, validity: bytes, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        times(schedule, validity, 1e9)
    assert caught.value.code == code
