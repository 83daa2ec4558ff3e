"""SMPP times, against the examples and the limits of SMPP 3.4 section 7.1.1."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.smpp.timestamp import absolute, read

NOW = 1_800_000_000.0


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("octets", "moment"),
    [
        (b"", None),
        (b"020610233429000R", NOW + (2 * 365 + 6 * 30 + 10) * 86400 + 23 * 3600 + 34 * 60 + 29),
        (b"000000000000000R", NOW),
        (b"991231235959948+", at(2099, 12, 31, 11, 59, 59) + 0.9),
        (b"270101120000000+", at(2027, 1, 1, 12)),
        (b"270101120000004+", at(2027, 1, 1, 11)),  # an hour ahead of UTC
        (b"270101120000020-", at(2027, 1, 1, 17)),
    ],
)
def test_times_read_as_the_standard_says(octets: bytes, moment: float | None) -> None:
    assert read(octets, NOW) == moment


@pytest.mark.parametrize(
    "octets",
    [
        b"2701011200",
        b"270101120000000",
        b"270101120000000Z",
        b"271301120000000+",
        b"270230120000000+",
        b"270101250000000+",
        b"270101120000049+",
        b"000001000000100R",
        b"000001000000004R",
        b"tomorrow",
        "٢٧0101120000000+".encode()[:16],
    ],
)
def test_what_is_no_time_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError):
        read(octets, NOW)


@given(st.binary(max_size=17))
def test_any_octets_give_a_time_or_a_value_error(octets: bytes) -> None:
    try:
        read(octets, NOW)
    except ValueError:
        pass


@given(st.integers(946_684_800, 4_102_444_799))
def test_a_moment_reads_back(moment: int) -> None:
    written = absolute(moment + 0.5)
    assert len(written) == 16
    assert read(written, NOW) == moment + 0.5
