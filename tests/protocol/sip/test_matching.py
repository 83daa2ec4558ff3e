"""Which transaction a request belongs to."""

import pytest

from gateway.protocol.sip.matching import key_of_ack, server_key
from gateway.protocol.sip.message import Request, parse

REST = b"\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 ACK\r\n\r\n"


@pytest.mark.parametrize(
    "via",
    [
        b"Via: SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bKa.1~;rport",
        b"Via: SIP/2.0/TCP Carrier.example;rport;branch=z9hG4bK-2-1-0",
        b"Via: SIP/2.0/UDP 192.0.2.2:5062;received=192.0.2.3;branch=z9hG4bKx, SIP/2.0/UDP h;branch=z9hG4bKy",
    ],
)
def test_the_ack_of_a_refusal_is_known_by_its_topmost_via(via: bytes) -> None:
    datagram = b"ACK sip:b@h SIP/2.0\r\n" + via + REST
    if (key := key_of_ack(datagram)) is not None:
        request = parse(datagram)
        assert isinstance(request, Request)
        assert key == server_key(request, "INVITE")
    assert (key is None) == (b"," in via)


@pytest.mark.parametrize(
    "datagram",
    [
        b"BYE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa" + REST,
        b"ACK sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=old" + REST,
        b"ACK sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKa" + REST,
        b"ACK sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h:70000;branch=z9hG4bKa" + REST,
        b'ACK sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;x="branch=z9hG4bKa"' + REST,
        b"ACK sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\xff" + REST,
        b"ACK ",
    ],
)
def test_what_is_not_written_as_usual_is_read_in_full(datagram: bytes) -> None:
    assert key_of_ack(datagram) is None
