"""Flows with the nodes about words, from a carrier's PDU to what goes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.content.otp import Codes
from tests.inbound.conftest import CUSTOMER, World

LOGIN = """
name = "Login"
assets = ["12345"]
[otp]
cooldown = "10s"
[keywords.LOGIN]
flow = "login"
[flows.login]
start = "code"
[flows.login.nodes.code]
type = "otp-generate"
on = { success = "send", refused = "wait", error = "end:102" }
[flows.login.nodes.send]
type = "send-sms"
text = "$(code.code) is your code, good for $(code.minutes) minutes."
on = { success = "answer", error = "end:102" }
[flows.login.nodes.wait]
type = "send-sms"
text = "Please wait $(code.wait) seconds."
on = { success = "answer", error = "end:102" }
[flows.login.nodes.answer]
type = "receive"
timeout = "4m"
on = { message = "check", timeout = "end:103" }
[flows.login.nodes.check]
type = "otp-validate"
code = "$(answer.text)"
on = { success = "in", invalid = "wrong", resend = "code", max-attempts = "end:104", error = "end:102" }
[flows.login.nodes.wrong]
type = "send-sms"
text = "That is not it, $(check.left) tries left."
on = { success = "answer", error = "end:102" }
[flows.login.nodes.in]
type = "send-sms"
text = "You are in."
on = { success = "end", error = "end:102" }
"""
LOGIN = LOGIN.replace("nodes.in]", "nodes.done]").replace('success = "in"', 'success = "done"')

WORDS = """
name = "Words"
assets = ["12345"]
secrets.records = "a secret of the service"
[links.offer]
other = "https://example.org/offer"
[nlp]
zone = "Europe/London"
[nlp.intents.track]
examples = ["where is my parcel"]
[keywords.BOOK]
flow = "book"
[keywords.SEAL]
flow = "seal"
[flows.book]
start = "ask"
[flows.book.nodes.ask]
type = "receive"
timeout = "1h"
on = { message = "clean", timeout = "end:103" }
[flows.book.nodes.clean]
type = "profanity"
on = { clean = "mood", profane = "end:105", error = "end:102" }
[flows.book.nodes.mood]
type = "sentiment"
on = { positive = "when", neutral = "when", negative = "end:106", error = "end:102" }
[flows.book.nodes.when]
type = "nlp"
find = "time"
save = "at"
on = { success = "link", no-match = "end:107", error = "end:102" }
[flows.book.nodes.link]
type = "smart-link"
link = "offer"
on = { success = "say", error = "end:102" }
[flows.book.nodes.say]
type = "send-sms"
text = "Booked for $(at) ($(nlp.intent)): $(link.url)"
on = { success = "end", error = "end:102" }
[flows.seal]
start = "hash"
[flows.seal.nodes.hash]
type = "hash"
text = "$(sms.rest)"
secret = "records"
on = { success = "shut", error = "end:102" }
[flows.seal.nodes.shut]
type = "encrypt"
text = "$(sms.rest)"
secret = "records"
context = "$(sms.from)"
on = { success = "open", error = "end:102" }
[flows.seal.nodes.open]
type = "decrypt"
text = "$(shut.result)"
secret = "records"
context = "$(sms.from)"
on = { success = "say", error = "end:102" }
[flows.seal.nodes.say]
type = "send-sms"
text = "$(open.result) $(hash.result)"
on = { success = "end", error = "end:102" }
"""
WORDS = WORDS.replace("nodes.link]", "nodes.url]").replace('success = "link"', 'success = "url"')
WORDS = WORDS.replace("$(link.url)", "$(url.url)")

Open = Callable[..., Awaitable[World]]


def said(message: Any) -> str:
    """The text as it goes on air."""
    step = message.plan[0]
    return Codes(b"key").reveal(step.text, step.code, message.service, message.recipient)


@pytest.fixture
async def login(open_world: Open) -> World:
    return await open_world(login=LOGIN)


async def result(world: World) -> int:
    [message, *_] = await world.messages(direction="mo")
    [started] = await world.events(message.id, "session.started")
    run = await world.store.run(started["run"])
    assert run is not None
    return run.result


async def test_a_code_that_is_entered_lets_the_customer_in(login: World, mo: Any) -> None:
    await login.deliver(*mo("login"))
    assert login.texts == ["****** is your code, good for 5 minutes."]
    code = said(login.sms.sent[0]).split()[0]
    await login.outcome(login.sms.sent[0], "accepted")
    await login.deliver(*mo(f"it is {code}, thanks"))
    assert login.texts[-1] == "You are in."


async def test_a_wrong_one_may_be_tried_again_but_not_for_ever(login: World, mo: Any) -> None:
    await login.deliver(*mo("login"))
    await login.outcome(login.sms.sent[0], "accepted")
    for left in (4, 3, 2, 1):
        await login.deliver(*mo("000000000"))
        assert login.texts[-1] == f"That is not it, {left} tries left."
        await login.outcome(login.sms.sent[-1], "accepted")
    await login.deliver(*mo("000000000"))
    assert await result(login) == 104


async def test_it_is_sent_again_when_the_customer_asks_for_it_later(login: World, mo: Any) -> None:
    await login.deliver(*mo("login"))
    await login.outcome(login.sms.sent[0], "accepted")
    await login.deliver(*mo("Resend"))
    assert login.texts[-1] == "Please wait 10 seconds."
    await login.outcome(login.sms.sent[-1], "accepted")
    login.clock.forward(10)
    await login.deliver(*mo("resend"))
    assert said(login.sms.sent[-1]) == said(login.sms.sent[0])


async def test_no_record_of_a_session_has_the_code_in_it(login: World, mo: Any) -> None:
    await login.deliver(*mo("login"))
    code = said(login.sms.sent[0]).split()[0]
    [message] = await login.messages(direction="mo")
    [started] = await login.events(message.id, "session.started")
    run = await login.store.run(started["run"])
    assert run is not None
    events = login.journal.unpacked(await login.store.events(run.id), run.seal)
    sent = await login.messages(direction="mt")
    assert code not in f"{events}{run}{sent}"


async def test_a_code_goes_to_nobody_else(open_world: Open, mo: Any) -> None:
    astray = LOGIN.replace('text = "$(code.code) is', 'to = "+447700900999"\ntext = "$(code.code) is')
    world = await open_world(login=astray)
    await world.deliver(*mo("login"))
    [sent] = world.sms.sent
    assert sent.recipient == "+447700900999"
    otp = world.otps.get("login", sent.plan[0].code.otp)
    assert otp is not None and otp.address == CUSTOMER
    assert Codes(b"key").of(otp) not in said(sent)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("tomorrow at 5pm please", "Booked for 17:00 (): https://s.example.org/l/"),
        ("where is my parcel, at 9:30?", "Booked for 09:30 (track): https://s.example.org/l/"),
        ("shit", 105),
        ("the worst service ever", 106),
        ("I do not know", 107),
    ],
)
async def test_texts_are_read_by_the_service(
    open_world: Open, mo: Any, text: str, outcome: str | int
) -> None:
    world = await open_world(words=WORDS)
    await world.deliver(*mo("book"), *mo(text))
    if isinstance(outcome, int):
        assert await result(world) == outcome and world.texts == []
    else:
        assert world.texts[0].startswith(outcome)


async def test_what_is_sealed_opens_again_and_a_hash_has_the_secrets_key(open_world: Open, mo: Any) -> None:
    world = await open_world(words=WORDS)
    await world.deliver(*mo("seal Some words"))
    opened, _, digest = world.texts[0].rpartition(" ")
    assert opened == "Some words" and len(digest) == 64
    [message] = await world.messages(direction="mo")
    [started] = await world.events(message.id, "session.started")
    run = await world.store.run(started["run"])
    assert run is not None and "a secret of the service" not in str(run)


async def test_a_service_whose_flows_alone_read_texts(open_world: Open, mo: Any) -> None:
    plain = WORDS.replace("[nlp]\n", "").replace('zone = "Europe/London"\n', "")
    plain = plain.replace('[nlp.intents.track]\nexamples = ["where is my parcel"]\n', "")
    plain = plain.replace(" ($(nlp.intent))", "")
    world = await open_world(words=plain)
    await world.deliver(*mo("book"), *mo("at 7pm, thanks"))
    assert world.texts[0].startswith("Booked for 19:00")
    [message, _] = await world.messages(direction="mo")
    assert await world.events(message.id, "nlp") == []
