"""Moments as SMPP writes them (SMPP 3.4 section 7.1.1): 16 digits and a sign, or nothing.

YYMMDDhhmmsstnnp    t tenths of a second; nn difference to UTC in quarter hours, 00 to 48
                    p "+" local time is ahead of UTC, "-" behind it
YYMMDDhhmmss000R    that much from now; a year is read as 365 days, a month as 30
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_FORM = re.compile(rb"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9])([0-9]{2})([-+R])")
_LAST_QUARTER = 48


def read(octets: bytes, now: float) -> float | None:
    """The moment in Unix seconds; `now` likewise.  None for the empty string.  Raises ValueError."""
    if not octets:
        return None
    match = _FORM.fullmatch(octets)
    if match is None:
        raise ValueError(f"{octets!r} is no time of the form YYMMDDhhmmsstnnp")
    year, month, day, hour, minute, second, tenth, quarters = (int(match[n]) for n in range(1, 9))
    if match[9] == b"R":
        if tenth or quarters:
            raise ValueError(f"{octets!r}: a relative time ends in 000R")
        days = 365 * year + 30 * month + day
        return now + timedelta(days=days, hours=hour, minutes=minute, seconds=second).total_seconds()
    if quarters > _LAST_QUARTER:
        raise ValueError(f"{octets!r}: {quarters} quarter hours from UTC; 48 is the most")
    local = datetime(2000 + year, month, day, hour, minute, second, tenth * 100_000, UTC)
    ahead = quarters * 900 if match[9] == b"+" else -quarters * 900
    return local.timestamp() - ahead


def absolute(at: float) -> bytes:
    """A moment in UTC."""
    local = datetime.fromtimestamp(at, UTC)
    return f"{local:%y%m%d%H%M%S}{local.microsecond // 100_000}00+".encode()
