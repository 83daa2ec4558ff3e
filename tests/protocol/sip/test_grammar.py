import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sip.grammar import (
    format_parameters,
    parse_parameters,
    quote,
    readable,
    split_list,
    unquote,
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a", ["a"]),
        ("a, b ,\tc", ["a", "b", "c"]),
        ('Digest realm="a,b", qop="auth,auth-int"', ['Digest realm="a,b"', 'qop="auth,auth-int"']),
        ("<sip:a,b@h;x=1,2>;q=1, <sip:c@d>", ["<sip:a,b@h;x=1,2>;q=1", "<sip:c@d>"]),
        (r'"a\",b" <sip:a@b>, c', [r'"a\",b" <sip:a@b>', "c"]),
        ('"never closed, a, b', ['"never closed, a, b']),
        (",,a,,", ["a"]),
    ],
)
def test_lists_are_cut_at_commas_outside_quotes_and_brackets(text: str, values: list[str]) -> None:
    assert split_list(text) == values


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", {}),
        ("rport", {"rport": None}),
        ("Branch=z9hG4bKx;RPORT;ttl = 16", {"branch": "z9hG4bKx", "rport": None, "ttl": "16"}),
        ('a="x;y=\\"1\\"";b=2', {"a": 'x;y="1"', "b": "2"}),
        ("self=1;;x", {"self": "1", "x": None}),
        ("rport;rport=5060", {"rport": None}),
        ("tag=", {"tag": ""}),
    ],
)
def test_parameters_are_read_case_insensitively_and_the_first_counts(
    text: str, parameters: dict[str, str | None]
) -> None:
    assert parse_parameters(text) == parameters


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9\-]{0,8}", fullmatch=True), st.none() | st.text(max_size=12))
)
def test_parameters_survive_the_round_trip(parameters: dict[str, str | None]) -> None:
    assert parse_parameters(format_parameters(parameters)[1:]) == parameters


@given(st.text())
def test_quoting_is_undone_by_unquoting(text: str) -> None:
    assert unquote(quote(text)) == text


@pytest.mark.parametrize("unit", ['"', '\\"', "<", '"\\', ",", ";", "<,", '"\\",<', "a;"])
def test_hostile_repetition_costs_linear_time(unit: str) -> None:
    text = unit * 60_000
    began = time.process_time()
    split_list(text)
    parse_parameters(text)
    assert time.process_time() - began < 2  # quadratic behaviour would take minutes


def test_octets_that_are_not_utf8_become_replacement_characters() -> None:
    assert readable(b"caf\xe9 \xc3\xa9".decode("utf-8", "surrogateescape")) == "caf\ufffd é"
