"""Against a real web server and the real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.outbound import fetch
from gateway.outbound.authorise import Unauthorised
from gateway.outbound.fetch import Fetcher
from gateway.store.base import Told, Write
from gateway.store.sqlite import SqliteStore
from gateway.values.errors import StoreError
from gateway.values.work import Effect


class Moody(SqliteStore):
    """A store that refuses the next `refusals` commits."""

    refusals = 0

    def write(self, writes: Sequence[Write], done: Told) -> None:
        if self.refusals:
            self.refusals -= 1
            done(StoreError("disk full"))
        else:
            super().write(writes, done)


async def nobody(*request: Any) -> dict[str, str]:
    """Nobody's name is needed."""
    return {}


class Server:
    """Answers by path."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        app = web.Application()
        app.router.add_route("*", "/{what}", self._answer)
        self.server = TestServer(app)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        match request.match_info["what"]:
            case "json":
                return web.json_response({"price": 7})
            case "html":
                return web.Response(body=b"<p>caf\xc3\xa9</p>", headers={"Content-Type": "text/html"})
            case "latin":
                return web.Response(body=b"caf\xe9", headers={"Content-Type": "text/plain; charset=latin-1"})
            case "strange":
                return web.Response(body=b"plain", headers={"Content-Type": "text/plain; charset=klingon"})
            case "broken":
                return web.Response(body=b"{", content_type="application/json")
            case "pieces":
                response = web.StreamResponse()
                await response.prepare(request)
                for piece in (b"one ", b"two ", b"three"):
                    await response.write(piece)
                    await asyncio.sleep(0.01)
                await response.write_eof()
                return response
            case "long":
                return web.Response(body=b"x" * 100_000)
            case "moved":
                return web.Response(status=302, headers={"Location": "/json"})
            case "moody":  # is itself again with the third request
                return web.Response(status=200 if len(self.requests) > 2 else 503, text="well")
            case "wait":
                await self.open.wait()
                return web.Response(text="at last")
            case _:
                return web.Response(status=404, text="no")

    def url(self, path: str) -> str:
        return str(self.server.make_url(path))


Done = tuple[str, str, str, dict[str, Any]]


class Runs:
    """What runs are told."""

    def __init__(self) -> None:
        self.done: list[Done] = []

    def __call__(self, run: str, key: str, event: str, data: dict[str, Any]) -> None:
        self.done.append((run, key, event, data))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.server.start_server()
    yield server
    server.open.set()
    await server.server.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Moody]:
    store = Moody(tmp_path / "gateway.db")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
async def fetcher(store: Moody, runs: Runs) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(store, runs, nobody)
    yield fetcher
    await fetcher.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - several parties change what is waited for
            await asyncio.sleep(0.001)


def effect(url: str, method: str = "GET", key: str = "r1/1", state: str = "ready", **data: Any) -> Effect:
    return Effect(
        key=key,
        kind="http",
        ref=key.partition("/")[0],
        state=state,
        data={"method": method, "url": url, "headers": {}, "body": "", "timeout": 5.0} | data,
        created_at=1.0,
    )


async def outcome(fetcher: Fetcher, runs: Runs, effect: Effect) -> tuple[str, dict[str, Any]]:
    fetcher.start(effect)
    await until(lambda: bool(runs.done))
    [(run, key, event, data)] = runs.done
    assert (run, key) == (effect.ref, effect.key)
    return event, data


async def test_request_goes_out_as_the_flow_decided_with_its_key(
    server: Server, fetcher: Fetcher, runs: Runs
) -> None:
    request = effect(server.url("/json"), "POST", headers={"X-Shop": "7"}, body='{"q":1}')
    event, data = await outcome(fetcher, runs, request)
    assert (event, data["status"], data["json"]) == ("success", 200, {"price": 7})
    [seen] = server.requests
    assert (seen.method, seen.headers["X-Shop"], seen.headers["Idempotency-Key"]) == ("POST", "7", "r1/1")
    assert server.bodies == [b'{"q":1}']


async def test_request_is_recorded_as_begun_before_it_goes_out(
    server: Server, store: Moody, fetcher: Fetcher
) -> None:
    await store.commit([effect(server.url("/wait"))])
    fetcher.start(effect(server.url("/wait")))
    await until(lambda: bool(server.requests))
    assert [stored.state for stored in await store.effects()] == ["begun"]


@pytest.mark.parametrize(
    ("path", "event", "expected"),
    [
        ("/html", "success", {"status": 200, "body": "<p>café</p>", "reason": ""}),
        ("/latin", "success", {"status": 200, "body": "café", "reason": ""}),
        ("/strange", "success", {"status": 200, "body": "plain", "reason": ""}),
        ("/pieces", "success", {"status": 200, "body": "one two three", "reason": ""}),
        ("/long", "success", {"status": 200, "body": "x" * 65_536, "reason": ""}),
        ("/broken", "success", {"status": 200, "body": "{", "reason": "the body is no JSON"}),
        ("/moved", "error", {"status": 302, "body": "", "reason": ""}),
        ("/nowhere", "error", {"status": 404, "body": "no", "reason": ""}),
    ],
)
async def test_answers_become_what_the_run_goes_on_with(
    path: str, event: str, expected: dict[str, Any], server: Server, fetcher: Fetcher, runs: Runs
) -> None:
    assert await outcome(fetcher, runs, effect(server.url(path))) == (event, expected)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("url", "fields", "reason"),
    [
        ("http://127.0.0.1:1/", {}, "Cannot connect"),
        ("http://[bad/", {}, "http://[bad/"),
        ("ftp://127.0.0.1/", {}, "ftp"),
        ("http://127.0.0.1:1/", {"headers": {"X-Two": "a\r\nb"}}, "Error"),
        ("http://127.0.0.1:1/", {"timeout": "soon"}, "ValueError"),
    ],
)
async def test_impossible_request_ends_as_error_with_its_reason(
    url: str, fields: dict[str, Any], reason: str, fetcher: Fetcher, runs: Runs
) -> None:
    event, data = await outcome(fetcher, runs, effect(url, **fields))
    assert event == "error"
    assert data["status"] == 0
    assert reason in data["reason"]


async def test_silent_server_ends_as_timeout(server: Server, fetcher: Fetcher, runs: Runs) -> None:
    event, data = await outcome(fetcher, runs, effect(server.url("/wait"), timeout=0.05))
    assert (event, data["reason"]) == ("timeout", "no answer in time")


async def test_request_waits_until_the_store_records_it(
    server: Server, store: Moody, fetcher: Fetcher, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_RETRY_SECONDS", 0.001)
    store.refusals = 3
    event, _ = await outcome(fetcher, runs, effect(server.url("/json")))
    assert (event, store.refusals, len(server.requests)) == ("success", 0, 1)


async def test_silent_host_delays_no_other(fetcher: Fetcher, runs: Runs, server: Server) -> None:
    other = Server()
    await other.server.start_server()
    for n in range(100):
        fetcher.start(effect(server.url("/wait"), key=f"slow{n}/1"))
    fetcher.start(effect(other.url("/json"), key="quick/1"))
    await until(lambda: bool(runs.done))
    assert [run for run, *_ in runs.done] == ["quick"]
    assert len(server.requests) <= 16
    server.open.set()
    await until(lambda: len(runs.done) == 101)
    await other.server.close()


@pytest.mark.parametrize(
    ("method", "state", "repeated"),
    [
        ("GET", "begun", True),
        ("PUT", "begun", True),
        ("DELETE", "begun", True),
        ("POST", "begun", False),
        ("PATCH", "begun", False),
        ("POST", "ready", True),
    ],
)
async def test_after_a_crash_only_what_does_no_harm_is_repeated(
    method: str, state: str, repeated: bool, server: Server, store: Moody, fetcher: Fetcher, runs: Runs
) -> None:
    await store.commit([effect(server.url("/json"), method, state=state)])
    await store.commit([Effect(key="m1/0", kind="submit", ref="m1", created_at=1.0)])  # none of its business
    await fetcher.recover()
    await until(lambda: bool(runs.done))
    [(run, _, event, data)] = runs.done
    assert (run, event) == ("r1", "success" if repeated else "error")
    assert len(server.requests) == (1 if repeated else 0)
    assert repeated or "not repeated" in data["reason"]


async def test_stop_leaves_an_unfinished_request_begun_and_tells_nobody(
    server: Server, store: Moody, runs: Runs
) -> None:
    fetcher = Fetcher(store, runs, nobody)
    await store.commit([effect(server.url("/wait"))])
    fetcher.start(effect(server.url("/wait")))
    await until(lambda: bool(server.requests))
    await fetcher.stop()
    assert runs.done == []
    assert [stored.state for stored in await store.effects()] == ["begun"]


@pytest.mark.parametrize(
    ("path", "retries", "status", "attempts"),
    [("moody", 5, 200, 3), ("moody", 1, 503, 2), ("nothing", 5, 404, 1), ("json", 5, 200, 1)],
)
async def test_what_fails_is_tried_again_with_the_same_key_and_a_refusal_is_an_answer(
    server: Server, fetcher: Fetcher, runs: Runs, path: str, retries: int, status: int, attempts: int
) -> None:
    _, data = await outcome(fetcher, runs, effect(server.url(f"/{path}"), retries=retries, retry=0.001))
    assert (data["status"], len(server.requests)) == (status, attempts)
    assert {request.headers["Idempotency-Key"] for request in server.requests} == {"r1/1"}


async def test_a_request_that_cannot_show_who_it_is_from_does_not_go_out(
    server: Server, store: Moody, runs: Runs
) -> None:
    async def refuse(*request: Any) -> dict[str, str]:
        raise Unauthorised("service 'shop' has no auth 'crm'")

    fetcher = Fetcher(store, runs, refuse)
    event, data = await outcome(fetcher, runs, effect(server.url("/json"), auth="crm", service="shop"))
    assert event == "error" and "has no auth 'crm'" in data["reason"]
    assert server.requests == []
    await fetcher.stop()
