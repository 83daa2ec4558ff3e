import pytest

from gateway.protocol.sip.headers import BadHeader, Headers, NameAddr, Via, parse_cseq, parse_tag


def test_names_are_case_insensitive_and_compact_forms_are_the_long_ones() -> None:
    headers = Headers()
    headers.read(["v: one", "VIA : two", "l:0", "X-Own: 1"])
    assert headers.lines("Via") == ["one", "two"]
    assert headers.get("content-length") == "0"
    assert headers.get("x-OWN") == "1"
    assert "L" in headers
    assert "Route" not in headers
    assert headers.get("Route", "none") == "none"


def test_headers_are_written_by_their_usual_names_in_order() -> None:
    headers = Headers([("cseq", "1 INVITE"), ("i", "x"), ("x-own", "1"), ("Call-ID", "y")])
    assert str(headers) == "CSeq: 1 INVITE\r\nCall-ID: x\r\nCall-ID: y\r\nX-Own: 1\r\n"


@pytest.mark.parametrize(
    "name", ["RSeq", "RAck", "Min-SE", "Session-Expires", "Refer-To", "WWW-Authenticate"]
)
def test_a_name_is_written_as_its_standard_spells_it(name: str) -> None:
    assert str(Headers([(name.lower(), "1")])) == f"{name}: 1\r\n"  # some peers compare letter by letter


def test_values_are_gathered_over_lines() -> None:
    headers = Headers([("Route", "<sip:a,b>, <sip:c>"), ("Route", "<sip:d>")])
    assert headers.values("Route") == ["<sip:a,b>", "<sip:c>", "<sip:d>"]


@pytest.mark.parametrize("line", ["no colon", "a b: c", ": x", "caf\xe9: x", ""])
def test_lines_that_are_no_header_are_refused(line: str) -> None:
    with pytest.raises(BadHeader):
        Headers().read([line])


def test_single_fields_may_not_repeat() -> None:
    headers = Headers([("To", "a"), ("To", "b"), ("From", "")])
    with pytest.raises(BadHeader):
        headers.single("to")
    with pytest.raises(BadHeader):
        headers.single("from")
    with pytest.raises(BadHeader):
        headers.single("cseq", required=True)
    assert headers.single("cseq") == ""


@pytest.mark.parametrize(
    ("text", "transport", "sent_by", "branch"),
    [
        ("SIP/2.0/UDP 10.0.0.1:5080;branch=z9hG4bKa;rport", "UDP", ("10.0.0.1", 5080), "z9hG4bKa"),
        (
            "SIP / 2.0 / udp  First.example.com: 4000;ttl=16 ;BRANCH=z9hG4bKb",
            "UDP",
            ("first.example.com", 4000),
            "z9hG4bKb",
        ),
        ("SIP/2.0/TLS [2001:db8::1];branch=x", "TLS", ("[2001:db8::1]", 5060), "x"),
        ("SIP/2.0/UDP iftgw.example.com", "UDP", ("iftgw.example.com", 5060), ""),
    ],
)
def test_vias_are_read(text: str, transport: str, sent_by: tuple[str, int], branch: str) -> None:
    via = Via.parse(text)
    assert (via.transport, via.sent_by, via.branch) == (transport, sent_by, branch)
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0/UDP", "SIP/2.0 UDP h", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h x"]
)
def test_broken_vias_are_refused(text: str) -> None:
    with pytest.raises(BadHeader):
        Via.parse(text)


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ("<sip:a@b>;tag=1", "", "sip:a@b", "1"),
        ("caller<sip:caller@example.com>;TAG=323", "caller", "sip:caller@example.com", "323"),
        (
            r'"J Rosenberg \\\"" <sip:j@example.com>  ;  tag = 98asjd8',
            r"J Rosenberg \"",
            "sip:j@example.com",
            "98asjd8",
        ),
        ("sip:a@b;tag=9", "", "sip:a@b", "9"),
        ("<sip:a@b;tag=uri>", "", "sip:a@b;tag=uri", ""),
        ('"a <sip:x>, b" <tel:+1>', "a <sip:x>, b", "tel:+1", ""),
        ("<urn:service:sos>", "", "urn:service:sos", ""),
        ("<sip:a@b>;self=1;tag=2", "", "sip:a@b", "2"),
    ],
)
def test_addresses_are_read(text: str, display: str, uri: str, tag: str) -> None:
    address = NameAddr.parse(text)
    assert (address.display, address.uri, address.tag) == (display, uri, tag)
    assert parse_tag(text) == tag


@pytest.mark.parametrize(
    "text", ["", "<>", "alice", "<sip:a@b", "<sip:a@b>>", '"a <sip:a@b>', "<sip:a>, <sip:b>", "<sip:a> tag=1"]
)
def test_broken_addresses_are_refused(text: str) -> None:
    with pytest.raises(BadHeader):
        parse_tag(text)


def test_cseq_is_a_number_below_two_to_the_31_and_a_method() -> None:
    assert parse_cseq("0009 INVITE") == (9, "INVITE")
    assert parse_cseq("0 ACK") == (0, "ACK")
    for bad in (
        "INVITE",
        "1",
        "-1 INVITE",
        "2147483648 INVITE",
        "36893488147419103232 INVITE",
        "\u0661 ACK",
        "1 A B",
    ):
        with pytest.raises(BadHeader):
            parse_cseq(bad)
