import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sip.uri import BadUri, Uri, host_port, scheme_of, sip_uri


@pytest.mark.parametrize(
    ("text", "scheme", "number", "host", "port"),
    [
        ("sip:+442079460000@example.com", "sip", "+442079460000", "example.com", None),
        ("SIP:alice@Example.COM:5070", "sip", "alice", "example.com", 5070),
        ("sips:bob:secret@[2001:db8::9:1]:5061;transport=tcp", "sips", "bob", "[2001:db8::9:1]", 5061),
        ("sip:example.com", "sip", "", "example.com", None),
        ("sip:+4420;npdi;rn=+44@10.0.0.1?Subject=x", "sip", "+4420", "10.0.0.1", None),
        ("sip:user;par=u%40example.net@example.com", "sip", "user", "example.com", None),
        (
            "sip:sip%3Auser%40example.com@company.com;other-param=summit",
            "sip",
            "sip:user@example.com",
            "company.com",
            None,
        ),
        ("sip:null-%00-null@example.com", "sip", "null-\0-null", "example.com", None),
        ("tel:+44-20-7946-0000;phone-context=x", "tel", "+44-20-7946-0000", "", None),
        ("sip:%E9@h", "sip", "\ufffd", "h", None),
    ],
)
def test_uris_are_read(text: str, scheme: str, number: str, host: str, port: int | None) -> None:
    uri = Uri.parse(text)
    assert (uri.scheme, uri.number, uri.host, uri.port) == (scheme, number, host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "sip:",
        "sip:@h",
        "sip:a@",
        "sip:a@b@c",
        "sip:a@h:0",
        "sip:a@h:70000",
        "sip:a b@h",
        "tel:",
        "urn:service:sos",
        "sip:a@h:x",
        "sip:a@[::1",
        'sip:"a"@h',
    ],
)
def test_broken_and_foreign_uris_are_refused(text: str) -> None:
    with pytest.raises(BadUri):
        Uri.parse(text)


def test_the_scheme_of_a_foreign_uri_can_still_be_read() -> None:
    assert scheme_of("URN:service:sos") == "urn"
    with pytest.raises(BadUri):
        scheme_of("no scheme")


def test_loose_routers_say_lr() -> None:
    assert Uri.parse("sip:p.example.com;LR").loose
    assert not Uri.parse("sip:p.example.com").loose


@given(st.text())
def test_any_text_is_a_uri_or_bad(text: str) -> None:
    try:
        assert isinstance(Uri.parse(text).number, str)
    except BadUri:
        pass


@given(st.text(st.characters(exclude_characters=";:", codec="utf-8"), min_size=1))
def test_a_user_of_any_characters_survives_being_written(user: str) -> None:
    assert Uri.parse(sip_uri(user, "h", 5060)).number == user


def test_ipv6_addresses_stand_in_brackets() -> None:
    assert host_port("::1", 5060) == "[::1]:5060"
    assert host_port("[::1]", None) == "[::1]"
    assert sip_uri("", "10.0.0.1", 5060) == "sip:10.0.0.1:5060"
