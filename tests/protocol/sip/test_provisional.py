"""Reliable provisional responses, ours and theirs."""

import pytest

from gateway.protocol.sip.call import (
    AnswerReceived,
    CallAnswered,
    CallCancelled,
    CallProgress,
    CallState,
    OfferReceived,
)
from gateway.protocol.sip.message import Response, respond

WANTS = (("Require", "100rel"),)


def ringing(wire, **fields: object):  # type: ignore[no-untyped-def]
    call, invite = wire.call(headers=WANTS, **fields)
    wire.agent.ring(call, wire.now)
    (response,) = wire.sent()
    return call, invite, response


def prack(wire, call, response: Response, rack: str = "", cseq: int = 2, body: bytes = b""):  # type: ignore[no-untyped-def]
    rack = rack or f"{response.headers.get('RSeq')} 1 INVITE"
    return wire.inside(call, "PRACK", cseq, headers=(("RAck", rack),), body=body)


# --- ours


def test_a_180_to_a_caller_who_requires_it_is_repeated_until_its_prack(wire) -> None:
    call, _, response = ringing(wire)
    assert (response.status, response.headers.get("Require")) == (180, "100rel")
    assert 1 <= int(response.headers.get("RSeq")) < 2**31
    wire.agent.ring(call, wire.now)  # nothing new to say
    wire.pass_time(4)
    assert [(time, message.status) for time, _, message in wire.take()] == [
        (0.5, 180),
        (1.5, 180),
        (3.5, 180),
    ]
    wire.send(prack(wire, call, response))
    wire.pass_time(100)
    assert wire.words() == ["200 PRACK"]
    wire.agent.answer(call, b"answer", wire.now)
    assert wire.words() == ["200 INVITE"]


def test_the_200_waits_for_the_prack(wire) -> None:
    call, _, response = ringing(wire)
    wire.agent.answer(call, b"answer", wire.now)
    assert (call.state, wire.words()) == (CallState.ACCEPTING, [])
    wire.pass_time(0.5)
    assert wire.words() == ["180 INVITE"]
    wire.send(prack(wire, call, response))
    (acknowledged, ok) = wire.sent()
    assert (acknowledged.cseq_method, ok.status, ok.body) == ("PRACK", 200, b"answer")
    wire.send(wire.inside(call, "ACK", 1))
    assert wire.events() == [CallAnswered(call, b"")]


def test_a_refusal_need_not_wait_and_ends_the_repetition(wire) -> None:
    call, invite, response = ringing(wire)
    wire.agent.reject(call, 486, wire.now)
    wire.send(wire.request("ACK", branch=invite.via.branch))
    wire.pass_time(40)
    assert wire.words() == ["486 INVITE"]
    wire.send(prack(wire, call, response))
    assert wire.words() == ["481 PRACK"]


@pytest.mark.parametrize("answer", [False, True])
def test_without_a_prack_the_call_is_refused_after_64_t1(wire, answer: bool) -> None:
    call, _, _ = ringing(wire)
    if answer:
        wire.agent.answer(call, b"answer", wire.now)
    wire.pass_time(32)
    assert wire.words() == ["180 INVITE"] * 6 + ["504 INVITE"]
    assert wire.events() == [CallCancelled(call, "")]
    assert call.state is CallState.ENDED


@pytest.mark.parametrize("end", ["CANCEL", "BYE"])
def test_the_caller_may_give_up_while_the_200_waits(wire, end: str) -> None:
    call, invite, _ = ringing(wire)
    wire.agent.answer(call, b"answer", wire.now)
    if end == "CANCEL":
        wire.send(wire.request("CANCEL", branch=invite.via.branch))
    else:
        wire.send(wire.inside(call, "BYE", 2))
    assert wire.words() == [f"200 {end}", "487 INVITE"]
    assert wire.events() == [CallCancelled(call, "")]


def test_hanging_up_while_the_200_waits_is_480(wire) -> None:
    call, _, _ = ringing(wire)
    wire.agent.answer(call, b"answer", wire.now)
    wire.agent.hang_up(call, wire.now)
    assert wire.words() == ["480 INVITE"]
    assert call.state is CallState.ENDED


@pytest.mark.parametrize("rack", ["1 1 INVITE", "x", "", "1 INVITE", "99999999999999999999 1 INVITE"])
def test_a_prack_of_something_else_gets_481(wire, rack: str) -> None:
    call, _, _ = ringing(wire)
    wire.send(wire.inside(call, "PRACK", 2, headers=(("RAck", rack),) if rack else ()))
    assert wire.words() == ["481 PRACK"]
    wire.pass_time(0.5)
    assert wire.words() == ["180 INVITE"]


