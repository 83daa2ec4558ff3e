from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.values.address import Kind, canonical, kind, masked, subscriber
from gateway.values.errors import BadAddress


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("+447700900123", "+447700900123"),
        ("+44 (7700) 900-123", "+447700900123"),
        ("+44.7700/900123", "+447700900123"),
        ("+44\u00a07700\u00a0900123", "+447700900123"),
        ("00447700900123", "+447700900123"),
        ("447700900123", "+447700900123"),
        ("+4420794", "+4420794"),
        ("123456789", "+123456789"),
        ("123456789012345", "+123456789012345"),
        ("123", "123"),
        ("12345", "12345"),
        ("01234", "01234"),
        ("12345678", "12345678"),
        ("PIZZA", "PIZZA"),
        ("Pizza & Co.", "Pizza & Co."),
        ("1st-Bank!", "1st-Bank!"),
        ("x", "x"),
    ],
)
def test_addresses_have_one_form(text: str, address: str) -> None:
    assert canonical(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "00",
        "12",
        "07700900123",
        "+07700900123",
        "+123456",
        "1234567890123456",
        "TWELVELETTER",
        "Müller",
        "٤٤٧٧٠٠٩٠٠١٢٣",
        "PIZZA\n",
        " PIZZA",
        "+PIZZA",
        "!!!",
        "sip:bob",
    ],
)
def test_what_is_no_address_is_refused_and_named(text: str) -> None:
    with pytest.raises(BadAddress) as refused:
        canonical(text)
    assert repr(text) in refused.value.reason and refused.value.code == "bad_address"


def test_a_peer_that_says_international_settles_short_digits() -> None:
    assert canonical("4420794", international=True) == "+4420794"
    assert canonical("4420794") == "4420794"
    with pytest.raises(BadAddress):
        canonical("12345", international=True)


@pytest.mark.parametrize(
    ("address", "what", "in_logs"),
    [
        ("+447700900123", Kind.NUMBER, "+44770090****"),
        ("12345", Kind.SHORTCODE, "12345"),
        ("PIZZA", Kind.SENDER_ID, "PIZZA"),
    ],
)
def test_the_form_tells_the_kind_and_only_numbers_are_masked(address: str, what: Kind, in_logs: str) -> None:
    assert kind(address) is what
    assert masked(address) == in_logs


def test_a_person_is_reached_at_a_number() -> None:
    assert subscriber("0044 7700 900123") == "+447700900123"
    for text in ("12345", "PIZZA", "nonsense at all"):
        with pytest.raises(BadAddress):
            subscriber(text)


def test_a_number_whose_country_code_nobody_has_is_refused() -> None:
    with pytest.raises(BadAddress, match=r"no country has the code \+999"):
        subscriber("+999123456789")


@pytest.mark.parametrize(
    ("text", "country", "address"),
    [
        ("07700 900123", "GB", "+447700900123"),
        ("447700900123", "GB", "+447700900123"),
        ("+41 79 555 01 02", "GB", "+41795550102"),
        ("0041 79 555 01 02", "GB", "+41795550102"),
        ("079 555 01 02", "CH", "+41795550102"),
    ],
)
def test_national_numbers_are_read_as_of_the_country(text: str, country: str, address: str) -> None:
    assert subscriber(text, country) == address


@pytest.mark.parametrize("text", ["12345", "0", "077009001234567890"])
def test_what_is_no_number_of_the_country_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        subscriber(text, "GB")


@given(st.text(max_size=20) | st.from_regex(r"\+?[0-9 ()./-]{3,18}", fullmatch=True))
def test_any_text_is_refused_or_has_a_form_that_stays(text: str) -> None:
    try:
        address = canonical(text)
    except BadAddress:
        return
    assert canonical(address) == address
    assert address.isascii()
    digits = address.removeprefix("+")
    match kind(address):
        case Kind.NUMBER:
            assert digits.isdigit() and 7 <= len(digits) <= 15
        case Kind.SHORTCODE:
            assert digits.isdigit() and 3 <= len(digits) <= 8
        case Kind.SENDER_ID:
            assert 1 <= len(address) <= 11 and any(c.isalpha() for c in address)
