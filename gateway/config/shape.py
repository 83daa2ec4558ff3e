"""From parsed TOML to the structs of `model`: unknown and missing keys, wrong types and values, all at once.

What is wrong is replaced by the field's default (or an empty value), so that the rest can still be checked;
nothing runs on such a model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo

from gateway.config.locate import join
from gateway.config.model import Moment, Seconds, Secret
from gateway.values.duration import seconds
from gateway.values.fault import Fault, nearest

S = TypeVar("S", bound=Struct)


class _Wrong(Exception):
    """The value is of no use; its fault has been noted."""


class Reader:
    """Reads tables into structs and keeps the faults.  `secret` resolves what is written where a Secret is
    wanted and raises ValueError with the reason."""

    def __init__(self, secret: Callable[[str], str]) -> None:
        self.faults: list[Fault] = []
        self._secret = secret

    def struct(self, kind: type[S], table: Mapping[str, Any], path: str) -> S:
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        places: Mapping[str, str] = getattr(kind, "PLACES", {})
        written = [key for key in fields if key not in places]
        near = {key: nearest(key, written) for key in table if key not in written}
        for key, hint in near.items():
            self._fault(
                join(path, key), "unknown key" + (hint or f"; the keys here are {', '.join(written)}")
            )
        if unfold := getattr(kind, "unfold", None):
            table = unfold({key: value for key, value in table.items() if key in written})
        values = {}
        for key, field in fields.items():
            if key in table:
                try:
                    place = join(path, places.get(key, key))
                    values[field.name] = self._value(field.type, table[key], place)
                    continue
                except _Wrong:
                    pass
            elif field.required and not any(f'"{key}"' in hint for hint in near.values()):
                # nor is it misspelt: that is one mistake, not two
                self._fault(join(path, key), "missing; it has no default")
            values[field.name] = _stand_in(field)
        return kind(**values)

    def _value(self, kind: Any, value: Any, path: str) -> Any:
        """Raises _Wrong."""
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in (UnionType, Union):  # the latter for `Literal[...] | None`
            (kind,) = (argument for argument in arguments if argument is not NoneType)
            return self._value(kind, value, path)
        if origin is Literal:
            return self._choice(arguments, value, path)
        if origin is list:
            return self._list(arguments[0], value, path)
        if origin is dict:
            return self._dict(arguments[1], value, path)
        if kind is Any:
            return value
        if isinstance(kind, type) and issubclass(kind, Struct):
            if isinstance(value, str) and (short := getattr(kind, "SHORT", "")):
                value = {short: value}
            return self.struct(kind, self._table(value, path), path)
        return self._plain(kind, value, path)

    def _plain(self, kind: Any, value: Any, path: str) -> Any:
        if kind is Secret:
            # the value stays out of the fault: it may be the secret
            if not isinstance(value, str):
                raise self._fault(path, "must be text in quotes")
            try:
                return Secret(self._secret(value))
            except ValueError as error:
                raise self._fault(path, str(error)) from None
        if kind is Moment:
            return self._moment(value, path)
        if kind is Seconds:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise self._fault(path, f'must be a duration such as "20s", not {_spoken(value)}')
            try:
                return Seconds(seconds(value))
            except ValueError as error:
                raise self._fault(path, str(error)) from None
        if kind is float and type(value) in (int, float) and math.isfinite(value):
            return float(value)
        if type(value) is not kind or kind is float:
            raise self._fault(path, f"must be {_KINDS[kind]}, not {_spoken(value)}")
        return value

    def _moment(self, value: Any, path: str) -> Moment:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise self._fault(path, f"{_spoken(value)} is no moment; {_A_MOMENT}") from None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self._fault(path, f"must be a moment with its zone; {_A_MOMENT}")
        return Moment(value.timestamp())

    def _choice(self, choices: tuple[Any, ...], value: Any, path: str) -> Any:
        # a bool equals 0 or 1
        if any(value == choice and type(value) is type(choice) for choice in choices):
            return value
        named = [_spoken(choice) for choice in choices if choice != ""]
        near = nearest(value, map(str, choices)) if isinstance(value, str) else ""
        raise self._fault(path, f"must be {_or(named)}, not {_spoken(value)}{near}")

    def _list(self, kind: Any, value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise self._fault(path, f"must be a list in [brackets], not {_spoken(value)}")
        items = []
        for index, item in enumerate(value):
            try:
                items.append(self._value(kind, item, f"{path}[{index}]"))
            except _Wrong:
                continue
        return items

    def _dict(self, kind: Any, value: Any, path: str) -> dict[str, Any]:
        items = {}
        for key, item in self._table(value, path).items():
            try:
                items[key] = self._value(kind, item, join(path, key))
            except _Wrong:
                items[key] = _empty(kind)  # the name stays known to those who refer to it
        return items

    def _table(self, value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._fault(path, f"must be a table, not {_spoken(value)}")
        return value

    def _fault(self, path: str, what: str) -> _Wrong:
        self.faults.append(Fault(path, what))
        return _Wrong()


_A_MOMENT = "write 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"
_KINDS = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}


def empty(kind: type[S]) -> S:
    """A struct of defaults, and of empty values where there is no default."""
    return kind(**{field.name: _stand_in(field) for field in msgspec.structs.fields(kind)})


def _stand_in(field: FieldInfo) -> Any:
    if field.default is not NODEFAULT:
        return field.default
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return _empty(field.type)


def _empty(kind: Any) -> Any:
    origin = get_origin(kind)
    if origin is Literal:
        return get_args(kind)[0]
    if origin is not None:
        return origin()
    if isinstance(kind, type) and issubclass(kind, Struct):
        return empty(kind)
    return kind()


def _spoken(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"' if len(value) <= 40 else f'"{value[:37]}..."'
        case int() | float():
            return str(value)
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return "a date or time"


def _or(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