def test_an_offer_in_the_prack_comes_too_early(wire) -> None:
    call, _, response = ringing(wire)
    wire.send(prack(wire, call, response, body=b"another"))
    assert wire.words() == ["488 PRACK"]
    wire.pass_time(40)
    assert wire.words() == []


def test_a_caller_who_wants_our_offer_and_reliability_is_offered_silence_in_the_180(wire) -> None:
    call, _, response = ringing(wire, body=b"")
    assert call.wants_offer
    assert b"m=audio 9 RTP/AVP" in response.body and b"a=inactive" in response.body
    wire.send(prack(wire, call, response, body=b"theirs"))
    assert wire.words() == ["200 PRACK"]
    assert wire.events() == [AnswerReceived(call, b"theirs")]
    wire.agent.ring(call, wire.now)  # it goes on ringing
    (again,) = wire.sent()
    assert int(again.headers.get("RSeq")) == int(response.headers.get("RSeq")) + 1
    assert again.body == b""


def test_an_offer_of_ours_that_the_prack_answers_is_not_repeated_in_the_200(wire) -> None:
    call, _ = wire.call(body=b"", headers=WANTS)
    wire.agent.ring(call, wire.now, b"ours")
    (response,) = wire.sent()
    assert response.body == b"ours"
    wire.agent.answer(call, b"ours", wire.now)
    wire.send(prack(wire, call, response, body=b"theirs"))
    _, ok = wire.sent()
    assert (ok.status, ok.body) == (200, b"")
    wire.send(wire.inside(call, "ACK", 1))
    assert wire.events() == [AnswerReceived(call, b"theirs"), CallAnswered(call, b"")]
    assert (call.local_sdp, call.remote_sdp) == (b"ours", b"theirs")


def test_early_media_goes_by_a_183_that_the_200_repeats(wire) -> None:
    call, _ = wire.call()
    wire.agent.ring(call, wire.now)
    wire.agent.ring(call, wire.now, b"answer", 183)
    ringing, progress = wire.sent()
    assert (ringing.status, ringing.body, progress.status, progress.body) == (180, b"", 183, b"answer")
    wire.agent.answer(call, b"answer", wire.now)
    (ok,) = wire.sent()
    assert ok.body == b"answer"


def test_early_media_without_an_offer_of_theirs_has_to_wait_for_the_answer(wire) -> None:
    call, _ = wire.call(body=b"")
    wire.agent.ring(call, wire.now, b"ours", 183)
    (progress,) = wire.sent()
    assert progress.body == b""


def test_a_reliable_183_waits_for_the_prack_of_the_180_before_it(wire) -> None:
    call, _, response = ringing(wire)
    wire.agent.ring(call, wire.now, b"answer", 183)
    assert wire.words() == []
    wire.send(prack(wire, call, response))
    acknowledged, progress = wire.sent()
    assert (acknowledged.cseq_method, progress.status, progress.body) == ("PRACK", 183, b"answer")
    wire.send(prack(wire, call, progress, cseq=3))
    wire.sent()
    wire.send(wire.inside(call, "UPDATE", 4, body=b"held"))  # nothing is open any more
    assert wire.events() == [OfferReceived(call, b"held")]
    wire.agent.accept_offer(call, b"held too", wire.now)
    assert wire.words() == ["200 UPDATE"]


def test_a_caller_who_only_could_gets_a_plain_180(wire) -> None:
    call, _ = wire.call(headers=(("Supported", "100rel"),))
    wire.agent.ring(call, wire.now)
    (response,) = wire.sent()
    assert "RSeq" not in response.headers and "Require" not in response.headers


# --- theirs


def reliable(invite, rseq: int, tag: str = "p", status: int = 183, body: bytes = b"early"):  # type: ignore[no-untyped-def]
    headers = [("Require", "100rel"), ("RSeq", str(rseq)), ("Contact", f"<sip:{tag}@192.0.2.2:5070>")]
    return respond(invite, status, to_tag=tag, headers=headers, body=body, content_type="application/sdp")


