"""re-INVITE and UPDATE both ways, glare, and session timers."""

import pytest

from gateway.protocol.sip.call import (
    AnswerReceived,
    CallAnswered,
    CallEnded,
    CallState,
    EndedBy,
    OfferReceived,
    OfferRefused,
)
from gateway.protocol.sip.message import Request
from gateway.protocol.sip.transaction import IllegalTransition

TIMER = (("Supported", "timer"), ("Session-Expires", "1800;refresher=uac"))


# --- the peer's offers


def test_a_reinvite_with_another_offer_is_the_applications_to_answer(wire) -> None:
    call, ok = wire.answered()
    hold, refresh = (wire.inside(call, "INVITE", cseq, body=b"hold") for cseq in (2, 3))
    for message in (hold, refresh):
        message.headers.set("Contact", "<sip:ann@192.0.2.3:5099>")
    wire.send(hold)
    assert wire.words() == ["100 INVITE"]
    assert wire.events() == [OfferReceived(call, b"hold")]
    wire.agent.accept_offer(call, b"held", wire.now)
    (answer,) = wire.sent()
    assert (answer.status, answer.body, answer.cseq, answer.to_tag) == (200, b"held", 2, ok.to_tag)
    assert answer.headers.get("Contact") == "<sip:+442079460000@192.0.2.1:5060>"
    wire.send(wire.inside(call, "ACK", 2))
    wire.send(refresh)
    wire.send(wire.inside(call, "ACK", 3))
    assert [message.body for message in wire.sent()] == [b"held"]
    assert wire.events() == []
    wire.agent.hang_up(call, wire.now)
    assert [to for _, to, _ in wire.take()] == [("192.0.2.3", 5099, "udp")]  # the Contact has moved


def test_an_offer_that_is_refused_leaves_the_session_and_the_contact_as_they_were(wire) -> None:
    call, _ = wire.answered()
    reinvite = wire.inside(call, "INVITE", 2, body=b"video")
    reinvite.headers.set("Contact", "<sip:ann@192.0.2.3:5099>")
    wire.send(reinvite)
    wire.agent.refuse_offer(call, wire.now)
    assert wire.words() == ["100 INVITE", "488 INVITE"]
    wire.send(wire.inside(call, "ACK", 2, branch=reinvite.via.branch))
    assert call.state is CallState.ESTABLISHED
    wire.send(wire.inside(call, "INVITE", 3, body=b"offer"))
    assert [message.body for message in wire.sent()] == [b"answer"]
    wire.send(wire.inside(call, "ACK", 3))
    wire.agent.hang_up(call, wire.now)
    assert [to[:2] for _, to, _ in wire.take()] == [("192.0.2.2", 5070)]


def test_a_reinvite_without_an_offer_gets_ours_and_the_ack_brings_the_answer(wire) -> None:
    call, _ = wire.answered()
    wire.send(wire.inside(call, "INVITE", 2))
    assert wire.events() == [OfferReceived(call, b"")]
    wire.agent.accept_offer(call, b"our offer", wire.now)
    assert [message.body for message in wire.sent()] == [b"", b"our offer"]
    wire.send(wire.inside(call, "UPDATE", 3, body=b"crossing"))
    wire.send(wire.inside(call, "ACK", 2, body=b"their answer"))
    assert wire.words() == ["491 UPDATE"]  # our offer had no answer yet
    assert wire.events() == [AnswerReceived(call, b"their answer")]
    wire.send(wire.inside(call, "UPDATE", 4, body=b"their answer"))
    assert [message.body for message in wire.sent()] == [b"our offer"]


def test_update_changes_the_session_or_only_the_contact(wire) -> None:
    call, _ = wire.answered()
    wire.send(wire.inside(call, "UPDATE", 2, body=b"moved"))
    assert wire.events() == [OfferReceived(call, b"moved")]
    wire.agent.accept_offer(call, b"followed", wire.now)
    (ok,) = wire.sent()
    assert (ok.status, ok.cseq_method, ok.body) == (200, "UPDATE", b"followed")
    assert ok.headers.get("Contact") == "<sip:+442079460000@192.0.2.1:5060>"
    empty = wire.inside(call, "UPDATE", 3)
    empty.headers.set("Contact", "<sip:ann@192.0.2.3>")
    wire.send(empty)
    wire.agent.hang_up(call, wire.now)
    assert [(to[0], message.body) for _, to, message in wire.take()] == [
        ("192.0.2.2", b""),
        ("192.0.2.3", b""),
    ]


