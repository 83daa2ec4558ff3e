"""The file of a call list: CSV with a head line, one person a line."""

from __future__ import annotations

import csv
from pathlib import Path

from gateway.values.address import subscriber
from gateway.values.dial import DialEntry
from gateway.values.errors import BadAddress, BadInput

NUMBER = "number"
_MOST = 1_000_000


def read_file(path: str, list: str, country: str, now: float) -> list[DialEntry]:
    """Every line as an entry; one that cannot be called, or is named before, is there as `skipped`.  Blocks:
    for a thread.

    Raises BadInput when the file cannot be read or its head line has no `number`.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if NUMBER not in (rows.fieldnames or ()):
                has = ", ".join(rows.fieldnames or ()) or "nothing"
                raise BadInput(f'{path}: the first line must name a column "{NUMBER}"; it has: {has}')
            entries, seen = [], set[str]()
            for position, row in enumerate(rows, 1):
                if position > _MOST:
                    raise BadInput(f"{path}: more than {_MOST:,} lines")
                entries.append(_entry(row, list, position, country, seen, now))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"{path}: {reason}") from error
    return entries


def _entry(
    row: dict[str, str | None], list: str, position: int, country: str, seen: set[str], now: float
) -> DialEntry:
    written = (row.get(NUMBER) or "").strip()
    reason = ""
    try:
        number = subscriber(written, country)
    except BadAddress as error:
        number, reason = written, error.reason
    if not reason and number in seen:
        reason = "is in the list twice"
    seen.add(number)
    values = {name: value or "" for name, value in row.items() if name and name != NUMBER}
    return DialEntry(
        list=list,
        position=position,
        number=number,
        variables=values,
        state="skipped" if reason else "waiting",
        reason=reason,
        due=now,
        updated_at=now,
    )
