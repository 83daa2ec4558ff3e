# ruff: noqa: E501 -- wire text is not folded
"""Messages: examples after RFC 4475, broken ones, round trips, an oracle and random octets."""

import pytest
import sipmessage
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.headers import NameAddr, Via
from gateway.protocol.sip.message import (
    Request,
    Response,
    SipParseError,
    make_request,
    parse,
    reply_address,
    respond,
    stamp,
)

SOURCE = Address("192.0.2.9", 40000)


def wire(text: str, body: str = "") -> bytes:
    return (text.strip("\n").replace("\n", "\r\n") + "\r\n\r\n" + body).encode("utf-8", "surrogateescape")


INVITE = """
INVITE sip:+442079460000@192.0.2.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.2:5080;branch=z9hG4bK1;rport
Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0
Max-Forwards: 70
From: "A" <sip:+41795550102@192.0.2.2>;tag=f1
To: <sip:+442079460000@192.0.2.1>
Call-ID: c1@192.0.2.2
CSeq: 7 INVITE
Contact: <sip:a@192.0.2.2:5080>
"""


def request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def test_an_invite_is_read() -> None:
    invite = request(wire(INVITE + "Content-Length: 3", "v=0"))
    assert (invite.method, invite.uri, invite.cseq, invite.call_id) == (
        "INVITE",
        "sip:+442079460000@192.0.2.1",
        7,
        "c1@192.0.2.2",
    )
    assert (invite.from_tag, invite.to_tag, invite.max_forwards, invite.body) == ("f1", "", 70, b"v=0")
    assert invite.via.branch == "z9hG4bK1"
    assert invite.address("Contact") == NameAddr("sip:a@192.0.2.2:5080")


