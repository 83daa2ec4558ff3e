from typing import Any

import pytest

from gateway.flows.jsonpath import LIMIT_CHARACTERS, BadPath, find, path_of


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("$.a[0].b", {"a": [{"b": 1}, {"b": 2}]}, [1]),
        ("$.a[*].b", {"a": [{"b": 1}, {"b": 2}]}, [1, 2]),
        ("$..b", {"a": {"b": None}}, [None]),
        ("$[?@.n > 1].n", [{"n": 1}, {"n": 2}], [2]),
        ("$.x", {}, []),
        ("$.x", "text", []),
        ("$", 5, []),
    ],
)
def test_a_path_finds_values_in_order(path: str, value: Any, found: list[Any]) -> None:
    assert find(path, value) == found


@pytest.mark.parametrize("path", ["$[", "$.a[?", "$" + ".a" * LIMIT_CHARACTERS])
def test_what_is_no_path_says_so(path: str) -> None:
    with pytest.raises(BadPath):
        path_of(path)
