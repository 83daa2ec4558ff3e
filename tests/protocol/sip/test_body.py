"""Bodies of several parts, as SIP-I carriers send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sip.body import media_type, unwrap
from gateway.protocol.sip.call import IncomingCall
from gateway.protocol.sip.headers import Via
from gateway.protocol.sip.message import Request, make_request

SESSION = b"v=0\r\nm=audio"
SDP_PART = b"Content-Type: application/sdp\r\n\r\n" + SESSION
ISUP = b"Content-Type: application/isup;version=itu-t92+\r\n\r\n\x01\x00\x60"
OPTIONAL = b"Content-Disposition: signal ;handling=optional\r\n"
REQUIRED = b"Content-Disposition: signal;handling=required\r\n"


def request(body: bytes, content_type: str, disposition: str = "", method: str = "INVITE") -> Request:
    headers = [("Content-Disposition", disposition)] if disposition else []
    return make_request(
        method, "sip:b@h", via=Via("UDP", "h", None, {}), from_="<sip:a@h>;tag=1", to="<sip:b@h>",
        call_id="c", cseq=1, headers=headers, body=body, content_type=content_type,
    )  # fmt: skip


def multipart(*parts: bytes, boundary: bytes = b"ab") -> bytes:
    return (
        b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
    )


@pytest.mark.parametrize("content_type", ["multipart/mixed;boundary=ab", 'Multipart/Mixed ; Boundary="ab"'])
@pytest.mark.parametrize(
    "parts",
    [(SDP_PART,), (SDP_PART, ISUP), (ISUP, SDP_PART), (OPTIONAL + ISUP, SDP_PART), (b"x\r\n\r\n", SDP_PART)],
)
def test_the_session_description_is_taken_out(content_type: str, parts: tuple[bytes, ...]) -> None:
    invite = request(multipart(*parts), content_type)
    unwrap(invite)
    assert (invite.body, media_type(invite.headers)[0]) == (SESSION, "application/sdp")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (multipart(SDP_PART, REQUIRED + ISUP), "multipart/mixed;boundary=ab"),
        (multipart(ISUP), "multipart/mixed;boundary=ab"),
        (multipart(SDP_PART), "multipart/mixed;boundary=other"),
        (multipart(SDP_PART), "multipart/mixed"),
        (b"hello", "text/plain"),
    ],
)
def test_what_must_be_understood_and_is_not_stays_as_it_is(body: bytes, content_type: str) -> None:
    invite = request(body, content_type)
    unwrap(invite)
    assert invite.body == body


def test_what_may_be_ignored_is_no_body() -> None:
    for body, content_type in ((b"hello", "text/plain"), (multipart(ISUP), "multipart/mixed;boundary=ab")):
        invite = request(body, content_type, "signal;handling=optional")
        unwrap(invite)
        assert invite.body == b""


def test_an_info_keeps_its_body() -> None:
    info = request(b"Signal=5", "application/dtmf-relay", "signal;handling=optional", method="INFO")
    unwrap(info)
    assert info.body == b"Signal=5"


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_no_octets_are_an_error(before: bytes, after: bytes) -> None:
    unwrap(request(before + multipart(SDP_PART) + after, "multipart/mixed;boundary=ab"))


def test_a_call_with_isup_beside_its_offer_rings(wire) -> None:
    wire.send(
        wire.request("INVITE", body=multipart(ISUP, SDP_PART), content_type="multipart/mixed;boundary=ab")
    )
    (event,) = wire.events()
    assert isinstance(event, IncomingCall)
    assert event.sdp == SESSION
