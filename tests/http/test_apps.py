"""The app channel from outside: tokens, and an app (aiohttp's client) on its WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from gateway.channels.app import Close
from gateway.config.model import App, Seconds
from gateway.http import apps
from gateway.values.outcome import Status

Api = Any
BOB, ANN = "+447700900001", "+447700900002"


async def token(api: Api, customer: str = BOB) -> str:
    status, body, _ = await api.post("/v2/apps/shop/devices", {"customer": customer}, key="pizza-key")
    assert (status, body["app"], body["customer"]) == (201, "shop", customer)
    return str(body["token"])


async def connect(api: Api, token: str) -> aiohttp.ClientWebSocketResponse:
    shown = {"Authorization": f"Bearer {token}"}
    return await api.reading.ws_connect("/v2/app", headers=shown)  # type: ignore[no-any-return]


async def send(api: Api, **fields: Any) -> str:
    body = {"to": BOB, "channel": "app", "text": "Hello"} | fields
    status, answer, _ = await api.post("/v2/messages", body, key="pizza-key")
    assert status == 202, answer
    return str(answer["id"])


async def came_to(api: Api, id: str, status: Status) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            _, story = await api.get(f"/v2/messages/{id}", key="pizza-key")
            if story["status"] == status:
                return dict(story)
            await asyncio.sleep(0.005)


async def nobody_is_connected(api: Api) -> None:
    async with asyncio.timeout(30):
        while api.apps.connected:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_message_is_shown_delivered_and_read(api: Api) -> None:
    socket = await connect(api, await token(api))
    id = await send(api, until="read")
    frame = await socket.receive_json(timeout=30)
    assert {name: frame[name] for name in ("type", "id", "from", "text")} == {
        "type": "message",
        "id": f"{id}/0",
        "from": "shop",
        "text": "Hello",
    }
    await socket.send_json({"type": "delivered", "id": frame["id"]})
    await came_to(api, id, Status.SENT)
    await socket.send_json({"type": "read", "id": frame["id"]})
    story = await came_to(api, id, Status.READ)
    assert (story["final"], story["steps"][0]["state"]) == (True, "succeeded")
    await socket.close()


async def test_read_is_told_after_delivered_was_enough(api: Api) -> None:
    socket = await connect(api, await token(api))
    id = await send(api, until="delivered")
    frame = await socket.receive_json(timeout=30)
    await socket.send_json({"type": "delivered", "id": frame["id"]})
    await came_to(api, id, Status.DELIVERED)
    await socket.send_json({"type": "read", "id": frame["id"]})
    await came_to(api, id, Status.READ)
    await socket.close()


async def test_who_has_no_app_gets_nothing_and_the_sender_is_told(api: Api) -> None:
    no_app = await came_to(api, await send(api), Status.FAILED)
    assert "no installation of the app shop" in no_app["reason"]


async def test_what_comes_for_one_who_is_away_waits_and_is_given_in_order_when_it_connects(api: Api) -> None:
    shown = await token(api)
    ids = [await send(api, text=f"{n}") for n in range(5)]
    story = await came_to(api, ids[0], Status.QUEUED)
    assert story["steps"][0]["reason"] == "no installation of the app shop is connected"
    socket = await connect(api, shown)
    frames = [await socket.receive_json(timeout=30) for _ in ids]
    assert [(frame["id"], frame["text"]) for frame in frames] == [
        (f"{id}/0", f"{n}") for n, id in enumerate(ids)
    ]
    for id in ids:
        await came_to(api, id, Status.SENT)
    last = await send(api, text="last")
    assert (await socket.receive_json(timeout=30))["id"] == f"{last}/0"
    await socket.close()


async def test_what_an_app_has_not_said_that_it_has_comes_again_before_what_is_new(api: Api) -> None:
    shown = await token(api)
    socket = await connect(api, shown)
    first, second = await send(api, text="1"), await send(api, text="2")
    frames = [await socket.receive_json(timeout=30) for _ in range(2)]
    await socket.send_json({"type": "delivered", "id": frames[0]["id"]})
    await came_to(api, first, Status.DELIVERED)
    await socket.close()
    await nobody_is_connected(api)
    third = await send(api, text="3")
    socket = await connect(api, shown)
    again = [await socket.receive_json(timeout=30) for _ in range(2)]
    assert [frame["id"] for frame in again] == [f"{second}/0", f"{third}/0"]
    assert again[0] == frames[1]
    await socket.close()


async def test_more_than_an_app_takes_at_once_is_held_back_and_comes_in_order(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps, "_WAITING", 3)
    monkeypatch.setattr(apps, "_BURST", 3.0)
    shown = await token(api)
    ids = [await send(api, text=f"{n}") for n in range(20)]
    socket = await connect(api, shown)
    for _ in range(2):  # the second time all of them again
        frames = [await socket.receive_json(timeout=30) for _ in ids]
        assert [frame["id"] for frame in frames] == [f"{id}/0" for id in ids]
        for id in ids:
            await came_to(api, id, Status.SENT)
        await socket.close()
        socket = await connect(api, shown)
    for frame in [await socket.receive_json(timeout=30) for _ in ids]:
        await socket.send_json({"type": "delivered", "id": frame["id"]})  # no flood: it was given as many
    for id in ids:
        await came_to(api, id, Status.DELIVERED)
    await socket.close()


async def test_an_installation_is_connected_once(api: Api) -> None:
    shown = await token(api)
    old, new = await connect(api, shown), await connect(api, shown)
    assert (await old.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
    assert old.close_code == Close.REPLACED
    await send(api)
    assert (await new.receive_json(timeout=30))["text"] == "Hello"
    await new.close()


async def test_while_the_store_fails_an_app_is_asked_to_come_again(api: Api) -> None:
    shown = await token(api)
    api.store.full = True
    socket = await connect(api, shown)
    assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == Close.STORE
    api.store.full = False


async def test_the_app_of_a_suspended_service_is_closed_and_comes_in_vain(api: Api) -> None:
    shown = await token(api)
    socket = await connect(api, shown)
    api.services["pizza"] = replace(api.services["pizza"], status="suspended")
    api.apps.dismiss()
    assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == Close.SUSPENDED
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await connect(api, shown)
    assert refused.value.status == 403
    status, body, _ = await api.post("/v2/apps/shop/devices", {"customer": BOB}, key="pizza-key")
    assert (status, body["code"]) == (403, "suspended")
    api.services["pizza"] = replace(api.services["pizza"], status="live", apps={})
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await connect(api, shown)
    assert refused.value.status == 404


async def test_a_connection_ends_with_its_token(api: Api) -> None:
    api.services["pizza"] = replace(api.services["pizza"], apps={"shop": App(token_valid=Seconds(0.5))})
    socket = await connect(api, await token(api))
    assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == Close.TOKEN


async def test_a_customer_s_text_is_accepted_once_it_is_durable(api: Api) -> None:
    socket = await connect(api, await token(api))
    await socket.send_json({"type": "text", "text": "When do you open?", "ref": "r1"})
    answer = await socket.receive_json(timeout=30)
    assert (answer["type"], answer["ref"]) == ("accepted", "r1")
    stored = await api.store.message(answer["id"])
    assert (stored.sender, stored.recipient, stored.text, stored.direction) == (
        BOB,
        "shop",
        "When do you open?",
        "mo",
    )
    await socket.close()


async def test_a_text_is_refused_while_the_store_fails(api: Api) -> None:
    socket = await connect(api, await token(api))
    api.store.full = True
    await socket.send_json({"type": "text", "text": "Hi", "ref": "r1"})
    answer = await socket.receive_json(timeout=30)
    assert (answer["type"], answer["ref"], answer["code"]) == ("refused", "r1", "store")
    api.store.full = False
    await socket.send_json({"type": "text", "text": " ", "ref": "r2"})
    answer = await socket.receive_json(timeout=30)
    assert (answer["type"], answer["code"]) == ("refused", "empty")
    await socket.close()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("no json", "bad_frame"),
        ('{"type": "paint"}', "bad_frame"),
        ('{"type": "read", "id": "nothing"}', "unknown_id"),
        ('{"type": "read", "id": "m1/99999"}', "unknown_id"),
        ('{"type": "delivered", "id": "019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55/0"}', "unknown_id"),
    ],
)
async def test_a_frame_that_makes_no_sense_is_refused_and_the_next_one_taken(
    api: Api, sent: str, code: str
) -> None:
    socket = await connect(api, await token(api))
    await socket.send_str(sent)
    answer = await socket.receive_json(timeout=30)
    assert (answer["type"], answer["code"]) == ("refused", code) and answer["reason"]
    await socket.send_json({"type": "text", "text": "Hi"})
    assert (await socket.receive_json(timeout=30))["type"] == "accepted"
    await socket.close()


async def test_nobody_reads_another_s_message(api: Api) -> None:
    bob, ann = await connect(api, await token(api)), await connect(api, await token(api, ANN))
    id = await send(api)
    frame = await bob.receive_json(timeout=30)
    await ann.send_json({"type": "read", "id": frame["id"]})
    assert (await ann.receive_json(timeout=30))["code"] == "unknown_id"
    await came_to(api, id, Status.SENT)
    await bob.close()
    await ann.close()


async def test_octets_and_floods_end_the_connection(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = await connect(api, await token(api))
    await socket.send_bytes(b"\0\1")
    assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == aiohttp.WSCloseCode.UNSUPPORTED_DATA
    monkeypatch.setattr(apps, "_BURST", 3.0)
    flood = await connect(api, await token(api))
    for _ in range(10):
        await flood.send_str("x")
    kinds = [(await flood.receive(timeout=30)).type for _ in range(4)]
    assert aiohttp.WSMsgType.CLOSE in kinds
    assert flood.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION


async def test_a_browser_shows_its_token_as_a_subprotocol(api: Api) -> None:
    socket = await api.reading.ws_connect("/v2/app", protocols=("trunkline", await token(api)))
    assert socket.protocol == "trunkline"
    await socket.close()


async def test_without_a_token_nobody_connects(api: Api) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await api.reading.ws_connect("/v2/app", headers=headers)
        assert refused.value.status == 401 and refused.value.headers is not None
        assert refused.value.headers["WWW-Authenticate"] == "Bearer"
    async with api.reading.get("/v2/app", headers={"Authorization": f"Bearer {await token(api)}"}) as plain:
        assert plain.status == 426


async def test_a_token_that_is_taken_back_closes_the_connection(api: Api) -> None:
    socket = await connect(api, await token(api))
    async with api.reading.delete(
        "/v2/apps/shop/devices", params={"customer": BOB}, headers={"key": "pizza-key"}
    ) as answer:
        assert (answer.status, await answer.json()) == (200, {"customer": BOB, "revoked": 1})
    assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == Close.TOKEN


async def test_a_token_is_for_an_app_and_a_customer_of_the_service(api: Api) -> None:
    status, body, _ = await api.post("/v2/apps/nope/devices", {"customer": BOB}, key="pizza-key")
    assert (status, body["code"]) == (404, "unknown_app")
    status, body, _ = await api.post("/v2/apps/shop/devices", {"customer": BOB})
    assert (status, body["code"]) == (404, "unknown_app")
    status, body, _ = await api.post("/v2/apps/shop/devices", {"customer": "Bob"}, key="pizza-key")
    assert (status, body["field"]) == (400, "customer")


async def test_a_one_time_password_is_shown_by_the_app(api: Api) -> None:
    socket = await connect(api, await token(api))
    _, sent, _ = await api.post("/v2/otp", {"to": BOB, "channel": "app", "text": "$(code)!"}, key="pizza-key")
    code = (await socket.receive_json(timeout=5))["text"].rstrip("!")
    stored = await api.store.message(sent["transid"])
    assert stored.text == "******!" and len(code) == 6
    _, checked, _ = await api.post(f"/v2/otp/{sent['id']}/check", {"code": code}, key="pizza-key")
    assert checked["outcome"] == "success"
    await socket.close()
