import pytest

from gateway.values.errors import BadInput
from gateway.values.zone import zone_named, zone_of


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+447700900123", "Europe/London"),
        ("+4915112345678", "Europe/Berlin"),
        ("+12125550100", "America/New_York"),
        ("+14155550100", "America/Los_Angeles"),
        ("12345", "UTC"),
        ("", "UTC"),
        ("+999", "UTC"),
    ],
)
def test_a_number_tells_its_zone(number: str, zone: str) -> None:
    assert str(zone_of(number)) == zone


@pytest.mark.parametrize("name", ["Europe/Londn", "", "../etc/passwd"])
def test_what_is_no_zone_says_so(name: str) -> None:
    with pytest.raises(BadInput, match="time zone"):
        zone_named(name)
