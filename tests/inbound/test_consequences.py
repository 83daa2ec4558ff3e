"""What follows from the status of a message and from a call."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.inbound.consequences import Consequences
from gateway.outbound.accept import SendRequest
from gateway.rules.ruleset import Ruleset
from gateway.store.base import Unit
from gateway.values.call import Call
from gateway.values.event import Event, Trigger
from gateway.values.message import Consent, Message
from gateway.values.outcome import Result
from tests.inbound.conftest import World

CUSTOMER = "+447700900123"
DLR = "https://shop.example/dlr"
SHOP = f"""
name = "Shop"
assets = ["12345", "+442079460000"]
notify.status = "{DLR}"
notify.inbound = "https://shop.example/mo"
"""


async def send(world: Any, **fields: Any) -> Message:
    request = SendRequest(**{"service": "shop", "to": CUSTOMER, "text": "Hello"} | fields)
    unit = Unit()
    message = world.outbound.accept(unit, request)
    await unit.commit(world.store)
    sent: Message = message
    return sent


async def test_each_status_goes_to_the_services_notify_url(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    message = await send(world, until=Result.DELIVERED, correlationid="c1")
    await world.outcome(message, Result.ACCEPTED)
    await world.outcome(message, Result.DELIVERED)
    bodies = world.notifier.to(DLR)
    assert [(b["status"], b["final"]) for b in bodies] == [("sent", False), ("delivered", True)]
    assert {b["transid"] for b in bodies} == {message.id}
    assert {(b["correlationid"], b["channel"], b["to"]) for b in bodies} == {("c1", "sms", CUSTOMER)}


async def test_a_service_that_wants_final_statuses_only_is_told_no_other(open_world: Any) -> None:
    world = await open_world(shop=SHOP + 'notify.statuses = "final"\n')
    message = await send(world, until=Result.DELIVERED)
    other = await send(world, until=Result.DELIVERED, notify_url="https://other.example/")
    for each in (message, other):
        await world.outcome(each, Result.ACCEPTED)
    assert world.notifier.owed == []
    for each in (message, other):
        await world.outcome(each, Result.DELIVERED)
    assert [(url, body["status"]) for url, body in world.notifier.owed] == [
        (DLR, "delivered"),
        ("https://other.example/", "delivered"),
    ]


async def test_the_notify_url_of_a_request_wins(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    message = await send(world, notify_url="https://other.example/")
    await world.outcome(message, Result.ACCEPTED)
    assert [url for url, _ in world.notifier.owed] == ["https://other.example/"]


async def test_who_has_sent_in_the_form_of_the_older_platform_is_told_in_it(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    message = await send(world, until=Result.DELIVERED, callback="mine")
    for result in (Result.ACCEPTED, Result.DELIVERED):
        await world.outcome(message, result)
    told = [body["deliveryInfoNotification"] for body in world.notifier.to(DLR)]
    assert [(one["deliveryInfo"]["code"], one["callbackData"]) for one in told] == [
        ("7501", "mine"),
        ("7500", "mine"),
    ]


async def test_an_account_gets_a_receipt_once_the_status_is_final(open_world: Any) -> None:
    world = await open_world(shop='name = "Shop"\nassets = ["12345"]\n')
    message = await send(world, account="acme", receipt_wanted=1)
    await world.outcome(message, Result.ACCEPTED)
    assert world.notifier.owed == []
    await world.outcome(message, Result.UNDELIVERED, "gone", "005")
    assert [(b["status"], b["code"]) for b in world.notifier.to("smpp:acme")] == [("failed", "005")]


async def test_an_account_that_wants_no_receipt_gets_none(open_world: Any) -> None:
    world = await open_world(shop='name = "Shop"\nassets = ["12345"]\n')
    message = await send(world, account="acme")
    await world.outcome(message, Result.REJECTED)
    assert world.notifier.owed == []


async def test_rules_on_the_status_act_on_the_customer(open_world: Any) -> None:
    rule = """
    [rules.sorry]
    on = "sms.status"
    when = 'status.value == "failed" && status.code == "005"'
    do = [{ notify = "https://ops.example/" }, { opt = "out" }]
    """
    world = await open_world(shop=SHOP + rule)
    message = await send(world)
    await world.outcome(message, Result.REJECTED, "no", "005")
    [body] = world.notifier.to("https://ops.example/")
    assert (body["type"], body["transid"]) == ("sms.status", message.id)
    assert world.consents.refusal("shop", CUSTOMER)
    assert [e["fired"] for e in await world.events(message.id, "rule")] == [True]


async def test_a_rule_that_brings_about_its_own_event_ends(open_world: Any) -> None:
    """A send that failed at once fired the rule that had sent it, until the stack was used up."""
    rule = """
    [rules.again]
    on = "sms.status"
    when = 'status.value == "failed"'
    do = [{ send = { to = "$(status.to)", text = "Sorry" } }]
    """
    world = await open_world(shop=SHOP + rule)
    unit = Unit()
    world.consents.record(unit, _consent())
    await unit.commit(world.store)
    await send(world)
    stopped = [m for m in await world.messages() if await world.events(m.id, "rules.stopped")]
    assert len(stopped) == 1 and len(await world.messages()) < 20


def _consent() -> Consent:
    return Consent(service="shop", address=CUSTOMER, opted_out=True, at=1.0)


async def test_a_rule_that_sends_on_the_failure_of_what_it_has_sent_ends(
    open_world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Each send came to its end later, in a unit of its own: nothing counted them, and a number that a
    carrier refuses was texted for ever."""
    rule = """
    [events.sorry]
    parameters.to = "text"
    [rules.again]
    on = "sms.status"
    when = 'status.value == "failed"'
    do = [{ event = { name = "sorry", parameters = { to = "$(status.to)" } } }]
    [rules.sorry]
    on = "custom.sorry"
    do = [{ send = { to = "$(custom.to)", text = "Sorry" } }]
    """
    world = await open_world(shop=SHOP + rule)
    seen, waiting = list[str](), [await send(world)]
    while waiting:
        message = waiting.pop()
        seen.append(message.id)
        assert len(seen) < 20
        await world.outcome(message, Result.REJECTED, "no", "005")
        waiting += [one for one in await world.messages() if one.id not in seen]
    assert len(seen) == 3  # two rules each
    assert [record.msg for record in caplog.records] == ["rules.stopped"]