def test_each_reliable_response_gets_its_prack_once_and_in_order(wire) -> None:
    call, invite = wire.dial()
    wire.send(reliable(invite, 7))
    wire.send(reliable(invite, 7))
    wire.send(reliable(invite, 9, body=b""))  # overtook 8
    wire.send(reliable(invite, 8, body=b"", status=180))
    first, second = wire.sent()
    assert (first.method, first.uri, first.headers.get("RAck")) == (
        "PRACK",
        "sip:p@192.0.2.2:5070",
        "7 1 INVITE",
    )
    assert (second.cseq, second.headers.get("RAck")) == (first.cseq + 1, "8 1 INVITE")
    assert wire.events() == [CallProgress(call, 183, b"early", "p"), CallProgress(call, 180, b"", "p")]
    wire.reply(first, 200)
    wire.reply(second, 200)
    wire.reply(invite, 200)  # the answer came before
    assert wire.events() == [CallAnswered(call, b"early")]
    wire.sent()
    wire.agent.hang_up(call, wire.now)
    (bye,) = wire.sent()
    assert bye.cseq == 4


def test_the_branches_of_a_fork_are_acknowledged_each_in_its_own_dialog(wire) -> None:
    call, invite = wire.dial()
    wire.send(reliable(invite, 1, "one", body=b"a"))
    wire.send(reliable(invite, 500, "two", body=b"b"))
    assert [(m.method, m.to_tag, m.cseq) for m in wire.sent()] == [("PRACK", "one", 2), ("PRACK", "two", 2)]
    assert [(event.fork, event.sdp) for event in wire.events()] == [("one", b"a"), ("two", b"b")]
    wire.reply(invite, 200, tag="two")
    assert wire.events() == [CallAnswered(call, b"b")]
    wire.send(wire.request("UPDATE", call_id=invite.call_id, from_tag="one", to_tag=invite.from_tag))
    assert wire.words() == ["ACK", "481 UPDATE"]


def test_early_media_of_an_unreliable_183_stands_in_for_a_200_without_sdp(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 183, body=b"early")
    wire.reply(invite, 200)
    assert wire.events() == [CallProgress(call, 183, b"early", "p"), CallAnswered(call, b"early")]


def test_an_update_before_the_answer_goes_by_what_came_reliably(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 180)
    early = {"call_id": invite.call_id, "from_tag": "p", "to_tag": invite.from_tag}
    wire.send(wire.request("UPDATE", body=b"x", cseq=1, **early))
    assert wire.words() == ["491 UPDATE"]  # our offer has no answer
    wire.send(reliable(invite, 1))
    wire.send(wire.request("UPDATE", body=b"moved", cseq=2, **early))
    assert wire.events()[-1] == OfferReceived(call, b"moved")
    wire.agent.accept_offer(call, b"ours", wire.now)
    prack, ok = wire.sent()
    assert (prack.method, ok.status, ok.body) == ("PRACK", 200, b"ours")
    wire.reply(invite, 200)
    assert wire.events() == [CallAnswered(call, b"moved")]


def test_a_prack_is_due_even_when_the_call_is_given_up(wire) -> None:
    call, invite = wire.dial()
    wire.agent.hang_up(call, wire.now)
    wire.send(reliable(invite, 1))
    assert sorted(wire.words()) == ["CANCEL", "PRACK"]
    assert wire.events() == []


def test_a_bye_from_a_phone_that_only_rings_is_answered_and_changes_nothing(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 180)
    wire.send(wire.request("BYE", call_id=invite.call_id, from_tag="p", to_tag=invite.from_tag))
    assert wire.words() == ["200 BYE"]
    assert call.state is CallState.PROCEEDING


def test_nothing_of_a_fork_is_left_after_the_end(wire) -> None:
    _, invite = wire.dial()
    for number in range(20):
        wire.reply(invite, 180, tag=f"t{number}")
    wire.reply(invite, 486)
    assert wire.agent.idle
    wire.send(wire.request("UPDATE", call_id=invite.call_id, from_tag="t1", to_tag=invite.from_tag))
    assert wire.words() == ["ACK", "481 UPDATE"]


@pytest.mark.parametrize("end", ["486", "302", "another branch"])
def test_an_update_that_nobody_judged_ends_with_its_early_dialog(wire, end: str) -> None:
    _, invite = wire.dial()
    wire.send(reliable(invite, 1))
    wire.send(
        wire.request("UPDATE", body=b"moved", call_id=invite.call_id, from_tag="p", to_tag=invite.from_tag)
    )
    assert wire.words() == ["PRACK"]
    if end == "another branch":
        wire.reply(invite, 200, tag="other", body=b"answer")
    else:
        wire.reply(invite, int(end), headers=(("Contact", "<sip:x@192.0.2.2:5090>"),))
    assert "487 UPDATE" in wire.words()
