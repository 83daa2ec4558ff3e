from __future__ import annotations

import pytest

from gateway.config.check_otp import otp_faults
from gateway.config.model import OtpGuard, OtpSettings, Seconds


def test_the_defaults_are_right() -> None:
    assert list(otp_faults("otp", OtpSettings())) == []


@pytest.mark.parametrize(
    ("otp", "fault"),
    [
        (OtpSettings(length=3), "otp.length: is 3; 4 to 32 characters"),
        (OtpSettings(attempts=0), "otp.attempts: is 0; it must be at least 1"),
        (OtpSettings(sends=0), "otp.sends: is 0; it must be at least 1"),
        (OtpSettings(validity=Seconds(5)), "otp.validity: must be 10 seconds to a day"),
        (OtpSettings(cooldown=Seconds(-1)), "otp.cooldown: must not be negative"),
        (OtpSettings(text="Your code"), "otp.text: says no $(code)"),
        (
            OtpSettings(text="$(code) $(name)"),
            "otp.text: nothing sets $(name); it knows $(code) and $(minutes)",
        ),
        (OtpSettings(guard=OtpGuard(prefix=0)), "otp.guard.prefix: is 0; a range is 1 to 15 digits"),
        (OtpSettings(guard=OtpGuard(ratio=2)), "otp.guard.ratio: is 2; it must be 0 to 1"),
        (OtpSettings(guard=OtpGuard(hold=Seconds(0))), "otp.guard.hold: must be longer than 0"),
    ],
)
def test_each_mistake_is_named_with_its_place(otp: OtpSettings, fault: str) -> None:
    assert [str(found) for found in otp_faults("otp", otp)] == [fault]
