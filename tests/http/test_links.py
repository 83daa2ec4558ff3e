from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from gateway.http.links import Pace
from gateway.values.event import Event

if TYPE_CHECKING:
    from conftest import Api

TO = "+447700900123"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Safari/604.1"


async def token(api: Api, **body: str) -> str:
    status, found, _ = await api.post(
        "/v2/messages", {"to": TO, **(body or {"template": "offer"})}, key="pizza-key"
    )
    assert status == 202, found
    message = await api.store.message(found["id"])
    assert message is not None and "https://s.example.org/l/" in message.text
    return message.text.rpartition("/")[2]


async def look(
    api: Api, path: str, method: str = "GET", agent: str = IPHONE, **headers: str
) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{api.server.port}{path}"
        sent = {"User-Agent": agent, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with client.request(method, url, headers=sent, allow_redirects=False) as response:
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            return response.status, response.headers.get("Location", "")


@pytest.mark.parametrize("body", [{"template": "offer"}, {"text": "See $(link.offer)"}])
async def test_a_link_in_a_template_or_text_leads_on_by_device(api: Api, body: dict[str, str]) -> None:
    link = await token(api, **body)
    assert await look(api, f"/l/{link}") == (302, "https://example.org/ios")
    assert await look(api, f"/l/{link}", agent="Mozilla/5.0 (X11) Firefox/127.0") == (
        302,
        "https://example.org/offer",
    )
    assert api.clicks == [(TO, "ios"), (TO, "other")]


async def test_previews_lead_on_too_but_count_as_what_they_are(api: Api) -> None:
    link = await token(api)
    assert (await look(api, f"/l/{link}", agent="WhatsApp/2.23"))[0] == 302
    assert (await look(api, f"/l/{link}", method="HEAD"))[0] == 302
    assert api.clicks == []
    await look(api, f"/l/{link}")
    # groups take effect in their order: behind this one the clicks are durable
    await api.store.commit([Event(ref="x", type="x", service="pizza", at=0.0)])
    _, body = await api.get("/v2/links", key="pizza-key")
    assert body["links"] == [{"name": "offer", "sent": 1, "clicked": 1, "clicks": 1, "previews": 2}]
    assert (await api.get("/v2/links"))[1]["links"] == []


async def test_unknown_tokens(api: Api) -> None:
    assert await look(api, "/l/abcdefgh") == (404, "")
    assert await look(api, "/l/x") == (404, "")


async def test_who_guesses_tokens_is_slowed_down_and_others_are_not(api: Api) -> None:
    link = await token(api)
    statuses = [(await look(api, f"/l/{n:08d}", X_Forwarded_For="203.0.113.9"))[0] for n in range(8)]
    assert statuses[0] == 404 and statuses[-1] == 429
    assert (await look(api, f"/l/{link}", X_Forwarded_For="203.0.113.9"))[0] == 429
    assert (await look(api, f"/l/{link}", X_Forwarded_For="203.0.113.10"))[0] == 302


def test_a_pace_recovers_and_knows_only_so_many_addresses() -> None:
    pace = Pace()
    assert [pace.take("a", 0.0, 30.0) for _ in range(3)] == [True, True, False]
    assert pace.wait("a") == 2.2 and not pace.take("a", 1.9)
    assert pace.take("a", 2.2)
    for n in range(20_000):
        pace.take(str(n), 2.0)
    assert len(pace._left) <= 10_000


async def test_a_misspelt_link_in_a_text_is_refused_before_a_customer_reads_it(api: Api) -> None:
    body = {"to": "+447700900123", "text": "See $(link.offr)"}
    status, problem, _ = await api.post("/v2/messages", body, key="pizza-key")
    assert (status, problem["code"], problem["field"]) == (400, "unknown_link", "text")
    assert "'offr' (it has: offer)" in problem["reason"]
    status, _, _ = await api.post("/v2/messages", body, key="alerts-key")  # which has no links: it is text
    assert status == 202
