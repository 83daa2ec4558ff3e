from __future__ import annotations

import pytest

from gateway.values.clock import iso


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1795442709.12, "2026-11-23T14:05:09.120Z"),
        (1795442709.9996, "2026-11-23T14:05:09.999Z"),
    ],
)
def test_times_are_written_in_utc_with_milliseconds(at: float, text: str) -> None:
    assert iso(at) == text
