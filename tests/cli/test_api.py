import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.cli.api import Api, Refused, Unanswered, address, key_of
from gateway.config.model import Gateway, Http, Secret, Service


async def problem(request: web.Request) -> web.Response:
    return web.json_response({"code": "bad_address", "field": "to", "reason": "no number"}, status=400)


async def echo(request: web.Request) -> web.Response:
    body = await request.json() if request.can_read_body else None
    return web.json_response({"key": request.headers.get("key", ""), "body": body})


async def page(request: web.Request) -> web.Response:
    return web.Response(text="<html>It works!</html>")


async def breaking(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    await asyncio.sleep(0)
    return web.Response()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes([web.get("/problem", problem), web.get("/page", page), web.get("/breaks", breaking)])
    app.add_routes([web.get("/echo", echo), web.post("/echo", echo)])
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_the_key_goes_along(url: str) -> None:
    async with Api(url, "s3cret") as api:
        assert await api.fetch("/echo") == {"key": "s3cret", "body": None}
        assert await api.post("/echo", {"to": "ü"}) == {"key": "s3cret", "body": {"to": "ü"}}


async def test_a_problem_is_told_with_its_field_and_code(url: str) -> None:
    async with Api(url) as api:
        assert (await api.get("/problem"))[0] == 400
        with pytest.raises(Refused, match=r"^to: no number \(400 bad_address\)$"):
            await api.fetch("/problem")


async def test_something_else_that_answers_is_no_gateway(url: str) -> None:
    async with Api(url) as api:
        with pytest.raises(Unanswered, match=r"/page is no gateway \(status 200\)"):
            await api.get("/page")
        with pytest.raises(Unanswered, match=r"is no gateway \(status 404\)"):
            await api.get("/elsewhere")


async def test_a_connection_that_breaks(url: str) -> None:
    async with Api(url) as api:
        with pytest.raises(Unanswered, match="broke off"):
            await api.get("/breaks")


async def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with Api(f"http://127.0.0.1:{port}") as api:
        with pytest.raises(
            Unanswered, match=rf"no gateway answers at http://127.0.0.1:{port} \(Connection refused\): is it"
        ):
            await api.get("/readyz")


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:8080", "http://[::1]:8080"),
        ("192.0.2.1:8080", "http://192.0.2.1:8080"),
    ],
)
def test_where_the_gateway_is(listen: str, url: str) -> None:
    assert address(Gateway(http=Http(listen=listen))) == url


def test_the_key_is_read_from_where_the_service_file_says(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(services={"alerts": Service(name="Alerts", key=Secret("$file:key"))})
    with pytest.raises(Refused, match=r"the key of alerts: the file .* cannot be read.*GATEWAY_KEY"):
        key_of(gateway, "alerts", str(place.config))
    place.write("services/key", "from-a-file\n")
    assert key_of(gateway, "alerts", str(place.config)) == "from-a-file"
