"""Time zones: by name, and by whose phone number it is."""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone

from gateway.values.errors import BadInput

Zone = tzinfo

# Where most people live in countries of several zones: mobile numbers do not tell which, and the library
# names all of them in alphabetical order
_MAIN = {
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CD": "Africa/Kinshasa",
    "CL": "America/Santiago",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "GB": "Europe/London",
    "ID": "Asia/Jakarta",
    "KZ": "Asia/Almaty",
    "MN": "Asia/Ulaanbaatar",
    "MX": "America/Mexico_City",
    "NZ": "Pacific/Auckland",
    "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow",
    "US": "America/New_York",
}


@lru_cache(maxsize=256)
def zone_named(name: str) -> Zone:
    """ "Europe/London".  Raises BadInput."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise BadInput(f'{name!r} is no time zone; write one such as "Europe/London"', field="zone") from None


@lru_cache(maxsize=65_536)
def zone_of(number: str) -> Zone:
    """The zone of a canonical number: of its area where the country has several and the number tells, else
    where most people of the country live.  UTC where nothing is known (withheld, shortcode)."""
    if not number.startswith("+"):
        return UTC
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return UTC
    region = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(
        parsed.country_code or 0
    )
    names = timezone.time_zones_for_number(parsed)
    if names[0] == timezone.UNKNOWN_TIMEZONE:  # of no range that is known
        names = timezone.time_zones_for_geographical_number(parsed)
    main = _MAIN.get(region, "")
    if main in names:
        return ZoneInfo(main)
    return UTC if names[0] == timezone.UNKNOWN_TIMEZONE else ZoneInfo(names[0])
