from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.values.clock import iso


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1795442709.12, "2026-11-23T14:05:09.120Z"),
        (1795442709.9996, "2026-11-23T14:05:09.999Z"),
        (1795442709.9999999, "2026-11-23T14:05:10.000Z"),
        (1795442709.0, "2026-11-23T14:05:09.000Z"),
        (-0.5, "1969-12-31T23:59:59.500Z"),
    ],
)
def test_times_are_written_in_utc_with_milliseconds(at: float, text: str) -> None:
    assert iso(at) == text


@given(st.floats(min_value=-1e9, max_value=4e9))
def test_they_are_the_times_that_datetime_writes(at: float) -> None:
    assert iso(at) == datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
