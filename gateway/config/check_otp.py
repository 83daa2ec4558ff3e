"""What a service's [otp] means."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.model import OtpSettings
from gateway.values.fault import Fault
from gateway.values.otp import LONGEST
from gateway.values.variables import names

_SHORTEST = 4
_GIVEN = ("code", "minutes")


def otp_faults(path: str, otp: OtpSettings) -> Iterator[Fault]:
    """`path` is that of the table."""
    if not _SHORTEST <= otp.length <= LONGEST:
        yield Fault(f"{path}.length", f"is {otp.length}; {_SHORTEST} to {LONGEST} characters")
    for key, least in (("attempts", 1), ("sends", 1)):
        if getattr(otp, key) < least:
            yield Fault(f"{path}.{key}", f"is {getattr(otp, key)}; it must be at least {least}")
    if not 10 <= otp.validity <= 86_400:
        yield Fault(f"{path}.validity", "must be 10 seconds to a day")
    if otp.cooldown < 0:
        yield Fault(f"{path}.cooldown", "must not be negative")
    said = names(otp.text)
    if "code" not in said:
        yield Fault(f"{path}.text", "says no $(code)")
    for name in said:
        if name not in _GIVEN:
            yield Fault(f"{path}.text", f"nothing sets $({name}); it knows $(code) and $(minutes)")
    guard = otp.guard
    if not 1 <= guard.prefix <= 15:
        yield Fault(f"{path}.guard.prefix", f"is {guard.prefix}; a range is 1 to 15 digits")
    if not 0 <= guard.ratio <= 1:
        yield Fault(f"{path}.guard.ratio", f"is {guard.ratio:g}; it must be 0 to 1")
    for key in ("window", "hold"):
        if getattr(guard, key) <= 0:
            yield Fault(f"{path}.guard.{key}", "must be longer than 0")
