from datetime import UTC, datetime, timedelta

import pytest

from gateway.values.smpp import octets, status, tag, zone


@pytest.mark.parametrize(
    ("written", "code"),
    [("ESME_RSYSERR", 8), ("0x0008", 8), ("0X8", 8), ("8", 8), ("0x00000400", 1024), ("1025", 1025)],
)
def test_a_status_is_a_name_or_a_number(written: str, code: int) -> None:
    assert status(written) == code


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("ESME_RSYSER", "ESME_RSYSERR"),
        ("temporary", 'write "ESME_RSYSERR"'),
        ("0x", "no status"),
        ("-8", "no status"),
        ("0x1FFFFFFFF", "no status"),
        ("9999999999", "no error status"),
        ("0", "no error status"),
        ("ESME_ROK", "no error status"),
    ],
)
def test_what_is_no_error_status_says_why(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        status(written)


def test_a_tag_is_a_number_of_two_octets() -> None:
    assert (tag("0x1400"), tag("5121"), tag("0xffff")) == (0x1400, 0x1401, 0xFFFF)
    for written in ("0x10000", "0", "70000", "dest", "0x", ""):
        with pytest.raises(ValueError, match="is no tag"):
            tag(written)


def test_octets_are_text_or_hex_digits() -> None:
    assert octets("1101:é") == "1101:é".encode()
    assert octets("hex:00 ff") == b"\x00\xff" and octets("hex:") == octets("") == b""
    for written in ("hex:0", "hex:zz"):
        with pytest.raises(ValueError, match="hex digits"):
            octets(written)
    with pytest.raises(ValueError, match="256 octets"):
        octets("x" * 256)


@pytest.mark.parametrize(
    ("written", "hours"),
    [("UTC", 0), ("+02:00", 2), ("-05:30", -5.5), ("Europe/Berlin", 1), ("Asia/Kolkata", 5.5)],
)
def test_a_zone_is_a_name_or_an_offset(written: str, hours: float) -> None:
    noon = datetime(2023, 1, 1, 12, tzinfo=zone(written))
    assert noon.astimezone(UTC) == datetime(2023, 1, 1, 12, tzinfo=UTC) - timedelta(hours=hours)


@pytest.mark.parametrize(
    "written", ["", "Berlin", "+2", "+25:00", "/etc/passwd", "../x", "Europe", "Europe/"]
)
def test_what_is_no_zone_says_so(written: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        zone(written)
