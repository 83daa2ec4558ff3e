"""What keywords and rules ask for, one action at a time."""

from __future__ import annotations

from typing import Any

from gateway.config.model import Action, Keyword, Send, StartChain
from gateway.inbound.actions import Subject
from gateway.rules import variables
from gateway.store.base import Unit

CUSTOMER = "+447700900123"
SHOP = """
name = "Shop"
assets = ["12345", "+442079460000"]
[chains.alert]
steps = [{ channel = "sms", text = "$(what) for $(customer.address)" }]
[templates.bye]
text = "Bye $(sms.rest)"
[flows.hold]
start = "wait"
[flows.hold.nodes.wait]
type = "receive"
timeout = "1m"
on = { message = "end", timeout = "end" }
"""


def subject(customer: str = CUSTOMER) -> Subject:
    seen = variables.sms(sender=customer, recipient="12345", text="Hi there")
    seen |= variables.subject(service="shop", customer=customer, opted_out=False)
    return Subject(
        ref="ref",
        type="sms.received",
        service="shop",
        customer=customer,
        number="12345",
        variables=seen,
        body={"text": "Hi there"},
    )


async def act(world: Any, *actions: Action) -> None:
    unit = Unit()
    for action in actions:
        world.actions.act(unit, action, subject(), "callback")
    await unit.commit(world.store)


async def test_a_send_goes_where_its_variables_say(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    await act(world, Action(send=Send(to="$(sms.from)", sender="+442079460000", text="You: $(sms.text)")))
    [sent] = world.sms.sent
    assert (sent.recipient, sent.sender, sent.text) == (CUSTOMER, "+442079460000", "You: Hi there")


async def test_a_send_fills_a_template(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    await act(world, Action(send=Send(to=CUSTOMER, template="bye")))
    assert world.texts == ["Bye Hi there"]


async def test_a_send_by_voice_is_a_call(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    await act(world, Action(send=Send(channel="voice", to=CUSTOMER, text="Hello")))
    assert [m.sender for m in world.voice.sent] == ["+442079460000"]


async def test_a_chain_gets_the_rules_variables_and_its_own(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    chain = StartChain(name="alert", to="$(sms.from)", variables={"what": "News: $(sms.words)"})
    await act(world, Action(chain=chain))
    assert world.texts == [f"News: hi there for {CUSTOMER}"]


async def test_a_flow_a_notification_and_consent(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    await act(world, Action(flow="hold"), Action(notify="https://x.example/"), Action(opt="out"))
    assert len(world.runs) == 1
    [(url, body)] = world.notifier.owed
    assert (url, body["text"], body["transid"]) == ("https://x.example/", "Hi there", "ref")
    [consent] = await world.store.opted_out()
    assert (consent.address, consent.reason) == (CUSTOMER, "the rule callback on sms.received")


async def test_an_action_that_cannot_be_done_does_not_stop_the_next(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    await act(
        world,
        Action(send=Send(to="nobody at all", text="x")),
        Action(send=Send(to="$(unheard.of)", text="x")),
        Action(reply="$(unheard.of)"),
        Action(flow="missing"),
        Action(chain=StartChain(name="missing", to=CUSTOMER)),
        Action(chain=StartChain(name="alert", to=CUSTOMER)),  # its text names `what`
        Action(reply="Still here"),
    )
    assert world.texts == ["Still here"]
    reasons = [event["reason"] for event in await world.events("ref", "action.failed")]
    assert len(reasons) == 6


async def test_a_keyword_starts_its_chain_for_the_customer(open_world: Any) -> None:
    world = await open_world(shop=SHOP.replace("$(what) for ", ""))
    unit = Unit()
    world.actions.keyword(unit, Keyword(chain="alert"), subject())
    await unit.commit(world.store)
    assert world.texts == [CUSTOMER]


async def test_a_reply_that_is_exempt_reaches_one_who_opted_out(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    await act(world, Action(opt="out"))
    unit = Unit()
    world.actions.reply(unit, "not to you", subject())
    world.actions.reply(unit, "to you", subject(), consent_exempt=True)
    await unit.commit(world.store)
    assert world.texts == ["to you"]
