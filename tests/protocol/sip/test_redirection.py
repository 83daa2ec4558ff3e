"""3xx answers to our INVITE."""

import pytest

from gateway.protocol.sip.call import CallAnswered, CallFailed
from gateway.protocol.sip.headers import Via
from gateway.protocol.sip.message import make_request, respond
from gateway.protocol.sip.redirection import contacts


@pytest.mark.parametrize(("lines", "uris"), [
    (["<sip:a@h>"], ["sip:a@h"]),
    (["<sip:a@h>;q=0.1, <sip:b@h>;q=0.9", "sip:c@h;q=0.5"], ["sip:b@h", "sip:c@h", "sip:a@h"]),
    (["<sip:a@h?Subject=x>"], ["sip:a@h"]),  # no header may stand in a Request-URI
    (["<tel:+1>", "<mailto:a@h>", "*", "<sip:@>", "<sip:d@h>;q=9"], ["sip:d@h"]),
    ([], []),
])  # fmt: skip
def test_the_contacts_of_a_3xx(lines: list[str], uris: list[str]) -> None:
    ends = {"from_": "<sip:a@h>;tag=1", "to": "<sip:b@h>"}
    request = make_request("INVITE", "sip:h", via=Via("UDP", "h", None, {}), call_id="c", cseq=1, **ends)
    response = respond(request, 302, headers=[("Contact", line) for line in lines])
    assert [text for text, _ in contacts(response)] == uris


def test_a_redirection_within_the_trunk_is_followed(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 302, headers=(("Contact", "<sip:+41795550199@192.0.2.2:5090>"),))
    (_, _, ack), (_, to, again) = wire.take()
    assert (ack.method, ack.via.branch) == ("ACK", invite.via.branch)
    assert (to[:2], again.uri) == (("192.0.2.2", 5090), "sip:+41795550199@192.0.2.2:5090")
    assert (again.call_id, again.from_tag, again.to_tag, again.cseq) == (
        invite.call_id,
        invite.from_tag,
        "",
        2,
    )
    assert again.headers.get("To") == invite.headers.get("To")
    assert (again.via.branch != invite.via.branch, again.body) == (True, b"offer")
    wire.reply(again, 200, body=b"answer")
    assert wire.events() == [CallAnswered(call, b"answer")]


def test_the_next_best_is_taken_when_the_best_is_elsewhere(wire) -> None:
    _, invite = wire.dial()
    contact = "<sip:a@198.51.100.9>, <sip:b@west.example>;q=0.9, <sip:c@192.0.2.2:5070>;q=0.1"
    wire.reply(invite, 301, headers=(("Contact", contact),))
    assert [message.uri for message in wire.sent()][1:] == ["sip:c@192.0.2.2:5070"]


@pytest.mark.parametrize("contact", [
    "<sip:a@198.51.100.9>",  # a stranger
    "<sip:a@192.0.2.3>",  # another trunk
    "<sip:a@carrier.example>",
    "<sip:+41795550102@192.0.2.2:5070>",  # what was asked already
    "<tel:+41>",
])  # fmt: skip
def test_a_redirection_to_anywhere_else_ends_the_call(wire, contact: str) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 302, headers=(("Contact", contact),))
    assert wire.words() == ["ACK"]
    assert wire.events() == [CallFailed(call, 302, "Moved Temporarily", None, unreachable=False)]
    assert wire.agent.idle


def test_redirections_in_a_circle_come_to_an_end(wire) -> None:
    _, invite = wire.dial()
    for number in range(10):
        wire.reply(invite, 302, headers=(("Contact", f"<sip:{number}@192.0.2.2:5070>"),))
        sent = wire.sent()
        if len(sent) == 1:
            break
        invite = sent[1]
    assert number == 5
    assert [event.status for event in wire.events()] == [302]
    wire.pass_time(40)
    assert (wire.agent.layer.clients, wire.agent.deadline()) == ({}, None)


def test_a_call_that_was_given_up_is_not_redirected(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 180)
    wire.agent.hang_up(call, wire.now)
    wire.sent()
    wire.events()
    wire.reply(invite, 302, headers=(("Contact", "<sip:x@192.0.2.2:5070>"),))
    assert wire.words() == ["ACK"]
    assert [event.status for event in wire.events()] == [302]


def test_a_new_invite_may_be_cancelled_as_the_first(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 302, headers=(("Contact", "<sip:x@192.0.2.2:5090>"),))
    _, again = wire.sent()
    wire.reply(again, 180)
    wire.agent.hang_up(call, wire.now)
    (cancel,) = wire.sent()
    assert (cancel.method, cancel.via.branch, cancel.cseq, cancel.uri) == (
        "CANCEL",
        again.via.branch,
        2,
        again.uri,
    )
