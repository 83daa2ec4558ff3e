from __future__ import annotations

import pytest

from gateway.http.v1 import moment, refused
from gateway.values.errors import BadInput


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("", 0.0),
        ("2015-04-12T13:00:19.456Z", 1428843619.456),
        ("2015-04-12T18:30:19.456+05:30", 1428843619.456),
        ("2015-04-12T18:30:19.456+5:30", 1428843619.456),
        ("2015-04-12T13:00:19", 1428843619.0),
    ],
)
def test_moments_as_that_platform_writes_them(written: str, at: float) -> None:
    assert moment(written) == at


@pytest.mark.parametrize("written", ["soon", "2015-13-01", "2015-04-12T25:00", "\ud800"])
def test_what_is_no_moment_is_said(written: str) -> None:
    with pytest.raises(BadInput, match="no moment"):
        moment(written)


@pytest.mark.parametrize(
    ("code", "platform"),
    [
        ("bad_json", "7000"),
        ("missing_field", "7003"),
        ("missing_variable", "7003"),
        ("empty", "7003"),
        ("foreign_sender", "7004"),
        ("suspended", "7005"),
        ("too_large", "7120"),
    ],
)
def test_our_codes_in_that_platforms(code: str, platform: str) -> None:
    item = refused(BadInput("why", field="where", code=code), "4711")
    assert (item.code, item.description, item.correlationid) == (platform, "where: why", "4711")