def test_a_second_offer_before_the_first_is_answered_is_to_be_tried_later(wire) -> None:
    call, _ = wire.answered()
    wire.send(wire.inside(call, "UPDATE", 2, body=b"one"))
    wire.send(wire.inside(call, "UPDATE", 3, body=b"two"))
    wire.send(wire.inside(call, "INVITE", 4, body=b"three"))
    refusals = wire.sent()
    assert [(refusal.status, refusal.cseq_method) for refusal in refusals] == [
        (500, "UPDATE"),
        (500, "INVITE"),
    ]
    assert all(0 <= int(refusal.headers.get("Retry-After")) < 10 for refusal in refusals)
    assert wire.events() == [OfferReceived(call, b"one")]


def test_update_before_the_answer_to_the_invite_is_too_early(wire) -> None:
    call, _ = wire.call()
    wire.agent.ring(call, wire.now)
    (ringing,) = wire.sent()
    wire.send(wire.request("UPDATE", to_tag=ringing.to_tag, cseq=2, body=b"x"))
    wire.send(wire.request("UPDATE", to_tag=ringing.to_tag, cseq=3))
    assert wire.words() == ["500 UPDATE", "200 UPDATE"]


def test_a_change_that_is_no_sdp_gets_415(wire) -> None:
    call, _ = wire.answered()
    for cseq, method in ((2, "INVITE"), (3, "UPDATE")):
        wire.send(wire.inside(call, method, cseq, body=b"x", content_type="text/plain"))
    assert wire.words() == ["415 INVITE", "415 UPDATE"]


def test_an_offer_that_nobody_judged_ends_with_the_call(wire) -> None:
    for hang_up in (True, False):
        call, _ = wire.answered(call_id=f"c{hang_up}")
        wire.send(wire.inside(call, "INVITE", 2, body=b"other"))
        wire.sent(), wire.events()
        if hang_up:
            wire.agent.hang_up(call, wire.now)
        else:
            wire.send(wire.inside(call, "BYE", 3))
        assert sorted(wire.words()) == (["487 INVITE", "BYE"] if hang_up else ["200 BYE", "487 INVITE"])
        with pytest.raises(IllegalTransition):
            wire.agent.accept_offer(call, b"", wire.now)
        wire.events()


def test_a_cancelled_reinvite_ends_with_487_and_the_call_goes_on(wire) -> None:
    call, _ = wire.answered()
    reinvite = wire.inside(call, "INVITE", 2, body=b"other")
    wire.send(reinvite)
    wire.send(wire.inside(call, "CANCEL", 2, branch=reinvite.via.branch))
    assert wire.words() == ["100 INVITE", "200 CANCEL", "487 INVITE"]
    assert call.state is CallState.ESTABLISHED
    with pytest.raises(IllegalTransition):
        wire.agent.refuse_offer(call, wire.now)


def test_a_status_that_refuses_nothing_is_an_error(wire) -> None:
    call, _ = wire.answered()
    wire.send(wire.inside(call, "UPDATE", 2, body=b"other"))
    with pytest.raises(ValueError, match="200"):
        wire.agent.refuse_offer(call, wire.now, 200)
    wire.agent.refuse_offer(call, wire.now)
    assert wire.words() == ["488 UPDATE"]


def test_after_our_bye_nothing_is_changed(wire) -> None:
    call, _ = wire.answered()
    wire.agent.hang_up(call, wire.now)
    wire.send(wire.inside(call, "INVITE", 2, body=b"other"))
    wire.send(wire.inside(call, "UPDATE", 3, body=b"other"))
    assert wire.words() == ["BYE", "481 INVITE", "481 UPDATE"]


