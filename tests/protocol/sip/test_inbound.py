"""Calls to us against a scripted peer."""

import pytest

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import CallAnswered, CallCancelled, CallEnded, CallState, EndedBy, IncomingCall
from gateway.protocol.sip.transaction import IllegalTransition


def test_an_invite_is_tried_at_once_and_told(wire) -> None:
    invite = wire.request("INVITE", body=b"offer")
    wire.send(invite)
    (trying,) = wire.sent()
    assert (trying.status, trying.to_tag) == (100, "")
    (event,) = wire.events()
    assert event == IncomingCall(
        event.call,
        "+41795550102",
        "+442079460000",
        Address("192.0.2.2", 5070),
        "east",
        b"offer",
        "+442079460000",
    )
    assert event.call.state is CallState.INCOMING


def test_a_missed_call_by_rejection(wire) -> None:
    call, invite = wire.call(headers=(("Record-Route", "<sip:p;lr>"),))
    wire.agent.ring(call, wire.now)
    (ringing,) = wire.sent()
    assert (ringing.status, ringing.headers.lines("Record-Route")) == (180, ["<sip:p;lr>"])
    wire.pass_time(20)
    wire.agent.reject(call, 486, wire.now)
    (busy,) = wire.sent()
    assert (busy.status, busy.to_tag) == (486, ringing.to_tag)
    assert call.ended and not wire.agent.idle
    wire.send(wire.request("ACK", to_tag=busy.to_tag, branch=invite.via.branch))
    assert wire.agent.idle
    wire.pass_time(40)
    assert (wire.words(), wire.events(), wire.agent.layer.servers, wire.agent.calls) == (
        [],
        [],
        {},
        frozenset(),
    )


def test_a_repeated_invite_gets_the_last_response_with_the_same_tag(wire) -> None:
    call, invite = wire.call()
    wire.agent.ring(call, wire.now)
    wire.send(invite)
    first, again = wire.sent()
    assert bytes(first) == bytes(again)
    wire.agent.reject(call, 603, wire.now, "Not today")
    wire.send(invite)
    first, again = wire.sent()
    assert (first.status, first.reason) == (603, "Not today")
    assert bytes(first) == bytes(again)
    assert wire.events() == []


def test_a_rejection_is_repeated_until_timer_h_when_no_ack_comes(wire) -> None:
    call, _ = wire.call()
    wire.agent.reject(call, 486, wire.now)
    wire.pass_time(40)
    assert wire.words() == ["486 INVITE"] * 11
    assert wire.agent.idle and wire.events() == []


def test_a_cancel_gets_200_and_the_invite_487(wire) -> None:
    call, invite = wire.call()
    wire.agent.ring(call, wire.now)
    (ringing,) = wire.sent()
    cancel = wire.request("CANCEL", branch=invite.via.branch, headers=(("Reason", "Q.850;cause=16"),))
    wire.send(cancel)
    ok, terminated = wire.sent()
    assert (ok.status, ok.cseq_method, ok.to_tag) == (200, "CANCEL", ringing.to_tag)
    assert (terminated.status, terminated.cseq_method, terminated.to_tag) == (487, "INVITE", ringing.to_tag)
    assert wire.events() == [CallCancelled(call, "Q.850;cause=16")]
    wire.send(wire.request("ACK", to_tag=terminated.to_tag, branch=invite.via.branch))
    wire.send(cancel)
    assert wire.words() == ["200 CANCEL"]
    wire.pass_time(40)
    assert (wire.words(), wire.agent.layer.servers) == ([], {})
    with pytest.raises(IllegalTransition):
        wire.agent.reject(call, 486, wire.now)
    wire.agent.hang_up(call, wire.now)
    assert wire.words() == []


def test_a_cancel_after_the_rejection_changes_nothing(wire) -> None:
    call, invite = wire.call()
    wire.agent.reject(call, 486, wire.now)
    wire.send(wire.request("CANCEL", branch=invite.via.branch))
    assert wire.words() == ["486 INVITE", "200 CANCEL"]
    assert wire.events() == []


def test_a_cancel_after_the_200_leaves_the_call_to_a_bye(wire) -> None:
    call, invite = wire.call()
    wire.agent.answer(call, b"answer", wire.now)
    (ok,) = wire.sent()
    wire.send(wire.request("CANCEL", branch=invite.via.branch))
    assert wire.words() == ["200 CANCEL"]
    wire.send(wire.request("ACK", to_tag=ok.to_tag))
    wire.send(wire.request("BYE", to_tag=ok.to_tag, cseq=2))
    assert wire.words() == ["200 BYE"]
    assert wire.events() == [CallAnswered(call, b""), CallEnded(call, EndedBy.REMOTE, "")]


