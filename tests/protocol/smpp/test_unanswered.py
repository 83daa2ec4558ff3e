from __future__ import annotations

import pytest

from gateway.protocol.smpp import unanswered as module
from gateway.protocol.smpp.fields import EncodeError
from gateway.protocol.smpp.pdu import BindTransceiver, EnquireLink, SubmitSm, Unbind
from gateway.protocol.smpp.unanswered import LAST_SEQUENCE_NUMBER, Unanswered


@pytest.fixture
def unanswered() -> Unanswered:
    return Unanswered()


def test_sequence_numbers_wrap_and_skip_those_still_known(unanswered: Unanswered) -> None:
    unanswered.ask(SubmitSm(), 0.0, "open")
    unanswered.keep(2, "late")
    unanswered.sequence_number = LAST_SEQUENCE_NUMBER - 1
    numbers = [int.from_bytes(unanswered.ask(SubmitSm(), 0.0, None)[12:16], "big") for _ in range(3)]
    assert numbers == [0x7FFFFFFF, 3, 4]
    assert unanswered.late(2) == "late"
    unanswered.sequence_number = 1
    unanswered.ask(SubmitSm(), 0.0, None)
    assert unanswered.sequence_number == 2


def test_what_cannot_be_written_takes_no_number(unanswered: Unanswered) -> None:
    with pytest.raises(EncodeError):
        unanswered.ask(SubmitSm(service_type=b"far too long"), 0.0, None)
    assert unanswered.sequence_number == 0 and not unanswered.slots


def test_the_oldest_times_out_first(unanswered: Unanswered) -> None:
    assert unanswered.overdue(99.0, 10.0) is None
    unanswered.ask(SubmitSm(), 1.0, "a")
    unanswered.ask(SubmitSm(), 2.0, "b")
    assert unanswered.overdue(10.9, 10.0) is None
    overdue = unanswered.overdue(11.0, 10.0)
    assert overdue and overdue[0] == 1 and overdue[1].context == "a"
    assert unanswered.overdue(11.0, 10.0) is None and list(unanswered.slots) == [2]


def test_late_requests_are_kept_up_to_a_limit(
    unanswered: Unanswered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LATE_LIMIT", 2)
    for number, context in enumerate("abc"):
        unanswered.keep(number, context)
    assert [unanswered.late(number) for number in (0, 1, 2, 2)] == [None, "b", "c", None]


def test_what_is_open_at_the_end_is_without_the_sessions_own(unanswered: Unanswered) -> None:
    for request in (BindTransceiver(), SubmitSm(), EnquireLink(), SubmitSm(), Unbind()):
        unanswered.ask(request, 0.0, request.name)
    assert unanswered.clear() == [(2, "submit_sm"), (4, "submit_sm")]
    assert unanswered.clear() == []
