"""Values from RFC 3261 and RFC 4475 (torture messages), and random octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.sip_message import (
    Malformed,
    NameAddr,
    Request,
    Response,
    Uri,
    Via,
    parse,
    split_outside_quotes,
)

INVITE = (
    b"INVITE sip:bob@biloxi.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds\r\n"
    b"Max-Forwards: 70\r\n"
    b"To: Bob <sip:bob@biloxi.com>\r\n"
    b"From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:alice@pc33.atlanta.com>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"v=0\n"
)


def test_request_of_the_rfc_is_read_and_written_back_unchanged() -> None:
    message = parse(INVITE)
    assert isinstance(message, Request)
    message.check()
    assert (message.method, message.uri) == ("INVITE", "sip:bob@biloxi.com")
    assert message.via == Via("UDP", "pc33.atlanta.com", None, {"branch": "z9hG4bK776asdhds"})
    assert message.cseq == (314159, "INVITE")
    assert message.from_.tag == "1928301774"
    assert message.to.tag == ""
    assert message.body == b"v=0\n"
    assert message.encode() == INVITE


def test_response_is_read() -> None:
    message = parse(b"SIP/2.0 486 Busy Here\r\nContent-Length: 0\r\n\r\n")
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (486, "Busy Here")


def test_compact_names_folding_and_blanks_before_the_colon_are_read() -> None:
    message = parse(
        b"OPTIONS sip:a@b SIP/2.0\r\nv : SIP / 2.0 / UDP  h:5070 ;branch=z9hG4bKx\r\n"
        b"f:\r\n  <sip:x@y>;\r\n\ttag=1\r\n"
        b"t: <sip:z@y>\r\ni: c\r\nCSeq: 009\tOPTIONS\r\nl: 0\r\n\r\n"
    )
    message.check()
    assert message.via == Via("UDP", "h", 5070, {"branch": "z9hG4bKx"})
    assert message.from_.tag == "1"
    assert message.call_id == "c"
    assert message.cseq == (9, "OPTIONS")


def test_octets_that_are_not_utf8_survive() -> None:
    data = b"OPTIONS sip:a@b SIP/2.0\r\nSubject: \xff\xfe\r\nContent-Length: 0\r\n\r\n"
    assert parse(data).encode() == data


def test_what_follows_the_stated_length_is_cut_off() -> None:
    assert parse(INVITE + b"rest").body == b"v=0\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 40,
        b"hello\r\n\r\n",
        INVITE.replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"),
        INVITE.replace(b"INVITE sip", b"INVITE  sip"),
        INVITE.replace(b"Length: 4", b"Length: 9999"),
        INVITE.replace(b"Length: 4", b"Length: -4"),
        INVITE.replace(b"\r\n\r\n", b"\r\n"),
        INVITE.replace(b"Max-Forwards: 70", b"Max-Forwards 70"),
        b"SIP/2.0 7000 Odd\r\n\r\n",
        INVITE.replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 300 + b"\r\n"),
    ],
)
def test_broken_framing_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds\r\n", b""),
        (b"SIP/2.0/UDP pc33.atlanta.com", b"HTTP/1.1 x"),
        (b"pc33.atlanta.com;branch", b"pc33.atlanta.com:99999;branch"),
        (b"From: Alice", b"Former: Alice"),
        (b"<sip:alice@atlanta.com>;tag", b"<sip:alice@atlanta.com;tag"),
        (b"To: Bob <sip:bob@biloxi.com>", b"To: "),
        (b"Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n", b""),
        (b"CSeq: 314159 INVITE", b"CSeq: 314159 BYE"),
        (b"CSeq: 314159 INVITE", b"CSeq: 99999999999 INVITE"),
        (b"CSeq: 314159 INVITE", b"CSeq: 1 INVITE\r\nCSeq: 2 INVITE"),
        (b"INVITE sip:bob@biloxi.com ", b"INVITE sip:bob@ "),
    ],
)
def test_unusable_fields_are_found_by_the_check(old: bytes, new: bytes) -> None:
    assert old in INVITE
    message = parse(INVITE.replace(old, new, 1))
    with pytest.raises(Malformed):
        message.check()


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:+442079460000@127.0.0.1:5060;user=phone", Uri("sip", "+442079460000", "127.0.0.1", 5060)),
        ("SIPS:a%2Bb:secret@Example.ORG?x=y", Uri("sips", "a+b", "Example.ORG")),
        ("sip:+1;phone-context=x@[::1]:5", Uri("sip", "+1", "::1", 5)),
        ("sip:127.0.0.1", Uri("sip", "", "127.0.0.1")),
        ("tel:+441;ext=2", Uri("tel", "+441")),
        ("urn:service:sos", Uri("urn", "")),
    ],
)
def test_uris(text: str, uri: Uri) -> None:
    assert Uri.parse(text) == uri


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '"A <b>;tag=no, \\" x" <sip:a@b;lr>;Tag=yes;q="1;2"',
            NameAddr("sip:a@b;lr", {"tag": "yes", "q": '"1;2"'}),
        ),
        ("sip:a@b;tag=1", NameAddr("sip:a@b", {"tag": "1"})),
        ("<sip:a@b>;self=1", NameAddr("sip:a@b", {"self": "1"})),
    ],
)
def test_addresses(text: str, expected: NameAddr) -> None:
    assert NameAddr.parse(text) == expected


def test_lists_are_cut_outside_quotes_and_brackets() -> None:
    assert split_outside_quotes('a="x,y", <sip:c,d>,e', ",") == ['a="x,y"', "<sip:c,d>", "e"]


def test_reply_copies_what_it_must_and_adds_the_tag() -> None:
    request = parse(INVITE)
    assert isinstance(request, Request)
    reply = request.reply(486, tag="t1")
    assert reply.to.tag == "t1"
    assert [name for name, _ in reply.headers] == ["Via", "To", "From", "Call-ID", "CSeq"]
    assert reply.encode().startswith(b"SIP/2.0 486 Busy Here\r\n")
    assert reply.encode().endswith(b"Content-Length: 0\r\n\r\n")


def _read(data: bytes) -> None:
    try:
        parse(data).check()
    except Malformed:
        pass


@given(st.binary(max_size=300))
def test_random_octets_give_a_message_or_malformed(data: bytes) -> None:
    _read(data)


@given(st.integers(0, len(INVITE) - 1), st.integers(0, 60), st.binary(max_size=12))
def test_a_damaged_request_gives_a_message_or_malformed(start: int, length: int, junk: bytes) -> None:
    _read(INVITE[:start] + junk + INVITE[start + length :])
