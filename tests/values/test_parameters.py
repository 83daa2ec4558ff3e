from typing import Any

import pytest

from gateway.config.model import Parameter
from gateway.values.errors import BadInput
from gateway.values.parameters import filled


@pytest.mark.parametrize(
    ("type", "given", "value"),
    [
        ("text", "a", "a"),
        ("text", 3, 3),
        ("number", "12", 12),
        ("number", "12.50", 12.5),
        ("number", 2.5, 2.5),
        ("boolean", "true", True),
        ("boolean", False, False),
        ("date", "2026-12-24", "2026-12-24"),
    ],
)
def test_values_come_in_their_types(type: Any, given: Any, value: Any) -> None:
    assert filled({"p": Parameter(type=type)}, {"p": given}, of="x", field="f") == {"p": value}


@pytest.mark.parametrize(
    ("type", "given"),
    [
        ("number", "a"),
        ("number", True),
        ("number", ""),
        ("number", "1e999"),
        ("boolean", "yes"),
        ("date", "24.12."),
        ("text", [1]),
        ("text", True),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(type: Any, given: Any) -> None:
    with pytest.raises(BadInput) as refused:
        filled({"p": Parameter(type=type)}, {"p": given}, of="x", field="f")
    assert (refused.value.field, refused.value.code) == ("f.p", "bad_parameter")


def test_a_missing_one_is_named() -> None:
    with pytest.raises(BadInput) as refused:
        filled({"what": Parameter()}, {}, of="template alert", field="variables")
    assert str(refused.value) == "variables.what: template alert needs the parameter what"
    assert refused.value.code == "missing_variable"


def test_defaults_and_what_is_not_mandatory() -> None:
    declared = {"a": Parameter(default=1), "b": Parameter(mandatory=False), "c": Parameter(longest=2)}
    assert filled(declared, {"c": "xy", "more": 1}, of="x", field="f") == {
        "a": 1,
        "b": "",
        "c": "xy",
        "more": 1,
    }
    with pytest.raises(BadInput, match="3 characters; 2 is the most"):
        filled(declared, {"c": "xyz"}, of="x", field="f")