def test_a_cancel_of_nothing_gets_481(wire) -> None:
    wire.send(wire.request("CANCEL"))
    assert wire.words() == ["481 CANCEL"]


def test_an_early_bye_of_the_caller_cancels(wire) -> None:
    call, _ = wire.call()
    wire.agent.ring(call, wire.now)
    (ringing,) = wire.sent()
    wire.send(wire.request("BYE", to_tag=ringing.to_tag, cseq=2))
    assert wire.words() == ["200 BYE", "487 INVITE"]
    assert wire.events() == [CallCancelled(call, "")]


def test_an_answer_is_repeated_until_the_ack(wire) -> None:
    call, invite = wire.call(body=b"", headers=(("Record-Route", "<sip:p;lr>"),))
    wire.agent.answer(call, b"our offer", wire.now)
    wire.pass_time(3)
    wire.send(invite)
    copies = wire.take()
    assert [time for time, _, _ in copies] == [0.0, 0.5, 1.5]
    ok = copies[0][2]
    assert {bytes(message) for _, _, message in copies} == {bytes(ok)}
    assert (ok.status, ok.body, ok.headers.get("Record-Route")) == (200, b"our offer", "<sip:p;lr>")
    assert ok.headers.get("Contact") == "<sip:+442079460000@192.0.2.1:5060>"
    ack = wire.request("ACK", to_tag=ok.to_tag, body=b"their answer")
    wire.send(ack)
    wire.send(ack)
    wire.pass_time(40)
    assert wire.words() == []
    assert wire.events() == [CallAnswered(call, b"their answer")]
    assert call.state is CallState.ESTABLISHED
    assert (wire.agent.layer.servers, wire.agent.deadline()) == ({}, None)


def test_an_answer_without_ack_ends_by_bye_after_64_t1(wire) -> None:
    call, _ = wire.call()
    wire.agent.answer(call, b"answer", wire.now)
    wire.pass_time(33)
    sent = wire.take()
    assert [message.cseq_method for _, _, message in sent if message.cseq_method == "INVITE"] == [
        "INVITE"
    ] * 11
    assert next(time for time, _, message in sent if message.cseq_method == "BYE") == 32.0
    assert wire.events() == [CallEnded(call, EndedBy.NO_ACK, "")]
    wire.pass_time(64)
    assert (wire.agent.calls, wire.agent.layer.clients, wire.agent.deadline()) == (frozenset(), {}, None)


@pytest.mark.parametrize(("uri", "contact"), [
    ("sip:+442079460000@192.0.2.1", "<sip:+442079460000@192.0.2.1:5060;transport=tcp>"),
    ("sips:+442079460000@192.0.2.1", "<sips:+442079460000@192.0.2.1:5060>"),
])  # fmt: skip
def test_by_tcp_the_200_is_repeated_all_the_same_and_its_contact_names_the_transport(
    wire, uri: str, contact: str
) -> None:
    connection = Address("192.0.2.2", 40_000, "tcp")
    wire.send(wire.request("INVITE", uri), source=connection)
    (event,) = wire.events()
    wire.agent.answer(event.call, b"answer", wire.now)
    wire.pass_time(0.5)
    _, first, again = wire.take()
    assert (first[1], again[1], again[2].status) == (connection, connection, 200)
    assert first[2].headers.get("Contact") == contact
    wire.send(wire.request("ACK", to_tag=first[2].to_tag), source=connection)
    assert wire.events() == [CallAnswered(event.call, b"")]


def test_hanging_up_before_the_ack_waits_for_it(wire) -> None:
    call, _ = wire.call()
    wire.agent.answer(call, b"answer", wire.now)
    wire.agent.hang_up(call, wire.now)
    (ok,) = wire.sent()
    wire.send(wire.request("ACK", to_tag=ok.to_tag))
    assert wire.words() == ["BYE"]
    assert wire.events() == [CallEnded(call, EndedBy.LOCAL, "")]


def test_a_refusal_and_a_bye_carry_a_q850_cause(wire) -> None:
    call, _ = wire.call()
    wire.agent.reject(call, 486, wire.now)
    (busy,) = wire.sent()
    assert busy.headers.get("Reason") == 'Q.850;cause=17;text="User busy"'
    talking, _ = wire.answered(call_id="c2")
    wire.agent.hang_up(talking, wire.now)
    assert wire.sent()[-1].headers.get("Reason") == 'Q.850;cause=16;text="Normal call clearing"'


