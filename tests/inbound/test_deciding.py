"""What texts that were written in an app come to, and what is kept of one-time passwords sent back."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.content.otp import Codes
from gateway.outbound.otp import Wanted
from gateway.store.base import Unit
from gateway.values.outcome import Result, Status
from tests.inbound.conftest import CUSTOMER, World

Open = Callable[..., Awaitable[World]]

PIZZA = """
name = "Pizza"
assets = ["12345"]
apps.shop = {}
notify.inbound = "https://example.org/mo"
[default]
reply = "Sorry?"
[keywords.HOURS]
reply = "From 11 to 23, $(app.rest)"
[keywords.MENU]
number = "shop"
reply = "The menu"
[keywords.ORDER]
flow = "order"
[keywords.WAIT]
flow = "wait"
[keywords.LOGIN]
flow = "login"
[rules.hello]
on = "app.received"
when = '"hello" in app.words'
do = [{ reply = "Hello in $(app.to)" }]
[flows.order]
start = "ask"
[flows.order.nodes.ask]
type = "send-app"
text = "Which size?"
on = { success = "size", error = "end:102" }
[flows.order.nodes.size]
type = "receive"
timeout = "10m"
on = { message = "say", timeout = "end:103" }
[flows.order.nodes.say]
type = "send-app"
text = "One $(app.text), $(size.text)"
on = { success = "end", error = "end:102" }
[flows.wait]
start = "wait"
[flows.wait.nodes.wait]
type = "receive"
await = ["app.received"]
timeout = "10m"
on = { "app.received" = "say", timeout = "end:103" }
[flows.wait.nodes.say]
type = "send-sms"
text = "In the app: $(app.text)"
on = { success = "end", error = "end:102" }
[flows.login]
start = "code"
[flows.login.nodes.code]
type = "otp-generate"
on = { success = "send", refused = "end:104", error = "end:102" }
[flows.login.nodes.send]
type = "send-app"
text = "Your code: $(code.code)"
on = { success = "answer", error = "end:102" }
[flows.login.nodes.answer]
type = "receive"
timeout = "4m"
on = { message = "check", timeout = "end:103" }
[flows.login.nodes.check]
type = "otp-validate"
code = "$(answer.text)"
on = { success = "welcome", invalid = "wrong", resend = "code", error = "end:102" }
[flows.login.nodes.wrong]
type = "send-app"
text = "$(answer.text) is wrong"
on = { success = "answer", error = "end:102" }
[flows.login.nodes.welcome]
type = "send-app"
text = "$(answer.text) is right"
on = { success = "end", error = "end:102" }
"""


@pytest.fixture
async def world(open_world: Open) -> World:
    return await open_world(pizza=PIZZA)


def shown(world: World) -> list[str]:
    return [message.text for message in world.app.sent]


async def taken(world: World) -> None:
    """The carrier has taken what was sent last, so that a session goes on."""
    await world.outcome(world.app.sent[-1], Result.ACCEPTED)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Hours today", "From 11 to 23, today"),
        ("menu", "The menu"),
        ("Hello!", "Hello in shop"),
        ("what?", "Sorry?"),
    ],
)
async def test_keywords_rules_and_defaults_answer_in_the_app(world: World, text: str, answer: str) -> None:
    id = await world.in_app(text)
    assert shown(world) == [answer] and world.texts == []
    assert (world.app.sent[0].sender, world.app.sent[0].recipient) == ("shop", CUSTOMER)
    [told] = world.notifier.to("https://example.org/mo")
    assert (told["type"], told["transid"], told["to"], told["text"]) == ("app.received", id, "shop", text)
    message = await world.store.message(id)
    assert message is not None and message.status is Status.HANDLED


async def test_a_keyword_of_the_app_is_none_of_the_numbers(world: World, mo: Any) -> None:
    await world.deliver(*mo("menu"))
    assert world.texts == ["Sorry?"] and shown(world) == []


async def test_stop_in_an_app_is_stop_and_is_answered_there(world: World) -> None:
    await world.in_app("Stop")
    assert shown(world) == ["Pizza: you will get no more messages from us. Text START to get them again."]
    assert "texted Stop to shop" in world.consents.refusal("pizza", CUSTOMER, "app")
    assert world.consents.refusal("pizza", CUSTOMER, "sms")
    await world.in_app("hours")
    assert len(shown(world)) == 1
    await world.in_app("start")
    assert not world.consents.refusal("pizza", CUSTOMER, "app") and len(shown(world)) == 2


async def test_a_session_that_began_in_an_app_goes_on_there(world: World, mo: Any) -> None:
    await world.in_app("order")
    await taken(world)
    await world.deliver(*mo("hours"))  # an SMS is not for it
    await world.in_app("large")
    assert shown(world) == ["Which size?", "One large, large"]


async def test_a_session_that_waits_for_the_app_is_told_wherever_it_began(world: World, mo: Any) -> None:
    await world.deliver(*mo("wait"))
    await world.in_app("hello")
    assert world.texts == ["In the app: hello"] and shown(world) == []


async def test_an_app_of_the_same_name_is_another_s(open_world: Open) -> None:
    other = PIZZA.replace('"Pizza"', '"Other"').replace("12345", "54321")
    world = await open_world(other=other, pizza=PIZZA)
    await world.in_app("order", service="pizza")
    await taken(world)
    await world.in_app("large", service="other")
    assert shown(world) == ["Which size?", "Sorry?"]
    assert [message.service for message in world.app.sent] == ["pizza", "other"]


async def test_what_failed_to_be_decided_is_decided_after_a_restart(world: World) -> None:
    actions, world.inbound.deciding._actions = world.inbound.deciding._actions, None  # type: ignore[assignment]
    id = await world.in_app("hours today")
    world.inbound.deciding._actions = actions
    message = await world.store.message(id)
    assert message is not None and message.status is Status.RECEIVED
    await world.inbound.take_up()
    await world.settled()
    assert shown(world) == ["From 11 to 23, today"]


def everything(path: Path) -> str:
    with sqlite3.connect(path) as database:
        return "\n".join(database.iterdump())


async def test_a_code_that_is_sent_back_is_kept_and_told_nowhere(world: World) -> None:
    await world.in_app("login")
    await taken(world)
    plan = world.app.sent[-1].plan[0]
    assert plan.code is not None
    code = Codes(b"key").code("pizza", CUSTOMER, plan.code)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    await world.in_app(wrong)
    await taken(world)
    id = await world.in_app(f"it is {code[:3]} {code[3:]}, thanks")
    assert shown(world)[-2:] == [f"{wrong} is wrong", "it is ******, thanks is right"]
    message = await world.store.message(id)
    assert message is not None and message.text == "it is ******, thanks"
    told = world.notifier.to("https://example.org/mo")
    assert [body["text"] for body in told] == ["login", "******", "it is ******, thanks"]
    dump = everything(world.store.path)
    assert code not in dump and code[:3] + " " + code[3:] not in dump and "******" in dump


async def test_a_rule_and_a_keyword_do_not_see_it_either(open_world: Open, mo: Any) -> None:
    world = await open_world(
        pizza=PIZZA
        + """
[keywords.CODE]
reply = "You said $(sms.rest) and $(sms.text)"
"""
    )
    otp = world.otps.issue(unit := Unit(), "pizza", Wanted(to=CUSTOMER)).otp
    await unit.commit(world.store)
    code = Codes(b"key").of(otp)
    await world.deliver(*mo(f"code {code}"))
    assert world.texts == ["You said ****** and code ******"]
    assert code not in everything(world.store.path)
    await world.deliver(*mo("code 12"), *mo("123456789"))
    assert world.texts[1:] == ["You said 12 and code 12", "Sorry?"]
