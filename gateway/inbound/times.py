"""schedule_delivery_time and validity_period of a submit_sm (SMPP 3.4 sections 5.2.15, 5.2.16)."""

from __future__ import annotations

from typing import NamedTuple

from gateway.protocol.smpp import constants, timestamp
from gateway.values.errors import BadInput

LONGEST_SECONDS = 366 * 86400.0
TIME_FAULTS = {"bad_schedule": constants.ESME_RINVSCHED, "bad_validity": constants.ESME_RINVEXPIRY}


class Times(NamedTuple):
    """When a message goes out, and for how long from then on it is tried; 0 = at once, without an end."""

    not_before: float
    validity_seconds: float


def times(schedule_delivery_time: bytes, validity_period: bytes, now: float) -> Times:
    """Raises BadInput with code "bad_schedule" or "bad_validity"."""
    try:
        start = timestamp.read(schedule_delivery_time, now)
    except ValueError as error:
        raise BadInput(str(error), field="schedule_delivery_time", code="bad_schedule") from None
    if start is not None and not now <= start <= now + LONGEST_SECONDS:
        raise BadInput("not within 366 days from now", field="schedule_delivery_time", code="bad_schedule")
    try:
        end = timestamp.read(validity_period, now)
    except ValueError as error:
        raise BadInput(str(error), field="validity_period", code="bad_validity") from None
    if end is None:
        return Times(start or 0.0, 0.0)
    seconds = end - (start or now)
    if seconds <= 0:
        raise BadInput("over before it begins", field="validity_period", code="bad_validity")
    return Times(start or 0.0, min(seconds, LONGEST_SECONDS))
