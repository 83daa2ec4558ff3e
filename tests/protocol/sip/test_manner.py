"""A carrier that wants credentials, a proxy on the way, another form of our name: whole dialogues with it."""

import itertools

import pytest

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import (
    AnswerReceived,
    CallAnswered,
    CallEnded,
    CallFailed,
)
from gateway.protocol.sip.digest import Challenge, Digest, response_of
from gateway.protocol.sip.identity import Identity
from gateway.protocol.sip.manner import Manner
from gateway.protocol.sip.message import Request

PEER = Address("192.0.2.2", 5070)
CHALLENGE = 'Digest realm="carrier, ltd", nonce="n1", qop="auth,auth-int", algorithm=SHA-256'


def digest() -> Digest:
    words = (f"c{n}" for n in itertools.count(1))
    return Digest("u", "p", lambda: next(words))


def manner(**fields: object) -> Manner:
    return Manner("east", "carrier.example", digest=digest(), **fields)


def dial(wire, manner: Manner):
    call = wire.agent.invite(PEER, "+41795550102", "+442079460000", b"offer", wire.now, manner)
    (invite,) = wire.sent()
    return call, invite


def challenge(wire, request: Request, text: str = CHALLENGE, status: int = 407) -> list[Request]:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    wire.reply(request, status, headers=((name, text),))
    return wire.sent()


def is_authorised(request: Request, nonce: str = "n1", nc: int = 1, cnonce: str = "c1") -> bool:
    (line,) = request.headers.lines("Proxy-Authorization")
    expected = response_of(
        Challenge("carrier, ltd", nonce, "SHA-256", "auth"), username="u", password="p",
        method=request.method, uri=request.uri, cnonce=cnonce, nc=nc,
    )  # fmt: skip
    return f'response="{expected}"' in line and f"nc={nc:08x}" in line


def test_a_challenged_invite_is_acknowledged_and_sent_again_with_credentials(wire) -> None:
    call, first = dial(wire, manner())
    ack, again = challenge(wire, first)
    assert (ack.method, ack.via.branch) == ("ACK", first.via.branch)
    assert (again.method, again.call_id, again.from_tag, again.cseq) == (
        "INVITE",
        first.call_id,
        first.from_tag,
        2,
    )
    assert again.via.branch != first.via.branch
    assert again.body == b"offer"
    assert is_authorised(again)
    wire.reply(again, 200, body=b"answer")
    (ack,) = wire.sent()
    assert (ack.method, ack.cseq) == ("ACK", 2)
    assert ack.headers.lines("Proxy-Authorization") == again.headers.lines("Proxy-Authorization")
    assert wire.events() == [CallAnswered(call, b"answer")]


def test_a_challenged_bye_is_sent_again_and_ends_the_call(wire) -> None:
    call, first = dial(wire, manner())
    _, invite = challenge(wire, first)
    wire.reply(invite, 200, body=b"answer")
    wire.take()
    wire.agent.hang_up(call, wire.now)
    (bye,) = wire.sent()
    assert is_authorised(bye, nc=2)
    stale = CHALLENGE.replace("n1", "n2") + ", stale=true"
    (again,) = challenge(wire, bye, stale)
    assert (again.method, again.cseq) == ("BYE", bye.cseq + 1)
    assert is_authorised(again, "n2", cnonce="c2")
    wire.reply(again, 200)
    assert call.state.name == "ENDED"
    assert [type(event) for event in wire.events()] == [CallAnswered, CallEnded]


def test_a_challenged_bye_of_an_inbound_call_has_its_trunks_credentials(wire) -> None:
    ours = digest()
    wire.agent._sessions.digest_of = {"east": ours}.get
    call, _ = wire.answered()
    wire.agent.hang_up(call, wire.now)
    (bye,) = wire.sent()
    (again,) = challenge(wire, bye)
    assert is_authorised(again)


