"""The Reason header as carriers write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sip.reason import Reason, parse_reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", (0, "")),
        ('Q.850;cause=16;text="Normal call clearing"', (16, "Normal call clearing")),
        ("Q.850 ;cause=31", (31, "")),
        ("q.850; CAUSE=17", (17, "")),
        ('SIP;cause=200;text="Call completed elsewhere"', (0, "Call completed elsewhere")),
        ('SIP;cause=487;text="ORIGINATOR_CANCEL", Q.850;cause=16', (16, "ORIGINATOR_CANCEL")),
        ('Q.850;cause=16;text="a, b; c=1"', (16, "a, b; c=1")),
        ("Q.850;cause=sixteen", (0, "")),
        ("Q.850;cause=128", (0, "")),
        ("Q.850;cause=99999999999999999999", (0, "")),
        ("Q.850;cause", (0, "")),
        ("Q.850;cause=16, Q.850;cause=17", (16, "")),
        ("user busy", (0, "")),
    ],
)
def test_reasons(value: str, reason: tuple[int, str]) -> None:
    assert parse_reason(value) == Reason(*reason)


def test_a_long_text_is_cut() -> None:
    assert len(parse_reason(f'SIP;cause=200;text="{"x" * 9000}"').text) == 200


@given(st.text())
def test_no_text_is_an_error(value: str) -> None:
    reason = parse_reason(value)
    assert 0 <= reason.q850 <= 127
