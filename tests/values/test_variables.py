from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.values.variables import UnknownVariable, as_text, flat, lookup, names, nested, render, storable

VALUES = {
    "name": "Ann",
    "sms": {"from": "+447700900123", "words": ["order", "2"]},
    "size.text": "M",
    "shop.json": {"items": [{"price": 9.5}], "open": True, "note": None},
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", ""),
        ("no variable, $5 and (brackets)", "no variable, $5 and (brackets)"),
        ("Hi $(name)!", "Hi Ann!"),
        ("Hi $( name )!", "Hi Ann!"),
        ("$(sms.from)", "+447700900123"),
        ("$(size.text)$(name)", "MAnn"),
        ("$(shop.json.items.0.price)", "9.5"),
        ("$(shop.json.open) $(shop.json.note)|", "true |"),
        ("$(sms.words)", "order 2"),
        ("$(shop.json.items)", '[{"price": 9.5}]'),
        ("$$(name) is $(name)", "$(name) is Ann"),
        ("$(name", "$(name"),
    ],
)
def test_variables_are_filled_in(template: str, expected: str) -> None:
    assert render(template, VALUES) == expected


@pytest.mark.parametrize(
    "name", ["Name", "nobody", "sms.fro", "name.first", "shop.json.items.1", "sms.words.x", ""]
)
def test_an_unknown_variable_is_named(name: str) -> None:
    with pytest.raises(UnknownVariable) as raised:
        render(f"Hi $({name})", VALUES)
    assert raised.value.name == name
    assert render(f"Hi $({name})", VALUES, missing="?") == "Hi ?"


def test_a_value_is_never_read_for_variables() -> None:
    assert render("$(a)", {"a": "$(secret)", "secret": "x"}) == "$(secret)"


def test_values_are_escaped_and_the_text_around_them_is_not() -> None:
    assert render("a b?q=$(q)", {"q": "a b"}, escape=lambda text: text.replace(" ", "%20")) == "a b?q=a%20b"


def test_names_lists_each_variable_once_and_no_escaped_one() -> None:
    assert names("$(b) $(a.x) $(b) $$(c) $( d )") == ["b", "a.x", "d"]


def test_the_longest_key_wins() -> None:
    assert lookup("a.b.c", {"a": {"b": {"c": 1}}, "a.b": {"c": 2}}) == 2


def test_flat_and_nested_are_each_others_inverse_on_one_level() -> None:
    assert flat({"sms": {"from": "+1"}, "x": 1}) == {"sms.from": "+1", "x": 1}
    assert nested({"sms.from": "+1", "sms.to": "2", "x": 1}) == {"sms": {"from": "+1", "to": "2"}, "x": 1}


def test_nesting_neither_loses_the_dotted_name_nor_changes_its_source() -> None:
    source = {"a": {"b": 1}, "a.c": 2, "x": "plain", "x.y": 3}
    assert nested(source) == {"a": {"b": 1, "c": 2}, "x": {"y": 3}}
    assert source["a"] == {"b": 1}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(st.text(alphabet="ab.", max_size=5), PLAIN, max_size=6),
    st.text(alphabet="$()ab. ", max_size=20),
)
def test_any_text_over_any_values_renders_or_names_what_is_missing(values: dict[str, Any], text: str) -> None:
    nested(values)
    try:
        render(text, values)
    except UnknownVariable as unknown:
        assert unknown.name in names(text)
    assert isinstance(render(text, values, missing=""), str)


@given(PLAIN)
def test_every_plain_value_has_a_text(value: Any) -> None:
    assert isinstance(as_text(value), str)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ((1 << 63) - 1, True),
        (-(1 << 63), True),
        (1 << 63, False),
        ({"a": [1, {"b": -(1 << 63) - 1}]}, False),
        ({"a": ["x", 1.5, None, True]}, True),
    ],
)
def test_a_whole_number_that_no_record_holds_is_found_wherever_it_is(value: object, fits: bool) -> None:
    assert storable(value) is fits