def test_a_wrong_password_fails_the_call_after_one_try(wire) -> None:
    call, first = dial(wire, manner())
    _, again = challenge(wire, first)
    assert [request.method for request in challenge(wire, again, CHALLENGE.replace("n1", "n2"))] == ["ACK"]
    (failed,) = wire.events()
    assert isinstance(failed, CallFailed)
    assert (failed.call, failed.status, failed.unreachable) == (call, 407, False)


def test_a_carrier_that_calls_every_nonce_stale_is_given_up(wire) -> None:
    _, request = dial(wire, manner())
    for n in range(10):
        sent = challenge(wire, request, f'Digest realm="r", nonce="{n}", stale=true')
        if len(sent) == 1:
            break
        request = sent[1]
    assert n == 4
    assert [type(event) for event in wire.events()] == [CallFailed]


def test_without_credentials_a_challenge_is_a_refusal(wire) -> None:
    _, invite = wire.dial()
    assert [request.method for request in challenge(wire, invite)] == ["ACK"]
    (failed,) = wire.events()
    assert failed.status == 407


def test_a_call_that_was_given_up_is_not_tried_again(wire) -> None:
    call, invite = dial(wire, manner())
    wire.agent.hang_up(call, wire.now)
    assert [request.method for request in challenge(wire, invite)] == ["ACK"]
    assert [type(event) for event in wire.events()] == [CallFailed]


def test_the_second_invite_is_cancelled_only_after_its_own_provisional_response(wire) -> None:
    call, first = dial(wire, manner())
    wire.reply(first, 100)
    _, again = challenge(wire, first)
    wire.agent.hang_up(call, wire.now)
    assert wire.sent() == []
    wire.reply(again, 180)
    (cancel,) = wire.sent()
    assert (cancel.method, cancel.via.branch) == ("CANCEL", again.via.branch)


def test_an_invite_names_the_carriers_domain_and_goes_by_its_proxies(wire) -> None:
    identity = Identity("442079460000", "carrier.example", "P-Preferred-Identity")
    _, invite = dial(wire, manner(routes=("sip:192.0.2.2:5070;lr",), identity=identity))
    assert invite.uri == "sip:+41795550102@carrier.example"
    assert invite.headers.get("To") == "<sip:+41795550102@carrier.example>"
    assert invite.headers.get("From").startswith("<sip:442079460000@carrier.example>;tag=")
    assert invite.headers.lines("Route") == ["<sip:192.0.2.2:5070;lr>"]
    assert invite.headers.get("P-Preferred-Identity") == "<sip:442079460000@carrier.example>"


@pytest.mark.parametrize("method", ["INVITE", "REFER"])
def test_a_challenge_inside_a_call_is_met(wire, method: str) -> None:
    call, first = dial(wire, manner())
    wire.reply(first, 200, body=b"answer")
    wire.sent(), wire.events()
    if method == "INVITE":
        wire.agent.offer(call, b"hold", wire.now)
    else:
        wire.agent.refer(call, "sip:x@y", wire.now)
    (request,) = wire.sent()
    again = challenge(wire, request)[-1]
    assert (again.method, again.cseq, again.to_tag) == (method, request.cseq + 1, "p")
    assert is_authorised(again)
    wire.reply(again, 200 if method == "INVITE" else 202, body=b"held" if method == "INVITE" else b"")
    assert wire.events() == ([AnswerReceived(call, b"held")] if method == "INVITE" else [])
    wire.agent.hang_up(call, wire.now)
    assert wire.sent()[-1].cseq == again.cseq + 1


def test_a_challenged_prack_is_met_in_its_early_dialog(wire) -> None:
    _, invite = dial(wire, manner())
    reliable = (("Require", "100rel"), ("RSeq", "1"))
    wire.reply(invite, 183, headers=reliable, body=b"early")
    (prack,) = wire.sent()
    (again,) = challenge(wire, prack)
    assert (again.method, again.cseq, again.headers.get("RAck")) == ("PRACK", prack.cseq + 1, "1 1 INVITE")
    assert is_authorised(again)
