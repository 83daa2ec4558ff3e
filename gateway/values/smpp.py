"""SMPP's codes: of our addresses, and as people write them in settings (statuses, tags, octets, zones)."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from smpplib import consts

from gateway.values.address import Kind
from gateway.values.fault import nearest

# type of number, numbering plan (SMPP 3.4 sections 5.2.5, 5.2.6)
TON_NPI: Final = {Kind.NUMBER: (1, 1), Kind.SHORTCODE: (3, 0), Kind.SENDER_ID: (5, 0)}
STATUSES: Final = {
    name.removeprefix("SMPP_"): int(value)
    for name, value in vars(consts).items()
    if name.startswith("SMPP_ESME_")
}
_HEX: Final = re.compile(r"0[xX][0-9A-Fa-f]{1,8}")
_OFFSET: Final = re.compile(r"([+-])([01][0-9]):([0-5][0-9])")
_LIMIT_OCTETS: Final = 255  # of a vendor's parameter: what any of them is known to need, many times over


def status(written: str) -> int:
    """A command_status: "ESME_RSYSERR", "0x0008" or "8".  Raises ValueError; ESME_ROK is none to map."""
    if written in STATUSES:
        code = STATUSES[written]
    elif _HEX.fullmatch(written) or re.fullmatch(r"[0-9]{1,10}", written):
        code = int(written, 16 if "x" in written.lower() else 10)
    else:
        near = nearest(written, STATUSES) or '; write "ESME_RSYSERR" or "0x0008"'
        raise ValueError(f'"{written}" is no status{near}')
    if not 0 < code <= 0xFFFFFFFF:
        raise ValueError(f'"{written}" is no error status')
    return code


def zone(written: str) -> tzinfo:
    """Where a carrier's clock hangs: "UTC", "+02:00" or "Europe/Berlin".  Raises ValueError."""
    if offset := _OFFSET.fullmatch(written):
        sign, hours, minutes = offset.groups()
        away = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-away if sign == "-" else away)
    try:
        return ZoneInfo(written)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'"{written}" is no time zone; write "UTC", "+02:00" or "Europe/Berlin"') from None


def tag(written: str) -> int:
    """The number of an optional parameter: "0x1400" or "5120".  Raises ValueError."""
    if not (_HEX.fullmatch(written) or re.fullmatch(r"[0-9]{1,5}", written)):
        raise ValueError(f'"{written}" is no tag; write "0x1400"')
    number = int(written, 16 if "x" in written.lower() else 10)
    if not 0 < number <= 0xFFFF:
        raise ValueError(f'"{written}" is no tag: it must be 0x0001 to 0xFFFF')
    return number


def octets(written: str) -> bytes:
    """A parameter's value: text as UTF-8, or octets as "hex:0A1B".  No NUL is added.  Raises ValueError."""
    digits = written.removeprefix("hex:")
    if digits == written:
        value = written.encode()
    else:
        try:
            value = bytes.fromhex(digits)
        except ValueError:
            raise ValueError(f'"{written}" is no row of pairs of hex digits') from None
    if len(value) > _LIMIT_OCTETS:
        raise ValueError(f"has {len(value)} octets; at most {_LIMIT_OCTETS} can be sent")
    return value