TRICKY = {
    "wsinvi": (
        """
INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 3
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33
""",
        "v=0",
        ("INVITE", 9, "98asjd8", "1918181833n", "390skdjuw"),
    ),
    "intmeth": (
        """
!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0
Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bK-.!%66*_+`'~
To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>
From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%="\u0440\u0430\u0431";tag=_token~1'+`*%!-.
Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/"][?}{
CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~
Max-Forwards: 255
extensionHeader-!.%*+_`'~: \ufeff\u5927\u505c\u96fb
Content-Length: 0
""",
        "",
        (
            "!interesting-Method0123456789_*+`.%indeed'~",
            139122385,
            "_token~1'+`*%!-.",
            "",
            "z9hG4bK-.!%66*_+`'~",
        ),
    ),
    "lwsdisp": (
        """
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: caller<sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: lwsdisp.1234abcd@funky.example.com
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw
l: 0
""",
        "",
        ("OPTIONS", 60, "323", "", "z9hG4bKkdjuw"),
    ),
    "dblreq, octets behind the body": (
        """
REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=43251j3j324
Max-Forwards: 8
I: dblreq.0ha0isndaksdj99sdfafnl3lk233412
Contact: sip:j.user@host.example.com
CSeq: 8 REGISTER
Via: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492
Content-Length: 0
""",
        "INVITE sip:joe@example.com SIP/2.0",
        ("REGISTER", 8, "43251j3j324", "", "z9hG4bKkdjuw23492"),
    ),
    "inv2543, no tags, no branch, no Max-Forwards": (
        """
INVITE sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@ift.client.example.net;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 INVITE
""",
        "",
        ("INVITE", 56, "", "", ""),
    ),
    "latin-1 display name": (
        INVITE.replace('"A"', '"caf\udce9"'),
        "",
        ("INVITE", 7, "f1", "", "z9hG4bK1"),
    ),
    "foreign scheme": (
        INVITE.replace("INVITE sip:+442079460000@192.0.2.1", "INVITE nobodyKnowsThisScheme:totallyopaquecontent"),
        "",
        ("INVITE", 7, "f1", "", "z9hG4bK1"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRICKY)
def test_tricky_but_valid_requests_are_read(name: str) -> None:
    text, body, (method, cseq, from_tag, to_tag, branch) = TRICKY[name]
    message = request(wire(text, body))
    assert (message.method, message.cseq, message.from_tag) == (method, cseq, from_tag)
    assert (message.to_tag, message.via.branch) == (to_tag, branch)
    again = request(bytes(message))
    again.headers.set("Content-Length", str(len(again.body)))
    assert bytes(again) == bytes(message)


def test_folded_and_repeated_vias_are_one_list() -> None:
    message = request(wire(TRICKY["wsinvi"][0], "v=0"))
    assert [Via.parse(via).host for via in message.headers.values("Via")] == [
        "192.0.2.2",
        "spindle.example.com",
        "192.168.255.111",
    ]


@pytest.mark.parametrize(("line", "status", "reason"), [
    ("SIP/2.0 200 ", 200, ""),
    ("SIP/2.0 486", 486, ""),
    ("SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e", 200, "= 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e"),
])  # fmt: skip
def test_status_lines_are_read(line: str, status: int, reason: str) -> None:
    message = parse(wire(INVITE.replace("INVITE sip:+442079460000@192.0.2.1 SIP/2.0", line)))
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.cseq_method) == (status, reason, "INVITE")


def edit(old: str, new: str, body: str = "") -> bytes:
    assert old in INVITE
    return wire(INVITE.replace(old, new), body)


BROKEN = {
    "505 for another version": (edit(" SIP/2.0\nVia", " SIP/7.0\nVia"), 505),
    "unknown Via version": (edit("Via: SIP/2.0/UDP 192", "Via: SIP/2.0/UDP/192"), None),
    "no Via": (edit("Via: ", "X: "), None),
    "no From": (edit("From: ", "X: "), 400),
    "no To": (edit("To: ", "X: "), 400),
    "no Call-ID": (edit("Call-ID: ", "X: "), 400),
    "no CSeq": (edit("CSeq: ", "X: "), None),
    "two To": (edit("To: ", "To: <sip:x@y>\nTo: "), 400),
    "two Call-ID": (edit("Call-ID: ", "Call-ID: x\nCall-ID: "), 400),
    "blank in Call-ID": (edit("c1@192.0.2.2\n", "c1 x\n"), 400),
    "method mismatch": (edit("7 INVITE", "7 OPTIONS"), 400),
    "large CSeq": (edit("7 INVITE", "36893488147419103232 INVITE"), 400),
    "Max-Forwards no number": (edit("Max-Forwards: 70", "Max-Forwards: x"), 400),
    "Max-Forwards above 255": (edit("Max-Forwards: 70", "Max-Forwards: 300"), 400),
    "Content-Length beyond the datagram": (edit("CSeq: ", "Content-Length: 9999\nCSeq: ", "abc"), 400),
    "negative Content-Length": (edit("CSeq: ", "Content-Length: -999\nCSeq: "), 400),
    "unclosed quote in To": (edit("To: <", 'To: "Mr. J. <'), 400),
    "brackets round the Request-URI": (edit("INVITE sip:+442079460000@192.0.2.1", "INVITE <sip:a@b>"), 400),
    "blank in the Request-URI": (edit("@192.0.2.1 SIP", "@192.0.2.1; lr SIP"), 400),
    "two blanks in the request line": (edit("INVITE sip:+44", "INVITE  sip:+44"), 400),
    "blank behind the version": (edit("SIP/2.0\nVia: SIP/2.0/UDP 192", "SIP/2.0 \nVia: SIP/2.0/UDP 192"), 400),
    "Request-URI without scheme": (edit("INVITE sip:+442079460000@192.0.2.1", "INVITE alice"), 400),
    "header without colon": (edit("Max-Forwards: 70", "Max-Forwards 70"), 400),
    "no empty line": (wire(INVITE).removesuffix(b"\r\n\r\n"), 400),
    "bare line feed": (wire(INVITE).replace(b"\r\nMax", b"\nMax"), None),
    "an ACK is never answered": (wire(INVITE.replace("INVITE", "ACK").replace("7 ACK", "7 BYE")), None),
    "a response is never answered": (wire(INVITE.replace("7 INVITE", "x").replace(
        "INVITE sip:+442079460000@192.0.2.1 SIP/2.0", "SIP/2.0 200 OK")), None),
    "status out of range": (wire(INVITE.replace(
        "INVITE sip:+442079460000@192.0.2.1 SIP/2.0", "SIP/2.0 4294967301 better not")), None),
    "an HTTP request": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None),
    "not text": (b"\x00\x01\x02\xff", None),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_messages_get_a_status_or_nothing(name: str) -> None:
    data, status = BROKEN[name]
    with pytest.raises(SipParseError) as caught:
        parse(data)
    assert caught.value.status == status
    if caught.value.request is not None:
        assert status is not None
        answer = (
            parse(bytes(respond(caught.value.request, status, to_tag="x"))) if name not in _ECHO else None
        )
        assert answer is None or isinstance(answer, Response)


# what broke these is in a field that the answer must echo, or the lack of one
_ECHO = {
    "blank in Call-ID",
    "method mismatch",
    "large CSeq",
    "unclosed quote in To",
    "no From",
    "no To",
    "no Call-ID",
}


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\r\n", b"\0\0\0\0"])
def test_keep_alives_are_nothing(data: bytes) -> None:
    assert parse(data) is None


def test_line_ends_before_the_start_line_do_not_matter() -> None:
    assert request(b"\r\n\r\n" + wire(INVITE)).method == "INVITE"


def test_a_response_repeats_what_identifies_the_request() -> None:
    invite = request(wire(INVITE))
    response = parse(
        bytes(respond(invite, 200, to_tag="t1", headers=[("Contact", "<sip:me>")], body=b"v=0", content_type="application/sdp"))
    )  # fmt: skip
    assert isinstance(response, Response)
    assert response.headers.lines("Via") == invite.headers.lines("Via")
    assert (response.status, response.reason, response.to_tag, response.from_tag) == (200, "OK", "t1", "f1")
    assert (response.call_id, response.cseq, response.cseq_method) == ("c1@192.0.2.2", 7, "INVITE")
    assert response.body == b"v=0"
    assert response.headers.get("Content-Type") == "application/sdp"


def test_a_tag_that_came_is_kept_and_100_gets_none() -> None:
    invite = request(wire(INVITE + "Timestamp: 54"))
    trying = respond(invite, 100, to_tag="t1")
    assert trying.to_tag == ""
    assert trying.headers.get("Timestamp") == "54"
    inside = request(edit("To: <sip:+442079460000@192.0.2.1>", "To: <sip:+442079460000@192.0.2.1>;tag=old"))
    assert respond(inside, 200, to_tag="t1").headers.get("To").endswith(";tag=old")


def test_the_source_is_noted_in_via_and_answered_by_rport() -> None:
    invite = request(wire(INVITE))
    stamp(invite, SOURCE)
    assert invite.headers.lines("Via") == [
        "SIP/2.0/UDP 192.0.2.2:5080;branch=z9hG4bK1;rport=40000;received=192.0.2.9",
        "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0",
    ]
    assert reply_address(invite, SOURCE) == SOURCE


def test_without_rport_the_port_of_via_is_answered_at_the_sources_address() -> None:
    invite = request(edit(";rport\nVia: ", ";received=10.9.9.9;maddr=10.8.8.8, "))
    stamp(invite, SOURCE)
    assert "received=192.0.2.9" in invite.headers.get("Via")
    assert len(invite.headers.values("Via")) == 2
    assert reply_address(invite, SOURCE) == Address("192.0.2.9", 5080)


def test_a_forged_received_is_dropped_where_the_address_is_true() -> None:
    invite = request(edit(";rport\n", ";received=10.9.9.9\n"))
    stamp(invite, Address("192.0.2.2", 5080))
    assert "received" not in invite.headers.get("Via")


def test_a_duplicate_rport_is_written_once() -> None:
    invite = request(edit(";rport\n", ";rport;rport=1\n"))
    stamp(invite, SOURCE)
    assert invite.headers.get("Via").count("rport") == 1


def test_an_own_request_reads_as_it_was_meant() -> None:
    made = make_request(
        "BYE",
        "sip:a@b",
        via=Via("UDP", "192.0.2.1", 5060, {"branch": "z9hG4bKx", "rport": None}),
        from_="<sip:me@192.0.2.1>;tag=1",
        to="<sip:a@b>;tag=2",
        call_id="c",
        cseq=3,
        headers=[("Route", "<sip:p;lr>")],
    )
    again = request(bytes(made))
    assert (again.method, again.uri, again.from_tag, again.to_tag, again.cseq) == (
        "BYE",
        "sip:a@b",
        "1",
        "2",
        3,
    )
    assert again.headers.get("Route") == "<sip:p;lr>"


tokens = st.from_regex(r"[A-Za-z0-9]{1,10}", fullmatch=True)


@given(
    tokens,
    tokens,
    tokens,
    st.integers(0, 2**31 - 1),
    st.sampled_from(["INVITE", "BYE", "OPTIONS"]),
    st.binary(max_size=40),
)
@settings(max_examples=60)
def test_sipmessage_reads_well_formed_requests_the_same(
    user: str, tag: str, branch: str, cseq: int, method: str, body: bytes
) -> None:
    made = make_request(
        method,
        f"sip:{user}@example.com:5070",
        via=Via("UDP", "192.0.2.1", 5060, {"branch": f"z9hG4bK{branch}"}),
        from_=f'"{user} x" <sip:{user}@example.com>;tag={tag}',
        to="<sip:b@example.com>",
        call_id=f"{tag}@example.com",
        cseq=cseq,
        headers=[
            ("Contact", f"<sip:{user}@192.0.2.1:5060>"),
            ("Route", "<sip:p1.example.com;lr>"),
            ("Route", "<sip:p2.example.com;lr>"),
        ],
        body=body,
        content_type="application/sdp",
    )
    ours = request(bytes(made))
    theirs = sipmessage.Message.parse(bytes(made))
    assert isinstance(theirs, sipmessage.Request)
    assert (theirs.method, str(theirs.uri)) == (ours.method, ours.uri)
    assert theirs.cseq is not None and (theirs.cseq.sequence, theirs.cseq.method) == (ours.cseq, ours.method)
    assert theirs.call_id == ours.call_id
    assert theirs.from_address is not None
    assert theirs.from_address.parameters["tag"] == ours.from_tag
    assert str(theirs.from_address.uri) == ours.address("From").uri
    assert theirs.from_address.name == ours.address("From").display
    assert theirs.via[0].parameters["branch"] == ours.via.branch
    assert (theirs.via[0].host, theirs.via[0].port) == (ours.via.host, ours.via.port)
    assert [str(route.uri) for route in theirs.route] == [
        NameAddr.parse(value).uri for value in ours.headers.values("Route")
    ]
    assert theirs.body == ours.body == body
    # and what the other one writes reads the same here
    back = request(bytes(theirs))
    assert (back.call_id, back.cseq, back.from_tag, back.via, back.body) == (
        ours.call_id, ours.cseq, ours.from_tag, ours.via, ours.body,
    )  # fmt: skip


def exercise(data: bytes) -> None:
    """Read it and do with it what a server would: nothing but SipParseError may come out."""
    try:
        message = parse(data)
    except SipParseError as error:
        if error.request is None:
            return
        assert error.status is not None
        message = error.request
    if isinstance(message, Request):
        stamp(message, SOURCE)
        reply_address(message, SOURCE)
        bytes(respond(message, 486, to_tag="x"))
    elif message is not None:
        bytes(message)


@given(st.binary(max_size=400))
@example(b"A sip: SIP/2.0\r\n\r\n")
def test_random_octets_give_a_message_or_a_parse_error(data: bytes) -> None:
    exercise(data)


BASES = [wire(INVITE), *(wire(text, body) for text, body, _ in TRICKY.values())]
PIECES = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b"\0", b",", b";", b'"', b"<", b">", b"\\", b":", b" ", b"=", b"\xff", b"9" * 5000, b"SIP/2.0"]
) | st.binary(max_size=6)  # fmt: skip


@given(
    st.sampled_from(BASES), st.lists(st.tuples(st.integers(0, 900), st.integers(0, 12), PIECES), max_size=5)
)
@settings(max_examples=600)
def test_mutated_messages_give_a_message_or_a_parse_error(
    data: bytes, cuts: list[tuple[int, int, bytes]]
) -> None:
    for start, length, piece in cuts:
        data = data[:start] + piece + data[start + length :]
    exercise(data)


def test_every_cut_of_a_message_is_survived() -> None:
    whole = wire(INVITE + "Content-Length: 3", "v=0")
    for end in range(len(whole)):
        exercise(whole[:end])
