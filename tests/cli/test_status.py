import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import Result

from gateway.observe.health import CarrierState, health, readiness

NORTH = CarrierState(name="north", kind="bind", up=True, queued=3, outstanding=12)
SOUTH = CarrierState(name="south", kind="bind", up=False, reason="connection refused")
EAST = CarrierState(name="east", kind="trunk", up=True, outstanding=1)


class Daemon:
    """/healthz and /readyz, as the gateway answers them."""

    def __init__(self, place: Any) -> None:
        self.place = place
        self.faults: Sequence[str] = ()
        self.stopping = False
        self.carriers: Sequence[CarrierState] = (NORTH, SOUTH, EAST)

    async def healthz(self, request: web.Request) -> web.Response:
        status, body = health(self.faults)
        return web.json_response(body, status=status)

    async def readyz(self, request: web.Request) -> web.Response:
        status, body = readiness(self.faults, stopping=self.stopping, carriers=self.carriers)
        return web.json_response(body, status=status)

    async def status(self, *arguments: str) -> Result:
        result = await asyncio.to_thread(self.place.run, "status", *arguments)
        assert isinstance(result, Result)
        return result


@pytest.fixture
async def daemon(place: Any) -> AsyncIterator[Daemon]:
    daemon = Daemon(place)
    app = web.Application()
    app.add_routes([web.get("/healthz", daemon.healthz), web.get("/readyz", daemon.readyz)])
    async with TestServer(app) as server:
        main = place.config.read_text().split("\n", 1)[1]
        place.write("gateway.toml", f'[http]\nlisten = "127.0.0.1:{server.port}"\n{main}')
        yield daemon


async def test_carriers_are_listed_with_the_reason_why_they_are_down(daemon: Daemon) -> None:
    result = await daemon.status()
    assert (result.exit_code, result.stderr) == (0, "")
    first, *carriers = result.stdout.splitlines()
    assert first.startswith("ready at http://127.0.0.1:")
    assert [line.split("\t") for line in carriers] == [
        ["bind", "north", "up", "", "3", "12"],
        ["bind", "south", "down", "connection refused", "0", "0"],
        ["trunk", "east", "up", "", "0", "1"],
    ]


async def test_a_gateway_that_takes_no_messages_exits_with_1_and_says_why_once(daemon: Daemon) -> None:
    daemon.faults = ["the store cannot write: disk full"]
    result = await daemon.status()
    assert result.exit_code == 1
    assert result.stdout.startswith("failing at ")
    assert result.stderr == "the store cannot write: disk full\n"


async def test_a_gateway_that_stops(daemon: Daemon) -> None:
    daemon.stopping = True
    result = await daemon.status()
    assert (result.exit_code, result.stderr) == (1, "the gateway is stopping\n")


async def test_as_json(daemon: Daemon) -> None:
    daemon.carriers = (SOUTH,)
    found = json.loads((await daemon.status("--json")).stdout)
    assert found["url"].startswith("http://127.0.0.1:")
    assert (found["ready"], found["status"], found["health"]) == (True, "ready", {"status": "ok"})
    assert found["binds"] == [
        {"name": "south", "up": False, "reason": "connection refused", "queued": 0, "outstanding": 0}
    ]
    assert found["trunks"] == []


async def test_no_gateway_runs(daemon: Daemon) -> None:
    daemon.place.write("gateway.toml", '[http]\nlisten = "127.0.0.1:9"\n')
    for name in ("alerts", "pizza"):
        daemon.place.write(f"services/{name}.toml", 'name = "x"')
    result = await daemon.status()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no gateway answers at http://127.0.0.1:9" in result.stderr
