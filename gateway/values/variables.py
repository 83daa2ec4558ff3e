"""Variables in texts: `$(name)`, `$(node.field)`, `$(node.json.items.0.price)`.

Names are case-sensitive.  `$$(` stands for a literal `$(`; any other dollar sign is itself.  What stands
between `$(` and the next `)` is the name, blanks around it aside, so that a misspelt name is found rather
than sent to a customer.

Variables come nested ({"sms": {"from": "+44..."}}, as conditions see them), flat ({"sms.from": "+44..."}, as
runs keep them), or mixed: the longest key that fits is taken and the rest of the name walks into its value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway.values.errors import BadInput

INTEGER_BITS = 64  # of a whole number: conditions and records hold no larger one
_REFERENCE = re.compile(r"\$\$\(|\$\(([^()]*)\)")


class UnknownVariable(BadInput):
    """A text names a variable that has no value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown variable $({name})", code="unknown_variable")
        self.name = name


def storable(value: object) -> bool:
    """Whether each whole number within a JSON value fits into INTEGER_BITS."""
    left = [value]
    while left:
        match left.pop():
            case int() as number if not -(1 << 63) <= number < 1 << 63:
                return False
            case Mapping() as inner:
                left += inner.values()
            case list() as items:
                left += items
    return True


def names(template: str) -> list[str]:
    """The variables a text names, in order, each once."""
    return list(dict.fromkeys(m[1].strip() for m in _REFERENCE.finditer(template) if m[1] is not None))


def render(
    template: str,
    variables: Mapping[str, Any],
    *,
    missing: str | None = None,
    escape: Callable[[str], str] | None = None,
) -> str:
    """The text with its variables filled in, each value passed through `escape`.

    Values are never read for variables themselves: what a customer texts cannot name one.  An unknown
    variable becomes `missing`, or raises UnknownVariable where that is None.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$("
        name = match[1].strip()
        try:
            found = as_text(lookup(name, variables))
        except KeyError:
            if missing is None:
                raise UnknownVariable(name) from None
            found = missing
        return escape(found) if escape else found

    return _REFERENCE.sub(value, template)


def lookup(name: str, variables: Mapping[str, Any]) -> Any:
    """The value of a dotted name.  Raises KeyError."""
    if name in variables:
        return variables[name]
    end = name.rfind(".")
    while end > 0:
        if name[:end] in variables:
            return _walk(variables[name[:end]], name[end + 1 :].split("."), name)
        end = name.rfind(".", 0, end)
    raise KeyError(name)


def _walk(value: Any, path: list[str], name: str) -> Any:
    for key in path:
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list | tuple) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            raise KeyError(name)
    return value


def as_text(value: Any) -> str:
    """How a value reads in a text: true, 2, 2.5; nothing for null; a list of plain values with blanks
    between, anything deeper as JSON."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list() | tuple() if not any(isinstance(item, Mapping | list | tuple) for item in value):
            return " ".join(as_text(item) for item in value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def flat(nested: Mapping[str, Any]) -> dict[str, Any]:
    """{"sms": {"from": "+1"}} -> {"sms.from": "+1"}: one level, since deeper values are read by walking."""
    result: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            result.update({f"{name}.{field}": inner for field, inner in value.items()})
        else:
            result[name] = value
    return result


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{"sms.from": "+1"} -> {"sms": {"from": "+1"}}.  Where "a" and "a.b" both are, "a.b" wins."""
    result: dict[str, Any] = {}
    for name in sorted(flat):
        *parents, last = name.split(".")
        level = result
        for parent in parents:
            inner = level.get(parent)
            # a copy, for the value may be shared with the run that it came from
            level[parent] = dict(inner) if isinstance(inner, dict) else {}
            level = level[parent]
        level[last] = flat[name]
    return result
