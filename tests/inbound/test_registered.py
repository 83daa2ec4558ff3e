"""registered_delivery against the table of SMPP 3.4 section 5.2.17 (and 5.0 section 4.7.21)."""

from __future__ import annotations

import pytest

from gateway.inbound.registered import owed
from gateway.values.outcome import Status

S = Status
FAILURES = {S.FAILED, S.EXPIRED, S.IN_DOUBT}


@pytest.mark.parametrize(
    ("registered_delivery", "statuses"),
    [
        (0x00, set()),
        (0x01, {S.DELIVERED, S.ANSWERED, *FAILURES}),
        (0x02, FAILURES),
        (0x03, {S.DELIVERED, S.ANSWERED}),
        (0x10, {S.SENT}),
        (0x11, {S.SENT, S.DELIVERED, S.ANSWERED, *FAILURES}),
        (0x12, {S.SENT, *FAILURES}),
        (0x0C, set()),  # SME acknowledgements are between the handsets
    ],
)
def test_each_form_asks_for_its_receipts(registered_delivery: int, statuses: set[Status]) -> None:
    of_messages = set(Status) - {S.RECEIVED, S.HANDLED, S.READ}  # no SMS is read
    assert {status for status in of_messages if owed(registered_delivery, status)} == statuses