def test_hanging_up_while_it_rings_is_480(wire) -> None:
    call, _ = wire.call()
    wire.agent.ring(call, wire.now)
    wire.agent.hang_up(call, wire.now)
    assert wire.words() == ["180 INVITE", "480 INVITE"]


def test_the_same_call_by_two_paths_is_one(wire) -> None:
    call, _ = wire.call()
    wire.send(wire.request("INVITE"))
    assert wire.words() == ["482 INVITE"]
    wire.agent.reject(call, 486, wire.now)
    wire.sent()
    wire.send(wire.request("INVITE", cseq=2))
    assert wire.words() == ["100 INVITE"]


def test_a_request_of_ours_that_came_back_is_a_loop(wire) -> None:
    _, ours = wire.dial()
    back = wire.request("INVITE", ours.uri, call_id=ours.call_id, from_tag=ours.from_tag)
    back.headers.add("Via", "SIP/2.0/UDP not a via")
    back.headers.add("Via", ours.headers.get("Via"))
    wire.send(back)
    assert wire.words() == ["482 INVITE"]
    # retargeted by a proxy, a call of ours to a number of ours is a call as any other
    spiral = wire.request(
        "INVITE", "sip:+442079460000@192.0.2.1", call_id=ours.call_id, from_tag=ours.from_tag
    )
    spiral.headers.add("Via", ours.headers.get("Via"))
    wire.send(spiral)
    assert wire.words() == ["100 INVITE"]


def test_above_max_calls_a_call_gets_503(small_wire) -> None:
    wire = small_wire
    call, _ = wire.call()
    wire.send(wire.request("INVITE", call_id="c2"))
    (refusal,) = wire.sent()
    assert (refusal.status, refusal.headers.get("Retry-After")) == (503, "5")
    wire.agent.reject(call, 486, wire.now)
    wire.send(wire.request("INVITE", call_id="c3"))
    assert wire.words() == ["486 INVITE", "100 INVITE"]


def test_draining_ends_calls_tells_of_undecided_ones_and_refuses_new_ones(wire) -> None:
    talking, _ = wire.answered()
    ringing, _ = wire.call(call_id="c2")
    wire.agent.drain(wire.now)
    assert sorted(wire.words()) == ["480 INVITE", "BYE"]
    events = wire.events()
    assert CallCancelled(ringing, "shutting down") in events
    assert CallEnded(talking, EndedBy.LOCAL, "") in events
    assert len(events) == 2
    wire.send(wire.request("INVITE", call_id="c3"))
    assert wire.words() == ["503 INVITE"]
    assert wire.agent.draining and not wire.agent.idle


def test_a_body_that_is_no_sdp_gets_415(wire) -> None:
    wire.send(wire.request("INVITE", body=b"x", content_type="text/plain"))
    (refusal,) = wire.sent()
    assert (refusal.status, refusal.headers.get("Accept")) == (415, "application/sdp, multipart/mixed")


def test_a_status_that_rejects_nothing_is_an_error(wire) -> None:
    call, _ = wire.call()
    with pytest.raises(ValueError, match="200"):
        wire.agent.reject(call, 200, wire.now)
    assert call.state is CallState.INCOMING


def test_an_outbound_call_cannot_be_answered(wire) -> None:
    call, _ = wire.dial()
    with pytest.raises(IllegalTransition):
        wire.agent.answer(call, b"", wire.now)


@pytest.mark.parametrize(("sender", "number"), [
    ("<sip:anonymous@anonymous.invalid>", ""),
    ("<sip:192.0.2.2>", ""),
    ("<tel:+41795550102>", "+41795550102"),
    ("<sip:%2B41795550102;cpc=ordinary@h>", "+41795550102"),
    ("<urn:x:y>", ""),
])  # fmt: skip
def test_the_callers_number_is_the_user_of_from(wire, sender: str, number: str) -> None:
    invite = wire.request("INVITE")
    invite.headers.set("From", f"{sender};tag=f")
    wire.send(invite)
    (event,) = wire.events()
    assert event.from_number == number


def test_an_invite_that_no_bye_could_answer_gets_400(wire) -> None:
    invite = bytes(wire.request("INVITE"))
    contact = invite[invite.index(b"Contact:") : invite.index(b"Content-Length:")]
    wire.send(invite.replace(contact, b"").replace(b"<sip:+41795550102", b"<sip\xe3:+41795550102"))
    assert wire.words() == ["400 INVITE"]
    assert wire.events() == []
    assert wire.agent.calls == frozenset()
