"""Who calls, both ways."""

import pytest

from gateway.protocol.sip.headers import Via
from gateway.protocol.sip.identity import ANONYMOUS, Identity, caller_of
from gateway.protocol.sip.message import make_request

FROM = "<sip:+41795550102@carrier.example>;tag=a"


def caller(from_: str, *headers: tuple[str, str]) -> str:
    return caller_of(make_request(
        "INVITE", "sip:+442079460000@192.0.2.1", via=Via("UDP", "192.0.2.2", 5060, {"branch": "z9hG4bK1"}),
        from_=from_, to="<sip:+442079460000@192.0.2.1>", call_id="c", cseq=1, headers=headers,
    ))  # fmt: skip


@pytest.mark.parametrize(("from_", "headers", "number"), [
    (FROM, [], "+41795550102"),
    (FROM, [("P-Asserted-Identity", '"PBX" <sip:+41440000000@c.example>, <tel:+1>')], "+41440000000"),
    (FROM, [("P-Asserted-Identity", "<tel:+41440000000;cpc=ordinary>")], "+41440000000"),
    (FROM, [("P-Asserted-Identity", "<sip:c.example>"), ("P-Asserted-Identity", "<<<")], "+41795550102"),
    (FROM, [("P-Asserted-Identity", "<tel:+41440000000>"), ("Privacy", "none")], "+41440000000"),
    (FROM, [("P-Asserted-Identity", "<tel:+41440000000>"), ("Privacy", "session; ID")], ""),
    (FROM, [("Privacy", "user")], ""),
    (f"{ANONYMOUS};tag=a", [], ""),
    (f"{ANONYMOUS};tag=a", [("P-Asserted-Identity", "<tel:+4144>")], "+4144"),
    ("<sip:Anonymous@192.0.2.7>;tag=a", [], ""),
    ("<sip:carrier.example>;tag=a", [], ""),
])  # fmt: skip
def test_the_caller_is_who_the_carrier_says_unless_it_is_withheld(
    from_: str, headers: list[tuple[str, str]], number: str
) -> None:
    assert caller(from_, *headers) == number


def test_we_show_our_number() -> None:
    one = Identity("+442079460000", "carrier.example")
    assert one.from_("t") == "<sip:+442079460000@carrier.example>;tag=t"
    assert one.headers() == []


def test_we_withhold_our_number_from_the_callee_but_not_from_the_carrier() -> None:
    one = Identity("+442079460000", "carrier.example", "P-Asserted-Identity", anonymous=True)
    assert one.from_("t") == '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=t'
    assert one.headers() == [
        ("P-Asserted-Identity", "<sip:+442079460000@carrier.example>"),
        ("Privacy", "id"),
    ]