# --- ours


def test_an_offer_of_ours_is_acknowledged_each_time_it_is_answered(wire) -> None:
    call, _ = wire.dialled()
    wire.agent.offer(call, b"hold", wire.now)
    (reinvite,) = wire.sent()
    assert (reinvite.method, reinvite.cseq, reinvite.to_tag, reinvite.body) == ("INVITE", 2, "p", b"hold")
    assert reinvite.headers.get("Contact")
    wire.reply(reinvite, 100, tag="")
    wire.reply(reinvite, 200, body=b"held")
    wire.reply(reinvite, 200, body=b"held")
    first, second = wire.sent()
    assert (first.method, first.cseq) == ("ACK", 2)
    assert bytes(first) == bytes(second)
    assert wire.events() == [AnswerReceived(call, b"held")]
    wire.send(wire.inside(call, "INVITE", 1, body=b"held"))
    assert [message.body for message in wire.sent()] == [b"hold"]


def test_a_refused_offer_leaves_the_call(wire) -> None:
    call, _ = wire.dialled()
    wire.agent.offer(call, b"hold", wire.now)
    (reinvite,) = wire.sent()
    wire.reply(reinvite, 488)
    assert wire.words() == ["ACK"]
    assert wire.events() == [OfferRefused(call, 488)]
    assert call.state is CallState.ESTABLISHED


@pytest.mark.parametrize("status", [481, 408, None])
def test_a_peer_that_has_lost_the_call_ends_it(wire, status: int | None) -> None:
    call, _ = wire.dialled()
    wire.agent.offer(call, b"hold", wire.now)
    (reinvite,) = wire.sent()
    if status is None:
        wire.pass_time(33)
    else:
        wire.reply(reinvite, status)
    assert wire.words()[-1] == "BYE"
    assert wire.events() == [OfferRefused(call, status or 408), CallEnded(call, EndedBy.LOST, "")]


def test_a_reinvite_that_rings_without_end_is_given_up(wire) -> None:
    call, _ = wire.dialled()
    wire.agent.offer(call, b"hold", wire.now)
    (reinvite,) = wire.sent()
    wire.reply(reinvite, 180)
    wire.pass_time(33)
    assert wire.words() == ["BYE", "BYE"]
    assert wire.events() == [OfferRefused(call, 408), CallEnded(call, EndedBy.LOST, "")]
    wire.pass_time(100)
    assert (wire.agent.layer.clients, wire.agent.deadline()) == ({}, None)


def test_hanging_up_during_a_reinvite_leaves_nothing_behind(wire) -> None:
    call, _ = wire.dialled()
    wire.agent.offer(call, b"hold", wire.now)
    (reinvite,) = wire.sent()
    wire.reply(reinvite, 180)
    wire.agent.hang_up(call, wire.now)
    (bye,) = wire.sent()
    wire.reply(bye, 200)
    wire.reply(reinvite, 200, body=b"held")
    assert wire.words() == ["ACK"]
    assert wire.events() == [CallEnded(call, EndedBy.LOCAL, "")]
    wire.pass_time(100)
    assert (wire.agent.layer.clients, wire.agent.deadline()) == ({}, None)


