"""Blind transfer by REFER."""

import pytest

from gateway.protocol.sip.call import CallEnded, EndedBy, ReferProgress
from gateway.protocol.sip.message import sipfrag_status
from gateway.protocol.sip.transaction import IllegalTransition


def notify(wire, call, cseq: int, status: str, state: str = "active;expires=60", event: str = "refer"):  # type: ignore[no-untyped-def]
    return wire.inside(
        call,
        "NOTIFY",
        cseq,
        headers=(("Event", event), ("Subscription-State", state)),
        body=f"SIP/2.0 {status}\r\n".encode() if status else b"",
        content_type="message/sipfrag;version=2.0",
    )


def test_a_transfer_is_told_step_by_step(wire) -> None:
    call, _ = wire.dialled()
    wire.agent.refer(call, "sip:+41795550199@carrier.example", wire.now)
    (refer,) = wire.sent()
    assert (refer.method, refer.to_tag, refer.cseq) == ("REFER", "p", 2)
    assert refer.headers.get("Refer-To") == "<sip:+41795550199@carrier.example>"
    assert refer.headers.get("Referred-By") == "<sip:+442079460000@192.0.2.1:5060>"
    assert refer.headers.get("Contact")
    wire.send(notify(wire, call, 1, "100 Trying"))  # it may come before the 202
    wire.reply(refer, 202)
    wire.send(notify(wire, call, 2, "180 Ringing", event="refer;id=2"))
    wire.send(notify(wire, call, 3, "200 OK", "terminated;reason=noresource"))
    assert wire.words() == ["200 NOTIFY"] * 3
    assert wire.events() == [
        ReferProgress(call, 100, final=False),
        ReferProgress(call, 180, final=False),
        ReferProgress(call, 200, final=True),
    ]
    wire.send(notify(wire, call, 4, "200 OK"))
    assert wire.words() == ["481 NOTIFY"]
    wire.agent.hang_up(call, wire.now)
    assert wire.words() == ["BYE"]


@pytest.mark.parametrize(("status", "state", "progress"), [
    ("486 Busy Here", "active", (486, True)),  # a final status ends it, whatever the state says
    ("180 Ringing", "terminated;reason=giveup", (180, True)),
    ("", "terminated", (100, True)),
    ("", "pending", (100, False)),
])  # fmt: skip
def test_the_end_of_a_transfer_is_a_final_status_or_a_terminated_subscription(
    wire, status: str, state: str, progress: tuple[int, bool]
) -> None:
    call, _ = wire.dialled()
    wire.agent.refer(call, "sip:x@y", wire.now)
    (refer,) = wire.sent()
    wire.reply(refer, 202)
    wire.send(notify(wire, call, 1, status, state))
    assert wire.events() == [ReferProgress(call, progress[0], final=progress[1])]


def test_a_transfer_that_is_refused_leaves_the_call(wire) -> None:
    call, _ = wire.dialled()
    wire.agent.refer(call, "sip:x@y", wire.now)
    with pytest.raises(IllegalTransition):
        wire.agent.refer(call, "sip:x@y", wire.now)
    (refer,) = wire.sent()
    wire.reply(refer, 603)
    assert wire.events() == [ReferProgress(call, 603, final=True)]
    wire.agent.refer(call, "sip:x@y", wire.now)
    assert wire.words() == ["REFER"]


def test_silence_to_a_refer_ends_the_call(wire) -> None:
    call, _ = wire.dialled()
    wire.agent.refer(call, "sip:x@y", wire.now)
    wire.pass_time(33)
    assert wire.events() == [ReferProgress(call, 408, final=True), CallEnded(call, EndedBy.LOST, "")]


def test_a_peer_that_hangs_up_at_once_has_taken_the_call(wire) -> None:
    call, _ = wire.dialled()
    wire.agent.refer(call, "sip:x@y", wire.now)
    (refer,) = wire.sent()
    wire.reply(refer, 202)
    wire.send(wire.inside(call, "BYE", 1))
    assert wire.events() == [CallEnded(call, EndedBy.REMOTE, "")]
    wire.send(notify(wire, call, 2, "200 OK"))
    assert wire.words() == ["200 BYE", "481 NOTIFY"]


def test_news_of_what_nobody_asked_for_is_refused(wire) -> None:
    call, _ = wire.dialled()
    wire.send(notify(wire, call, 1, "200 OK"))
    wire.send(notify(wire, call, 2, "", event="presence"))
    first, second = wire.sent()
    assert (first.status, second.status, second.headers.get("Allow-Events")) == (481, 489, "refer")
    assert wire.events() == []


def test_only_a_call_that_stands_is_transferred(wire) -> None:
    call, _ = wire.call()
    with pytest.raises(IllegalTransition):
        wire.agent.refer(call, "sip:x@y", wire.now)


@pytest.mark.parametrize(("body", "status"), [
    (b"SIP/2.0 200 OK", 200), (b"SIP/2.0 180\r\n", 180), (b"\r\nSIP/2.0 603 Decline\nTo: x", 603),
    (b"", None), (b"HTTP/1.1 200 OK", None), (b"SIP/2.0 999 X", None), (b"\xff", None),
])  # fmt: skip
def test_a_sipfrag_is_read_by_its_status_line(body: bytes, status: int | None) -> None:
    assert sipfrag_status(body) == status
