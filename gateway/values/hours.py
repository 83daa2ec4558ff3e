"""Hours of a day, "09:00-18:00", and the days on which they count, in somebody's time zone."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, time, timedelta

from gateway.values.errors import BadInput
from gateway.values.zone import Zone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_OCLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)

Hours = tuple[time, time]  # begin and end; an end that is not later is on the next day
ALL_DAY: Hours = (time.min, time.min)


def oclock(text: str) -> time | None:
    """ "18:00"; None: it is no time of day."""
    match = _OCLOCK.fullmatch(text.strip())
    return time(int(match[1]), int(match[2])) if match else None


def hours(written: str) -> Hours:
    """Begin and end.  Raises BadInput."""
    begin, _, end = written.partition("-")
    first, last = oclock(begin), oclock(end)
    if first is None or last is None:
        raise BadInput(f'"{written}" is no span of hours; write "09:00-18:00"')
    return first, last


def within(at: float, zone: Zone, span: Hours, days: Collection[int] = range(7)) -> float:
    """The first moment from `at` on (Unix seconds) that lies within the hours of one of the days (0 =
    Monday): `at` itself, or when they begin."""
    begin, end = span
    today = datetime.fromtimestamp(at, zone).date()
    for ahead in range(-1, 9):
        day = today + timedelta(days=ahead)
        if day.weekday() not in days:
            continue
        opens = datetime.combine(day, begin, zone).timestamp()
        last = day if end > begin else day + timedelta(days=1)
        if at < datetime.combine(last, end, zone).timestamp():
            return max(at, opens)
    return at  # no day at all
