"""Calls of ours against a scripted peer."""

import random

import pytest

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.agent import UserAgent
from gateway.protocol.sip.call import (
    CallAnswered,
    CallEnded,
    CallFailed,
    CallProgress,
    CallState,
    EndedBy,
)
from gateway.protocol.sip.message import Request, parse
from gateway.protocol.sip.reason import NO_ANSWER
from gateway.protocol.sip.uri import Uri


def test_a_call_that_is_answered_and_hung_up_here(wire) -> None:
    call, invite = wire.dial()
    assert (invite.method, invite.uri) == ("INVITE", "sip:+41795550102@192.0.2.2:5070")
    assert invite.address("From").uri == "sip:+442079460000@192.0.2.1"
    assert invite.body == b"offer"
    wire.reply(invite, 100, tag="")
    wire.reply(invite, 180)
    wire.reply(invite, 183, body=b"early")
    wire.reply(invite, 200, body=b"answer")
    (ack,) = wire.sent()
    assert (ack.method, ack.uri, ack.cseq, ack.to_tag) == ("ACK", "sip:bob@192.0.2.2:5070", invite.cseq, "p")
    assert ack.via.branch != invite.via.branch
    assert wire.events() == [
        CallProgress(call, 180, b"", "p"),
        CallProgress(call, 183, b"early", "p"),
        CallAnswered(call, b"answer"),
    ]
    wire.agent.hang_up(call, wire.now)
    (bye,) = wire.sent()
    assert (bye.method, bye.cseq, bye.to_tag, bye.call_id) == ("BYE", 2, "p", invite.call_id)
    assert wire.events() == [CallEnded(call, EndedBy.LOCAL, "")]
    assert not wire.agent.idle
    wire.reply(bye, 200)
    assert wire.agent.idle
    wire.pass_time(40)
    assert (wire.words(), wire.agent.layer.clients, wire.agent.deadline()) == ([], {}, None)


def test_each_repeated_200_gets_the_same_ack(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 200)
    wire.reply(invite, 200)
    wire.send(wire.request("BYE", call_id=invite.call_id, from_tag="p", to_tag=invite.from_tag))
    wire.reply(invite, 200)
    first, second, _, third = wire.sent()
    assert bytes(first) == bytes(second) == bytes(third)
    assert wire.events() == [CallAnswered(call, b""), CallEnded(call, EndedBy.REMOTE, "")]


def test_a_forked_second_200_is_acknowledged_and_ended(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 200, tag="one")
    wire.reply(invite, 200, tag="two")
    ack, fork_ack, fork_bye = wire.sent()
    assert [(m.method, m.to_tag) for m in (ack, fork_ack, fork_bye)] == [
        ("ACK", "one"),
        ("ACK", "two"),
        ("BYE", "two"),
    ]
    wire.reply(fork_bye, 200)
    wire.reply(invite, 200, tag="two")
    assert wire.words() == ["ACK"]
    assert call.state is CallState.ESTABLISHED
    assert wire.events() == [CallAnswered(call, b"")]
    for number in range(30):
        wire.reply(invite, 200, tag=f"more{number}")
    assert len(wire.sent()) == 2 * 8  # ten forks at most


@pytest.mark.parametrize(("status", "reason", "retry"), [
    (486, "Busy Here", None), (603, "Decline", None), (404, "Not Found", None), (380, "", None),
    (503, "Service Unavailable", 120),
])  # fmt: skip
def test_a_refusal_is_acknowledged_and_told(wire, status: int, reason: str, retry: int | None) -> None:
    call, invite = wire.dial()
    wire.reply(invite, status, headers=(("Retry-After", "120 (maintenance);duration=3"),) if retry else ())
    (ack,) = wire.sent()
    assert (ack.method, ack.via.branch) == ("ACK", invite.via.branch)
    assert wire.events() == [CallFailed(call, status, reason, retry, unreachable=False)]
    assert wire.agent.idle


def test_silence_is_unreachable(wire) -> None:
    call, _ = wire.dial()
    wire.pass_time(33)
    assert wire.words() == ["INVITE"] * 6
    assert wire.events() == [CallFailed(call, 408, "no response", None, unreachable=True)]
    assert wire.agent.idle


def test_a_datagram_that_cannot_be_sent_is_unreachable(wire) -> None:
    call = wire.agent.invite(Address("192.0.2.2", 5070), "1", "2", b"", wire.now)
    (datagram,) = wire.agent.datagrams()
    wire.agent.send_failed(datagram.transaction, wire.now)
    assert wire.events() == [CallFailed(call, 503, "could not be sent", None, unreachable=True)]
    assert wire.agent.deadline() is None


def test_cancel_waits_for_a_provisional_response(wire) -> None:
    call, invite = wire.dial()
    wire.agent.hang_up(call, wire.now, NO_ANSWER)
    wire.agent.hang_up(call, wire.now, NO_ANSWER)
    assert wire.words() == []
    wire.reply(invite, 100, tag="")
    (cancel,) = wire.sent()
    assert (cancel.method, cancel.via.branch, cancel.cseq) == ("CANCEL", invite.via.branch, 1)
    assert cancel.headers.get("Reason") == 'Q.850;cause=19;text="No answer from user"'
    wire.reply(invite, 180)
    wire.reply(cancel, 200)
    wire.reply(invite, 487)
    assert wire.words() == ["ACK"]
    assert wire.events() == [CallFailed(call, 487, "Request Terminated", None, unreachable=False)]
    wire.pass_time(40)
    assert (wire.agent.layer.clients, wire.agent.deadline()) == ({}, None)


