"""What flows write to a Logbook, in the types that its columns declare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.values.clock import iso

_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0", "")


def typed(columns: Mapping[str, str], row: Mapping[str, str]) -> dict[str, Any]:
    """The row in the order of the columns; None for what is not there, or not of its column's type."""
    return {name: _value(kind, row[name]) if name in row else None for name, kind in columns.items()}


def _value(kind: str, text: str) -> Any:
    match kind:
        case "number":
            return _number(text)
        case "boolean":
            return True if text.lower() in _TRUE else False if text.lower() in _FALSE else None
        case "time":
            return _time(text)
        case _:
            return text


def _number(text: str) -> int | float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _time(text: str) -> str | None:
    """RFC 3339 in UTC, from that or from Unix seconds."""
    try:
        return iso(float(text))
    except (ValueError, OverflowError, OSError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return iso((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