class Waking:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, dict[str, Any]]] = []

    def effect_done(self, unit: Unit, run: str, key: str, event: str, data: Any) -> None:
        self.told.append((run, key, event, dict(data)))


def watched(world: Any) -> Waking:
    """Listens in the place of the runs."""
    waking = Waking()
    world.consequences = Consequences(
        services=world.services,
        ruleset=Ruleset.build(world.services),
        actions=world.actions,
        owing=world.notifier,
        consents=world.consents,
        customers=world.customers,
        clock=world.clock,
        runs=waking,
    )
    return waking


@pytest.mark.parametrize(
    ("channel", "result", "event"),
    [
        ("sms", Result.ACCEPTED, "success"),
        ("sms", Result.REJECTED, "error"),
        ("sms", Result.IN_DOUBT, "error"),
        ("voice", Result.ANSWERED, "answered"),
        ("voice", Result.BUSY, "busy"),
        ("voice", Result.NO_ANSWER, "no-answer"),
        ("voice", Result.REJECTED, "rejected"),
        ("voice", Result.UNREACHABLE, "unreachable"),
        ("voice", Result.IN_DOUBT, "error"),
    ],
)
async def test_a_waiting_run_wakes_with_the_event_of_its_node(
    open_world: Any, channel: str, result: Result, event: str
) -> None:
    world = await open_world(shop=SHOP)
    waking = watched(world)
    until = Result.ANSWERED if channel == "voice" else Result.ACCEPTED
    message = await send(world, channel=channel, until=until, run="run", run_key="run/1")
    await world.outcome(message, result, "why", "7")
    [(run, key, told, data)] = waking.told
    assert (run, key, told) == ("run", "run/1", event)
    assert (data["transid"], data["result"]) == (message.id, str(result))


