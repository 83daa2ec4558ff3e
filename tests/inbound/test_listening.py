from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.config.model import Service
from gateway.inbound.listening import Listening
from tests.inbound.conftest import CUSTOMER, FakeClock, World

SERVICE = """
name = "Parcels"
assets = ["12345"]
default = { reply = "Sorry?" }
[notify]
inbound = "http://127.0.0.1:9/mo"
[keywords.ORDER]
reply = "Got $(sms.rest)"
[nlp]
zone = "Europe/London"
[nlp.intents.track]
examples = ["where is my parcel", "track my order"]
[rules.track]
on = "sms.received"
when = 'nlp.intent == "track" && nlp.sentiment != "negative"'
do = [{ reply = "On its way ($(nlp.intent), $(nlp.confidence))" }]
[rules.mute]
on = "sms.received"
when = "nlp.offences >= 2"
do = [{ opt = "out" }]
priority = -1
"""

Open = Callable[..., Awaitable[World]]
Say = Callable[..., Awaitable[list[str]]]


@pytest.fixture
async def world(open_world: Open) -> World:
    return await open_world(parcels=SERVICE)


@pytest.fixture
def say(mo: Any) -> Say:
    """Text it, and see all that has been answered."""

    async def said(world: World, *texts: str) -> list[str]:
        for text in texts:
            await world.deliver(*mo(text))
        return world.texts

    return said


async def test_an_intent_reaches_rules_and_texts(world: World, say: Say) -> None:
    [answer] = await say(world, "where's my parcel?")
    assert answer.startswith("On its way (track, 0.")
    [message] = await world.messages(direction="mo")
    [read] = await world.events(message.id, "nlp")
    assert (read["intent"], read["language"]) == ("track", "en")
    assert "text" not in read


async def test_keywords_come_first_and_defaults_last(world: World, say: Say) -> None:
    assert await say(world, "order my parcel", "hello there") == ["Got my parcel", "Sorry?"]


async def test_offences_are_counted_and_survive_a_restart(world: World, say: Say) -> None:
    await say(world, "you shit")
    await world.restart()
    await say(world, "shit again")
    [offence] = await world.store.offences("parcels")
    assert (offence.address, offence.count) == (CUSTOMER, 2)
    assert world.consents.refusal("parcels", CUSTOMER)


async def test_masked_words_reach_nobody(open_world: Open, say: Say) -> None:
    world = await open_world(parcels=SERVICE + '[nlp.profanity]\naction = "mask"\n')
    assert await say(world, "order two shit pizzas") == ["Got two **** pizzas"]
    [stored] = await world.messages(direction="mo")
    assert stored.text == "order two **** pizzas"
    assert world.notifier.to("http://127.0.0.1:9/mo")[0]["text"] == "order two **** pizzas"


async def test_a_rejected_text_is_answered_by_nothing_but_the_reply(open_world: Open, say: Say) -> None:
    rejecting = SERVICE + '[nlp.profanity]\naction = "reject"\nreply = "Please stay friendly."\n'
    world = await open_world(parcels=rejecting)
    assert await say(world, "order two shit pizzas") == ["Please stay friendly."]
    assert world.notifier.to("http://127.0.0.1:9/mo") == []
    [stored] = await world.messages(direction="mo")
    assert (stored.status, stored.reason) == ("handled", "its words offend")


async def test_stop_counts_whatever_its_words(open_world: Open, say: Say) -> None:
    rejecting = SERVICE + '[nlp.profanity]\naction = "reject"\nwords = ["stop"]\n'
    world = await open_world(parcels=rejecting)
    await say(world, "STOP")
    assert world.consents.refusal("parcels", CUSTOMER)


async def test_services_without_nlp_cost_nothing() -> None:
    listening = Listening(FakeClock())
    services = {"pizza": Service(name="Pizza")}
    listening.configure(services, listening.readers(services))
    assert listening.hear(("pizza",), CUSTOMER, "where is my parcel", 0.0) == {}
    assert listening.reader("pizza") is None


async def test_a_reader_is_kept_as_long_as_its_service_stays_the_same(world: World) -> None:
    before = world.listening.reader("parcels")
    assert world.listening.readers(world.services)["parcels"] is before
    changed = {"parcels": Service(name="Parcels", nlp=world.services["parcels"].nlp, country="DE")}
    assert world.listening.readers(changed)["parcels"] is not before
