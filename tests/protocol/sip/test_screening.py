"""What is refused before anybody looks at what it asks for."""

import pytest

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, NOTIFY"


@pytest.mark.parametrize(("method", "uri", "headers", "status", "header"), [
    ("SUBSCRIBE", "sip:a@b", (), 405, ("Allow", ALLOW)),
    ("INVITE", "urn:service:sos", (), 416, None),
    ("INVITE", "sip:a@b@c", (), 400, None),
    ("INVITE", "sip:a@b", (("Require", "100REL, nothing"),), 420, ("Unsupported", "nothing")),
    ("REFER", "sip:a@b", (), 405, ("Allow", ALLOW)),
    ("FROBNICATE", "sip:a@b", (), 501, ("Allow", ALLOW)),
    ("INVITE", "sip:a@b?Subject=x", (), 400, None),
    ("BYE", "sip:a@b", (), 481, None),
    ("INFO", "sip:a@b", (), 481, None),
    ("UPDATE", "sip:a@b", (), 481, None),
    ("PRACK", "sip:a@b", (), 481, None),
    ("NOTIFY", "sip:a@b", (), 481, None),
])  # fmt: skip
def test_what_is_not_supported_is_refused_as_the_standard_says(
    wire,
    method: str,
    uri: str,
    headers: tuple[tuple[str, str], ...],
    status: int,
    header: tuple[str, str] | None,
) -> None:
    wire.send(wire.request(method, uri, headers=headers))
    (refusal,) = wire.sent()
    assert refusal.status == status
    assert header is None or refusal.headers.get(header[0]) == header[1]
    assert wire.events() == []


def test_a_request_with_no_hop_left_gets_483(wire) -> None:
    request = wire.request("INVITE")
    request.headers.set("Max-Forwards", "0")
    wire.send(request)
    assert wire.words() == ["483 INVITE"]


def test_both_unsupported_options_are_named(wire) -> None:
    wire.send(wire.request("INVITE", headers=(("Require", "precondition, timer, nothing"),)))
    (refusal,) = wire.sent()
    assert refusal.headers.lines("Unsupported") == ["precondition", "nothing"]


def test_with_no_hop_left_an_endpoint_still_answers_for_itself(wire) -> None:
    _, ok = wire.answered()
    for request in (wire.request("OPTIONS", call_id="o"), wire.request("INFO", to_tag=ok.to_tag, cseq=2)):
        request.headers.set("Max-Forwards", "0")
        wire.send(request)
    assert wire.words() == ["200 OPTIONS", "200 INFO"]