def test_a_call_given_up_before_any_response_ends_with_timer_b(wire) -> None:
    call, _ = wire.dial()
    wire.agent.hang_up(call, wire.now)
    wire.pass_time(33)
    assert wire.events() == [CallFailed(call, 408, "no response", None, unreachable=True)]
    assert set(wire.words()) == {"INVITE"}


def test_a_200_that_crosses_the_cancel_is_acknowledged_and_ended(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 180)
    wire.events()
    wire.agent.hang_up(call, wire.now)
    (cancel,) = wire.sent()
    wire.reply(invite, 200)
    wire.reply(cancel, 200)
    ack, bye = wire.sent()
    assert (ack.method, bye.method) == ("ACK", "BYE")
    assert wire.events() == [
        CallFailed(call, 487, "answered while it was cancelled", None, unreachable=False)
    ]
    wire.reply(bye, 200)
    assert wire.agent.idle
    assert wire.events() == []


def test_without_an_answer_to_the_cancel_the_call_is_forgotten_after_64_t1(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 180)
    wire.events()
    wire.agent.hang_up(call, wire.now)
    wire.pass_time(31.9)
    assert wire.events() == []
    wire.pass_time(0.2)
    assert wire.events() == [CallFailed(call, 487, "no answer to CANCEL", None, unreachable=False)]
    wire.reply(invite, 200)
    assert "ACK" not in wire.words()
    assert (wire.agent.idle, wire.agent.layer.clients) == (True, {})


def test_a_call_rings_until_it_is_hung_up(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 180)
    wire.pass_time(300)
    assert call.state is CallState.PROCEEDING
    assert wire.words() == []


@pytest.mark.parametrize(("headers", "address"), [
    ((("Contact", "<sip:bob@192.0.2.3:5099>"),), Address("192.0.2.3", 5099)),
    ((("Contact", "<sip:bob@192.0.2.3>"),), Address("192.0.2.3", 5060)),
    ((("Contact", "<sip:bob@10.1.2.3:5099>"),), Address("192.0.2.2", 5070)),
    ((("Contact", "<sip:bob@pbx.example.com>"),), Address("192.0.2.2", 5070)),
    (
        (("Contact", "<sip:bob@10.1.2.3>"), ("Record-Route", "<sip:192.0.2.3:5080;lr>")),
        Address("192.0.2.3", 5080),
    ),
])  # fmt: skip
def test_the_ack_and_the_bye_go_by_contact_and_route_within_the_trunks_only(
    wire, headers: tuple[tuple[str, str], ...], address: tuple[str, int]
) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 200, headers=headers)
    wire.agent.hang_up(call, wire.now)
    assert [(message.method, to) for _, to, message in wire.take()] == [("ACK", address), ("BYE", address)]


TLS = Address("192.0.2.2", 5061, "tls")


@pytest.mark.parametrize(("contact", "address"), [
    ("<sip:bob@192.0.2.3>", Address("192.0.2.3", 5061, "tls")),
    ("<sip:bob@192.0.2.3;transport=TCP>", Address("192.0.2.3", 5060, "tcp")),
    ("<sip:bob@192.0.2.3:7000;transport=udp>", Address("192.0.2.3", 7000, "udp")),
    ("<sips:bob@192.0.2.3;transport=tcp>", Address("192.0.2.3", 5061, "tls")),
    ("<sip:bob@192.0.2.3;transport=sctp>", Address("192.0.2.3", 5061, "tls")),
    ("<sip:bob@10.1.2.3:5099;transport=tcp>", TLS),
])  # fmt: skip
def test_a_call_by_tls_stays_there_unless_the_contact_names_another_transport(
    wire, contact: str, address: Address
) -> None:
    call = wire.agent.invite(TLS, "+41795550102", "+442079460000", b"offer", wire.now)
    ((_, to, invite),) = wire.take()
    assert (to, invite.via.transport) == (TLS, "TLS")
    assert invite.headers.get("Contact") == "<sip:+442079460000@192.0.2.1:5060;transport=tls>"
    wire.reply(invite, 200, headers=(("Contact", contact),))
    wire.agent.hang_up(call, wire.now)
    sent = wire.take()
    assert [to for _, to, _ in sent] == [address, address]
    assert {message.via.transport for _, _, message in sent} == {address.transport.upper()}


def test_via_and_contact_tell_the_port_of_their_transport() -> None:
    agent = UserAgent(
        "192.0.2.1", 5060, ports={"tls": 5061}, admit={}.get, rng=random.Random(1), user_agent="trunkline"
    )
    for target, port in ((TLS, 5061), (Address("192.0.2.2", 5060, "tcp"), 5060)):
        agent.invite(target, "1", "2", b"", 0.0)
        (datagram,) = agent.datagrams()
        invite = parse(datagram.data)
        assert isinstance(invite, Request)
        assert (invite.via.port, Uri.parse(invite.address("Contact").uri).port) == (port, port)