@pytest.mark.parametrize(("ours", "least", "most"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_after_glare_the_maker_of_the_call_id_waits_longer(
    wire, ours: bool, least: float, most: float
) -> None:
    waits = set()
    for number in range(8):
        call = wire.dialled()[0] if ours else wire.answered(call_id=f"c{number}")[0]
        wire.agent.offer(call, b"hold", wire.now)
        (reinvite,) = wire.sent()
        # theirs meets ours
        wire.send(wire.inside(call, "INVITE", 5, body=b"theirs"))
        assert wire.words() == ["491 INVITE"]
        wire.reply(reinvite, 491)
        assert wire.words() == ["ACK"]
        start = wire.now
        wire.pass_time(4.0)
        again = [(time, message) for time, _, message in wire.take() if isinstance(message, Request)]
        assert again[0][1].body == b"hold" and again[0][1].cseq > reinvite.cseq
        waits.add(round(again[0][0] - start, 3))
        wire.reply(again[0][1], 200, body=b"held")
        assert wire.events() == [AnswerReceived(call, b"held")]
        wire.sent()
    assert all(least <= wait <= most for wait in waits)
    assert len(waits) > 3


def test_theirs_may_go_first_after_glare(wire) -> None:
    call, _ = wire.dialled()
    wire.agent.offer(call, b"hold", wire.now)
    (reinvite,) = wire.sent()
    wire.reply(reinvite, 491)
    wire.send(wire.inside(call, "INVITE", 5, body=b"theirs"))
    assert wire.events() == [OfferReceived(call, b"theirs")]
    wire.pass_time(4)  # ours waits for theirs
    assert wire.words() == ["ACK", "100 INVITE"]
    wire.agent.accept_offer(call, b"ours", wire.now)
    wire.send(wire.inside(call, "ACK", 5))
    wire.pass_time(4.1)
    assert "INVITE" in wire.words()


def test_one_offer_of_ours_at_a_time(wire) -> None:
    call, _ = wire.dialled()
    wire.agent.offer(call, b"hold", wire.now)
    with pytest.raises(IllegalTransition):
        wire.agent.offer(call, b"resume", wire.now)
    wire.sent()
    ringing, _ = wire.dial()
    with pytest.raises(IllegalTransition):
        wire.agent.offer(ringing, b"x", wire.now)


# --- session timers


def test_a_session_timer_that_the_caller_asks_for_ends_the_call_without_a_refresh(wire) -> None:
    call, ok = wire.answered(headers=TIMER)
    assert ok.headers.get("Session-Expires") == "1800;refresher=uac"
    assert ok.headers.get("Require") == "timer"
    wire.pass_time(1767)
    assert wire.events() == []
    wire.pass_time(1.1)
    (bye,) = [message for message in wire.sent() if message.method == "BYE"][:1]
    assert bye.headers.get("Reason") == 'Q.850;cause=102;text="Recovery on timer expiry"'
    assert wire.events() == [CallEnded(call, EndedBy.LOST, "")]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_refresh_of_the_caller_starts_the_time_anew(wire, method: str) -> None:
    call, _ = wire.answered(headers=TIMER)
    wire.pass_time(900)
    body = b"offer" if method == "INVITE" else b""
    wire.send(wire.inside(call, method, 2, headers=TIMER, body=body))
    if method == "INVITE":
        wire.send(wire.inside(call, "ACK", 2))
    (ok,) = wire.sent()
    assert ok.headers.get("Session-Expires") == "1800;refresher=uac"
    wire.pass_time(1700)
    assert (wire.words(), wire.events()) == ([], [])
    wire.pass_time(100)
    assert wire.events() == [CallEnded(call, EndedBy.LOST, "")]


def test_a_refresh_without_session_expires_ends_the_timer(wire) -> None:
    call, _ = wire.answered(headers=TIMER)
    wire.send(wire.inside(call, "UPDATE", 2))
    wire.pass_time(10_000)
    assert (wire.words(), wire.events()) == (["200 UPDATE"], [])


@pytest.mark.parametrize(("allow", "method"), [("INVITE, UPDATE", "UPDATE"), ("INVITE", "INVITE")])
def test_we_refresh_by_update_where_the_peer_allows_it_and_by_the_same_offer_elsewhere(
    wire, allow: str, method: str
) -> None:
    call, ok = wire.answered(headers=(("Session-Expires", "300"), ("Allow", allow)))
    assert ok.headers.get("Session-Expires") == "300;refresher=uas"
    assert "Require" not in ok.headers  # a proxy asked: the caller knows nothing of it
    for _ in range(3):
        wire.pass_time(150)
        (refresh,) = wire.sent()
        assert refresh.method == method
        assert refresh.headers.get("Session-Expires") == "300;refresher=uac"
        assert refresh.body == (b"answer" if method == "INVITE" else b"")
        wire.reply(
            refresh, 200, body=refresh.body and b"offer", headers=(("Session-Expires", "300;refresher=uac"),)
        )
        wire.sent()
    assert wire.events() == []
    wire.pass_time(150)
    wire.pass_time(33)
    assert wire.words()[-1] == "BYE"
    assert wire.events() == [CallEnded(call, EndedBy.LOST, "")]


def test_a_peer_that_does_not_know_update_after_all_gets_a_reinvite(wire) -> None:
    wire.answered(headers=(("Session-Expires", "300"), ("Allow", "UPDATE")))
    wire.pass_time(150)
    (update,) = wire.sent()
    wire.reply(update, 501)
    wire.pass_time(0)
    assert wire.words() == ["INVITE"]


def test_a_refused_refresh_is_tried_again_until_the_time_is_over(wire) -> None:
    call, _ = wire.answered(headers=(("Session-Expires", "300"), ("Allow", "UPDATE")))
    wire.pass_time(150)
    refusals = 0
    while not wire.events():
        for message in wire.sent():
            if message.method == "UPDATE":
                wire.reply(message, 500)
                refusals += 1
        wire.pass_time(1)
        assert refusals < 100
    assert 20 < refusals <= 30
    assert call.state is CallState.ENDING


def test_an_interval_below_the_minimum_gets_422(wire) -> None:
    short = (("Supported", "timer"), ("Session-Expires", "60"))
    wire.send(wire.request("INVITE", headers=short))
    (refusal,) = wire.sent()
    assert (refusal.status, refusal.headers.get("Min-SE")) == (422, "90")
    assert wire.events() == []
    call, _ = wire.answered(call_id="c2")
    wire.send(wire.inside(call, "UPDATE", 2, headers=short))
    wire.send(wire.inside(call, "INVITE", 3, headers=short, body=b"offer"))
    assert wire.words() == ["422 UPDATE", "422 INVITE"]


def test_the_callee_says_who_refreshes(wire) -> None:
    _, invite = wire.dial()
    assert invite.headers.get("Session-Expires") == "1800"
    assert invite.headers.get("Supported") == "100rel, timer"
    ours = (("Session-Expires", "1000;refresher=uac"), ("Require", "timer"), ("Allow", "UPDATE"))
    wire.reply(invite, 200, body=b"answer", headers=ours)
    assert wire.words() == ["ACK"]
    wire.pass_time(500)
    assert wire.words() == ["UPDATE"]
    call, _ = wire.dialled(headers=(("Session-Expires", "1000;refresher=uas"),))
    wire.events()
    wire.pass_time(968.1)
    assert CallEnded(call, EndedBy.LOST, "") in wire.events()


def test_a_callee_that_wants_a_longer_interval_gets_it(wire) -> None:
    call, invite = wire.dial()
    wire.reply(invite, 422, headers=(("Min-SE", "3600"),))
    ack, again = wire.sent()
    assert (ack.method, again.method, again.cseq, again.call_id) == ("ACK", "INVITE", 2, invite.call_id)
    assert (again.headers.get("Session-Expires"), again.headers.get("Min-SE")) == ("3600", "3600")
    assert (again.from_tag, again.to_tag, again.body) == (invite.from_tag, "", invite.body)
    assert again.via.branch != invite.via.branch
    assert wire.events() == []
    wire.reply(again, 200, body=b"answer", headers=(("Session-Expires", "3600;refresher=uac"),))
    (ack,) = wire.sent()
    assert ack.cseq == 2
    assert wire.events() == [CallAnswered(call, b"answer")]
    wire.pass_time(1800)
    (refresh,) = wire.sent()
    wire.reply(refresh, 422, headers=(("Min-SE", "7200"),))
    wire.pass_time(0)
    _, longer = wire.sent()
    assert longer.headers.get("Session-Expires") == "7200;refresher=uac"


def test_a_callee_that_is_never_content_ends_the_call(wire) -> None:
    _, invite = wire.dial()
    wire.reply(invite, 422, headers=(("Min-SE", "3600"),))
    _, again = wire.sent()
    wire.reply(again, 422, headers=(("Min-SE", "3600"),))
    (failed,) = wire.events()
    assert failed.status == 422
