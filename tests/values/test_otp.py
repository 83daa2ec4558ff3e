from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.values.otp import Code, Format, Otp, taken_out, token

OTP = Otp(
    id="019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55",
    service="s",
    address="+447700900123",
    length=6,
    salt="",
    hash="",
    most_attempts=5,
    created_at=0.0,
    sent_at=0.0,
    expires_at=1.0,
    validity_seconds=1.0,
)


def test_a_token_leaves_masks_and_says_where() -> None:
    text, code = taken_out(f"Code: {token(OTP)}. Again: {token(OTP)}!")
    assert text == "Code: ******. Again: ******!"
    assert code == Code(OTP.id, 1, Format.NUMERIC, 6, (6, 21))


def test_of_two_codes_only_the_first_is_said() -> None:
    other = Otp(**{name: getattr(OTP, name) for name in OTP.__struct_fields__} | {"id": "0"})
    text, code = taken_out(f"{token(OTP)}{token(other)}")
    assert text == "******" and code is not None and code.otp == OTP.id


@pytest.mark.parametrize(
    "text", ["no code", "\ue000", "\ue000otp:x\ue001", "\ue000otp:0:1:numeric:999999\ue001"]
)
def test_what_is_no_token_stays(text: str) -> None:
    assert taken_out(text) == (text, None)


def test_no_token_asks_for_more_than_a_code_may_have() -> None:
    text, _ = taken_out("\ue000otp:0:1:numeric:99\ue001")
    assert text == "*" * 32


@given(st.text(alphabet=st.sampled_from("\ue000\ue001otp:0123abc numeric"), max_size=80))
def test_any_text_can_be_looked_through(text: str) -> None:
    taken_out(text)
