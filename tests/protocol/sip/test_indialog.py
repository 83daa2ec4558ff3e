"""Which requests inside a call are taken, and in which order."""

from gateway.protocol.sip.call import CallEnded, EndedBy, InfoReceived


def test_info_and_options_inside_a_call_are_fine_and_old_numbers_are_not(wire) -> None:
    call, ok = wire.answered()
    wire.send(
        wire.request(
            "INFO", to_tag=ok.to_tag, cseq=5, body=b"Signal=5", content_type="Application/DTMF-Relay ;x"
        )
    )
    wire.send(wire.request("OPTIONS", to_tag=ok.to_tag, cseq=6))
    wire.send(wire.request("INFO", to_tag=ok.to_tag, cseq=4))
    wire.send(wire.request("SUBSCRIBE", to_tag=ok.to_tag, cseq=7))
    wire.send(wire.request("REFER", to_tag=ok.to_tag, cseq=7))
    assert wire.words() == ["200 INFO", "200 OPTIONS", "500 INFO", "405 SUBSCRIBE", "405 REFER"]
    assert wire.events() == [InfoReceived(call, 200, "application/dtmf-relay", "5")]
    wire.send(wire.request("BYE", to_tag=ok.to_tag, cseq=8))
    assert wire.words() == ["200 BYE"]


def test_info_that_tells_no_key_is_answered_by_what_is_wrong_with_it(wire) -> None:
    call, ok = wire.answered()
    for cseq, (content_type, body, headers) in enumerate(
        (
            ("application/dtmf", b"11", ()),
            ("application/dtmf", b"Z", ()),
            ("application/dtmf-relay", b"Duration=160", ()),
            ("application/media_control+xml", b"<x/>", ()),
            ("application/dtmf", b"5", (("Info-Package", "nobodyKnows"),)),
            ("", b"", ()),
        ),
        5,
    ):
        fields = {"content_type": content_type} if body else {}
        wire.send(wire.request("INFO", to_tag=ok.to_tag, cseq=cseq, body=body, headers=headers, **fields))
    answers = wire.sent()
    assert [answer.status for answer in answers] == [200, 400, 400, 415, 469, 200]
    assert answers[3].headers.get("Accept") == "application/dtmf-relay, application/dtmf"
    assert answers[4].headers.lines("Recv-Info") == [""]
    assert wire.events() == [
        InfoReceived(call, 200, "application/dtmf", "#"),
        InfoReceived(call, 400, "application/dtmf"),
        InfoReceived(call, 400, "application/dtmf-relay"),
        InfoReceived(call, 415, "application/media_control+xml"),
        InfoReceived(call, 469, "application/dtmf"),
    ]


def test_after_our_bye_only_theirs_is_taken(wire) -> None:
    call, _ = wire.answered()
    wire.agent.hang_up(call, wire.now)
    for cseq, method in enumerate(("INFO", "INVITE", "UPDATE", "NOTIFY", "OPTIONS"), 2):
        wire.send(wire.inside(call, method, cseq))
    assert wire.words()[1:] == [
        f"481 {method}" for method in ("INFO", "INVITE", "UPDATE", "NOTIFY", "OPTIONS")
    ]
    wire.send(wire.inside(call, "BYE", 9))
    assert wire.words() == ["200 BYE"]
    assert wire.events() == [CallEnded(call, EndedBy.LOCAL, "")]


def test_a_dialog_is_known_by_both_tags_and_the_call_id(wire) -> None:
    call, ok = wire.answered()
    for fields in ({"to_tag": "x"}, {"from_tag": "x"}, {"call_id": "x"}):
        wire.send(wire.request("INFO", **{"to_tag": ok.to_tag, "cseq": 5} | fields))
    assert wire.words() == ["481 INFO"] * 3
    wire.send(wire.inside(call, "INFO", 5))
    assert wire.words() == ["200 INFO"]
