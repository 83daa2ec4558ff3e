"""JSONPath (RFC 9535) over what others have sent."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jsonpath
from jsonpath import JSONPath, JSONPathError
from jsonpath.path import CompoundJSONPath

LIMIT_CHARACTERS = 500


class BadPath(ValueError):
    """An expression that is no JSONPath."""


@lru_cache(maxsize=1024)
def path_of(expression: str) -> JSONPath | CompoundJSONPath:
    """Raises BadPath."""
    if len(expression) > LIMIT_CHARACTERS:
        raise BadPath(f"longer than {LIMIT_CHARACTERS} characters")
    try:
        return jsonpath.compile(expression)
    except JSONPathError as error:
        raise BadPath(f"no JSONPath: {str(error).splitlines()[0]}") from None


def find(expression: str, value: Any) -> list[Any]:
    """What it finds, in order; nothing in what is no object or list."""
    if not isinstance(value, dict | list):
        return []
    try:
        return list(path_of(expression).findall(value))
    except JSONPathError:
        return []
