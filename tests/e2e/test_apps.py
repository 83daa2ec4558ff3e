"""A client's app from outside: its WebSocket by aiohttp's client, a daemon that is killed, and chains."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.peers.processes import KEY, Daemon, Simulator, until

pytestmark = pytest.mark.e2e

BOB = "+447700900001"
BIND = """
[smpp.binds.north]
host = "127.0.0.1"
port = {smsc}
system_id = "gw"
addresses = ["12345"]
"""
SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345"]
[apps.shop]
[keywords.HOURS]
reply = "From 11 to 23."
[[chains.next.steps]]
channel = "app"
text = "$(what)"
[[chains.next.steps]]
channel = "sms"
text = "$(what) by SMS"
[[chains.wait.steps]]
channel = "app"
text = "$(what)"
away = "wait"
within = "1s"
until = "delivered"
[[chains.wait.steps]]
channel = "sms"
text = "$(what) by SMS"
"""


@pytest.fixture
def north() -> Iterator[Simulator]:
    with Simulator("smsc", "--name=north", "--listen=127.0.0.1:0") as smsc:
        yield smsc


@pytest.fixture
def daemon(tmp_path: Path, north: Simulator) -> Iterator[Daemon]:
    with Daemon(tmp_path / "site", BIND.format(smsc=north.port), {"shop": SHOP}) as daemon:
        until(lambda: north.heard("bound"), "the gateway is bound")
        yield daemon


def token(daemon: Daemon) -> str:
    status, answer = daemon.request("POST", "/v2/apps/shop/devices", {"customer": BOB})
    assert status == 201, answer
    return str(answer["token"])


class Phone:
    """An app that is connected once at a time, and knows by its id what it has shown."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon, self.token = daemon, token(daemon)
        self.shown: dict[str, str] = {}

    async def connected(self, messages: int, *, answer: bool = True) -> None:
        """Connect, take so many frames, and hang up."""
        url = f"http://127.0.0.1:{self.daemon.http_port}/v2/app"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as socket:
            for _ in range(messages):
                frame = await socket.receive_json(timeout=20)
                self.shown.setdefault(frame["id"], frame["text"])
                if answer:
                    await socket.send_json({"type": "delivered", "id": frame["id"]})

    def meets(self, messages: int, **how: Any) -> None:
        asyncio.run(self.connected(messages, **how))

    async def writes(self, *texts: str) -> list[Any]:
        """What is said while these are written; of the last only that it was accepted."""
        url = f"http://127.0.0.1:{self.daemon.http_port}/v2/app"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as socket:
            heard = []
            for number, text in enumerate(texts, 1):
                await socket.send_json({"type": "text", "text": text})
                for _ in range(1 if number == len(texts) else 2):
                    heard.append(await socket.receive_json(timeout=20))
            return heard

    async def hears_nothing(self, seconds: float) -> None:
        url = f"http://127.0.0.1:{self.daemon.http_port}/v2/app"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as socket:
            with pytest.raises(TimeoutError):
                await socket.receive(timeout=seconds)


def test_what_waits_for_an_app_survives_kill_9_and_is_shown_once_and_in_order(daemon: Daemon) -> None:
    phone = Phone(daemon)
    ids = [daemon.send(to=BOB, channel="app", text=f"{n}") for n in range(12)]
    daemon.kill9()
    daemon.start()
    ids += [daemon.send(to=BOB, channel="app", text=f"{n}") for n in range(12, 16)]
    phone.meets(5)
    daemon.reaches(ids[4], "delivered")
    phone.meets(3, answer=False)  # shown, and the network gone before it could say so
    assert list(phone.shown.values()) == [f"{n}" for n in range(8)]
    daemon.kill9()
    daemon.start()
    phone.meets(11)
    assert list(phone.shown.values()) == [f"{n}" for n in range(16)]
    assert list(phone.shown) == [f"{id}/0" for id in ids]
    for id in ids:
        daemon.reaches(id, "delivered")
    asyncio.run(phone.hears_nothing(0.5))


def test_what_is_worth_nothing_later_is_not_kept_for_later(daemon: Daemon) -> None:
    phone = Phone(daemon)
    late = daemon.send(to=BOB, channel="app", text="now or never", validity="1s")
    story = daemon.reaches(late, "expired")
    assert story["reason"] == "not accepted within 1 s"
    asyncio.run(phone.hears_nothing(0.5))


def test_a_chain_goes_on_from_an_app_that_is_away_at_once_or_after_a_while(
    daemon: Daemon, north: Simulator
) -> None:
    phone = Phone(daemon)
    at_once = daemon.send(to=BOB, chain="next", variables={"what": "Fire"})
    assert daemon.reaches(at_once, "delivered")["steps"][0]["result"] == "not-available"
    later = daemon.send(to=BOB, chain="wait", variables={"what": "Flood"})
    assert daemon.message(later)["steps"][0]["state"] == "trying"
    story = daemon.reaches(later, "delivered")
    assert [step["result"] for step in story["steps"]] == ["timeout", "delivered"]
    assert [text["text"] for text in north.heard("message")] == ["Fire by SMS", "Flood by SMS"]
    asyncio.run(phone.hears_nothing(0.5))


def test_a_keyword_and_stop_are_answered_in_the_app_after_they_were_accepted(daemon: Daemon) -> None:
    phone = Phone(daemon)
    heard = asyncio.run(phone.writes("hours", "Stop", "hours"))
    assert [frame["type"] for frame in heard] == ["accepted", "message", "accepted", "message", "accepted"]
    assert heard[1]["text"] == "From 11 to 23."
    assert heard[3]["text"].startswith("Shop: you will get no more messages from us.")
    refused = daemon.reaches(daemon.send(to=BOB, channel="app", text="Hello"), "failed")
    assert refused["reason"] == "the customer has opted out (texted Stop to shop)"
