"""Against a real token server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.config.model import Auth, Secret, Service
from gateway.outbound.authorise import Authoriser, Unauthorised


class Clock:
    at = 1000.0

    def now(self) -> float:
        return 1_800_000_000.4

    def monotonic(self) -> float:
        return self.at


class Tokens:
    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.basics: list[str] = []
        self.status = 200
        app = web.Application()
        app.router.add_post("/token", self._answer)
        self.server = TestServer(app)

    async def _answer(self, request: web.Request) -> web.Response:
        self.forms.append({key: str(value) for key, value in (await request.post()).items()})
        self.basics.append(request.headers["Authorization"])
        body = {"access_token": f"t{len(self.forms)}", "token_type": "Bearer", "expires_in": 60}
        return web.json_response(body, status=self.status)


@pytest.fixture
async def tokens() -> AsyncIterator[Tokens]:
    tokens = Tokens()
    await tokens.server.start_server()
    yield tokens
    await tokens.server.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def headers(authoriser: Authoriser, auth: str = "it", body: str = "") -> dict[str, str]:
    async with aiohttp.ClientSession() as session:
        url = "https://x.example/a/b?c=d"
        return dict(await authoriser(session, "shop", auth, "POST", url, body))


def of(clock: Clock, auth: Auth) -> Authoriser:
    return Authoriser({"shop": Service(name="Shop", auths={"it": auth})}, clock)


async def test_what_needs_no_auth_gets_none(clock: Clock) -> None:
    assert await headers(of(clock, Auth()), "") == {}
    assert await headers(of(clock, Auth())) == {}


async def test_an_auth_that_is_not_there_is_named(clock: Clock) -> None:
    with pytest.raises(Unauthorised, match="has no auth 'other'"):
        await headers(of(clock, Auth()), "other")


async def test_basic_and_bearer(clock: Clock) -> None:
    basic = Auth(kind="basic", user="Aladdin", password=Secret("open sesame"))
    assert await headers(of(clock, basic)) == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}
    bearer = Auth(kind="bearer", token=Secret("abc"))
    assert await headers(of(clock, bearer)) == {"Authorization": "Bearer abc"}


async def test_a_signature_covers_time_method_target_and_body(clock: Clock) -> None:
    found = await headers(of(clock, Auth(kind="hmac", secret=Secret("hush"))), body='{"a":1}')
    signed = b'1800000000.POST./a/b?c=d.{"a":1}'
    assert found["X-Timestamp"] == "1800000000"
    assert found["X-Signature"] == hmac.new(b"hush", signed, hashlib.sha256).hexdigest()


async def test_a_token_is_asked_for_once_and_again_before_it_ends(tokens: Tokens, clock: Clock) -> None:
    url = str(tokens.server.make_url("/token"))
    authoriser = of(
        clock,
        Auth(kind="oauth2-client", token_url=url, client_id="me", client_secret=Secret("x"), scope="read"),
    )
    both = await asyncio.gather(headers(authoriser), headers(authoriser))
    assert both == [{"Authorization": "Bearer t1"}] * 2
    assert tokens.forms == [{"grant_type": "client_credentials", "scope": "read"}]
    assert tokens.basics == ["Basic bWU6eA=="]
    clock.at += 31
    assert await headers(authoriser) == {"Authorization": "Bearer t2"}


async def test_no_token_is_no_request(tokens: Tokens, clock: Clock) -> None:
    url = str(tokens.server.make_url("/token"))
    authoriser = of(clock, Auth(kind="oauth2-client", token_url=url, client_id="me"))
    tokens.status = 401
    with pytest.raises(Unauthorised, match="gave no token: 401"):
        await headers(authoriser)
    await tokens.server.close()
    with pytest.raises(Unauthorised, match="gave no token"):
        await headers(authoriser)
