"""The Reason header as carriers write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sip.headers import Via
from gateway.protocol.sip.message import make_request
from gateway.protocol.sip.reason import (
    NORMAL_CLEARING,
    Reason,
    cause_of,
    parse_reason,
    q850,
    reason_of,
    refusal,
)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", (0, "")),
        ("SIP;cause=200", (0, "", 200)),
        ("SIP;cause=7", (0, "")),
        ('Q.850;cause=16;text="Normal call clearing"', (16, "Normal call clearing")),
        ("Q.850 ;cause=31", (31, "")),
        ("q.850; CAUSE=17", (17, "")),
        ('SIP;cause=200;text="Call completed elsewhere"', (0, "Call completed elsewhere", 200)),
        ('SIP;cause=487;text="ORIGINATOR_CANCEL", Q.850;cause=16', (16, "ORIGINATOR_CANCEL", 487)),
        ('Q.850;cause=16;text="a, b; c=1"', (16, "a, b; c=1")),
        ("Q.850;cause=sixteen", (0, "")),
        ("Q.850;cause=128", (0, "")),
        ("Q.850;cause=99999999999999999999", (0, "")),
        ("Q.850;cause", (0, "")),
        ("Q.850;cause=16, Q.850;cause=17", (16, "")),
        ("user busy", (0, "")),
    ],
)
def test_reasons(value: str, reason: tuple[int, str] | tuple[int, str, int]) -> None:
    assert parse_reason(value) == Reason(*reason)


def test_a_cause_without_a_text_stands_for_itself() -> None:
    assert parse_reason("SIP;cause=603, Q.850;cause=21").words == "SIP 603"
    assert parse_reason("Q.850;cause=21").words == ""


def test_a_long_text_is_cut() -> None:
    assert len(parse_reason(f'SIP;cause=200;text="{"x" * 9000}"').text) == 200


@given(st.text())
def test_no_text_is_an_error(value: str) -> None:
    reason = parse_reason(value)
    assert 0 <= reason.q850 <= 127


def test_every_reason_field_of_a_message_counts() -> None:
    lines = ["SIP;cause=200", 'Q.850;cause=31;text="x\udcff"']
    bye = make_request(
        "BYE",
        "sip:h",
        via=Via("UDP", "h", None, {}),
        from_="<sip:a@h>;tag=1",
        to="<sip:b@h>;tag=2",
        call_id="c",
        cseq=1,
        headers=[("Reason", line) for line in lines],
    )
    assert reason_of(bye) == 'SIP;cause=200, Q.850;cause=31;text="x\ufffd"'
    assert parse_reason(reason_of(bye)).q850 == 31


@pytest.mark.parametrize(("status", "cause"), [(486, 17), (603, 21), (480, 18), (404, 1), (503, 41)])
def test_a_refusal_of_ours_tells_the_telephone_network_why(status: int, cause: int) -> None:
    ((name, value),) = refusal(status)
    assert (name, parse_reason(value).q850) == ("Reason", cause)


def test_what_is_no_affair_of_the_telephone_network_has_no_cause() -> None:
    assert refusal(488) == []
    assert (cause_of(488), cause_of(486)) == (0, 17)
    assert q850(NORMAL_CLEARING) == ("Reason", 'Q.850;cause=16;text="Normal call clearing"')
