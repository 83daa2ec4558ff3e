import pytest

from gateway.protocol.sip.dialog import Dialog, contact_of
from gateway.protocol.sip.headers import BadHeader, Via
from gateway.protocol.sip.message import Request, make_request, parse, respond

VIA = Via("UDP", "192.0.2.1", 5060, {"branch": "z9hG4bKx"})


def invite(*headers: tuple[str, str], from_: str = "<sip:a@192.0.2.1>;tag=1") -> Request:
    return make_request(
        "INVITE", "sip:b@192.0.2.2", via=VIA, from_=from_, to="<sip:b@192.0.2.2>",
        call_id="c", cseq=7, headers=headers,
    )  # fmt: skip


def as_caller(*headers: tuple[str, str]) -> Dialog:
    return Dialog.of_response(invite(), respond(invite(), 200, to_tag="2", headers=headers))


def test_the_callee_sees_the_route_as_recorded_and_the_caller_reversed() -> None:
    routes = [("Record-Route", "<sip:p1;lr>, <sip:p2;lr>"), ("Record-Route", "<sip:p3;lr>")]
    callee = Dialog.of_request(invite(*routes, ("Contact", "<sip:a@192.0.2.1:5070>")), "2")
    assert callee.id == ("c", "2", "1")
    assert callee.routes == ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]
    caller = as_caller(*routes, ("Contact", "<sip:b@192.0.2.9>"))
    assert caller.id == ("c", "1", "2")
    assert caller.routes == ["<sip:p3;lr>", "<sip:p2;lr>", "<sip:p1;lr>"]
    hop = caller.next_hop()
    assert hop is not None and hop.host == "p3"


def test_requests_carry_both_tags_the_target_the_route_and_the_next_number() -> None:
    caller = as_caller(("Contact", "<sip:b@192.0.2.9>"), ("Record-Route", "<sip:p1;lr>"))
    bye = caller.request("BYE", VIA)
    assert (bye.method, bye.uri, bye.cseq, bye.from_tag, bye.to_tag) == (
        "BYE",
        "sip:b@192.0.2.9",
        8,
        "1",
        "2",
    )
    assert bye.headers.lines("Route") == ["<sip:p1;lr>"]
    assert caller.request("ACK", VIA, cseq=7).cseq == 7
    assert caller.request("INFO", VIA).cseq == 9


def test_a_strict_router_takes_the_request_uri_and_the_target_goes_last() -> None:
    caller = as_caller(
        ("Contact", "<sip:b@192.0.2.9>"), ("Record-Route", "<sip:p2;lr>"), ("Record-Route", "<sip:p1>")
    )
    bye = caller.request("BYE", VIA)
    assert bye.uri == "sip:p1"
    assert bye.headers.lines("Route") == ["<sip:p2;lr>", "<sip:b@192.0.2.9>"]


def test_without_a_usable_contact_or_route_the_first_address_serves() -> None:
    assert as_caller().remote_target == "sip:b@192.0.2.2"
    assert (
        as_caller(("Contact", "<urn:x:y>"), ("Record-Route", "nonsense")).remote_target == "sip:b@192.0.2.2"
    )
    assert as_caller(("Record-Route", "nonsense")).routes == []
    assert Dialog.of_request(invite(("Contact", "*")), "2").remote_target == "sip:a@192.0.2.1"
    assert contact_of(invite(("Contact", '"x" <sip:h:5061>;q=1, <sip:other>'))) == "sip:h:5061"


def test_a_reinvite_moves_the_target_and_other_requests_only_the_number() -> None:
    callee = Dialog.of_request(invite(("Contact", "<sip:a@192.0.2.1>")), "2")
    again = invite(("Contact", "<sip:a@192.0.2.5>"))
    again.cseq = 8
    callee.refresh(again)
    assert (callee.remote_cseq, callee.remote_target) == (8, "sip:a@192.0.2.5")
    info = invite(("Contact", "<sip:a@192.0.2.6>"))
    info.method, info.cseq = "INFO", 9
    callee.refresh(info)
    assert (callee.remote_cseq, callee.remote_target) == (9, "sip:a@192.0.2.5")


@pytest.mark.parametrize(
    "uri", ["sip:a@192.0.2.1; transport=udp", "sip:a@192.0.2.1?Subject=x y", "sip:a\xa0b@h"]
)
def test_a_contact_that_no_request_line_can_carry_is_not_used(uri: str) -> None:
    callee = Dialog.of_request(invite(("Contact", f"<{uri}>")), "2")
    assert callee.remote_target == "sip:a@192.0.2.1"


def test_a_strict_route_that_no_request_line_can_carry_is_not_used() -> None:
    assert as_caller(("Record-Route", "<sip:p1; maddr=p2>")).routes == []
    assert as_caller(("Record-Route", "<sip:p1; lr;x=y z>")).routes == ["<sip:p1; lr;x=y z>"]


@pytest.mark.parametrize("uri", ["sip\udce3:+41@h", "urn:x:y", "sip:a@h; user=phone", "sip:a b@h"])
def test_no_dialog_comes_of_an_invite_that_nothing_can_be_sent_back_to(uri: str) -> None:
    with pytest.raises(BadHeader):
        Dialog.of_request(invite(from_=f"<{uri}>;tag=1"), "2")


def test_from_stands_in_for_a_missing_contact() -> None:
    bye = Dialog.of_request(invite(from_="<tel:+41795550102>;tag=1"), "2").request("BYE", VIA)
    read = parse(bytes(bye))
    assert isinstance(read, Request)
    assert read.uri == "tel:+41795550102"