async def test_a_run_that_waits_for_delivery_sleeps_until_then(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    waking = watched(world)
    message = await send(world, until=Result.DELIVERED, run="run", run_key="run/1")
    await world.outcome(message, Result.ACCEPTED)
    assert waking.told == []
    await world.outcome(message, Result.DELIVERED)
    assert [event for _, _, event, _ in waking.told] == ["success"]


async def test_a_run_whose_customer_opted_out_wakes_with_an_error_at_once(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    waking = watched(world)
    unit = Unit()
    world.consents.record(unit, _consent())
    await send(world, channel="voice", until=Result.ANSWERED, run="run", run_key="run/1")
    assert [event for _, _, event, _ in waking.told] == ["error"]


def missed(caller: str = CUSTOMER) -> tuple[Event, Call]:
    call = Call(
        id="call",
        direction="in",
        service="shop",
        trunk="east",
        caller=caller,
        called="+442079460000",
        state="ended",
        cause="caller-cancelled",
        started_at=100.0,
        rung_at=100.0,
        ended_at=104.5,
    )
    return Event(ref="call", type=Trigger.CALL_MISSED, service="shop", at=104.5), call


CALLBACK = """
[rules.callback]
on = "call.missed"
when = 'call.to == "+442079460000" && !customer.opted_out'
do = [{ reply = "We call back. You rang $(call.ring_ms) ms." }, { opt = "in" }]
"""


async def happens(world: Any, consequences: Consequences, event: Event, call: Call) -> None:
    unit = Unit()
    consequences.of_call(unit, event, call)
    await unit.commit(world.store)


async def test_a_missed_call_is_answered_by_a_text_from_the_services_sms_asset(open_world: Any) -> None:
    world = await open_world(shop=SHOP + CALLBACK)
    await happens(world, world.consequences, *missed())
    [text] = world.sms.sent
    assert (text.text, text.sender, text.recipient) == ("We call back. You rang 4500 ms.", "12345", CUSTOMER)
    [body] = world.notifier.to("https://shop.example/mo")
    assert (body["type"], body["service"], body["transid"]) == ("call.missed", "shop", "call")
    assert (body["from"], body["cause"]) == (CUSTOMER, "caller-cancelled")


async def test_a_withheld_caller_is_neither_texted_nor_opted_in(open_world: Any) -> None:
    world = await open_world(shop=SHOP + CALLBACK)
    await happens(world, world.consequences, *missed(caller=""))
    assert world.sms.sent == []
    reasons = [e["reason"] for e in await world.events("call", "action.failed")]
    assert reasons == [
        "to: is empty; a caller whose number is withheld cannot be sent anything",
        "opt: nobody is known to opt in or out: the number is withheld",
    ]


WITHHELD = """
[rules.callback]
on = "call.missed"
do = [
  { send = { to = "$(call.from)", text = "We call back." } },
  { send = { to = "$(call.from)", text = "We call back.", channel = "voice", from = "+442079460000" } },
  { chain = { name = "alert", to = "$(call.from)" } },
  { chain = { name = "alert", to = "$(customer.address)" } },
  { flow = "one" },
]
[chains.alert]
[[chains.alert.steps]]
channel = "sms"
text = "We call back."
[flows.one]
start = "say"
[flows.one.nodes.say]
type = "send-sms"
text = "We call back."
on = { success = "end", error = "end:102" }
"""


async def test_nothing_is_ever_sent_because_of_a_withheld_caller(open_world: Any) -> None:
    world = await open_world(shop=SHOP + WITHHELD)
    await happens(world, world.consequences, *missed(caller=""))
    assert world.sms.sent == world.voice.sent == [] and await world.messages() == []
    reasons = [e["reason"] for e in await world.events("call", "action.failed")]
    assert reasons == ["to: is empty; a caller whose number is withheld cannot be sent anything"] * 4
    [started] = await world.events("call", "session.started")
    run = await world.store.run(started["run"])
    assert (run.state, run.result) == ("ended", 102)


@pytest.mark.parametrize(
    ("direction", "calls", "told"),
    [
        ("in", "", "https://shop.example/mo"),
        ("out", "", None),
        ("in", "https://shop.example/calls", "https://shop.example/calls"),
        ("out", "https://shop.example/calls", "https://shop.example/calls"),
    ],
)
async def test_calls_are_told_to_their_own_url_or_those_to_us_to_that_of_texts(
    open_world: Any, direction: str, calls: str, told: str | None
) -> None:
    shop = SHOP + f'notify.calls = "{calls}"\n'
    world = await open_world(shop=shop)
    event, call = missed()
    await happens(world, world.consequences, event, replace(call, direction=direction))
    assert [url for url, _ in world.notifier.owed] == ([told] if told else [])


async def test_a_rule_tells_a_url_what_the_call_was(open_world: Any) -> None:
    rule = '[rules.tell]\non = "call.missed"\ndo = [{ notify = "https://ops.example/" }]\n'
    world = await open_world(shop=f'name = "Shop"\nassets = ["12345"]\n{rule}')
    event, call = missed()
    await happens(world, world.consequences, event, call)
    [(url, body)] = world.notifier.owed
    assert (url, body["from"], body["to"]) == ("https://ops.example/", call.caller, call.called)


LINKED = """
name = "Shop"
assets = ["12345"]
[links.offer]
other = "https://example.org/offer"
[keywords.OFFER]
reply = "See $(link.offer)"
[keywords.WAIT]
flow = "wait"
[rules.thanks]
on = "link.clicked"
when = 'click.link == "offer" && click.count == 1'
do = [{ send = { to = "$(customer.address)", text = "Thank you ($(click.device)): $(link.offer)" } }]
[flows.wait]
start = "look"
[flows.wait.nodes.look]
type = "receive"
await = ["link.clicked"]
timeout = "1h"
on = { "link.clicked" = "say", timeout = "end:103" }
[flows.wait.nodes.say]
type = "send-sms"
text = "Seen on $(click.device)"
on = { success = "end", error = "end:102" }
"""


async def test_a_click_reaches_rules_and_waiting_sessions(
    open_world: Callable[..., Awaitable[World]], mo: Any
) -> None:
    world = await open_world(shop=LINKED)
    await world.deliver(*mo("offer"), *mo("wait"))
    [reply] = world.texts
    assert re.fullmatch(r"See https://s\.example\.org/l/[0-9A-Za-z]{8}", reply)
    link = await world.links.find(reply.rpartition("/")[2])
    assert link is not None
    world.links.open(link, "ios", by_program=False)
    await world.settled()
    assert world.texts[1] == "Seen on ios"
    assert world.texts[2].startswith("Thank you (ios): https://s.example.org/l/")
    assert world.texts[2] != reply
