"""Answers that nothing is remembered of."""

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.headers import Via
from gateway.protocol.sip.message import Request, Response, make_request, parse
from gateway.protocol.sip.stateless import Stateless

PEER = Address("192.0.2.2", 5070)


def invite(branch: str = "z9hG4bK1") -> Request:
    return make_request(
        "INVITE",
        "sip:+442079460000@192.0.2.1",
        via=Via("UDP", "192.0.2.2", 5070, {"branch": branch, "rport": None}),
        from_="<sip:+41795550102@192.0.2.2>;tag=a",
        to="<sip:+442079460000@192.0.2.1>",
        call_id="c",
        cseq=1,
    )


def answer(request: Request, status: int, reason: str = "", *, salt: int = 1) -> Response:
    datagram = Stateless("192.0.2.1", salt).answer(request, PEER, status, reason, 3)
    assert (datagram.address, datagram.transaction, datagram.otherwise) == (PEER, None, None)
    response = parse(datagram.data)
    assert isinstance(response, Response)
    return response


def test_each_repetition_gets_the_same_tag_which_nobody_else_can_know() -> None:
    tags = [answer(invite(), 503).to_tag, answer(invite(), 503).to_tag]
    assert tags[0] == tags[1] != ""
    assert answer(invite("z9hG4bK2"), 503).to_tag != tags[0] != answer(invite(), 503, salt=2).to_tag


def test_a_503_says_when_to_come_back_and_nothing_else_does() -> None:
    assert answer(invite(), 503).headers.get("Retry-After") == "3"
    assert "Retry-After" not in answer(invite(), 403).headers


def test_a_400_says_what_it_is_for() -> None:
    told = answer(invite(), 400, 'bad "tag" \\').headers.get("Warning")
    assert told == "399 192.0.2.1 \"bad 'tag' /\""
    assert "Warning" not in answer(invite(), 400, "bad\r\n").headers


def test_over_a_stream_it_goes_back_by_the_connection_or_to_where_the_via_listens() -> None:
    source = Address("192.0.2.2", 40_000, "tcp")
    datagram = Stateless("192.0.2.1", 1).answer(invite(), source, 503, "", 1)
    assert (datagram.address, datagram.otherwise) == (source, Address("192.0.2.2", 5070, "tcp"))
