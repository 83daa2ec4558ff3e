from __future__ import annotations

import pytest

from gateway.values.outcome import Status


@pytest.mark.parametrize(
    ("status", "final"),
    [
        (Status.QUEUED, False),
        (Status.SENT, False),
        (Status.RECEIVED, False),
        (Status.DELIVERED, True),
        (Status.ANSWERED, True),
        (Status.FAILED, True),
        (Status.EXPIRED, True),
        (Status.IN_DOUBT, True),
        (Status.HANDLED, True),
    ],
)
def test_which_statuses_may_still_change(status: Status, final: bool) -> None:
    assert status.final is final
