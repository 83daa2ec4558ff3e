from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Api

HELLO = {"to": "+447700900123", "text": "Hello"}


async def test_health_needs_no_key(api: Api) -> None:
    assert await api.get("/healthz", key="") == (200, {"status": "ok"})


async def test_trouble_makes_it_unhealthy_and_unready(api: Api) -> None:
    api.faults = ["the store cannot write: disk full"]
    assert await api.get("/healthz", key="") == (503, {"status": "failing", "reasons": api.faults})
    status, body = await api.get("/readyz", key="")
    assert (status, body["status"], body["reasons"]) == (503, "failing", api.faults)


async def test_ready_shows_binds_and_trunks(api: Api) -> None:
    status, body = await api.get("/readyz", key="")
    assert (status, body["status"]) == (200, "ready")
    assert body["binds"] == [{"name": "north", "up": True, "reason": "", "queued": 1, "outstanding": 2}]
    assert [(trunk["name"], trunk["up"], trunk["reason"]) for trunk in body["trunks"]] == [
        ("east", False, "no answer")
    ]


async def test_stopping_is_alive_but_not_ready(api: Api) -> None:
    api.stopping = True
    assert (await api.get("/healthz", key=""))[0] == 200
    status, body = await api.get("/readyz", key="")
    assert (status, body["status"]) == (503, "stopping")


async def test_metrics_count_what_the_api_has_done(api: Api) -> None:
    await api.post("/v2/messages", HELLO)
    await api.post("/v2/messages/batch", {"messages": [HELLO, HELLO, {}]})
    await api.post("/v2/messages", {})
    await api.get("/v2/messages/0193")
    await api.get("/wp-admin.php")
    async with api.session.request("PATCH", "/coffee") as response:
        assert response.status == 404
    async with api.session.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = (await response.text()).splitlines()
    assert 'trunkline_messages_accepted_total{by="http",service="alerts"} 3.0' in lines
    counted = {line for line in lines if line.startswith("trunkline_http_requests_total{")}
    assert counted == {
        'trunkline_http_requests_total{method="POST",route="/v2/messages",status="202"} 1.0',
        'trunkline_http_requests_total{method="POST",route="/v2/messages",status="400"} 1.0',
        'trunkline_http_requests_total{method="POST",route="/v2/messages/batch",status="202"} 1.0',
        'trunkline_http_requests_total{method="GET",route="/v2/messages/{id}",status="404"} 1.0',
        'trunkline_http_requests_total{method="other",route="none",status="404"} 2.0',
    }
