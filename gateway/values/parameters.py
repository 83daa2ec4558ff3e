"""What templates and custom events are given: values by name, of declared types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol

from gateway.values.errors import BadInput

MISSING = "missing_variable"


class Declared(Protocol):
    """One parameter (config.model.Parameter)."""

    @property
    def type(self) -> str: ...  # text | number | boolean | date
    @property
    def mandatory(self) -> bool: ...
    @property
    def default(self) -> Any: ...  # None: there is none
    @property
    def longest(self) -> int: ...  # characters of a text, 0 = any


def filled(
    declared: Mapping[str, Declared], given: Mapping[str, Any], *, of: str, field: str
) -> dict[str, Any]:
    """All that was given, what is declared in its type; defaults where nothing was given, and "" for what is
    not mandatory.

    Raises BadInput naming the parameter as "FIELD.NAME"; `of` says whose it is ("template alert").
    """
    values = dict(given)
    for name, parameter in declared.items():
        path = f"{field}.{name}"
        if (value := values.get(name)) is None:
            if parameter.default is None and parameter.mandatory:
                raise BadInput(f"{of} needs the parameter {name}", field=path, code=MISSING)
            values[name] = "" if parameter.default is None else parameter.default
            continue
        values[name] = _typed(value, parameter.type, path)
        if parameter.longest and len(str(value)) > parameter.longest:
            said = f"{len(str(value))} characters; {parameter.longest} is the most"
            raise BadInput(said, field=path, code="too_long")
    return values


def _typed(value: Any, type: str, path: str) -> Any:
    wrong = BadInput(f"must be a {type}, not {str(value)[:40]!r}", field=path, code="bad_parameter")
    match type, value:
        case "number", bool():
            raise wrong
        case "number", int() | float():
            return value
        case "number", str():
            try:
                number = float(value)
            except ValueError:
                raise wrong from None
            if not math.isfinite(number):
                raise wrong
            return int(number) if number.is_integer() and "." not in value else number
        case "boolean", bool():
            return value
        case "boolean", "true" | "false":
            return value == "true"
        case "date", str():
            try:
                return date.fromisoformat(value).isoformat()
            except ValueError:
                raise wrong from None
        case "text", str():
            return value
        case "text", int() | float() if not isinstance(value, bool):
            return value
    raise wrong
