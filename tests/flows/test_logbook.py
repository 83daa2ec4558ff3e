from typing import Any

import pytest

from gateway.flows.logbook import typed


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "5", "5"),
        ("number", "5", 5),
        ("number", "2.5", 2.5),
        ("number", " 7 ", 7),
        ("number", "five", None),
        ("number", "nan", None),
        ("number", "1e999", None),
        ("boolean", "true", True),
        ("boolean", "No", False),
        ("boolean", "", False),
        ("boolean", "maybe", None),
        ("time", "0", "1970-01-01T00:00:00.000Z"),
        ("time", "2026-03-01T10:00:00+01:00", "2026-03-01T09:00:00.000Z"),
        ("time", "2026-03-01", "2026-03-01T00:00:00.000Z"),
        ("time", "soon", None),
        ("time", "1e30", None),
    ],
)
def test_a_value_is_of_its_column_s_type_or_nothing(kind: str, text: str, value: Any) -> None:
    assert typed({"x": kind}, {"x": text}) == {"x": value}


def test_a_row_has_every_column_in_its_order_and_no_other() -> None:
    assert list(typed({"b": "text", "a": "text"}, {"a": "1", "c": "2"}).items()) == [("b", None), ("a", "1")]
