from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.store.base import Unit

if TYPE_CHECKING:
    from tests.http.conftest import Api

BOB = "/v2/customers/+447700900001"


async def ask(api: Api, method: str, path: str, body: Any = None, key: str = "alerts-key") -> Any:
    async with api.reading.request(method, path, json=body, headers={"key": key}) as response:
        return response.status, await response.json()


async def test_nothing_is_known_of_a_stranger_who_may_be_sent_to(api: Api) -> None:
    status, body = await ask(api, "GET", BOB)
    assert (status, body["address"], body["attributes"]) == (200, "+447700900001", {})
    assert body["consent"] == {"sms": "in", "voice": "in", "app": "in"}


async def test_a_profile_is_made_changed_and_forgotten(api: Api) -> None:
    _, body = await ask(api, "PUT", BOB, {"attributes": {"tier": "gold", "n": 1}, "customerid": "7"})
    assert (body["attributes"], body["customerid"]) == ({"tier": "gold", "n": 1}, "7")
    _, body = await ask(api, "PATCH", BOB, {"attributes": {"tier": None}})
    assert (body["attributes"], body["customerid"]) == ({"n": 1}, "7")
    assert (await ask(api, "GET", BOB, key="off-key"))[1]["attributes"] == {}
    assert (await ask(api, "DELETE", BOB))[1]["erased"] is True
    assert (await ask(api, "GET", BOB))[1]["attributes"] == {}


async def test_who_is_erased_leaves_no_offences_no_tokens_and_no_links_of_theirs(api: Api) -> None:
    """Only the profile went: links went on saying whose they were, offences went on being counted."""
    address = "+447700900001"
    unit = Unit()
    url = api.links.make(unit, "pizza", "offer", address, "m1")
    api.offences.note(unit, "pizza", address, 3, 1.0)
    await unit.commit(api.deps.store)
    token = url.rpartition("/")[2]
    before = await api.links.find(token)
    assert before is not None
    api.links.open(before, "ios", by_program=False)
    assert (await ask(api, "DELETE", BOB, key="pizza-key"))[1]["erased"] is True
    api.links._opened.clear()  # as the store has it
    link = await api.links.find(token)
    assert link is not None
    assert (link.address, link.ref, link.clicks) == ("", "", 1)
    assert link.ios == before.ios  # it leads on
    assert await api.deps.store.offences("pizza") == []
    assert (await ask(api, "DELETE", BOB, key="pizza-key"))[1]["erased"] is False


async def test_consent_is_set_read_and_kept_with_its_history(api: Api) -> None:
    _, body = await ask(api, "PUT", f"{BOB}/consent", {"consent": "out", "channel": "voice", "reason": "x"})
    assert body["consent"] == {"sms": "in", "voice": "out", "app": "in"}
    _, body = await ask(api, "PUT", f"{BOB}/consent", {"consent": "out"})
    assert set(body["consent"].values()) == {"out"}
    _, body = await ask(api, "PUT", f"{BOB}/consent", {"consent": "in"})
    assert set(body["consent"].values()) == {"in"}
    assert [(h["channel"], h["consent"], h["by"]) for h in body["history"]] == [
        ("all", "in", "api"),
        ("all", "out", "api"),
        ("voice", "out", "api"),
    ]
    assert body["history"][2]["reason"] == "x"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("GET", "/v2/customers/12", None, 404, "address"),
        ("PUT", BOB, {"attributes": {"address": "x"}}, 400, "attributes.address"),
        ("PUT", f"{BOB}/consent", {"consent": "maybe"}, 400, "consent"),
        ("PUT", f"{BOB}/consent", {}, 400, "consent"),
    ],
)
async def test_what_is_wrong_is_named(
    api: Api, method: str, path: str, body: Any, status: int, field: str
) -> None:
    told, problem = await ask(api, method, path, body)
    assert (told, problem["field"]) == (status, field)
