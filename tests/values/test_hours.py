from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.values.errors import BadInput
from gateway.values.hours import ALL_DAY, hours, oclock, within

LONDON = ZoneInfo("Europe/London")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("moment", "span", "first"),
    [
        ("2026-12-01T12:00", "09:00-18:00", "2026-12-01T12:00"),
        ("2026-12-01T08:59", "09:00-18:00", "2026-12-01T09:00"),
        ("2026-12-01T18:00", "09:00-18:00", "2026-12-02T09:00"),
        ("2026-12-01T23:00", "20:00-08:00", "2026-12-01T23:00"),
        ("2026-12-01T07:59", "20:00-08:00", "2026-12-01T07:59"),
        ("2026-12-01T08:00", "20:00-08:00", "2026-12-01T20:00"),
        ("2026-07-01T07:30", "08:00-20:00", "2026-07-01T07:30"),  # an hour later in London
        ("2026-07-01T06:30", "08:00-20:00", "2026-07-01T07:00"),
    ],
)
def test_the_first_moment_within_hours(moment: str, span: str, first: str) -> None:
    assert within(at(moment), LONDON, hours(span)) == at(first)


def test_days_count_by_where_their_hours_begin() -> None:
    saturday = {5}
    assert within(at("2026-12-01T12:00"), UTC, ALL_DAY, saturday) == at("2026-12-05T00:00")
    assert within(at("2026-12-06T03:00"), UTC, hours("20:00-08:00"), saturday) == at("2026-12-06T03:00")
    assert within(at("2026-12-06T09:00"), UTC, hours("20:00-08:00"), saturday) == at("2026-12-12T20:00")


@pytest.mark.parametrize("written", ["9-18", "25:00-26:00", "09:00", "09:00-18:60", ""])
def test_what_is_no_span_of_hours(written: str) -> None:
    with pytest.raises(BadInput):
        hours(written)


def test_times_of_day() -> None:
    assert str(oclock(" 7:05")) == "07:05:00"
    assert oclock("7") is None
