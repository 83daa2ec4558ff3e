"""The inbound spine, from a PDU to its status and to what follows."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.inbound import deciding, pipeline
from gateway.protocol.smpp.constants import ESME_ROK, ESME_RX_T_APPN
from gateway.protocol.smpp.fields import pack_tlvs
from gateway.protocol.smpp.pdu import DeliverSm
from gateway.values.outcome import Result, Status

CUSTOMER = "+447700900123"
PIZZA = """
name = "Pizza"
assets = ["12345", "+442079460000"]
notify.inbound = "https://pizza.example/mo"
notify.status = "https://pizza.example/dlr"
[keywords.HOURS]
reply = "Open till $(sms.rest)"
[keywords.ORDER]
number = "12345"
aliases = ["PIZZA"]
flow = "order"
[keywords.BROKEN]
reply = "Dear $(nobody)"
[flows.order]
start = "ask"
[flows.order.nodes.ask]
type = "send-sms"
text = "Which size? S, M or L"
on = { success = "size", error = "end:102" }
[flows.order.nodes.size]
type = "receive"
timeout = "10m"
on = { message = "check", timeout = "end:103" }
[flows.order.nodes.check]
type = "branch"
cases = [{ when = 'sms.words[0] in ["s", "m", "l"]', go = "confirm" }]
else = "again"
[flows.order.nodes.again]
type = "send-sms"
text = "$(size.text) is no size. S, M or L"
on = { success = "size", error = "end:102" }
[flows.order.nodes.confirm]
type = "send-sms"
text = "One pizza $(sms.words). Thank you!"
on = { success = "end", error = "end:102" }
"""
ALERTS = """
name = "Alerts"
assets = ["12345"]
notify.inbound = "https://alerts.example/mo"
"""
LONG = "a long text with some euros: €€€ " * 12


async def test_a_keyword_is_answered_from_the_number_that_was_texted(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    assert await world.deliver(*mo("hours ten", to="+442079460000")) == [ESME_ROK]
    [answer] = world.sms.sent
    assert (answer.text, answer.sender, answer.recipient) == ("Open till ten", "+442079460000", CUSTOMER)
    [received] = await world.messages(direction="mo")
    assert (received.service, received.status, received.carrier) == ("pizza", Status.HANDLED, "north")
    assert await world.events(received.id, "decided") == [
        {"took": "keyword", "keyword": "HOURS", "how": "first-word"}
    ]


async def test_a_flow_talks_with_the_customer_and_ends(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    await world.deliver(*mo("Pizza"))
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    await world.deliver(*mo("XXL"))
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    await world.deliver(*mo("m"))
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    assert world.texts == ["Which size? S, M or L", "XXL is no size. S, M or L", "One pizza m. Thank you!"]
    assert {message.sender for message in world.sms.sent} == {"12345"}
    assert len(world.runs) == 0


async def test_a_flow_goes_on_after_restarts_in_the_middle(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    await world.deliver(*mo("order"))
    asked = world.sms.sent[0]
    await world.restart()
    await world.outcome(asked, Result.ACCEPTED)
    await world.restart()
    assert len(world.runs) == 1
    await world.deliver(*mo("L"))
    assert world.texts == ["One pizza l. Thank you!"]
    await world.outcome(world.sms.sent[0], Result.ACCEPTED)
    assert await world.store.open_runs() == []


async def test_an_open_session_comes_before_keywords(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    await world.deliver(*mo("order"))
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    await world.deliver(*mo("hours now"))
    assert world.texts[1:] == ["hours now is no size. S, M or L"]


async def test_a_session_of_another_number_does_not_take_the_text(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    await world.deliver(*mo("order"))
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    await world.deliver(*mo("hours now", to="+442079460000"))
    assert world.texts[1:] == ["Open till now"]


async def test_the_text_of_a_session_goes_to_no_other_service_of_the_number(open_world: Any, mo: Any) -> None:
    world = await open_world(alerts=ALERTS, pizza=PIZZA)
    await world.deliver(*mo("order"))
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    await world.deliver(*mo("m"))
    assert world.notifier.to("https://alerts.example/mo") == []
    told = world.notifier.to("https://pizza.example/mo")
    assert [(body["text"], body["service"]) for body in told] == [("order", "pizza"), ("m", "pizza")]


async def test_stop_opts_out_of_every_service_of_the_number_and_is_confirmed(
    open_world: Any, mo: Any
) -> None:
    world = await open_world(alerts=ALERTS, pizza=PIZZA)
    await world.deliver(*mo(" Stop! "))
    assert world.texts == [
        "Alerts, Pizza: you will get no more messages from us. Text START to get them again."
    ]
    assert {c.service for c in await world.store.opted_out()} == {"alerts", "pizza"}
    await world.deliver(*mo("hours ten"))
    refused = (await world.messages(direction="mt"))[-1]
    assert (refused.status, refused.code) == (Status.FAILED, "not-applicable")
    assert "opted out" in refused.reason
    assert len(world.texts) == 1


async def test_start_ends_an_opt_out_also_after_a_restart(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    await world.deliver(*mo("STOP"))
    await world.restart()
    assert world.consents.refusal("pizza", CUSTOMER)
    await world.deliver(*mo("start"), *mo("hours ten"))
    assert world.texts == [
        "Pizza: you will get our messages again. Text STOP to end them.",
        "Open till ten",
    ]
    assert await world.store.opted_out() == []


async def test_help_is_answered_even_after_stop_and_changes_nothing(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    await world.deliver(*mo("STOP"), *mo("HELP"))
    assert world.texts[1:] == ["Pizza: text STOP to get no more messages."]
    assert world.consents.refusal("pizza", CUSTOMER)


async def test_a_keyword_of_the_reserved_word_gives_the_reply(open_world: Any, mo: Any) -> None:
    world = await open_world(alerts=ALERTS + '[keywords.HELP]\nreply = "Call 999, $(sms.from)"\n')
    await world.deliver(*mo("help"))
    assert world.texts == [f"Call 999, {CUSTOMER}"]


async def test_stop_ends_the_open_session(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    await world.deliver(*mo("order"))
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    await world.deliver(*mo("stop"))
    assert len(world.runs) == 0 and await world.store.open_runs() == []


async def test_stop_counts_where_it_cannot_be_confirmed(open_world: Any, mo: Any) -> None:
    """The confirmation raised out of `deliver`: no opt-out, no deliver_sm_resp."""
    world = await open_world(alerts=ALERTS)
    sender = "54321"  # nobody can be texted at a shortcode
    assert await world.deliver(*mo("STOP", sender=sender)) == [ESME_ROK]
    assert [c.address for c in await world.store.opted_out()] == [sender]
    assert world.texts == []


async def test_stop_is_confirmed_by_a_live_service_of_the_number(open_world: Any, mo: Any) -> None:
    world = await open_world(alerts='status = "suspended"\n' + ALERTS, pizza=PIZZA)
    await world.deliver(*mo("STOP"))
    [confirmation] = world.sms.sent
    assert confirmation.service == "pizza"
    assert {c.service for c in await world.store.opted_out()} == {"alerts", "pizza"}


async def test_a_word_of_the_services_language_is_answered_in_it(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA.replace("assets", 'languages = ["de", "fr"]\nassets', 1))
    await world.deliver(*mo("Abmelden"))
    assert world.texts[-1].startswith("Pizza: Sie erhalten keine Nachrichten mehr")
    assert world.consents.refusal("pizza", CUSTOMER)
    await world.deliver(*mo("stopp bitte"))
    await world.deliver(*mo("démarrer"))
    assert world.texts[-1].startswith("Pizza: vous recevrez")


async def test_texts_to_a_suspended_service_wait_until_it_is_live_again(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    world.suspend("pizza")
    assert await world.deliver(*mo("hours ten"), *mo("hours two")) == [ESME_ROK, ESME_ROK]
    assert world.texts == []
    assert [m.status for m in await world.messages(direction="mo")] == [Status.PARKED] * 2
    await world.restart()
    await world.inbound.take_up()
    assert world.texts == []
    await world.resume("pizza")
    assert world.texts == ["Open till ten", "Open till two"]
    [first, _] = await world.messages(direction="mo")
    assert first.status is Status.HANDLED
    assert len(world.notifier.to("https://pizza.example/mo")) == 2


async def test_stop_to_a_suspended_service_counts_at_once_and_is_confirmed(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    world.suspend("pizza")
    await world.deliver(*mo("stop"))
    assert world.consents.refusal("pizza", CUSTOMER)
    assert world.texts[-1].startswith("Pizza: you will get no more messages from us")
    await world.deliver(*mo("start"))
    assert not world.consents.refusal("pizza", CUSTOMER)
    assert len(world.texts) == 2
    await world.deliver(*mo("hours ten"))
    assert len(world.texts) == 2  # anything else waits


async def test_a_text_that_no_live_service_takes_waits_for_the_suspended_one(
    open_world: Any, mo: Any
) -> None:
    world = await open_world(pizza=PIZZA, alerts=ALERTS)
    world.suspend("pizza")
    await world.deliver(*mo("what is it"))
    [received] = await world.messages(direction="mo")
    assert (received.service, received.status) == ("pizza", Status.PARKED)


async def test_rules_take_what_no_keyword_took(open_world: Any, mo: Any) -> None:
    rule = """
    [rules.question]
    on = "sms.received"
    when = 'sms.text.endsWith("?") && !customer.opted_out'
    do = [{ reply = "Ask $(nobody)" }, { reply = "We call you: $(sms.text)" }, { opt = "in" }]
    """
    world = await open_world(alerts=ALERTS, pizza=PIZZA + rule)
    await world.deliver(*mo("Is it hot?"))
    assert world.texts == ["We call you: Is it hot?"]
    [received] = await world.messages(direction="mo")
    assert received.service == "pizza"
    assert await world.events(received.id, "decided") == [{"took": "rules", "rules": ["question"] * 3}]
    [failed] = await world.events(received.id, "action.failed")
    assert "nobody" in failed["reason"]


async def test_the_default_takes_what_nothing_else_took(open_world: Any, mo: Any) -> None:
    world = await open_world(alerts=ALERTS + '[default]\nreply = "What?"\n')
    await world.deliver(*mo("blah"))
    assert world.texts == ["What?"]


async def test_a_text_that_nothing_takes_is_kept_and_notified(open_world: Any, mo: Any) -> None:
    world = await open_world(alerts=ALERTS)
    assert await world.deliver(*mo("blah")) == [ESME_ROK]
    [received] = await world.messages(direction="mo")
    [note] = await world.events(received.id, "decided")
    assert note["took"] == "nothing"
    [body] = world.notifier.to("https://alerts.example/mo")
    assert (body["transid"], body["text"], body["from"]) == (received.id, "blah", CUSTOMER)


async def test_a_text_to_nobodys_number_is_kept(open_world: Any, mo: Any) -> None:
    world = await open_world(alerts=ALERTS)
    assert await world.deliver(*mo("blah", to="99999")) == [ESME_ROK]
    [received] = await world.messages(direction="mo")
    assert (received.service, received.recipient) == ("", "99999")
    assert world.notifier.owed == []


async def test_every_text_of_a_service_is_notified_whatever_it_came_to(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    await world.deliver(*mo("hours"), *mo("order"), *mo("stop"), *mo("blah"))
    bodies = world.notifier.to("https://pizza.example/mo")
    assert [(body["text"], body["keyword"]) for body in bodies] == [
        ("hours", "HOURS"),
        ("order", "ORDER"),
        ("stop", ""),
        ("blah", ""),
    ]


async def test_stop_is_notified_to_every_service_that_it_concerns(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA, alerts=ALERTS)
    await world.deliver(*mo("STOP"))
    for url in ("https://pizza.example/mo", "https://alerts.example/mo"):
        assert [body["text"] for body in world.notifier.to(url)] == ["STOP"]


async def test_a_text_whose_decision_fails_is_kept_and_decided_after_a_restart(
    open_world: Any, mo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await open_world(pizza=PIZZA)
    with monkeypatch.context() as broken:
        broken.setattr(deciding.rules, "decide", lambda **_: 1 / 0)
        assert await world.deliver(*mo("hours ten")) == [ESME_ROK]
    [kept] = await world.messages(direction="mo")
    assert (kept.status, kept.service, kept.text) == (Status.RECEIVED, "pizza", "hours ten")
    assert world.sms.sent == []
    await world.restart()
    await world.inbound.take_up()
    [handled] = await world.messages(direction="mo")
    assert (handled.id, handled.status) == (kept.id, Status.HANDLED)
    assert [message.text for message in world.sms.sent] == ["Open till ten"]
    await world.inbound.take_up()
    assert len(world.sms.sent) == 1


WAP = bytes.fromhex("0605040b8423f0")
OCTETS = {
    "octets": "01ae",
    "data_coding": 4,
    "udh": "0605040b8423f0",
    "ports": {"destination": 2948, "source": 9200},
}


@pytest.mark.parametrize(
    "fields",
    [
        {"esm_class": 0x40, "short_message": WAP + b"\x01\xae"},
        {
            "short_message": b"\x01\xae",
            "tlv_octets": pack_tlvs({0x020A: b"\x23\xf0", 0x020B: b"\x0b\x84"}),
        },
    ],
)
async def test_octets_are_told_with_their_ports(open_world: Any, mo: Any, fields: dict[str, Any]) -> None:
    world = await open_world(alerts=ALERTS)
    [pdu] = mo("")
    assert await world.deliver(replace(pdu, data_coding=4, **fields)) == [ESME_ROK]
    [body] = world.notifier.to("https://alerts.example/mo")
    assert {name: body.get(name) for name in OCTETS} == OCTETS
    assert body["text"] == "port 2948 from 9200: 01ae"
    assert await world.events(body["transid"], pipeline.OCTETS) == [OCTETS]


async def test_a_plain_text_has_no_octets_to_tell(open_world: Any, mo: Any) -> None:
    world = await open_world(alerts=ALERTS)
    await world.deliver(*mo("Hi"))
    [body] = world.notifier.to("https://alerts.example/mo")
    assert not OCTETS.keys() & body.keys()


async def test_octets_that_could_not_be_decided_on_are_there_after_a_restart(
    open_world: Any, mo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await open_world(alerts=ALERTS)
    [pdu] = mo("")

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(deciding.rules, "decide", broken)
    await world.deliver(replace(pdu, data_coding=4, esm_class=0x40, short_message=WAP + b"\x01\xae"))
    monkeypatch.undo()
    await world.restart()
    await world.inbound.take_up()
    [body] = world.notifier.to("https://alerts.example/mo")
    assert {name: body.get(name) for name in OCTETS} == OCTETS


async def test_an_answer_that_cannot_be_made_does_not_stop_the_text(open_world: Any, mo: Any) -> None:
    world = await open_world(pizza=PIZZA)
    assert await world.deliver(*mo("broken")) == [ESME_ROK]
    [received] = await world.messages(direction="mo")
    assert len(await world.events(received.id, "action.failed")) == 1
    assert len(world.notifier.to("https://pizza.example/mo")) == 1


@pytest.mark.parametrize("method", ["udh8", "udh16", "sar"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_a_long_text_is_put_together_in_any_order(
    open_world: Any, mo: Any, method: str, order: tuple[int, ...]
) -> None:
    world = await open_world(alerts=ALERTS)
    parts = mo(LONG, method=method)
    assert len(parts) == 3
    assert await world.deliver(*(parts[i] for i in order)) == [ESME_ROK] * 3
    [received] = await world.messages(direction="mo")
    assert (received.text, received.incomplete) == (LONG, False)
    assert await world.store.parts() == []


async def test_the_parts_of_a_long_text_survive_a_restart(open_world: Any, mo: Any) -> None:
    world = await open_world(alerts=ALERTS)
    parts = mo(LONG)
    await world.deliver(parts[2])
    await world.restart()
    await world.deliver(parts[0])
    await world.restart()
    await world.deliver(parts[1])
    [received] = await world.messages(direction="mo")
    assert (received.text, received.incomplete) == (LONG, False)


async def test_what_came_of_a_long_text_is_delivered_when_its_time_is_up(open_world: Any, mo: Any) -> None:
    world = await open_world(bind={"reassembly": 60.0}, alerts=ALERTS)
    parts = mo(LONG)
    await world.deliver(parts[0], parts[2])
    world.clock.forward(59)
    await world.inbound.expire_parts()
    assert await world.messages(direction="mo") == []
    world.clock.forward(1)
    await world.inbound.expire_parts()
    [received] = await world.messages(direction="mo")
    assert received.incomplete and received.text.startswith(LONG[:100]) and len(received.text) < len(LONG)
    assert await world.store.parts() == []
    assert world.reassembly.deadline() is None


async def test_a_text_in_message_payload_is_one_text(open_world: Any, mo: Any) -> None:
    world = await open_world(alerts=ALERTS)
    await world.deliver(*mo(LONG, method="payload"))
    [received] = await world.messages(direction="mo")
    assert received.text == LONG


@pytest.mark.parametrize(
    ("bind", "data_coding", "parts", "texts"),
    [
        # written by hand from 3GPP TS 23.038 and 23.040
        ({}, 0x00, ["00 1b65 5b"], ["@€Ä"]),
        ({}, 0x10, ["486921"], ["Hi!"]),  # flash
        ({}, 0x18, ["0416"], ["Ж"]),
        ({}, 0x03, ["e9 40"], ["é@"]),
        ({"default_alphabet": "latin1"}, 0x00, ["e9 40"], ["é@"]),
        ({"default_alphabet": "utf8"}, 0x00, ["c3a9 40"], ["é@"]),
        ({"default_alphabet": "gsm-packed"}, 0x00, ["e8329bfd4697d9ec37"], ["hellohello"]),
        ({"default_alphabet": "gsm-packed"}, 0x08, ["0416"], ["Ж"]),
        # packed after a header: one fill bit
        ({"default_alphabet": "gsm-packed"}, 0x00, ["050003070201 c2 e231", "050003070202 c8"], ["abcd"]),
        # 16-bit references, the parts in reverse
        ({}, 0x00, ["060804 0107 02 02 62", "060804 0107 02 01 61"], ["ab"]),
        # two messages of one sender at a time, with a copy among them
        (
            {},
            0x00,
            [
                "050003 07 02 01 61",
                "050003 08 02 02 64",
                "050003 07 02 01 61",
                "050003 08 02 01 63",
                "050003 07 02 02 62",
            ],
            ["cd", "ab"],
        ),
        # an escape, and a surrogate pair, cut in two
        ({}, 0x00, ["050003 07 02 01 351b", "050003 07 02 02 65"], ["5€"]),
        ({}, 0x08, ["050003 07 02 01 0041d83d", "050003 07 02 02 de00"], ["A😀"]),
        # other elements before the concatenation: a special message indication, ports, an unknown one
        ({}, 0x00, ["09 01020001 0003070201 61", "09 700200ff 0003070202 62"], ["ab"]),
        (
            {},
            0xF5,
            ["0b 05040b8423f0 0003070202 06", "0b 05040b8423f0 0003070201 01"],
            ["port 2948 from 9200: 0106"],
        ),
        ({}, 0x04, ["06 05040b8423f0 0106"], ["port 2948 from 9200: 0106"]),
        ({}, 0x04, ["00ff"], ["00ff"]),
        # national tables, of each part
        ({}, 0x00, ["03 240102 1b61"], ["á"]),
        ({}, 0x00, ["06 240106 250106 2f42 1b1c"], ["नम०"]),
        ({}, 0x00, ["08 0003070201 250101 40", "08 0003070202 250103 40"], ["İÍ"]),
        # the same element twice: the last one counts
        ({}, 0x00, ["0a 0003090201 0003070201 61", "0a 0003090202 0003070202 62"], ["ab"]),
        # data_codings that nobody has defined: the default alphabet
        ({}, 0x0B, ["48 69"], ["Hi"]),
        ({}, 0x85, ["48 69"], ["Hi"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["short_message", "message_payload"])
async def test_texts_as_phones_send_them(
    open_world: Any,
    mo: Any,
    bind: dict[str, Any],
    data_coding: int,
    parts: list[str],
    texts: list[str],
    where: str,
) -> None:
    world = await open_world(bind, alerts=ALERTS)
    [plain] = mo("x")
    for part in parts:
        octets = bytes.fromhex(part)
        udhi = 0x40 if len(parts) > 1 or octets[0] in (3, 6) else 0
        if where == "short_message":
            pdu = replace(plain, esm_class=udhi, data_coding=data_coding, short_message=octets)
        else:
            tlvs = pack_tlvs({0x0424: octets})
            pdu = replace(plain, esm_class=udhi, data_coding=data_coding, short_message=b"", tlv_octets=tlvs)
        assert await world.deliver(pdu) == [ESME_ROK]
    received = await world.messages(direction="mo")
    assert sorted(message.text for message in received) == sorted(texts)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("05 0003070200 61", "a"),  # part 0
        ("05 0003070203 61", "a"),  # part 3 of 2
        ("05 0003070000 61", "a"),  # of none
        ("04 00020702 61", "a"),  # an element too short to say which part it is
        ("05 0803070201 61", "a"),  # a 16-bit reference with the length of an 8-bit one
        ("05 0004070201 61", "a"),  # an element that is longer than the header
        ("61 62 63", "abc"),  # a header longer than all there is
        ("00 61", "a"),  # an empty header
        ("05 0003070101 61", "a"),  # the only part
    ],
)
async def test_a_numbering_that_cannot_be_is_passed_over_and_the_text_is_not_lost(
    open_world: Any, mo: Any, octets: str, text: str
) -> None:
    world = await open_world(alerts=ALERTS)
    [plain] = mo("x")
    pdu = replace(plain, esm_class=0x40, short_message=bytes.fromhex(octets))
    assert await world.deliver(pdu) == [ESME_ROK]
    assert [message.text for message in await world.messages(direction="mo")] == [text]


async def test_a_total_that_changes_between_parts_makes_two_messages_and_loses_neither(
    open_world: Any, mo: Any
) -> None:
    world = await open_world(bind={"reassembly": 60.0}, alerts=ALERTS)
    [plain] = mo("x")
    for octets in ("05 0003070201 61", "05 0003070302 62", "05 0003070202 63"):
        pdu = replace(plain, esm_class=0x40, short_message=bytes.fromhex(octets))
        assert await world.deliver(pdu) == [ESME_ROK]
    world.clock.forward(60)
    await world.inbound.expire_parts()
    received = await world.messages(direction="mo")
    assert {(message.text, message.incomplete) for message in received} == {("ac", False), ("b", True)}


async def test_a_header_and_sar_parameters_that_disagree_leave_the_header_right(
    open_world: Any, mo: Any
) -> None:
    world = await open_world(alerts=ALERTS)
    [plain] = mo("x")
    for octets, sar in (("05 0003070202 62", 1), ("05 0003070201 61", 1)):
        tlvs = pack_tlvs({0x020C: b"\x01\x2c", 0x020E: b"\x03", 0x020F: bytes((sar,))})
        pdu = replace(plain, esm_class=0x40, short_message=bytes.fromhex(octets), tlv_octets=tlvs)
        assert await world.deliver(pdu) == [ESME_ROK]
    assert [message.text for message in await world.messages(direction="mo")] == ["ab"]


RECEIPT = b"id:A1 sub:001 dlvrd:001 submit date:2611231405 done date:2611231406 stat:DELIVRD err:000 text:"


async def test_receipts_go_to_the_messages_they_speak_of(open_world: Any) -> None:
    world = await open_world(alerts=ALERTS)
    pdu = DeliverSm(
        source_addr_ton=1,
        source_addr=b"447700900123",
        destination_addr=b"12345",
        esm_class=0x04,
        short_message=RECEIPT,
    )
    assert await world.deliver(pdu) == [ESME_ROK]
    [(receipt, recipient, sender)] = world.receipts.applied
    assert (receipt.smsc_id, receipt.state, receipt.final) == ("A1", "delivered", True)
    assert (recipient, sender) == (CUSTOMER, "12345")
    assert await world.messages(direction="mo") == []


async def test_a_receipt_that_cannot_be_applied_yet_must_come_again(open_world: Any) -> None:
    world = await open_world(alerts=ALERTS)
    world.receipts.fails = True
    pdu = DeliverSm(source_addr=b"447700900123", esm_class=0x04, short_message=RECEIPT)
    assert await world.deliver(pdu) == [ESME_RX_T_APPN]
    assert (world.receipts.applied, world.receipts.taken_back) == ([], 1)
    world.receipts.fails = False
    assert await world.deliver(pdu) == [ESME_ROK]
    assert (len(world.receipts.applied), world.receipts.taken_back) == (1, 1)


async def test_an_unreadable_receipt_is_acknowledged_and_not_answered_like_a_text(open_world: Any) -> None:
    world = await open_world(alerts=ALERTS + '[default]\nreply = "What?"\n')
    pdu = DeliverSm(source_addr_ton=1, source_addr=b"447700900123", destination_addr=b"12345", esm_class=0x04)
    assert await world.deliver(pdu) == [ESME_ROK]
    assert world.texts == [] and await world.messages(direction="mo") == []


async def test_a_person_who_texts_like_a_receipt_is_a_person(open_world: Any, mo: Any) -> None:
    world = await open_world(alerts=ALERTS)
    await world.deliver(*mo(RECEIPT.decode()))
    assert world.receipts.applied == [] and len(await world.messages(direction="mo")) == 1


@pytest.mark.parametrize("how", ["at once", "later"])
@pytest.mark.parametrize("text", ["hours ten", "order", "stop"])
async def test_what_the_store_refuses_is_refused_and_done_once_when_it_comes_again(
    open_world: Any, mo: Any, how: str, text: str
) -> None:
    world = await open_world(pizza=PIZZA)
    world.store.refuses = how
    assert await world.deliver(*mo(text)) == [ESME_RX_T_APPN]
    assert (world.texts, world.notifier.owed, len(world.runs)) == ([], [], 0)
    assert not world.consents.refusal("pizza", CUSTOMER)
    assert world.outbound.waiting == 0
    world.store.refuses = ""
    assert await world.deliver(*mo(text)) == [ESME_ROK]
    assert len(world.texts) == 1
    assert len(await world.messages(direction="mo")) == 1
    assert len(world.runs) == (text == "order")


@pytest.mark.parametrize("how", ["at once", "later"])
async def test_a_session_whose_message_was_refused_takes_it_when_it_comes_again_and_keeps_its_time(
    open_world: Any, mo: Any, how: str
) -> None:
    world = await open_world(pizza=PIZZA)
    await world.deliver(*mo("order"))
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    world.store.refuses = how
    assert await world.deliver(*mo("m")) == [ESME_RX_T_APPN]
    world.store.refuses = ""
    [run] = await world.store.open_runs()
    assert world.runs._open.get(run.id) == run and run.due, "the session's time-out is still waited for"
    await world.deliver(*mo("m"))
    assert world.texts[1:] == ["One pizza m. Thank you!"]


@pytest.mark.parametrize("how", ["at once", "later"])
@pytest.mark.parametrize("refused", [0, 1, 2])
async def test_a_part_that_the_store_refused_is_taken_when_it_comes_again(
    open_world: Any, mo: Any, how: str, refused: int
) -> None:
    """Memory held the refused part: its repetition was acknowledged as a copy, but never stored."""
    world = await open_world(alerts=ALERTS)
    parts = mo(LONG)
    for i, part in enumerate(parts):
        if i == refused:
            world.store.refuses = how
            assert await world.deliver(part) == [ESME_RX_T_APPN]
            world.store.refuses = ""
        assert await world.deliver(part) == [ESME_ROK]
    [received] = await world.messages(direction="mo")
    assert (received.text, received.incomplete) == (LONG, False)
    assert await world.store.parts() == []


async def test_what_timed_out_while_the_store_refused_is_not_lost(open_world: Any, mo: Any) -> None:
    world = await open_world(bind={"reassembly": 60.0}, alerts=ALERTS)
    await world.deliver(mo(LONG)[0])
    world.clock.forward(60)
    world.store.refuses = "later"
    with pytest.raises(Exception, match="disk is full"):
        await world.inbound.expire_parts()
    world.store.refuses = ""
    world.clock.forward(60)
    await world.inbound.expire_parts()
    [received] = await world.messages(direction="mo")
    assert received.incomplete


HOW = """
name = "How"
assets = ["12345"]
[keywords.HOW]
reply = "$(sms.encoding) $(sms.parts) $(sms.bind) $(sms.time)"
"""


async def test_how_a_text_came_is_known_of_it_also_when_it_had_to_wait(open_world: Any, mo: Any) -> None:
    world = await open_world(how=HOW)
    await world.deliver(*mo("how"))
    await world.deliver(*mo("how \u20ac \u4f60" + "x" * 80))
    assert world.texts == ["gsm 1 north 2027-01-15T08:00:00.000Z", "ucs2 2 north 2027-01-15T08:00:00.000Z"]
    world.suspend("how")
    await world.deliver(*mo("how \u4f60"))
    world.clock.forward(60)
    await world.resume("how")
    assert world.texts[-1] == "ucs2 1 north 2027-01-15T08:00:00.000Z"
