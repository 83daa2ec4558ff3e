"""Requests inside a call, and how calls end."""

from gateway.protocol.sip.call import CallEnded, CallState, EndedBy


def test_a_bye_ends_the_call_and_a_later_one_finds_nothing(wire) -> None:
    call, ok = wire.answered()
    bye = wire.request("BYE", to_tag=ok.to_tag, cseq=2, headers=(("Reason", 'Q.850;cause=16;text="x"'),))
    wire.send(bye)
    wire.send(bye)
    assert wire.words() == ["200 BYE", "200 BYE"]
    assert wire.events() == [CallEnded(call, EndedBy.REMOTE, 'Q.850;cause=16;text="x"')]
    wire.send(wire.request("BYE", to_tag=ok.to_tag, cseq=3))
    assert wire.words() == ["481 BYE"]


def test_a_bye_of_ours_is_repeated_and_given_up_in_silence(wire) -> None:
    call, _ = wire.answered()
    wire.agent.hang_up(call, wire.now)
    assert wire.events() == [CallEnded(call, EndedBy.LOCAL, "")]
    wire.pass_time(33)
    assert wire.words() == ["BYE"] * 11
    assert (wire.events(), wire.agent.calls) == ([], frozenset())


def test_byes_that_cross_end_the_call_once(wire) -> None:
    call, ok = wire.answered()
    wire.agent.hang_up(call, wire.now)
    (ours,) = wire.sent()
    wire.send(wire.request("BYE", to_tag=ok.to_tag, cseq=2))
    wire.reply(ours, 481)
    assert wire.words() == ["200 BYE"]
    assert wire.events() == [CallEnded(call, EndedBy.LOCAL, "")]
    assert call.state is CallState.ENDED


def test_a_refresh_gets_the_same_answer_until_its_ack(wire) -> None:
    call, ok = wire.answered()
    wire.send(
        wire.request(
            "INVITE", to_tag=ok.to_tag, cseq=2, body=b"offer", headers=(("Contact", "<sip:x@192.0.2.3>"),)
        )
    )
    second_refresh = wire.request("INVITE", to_tag=ok.to_tag, cseq=3, body=b"offer")
    wire.send(second_refresh)
    wire.send(wire.request("ACK", to_tag=ok.to_tag, cseq=3, branch=second_refresh.via.branch))
    wire.pass_time(0.5)
    first, pending, second = wire.sent()
    assert (first.status, first.body, first.cseq) == (200, b"answer", 2)
    assert pending.status == 491
    assert bytes(first) == bytes(second)
    wire.send(wire.request("ACK", to_tag=ok.to_tag, cseq=2))
    wire.pass_time(40)
    assert wire.words() == []
    assert wire.events() == []
    assert call.state is CallState.ESTABLISHED


def test_a_refresh_without_ack_ends_the_call(wire) -> None:
    call, ok = wire.answered()
    wire.send(wire.request("INVITE", to_tag=ok.to_tag, cseq=2, body=b"offer"))
    wire.pass_time(32)
    assert wire.words()[-1] == "BYE"
    assert wire.events() == [CallEnded(call, EndedBy.NO_ACK, "")]


def test_an_ack_of_another_number_does_not_stop_the_200(wire) -> None:
    call, _ = wire.call()
    wire.agent.answer(call, b"answer", wire.now)
    (ok,) = wire.sent()
    wire.send(wire.request("ACK", to_tag=ok.to_tag, cseq=9))
    wire.send(wire.request("ACK", to_tag="other"))
    wire.pass_time(0.5)
    assert wire.words() == ["200 INVITE"]
    assert call.state is CallState.ANSWERED
