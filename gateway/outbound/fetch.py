"""HTTP requests that flows decide on, carried out after they are durable.  Hosts do not delay each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec.structs import replace

from gateway.observe.about import concerning
from gateway.outbound.authorise import Authorised, Unauthorised
from gateway.store.base import Store
from gateway.values.errors import StoreError, Throttled
from gateway.values.work import Effect

log = logging.getLogger(__name__)

_PER_HOST = 16  # in flight at once
_RETRY_SECONDS = 1.0  # after the store refused to record that a request begins
_BODY_OCTETS = 65_536  # of an answer; the rest is cut off
_RETRIED = {408, 425, 429}  # and 5xx: the others are answers
_LONGEST_RETRY_SECONDS = 300.0
_REPEATABLE = {"GET", "HEAD", "PUT", "DELETE"}  # RFC 9110 section 9.2.2

# (run, effect key, node event, data): the flow goes on with it
Done = Callable[[str, str, str, dict[str, Any]], None]


class Fetcher:
    """`authorised(session, service, auth, method, url, body)` gives the headers that show who we are."""

    def __init__(self, store: Store, done: Done, authorised: Authorised) -> None:
        self._store = store
        self._done = done
        self._authorised = authorised
        self._hosts: dict[str, _Host] = {}
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, effect: Effect) -> None:
        """Carry out an effect whose `data` is {method, url, headers, body, timeout, retries, retry, service,
        auth, transid}."""
        with concerning(session=effect.ref, transid=str(effect.data.get("transid", ""))):
            task = asyncio.create_task(self._carry_out(effect))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def recover(self) -> None:
        """After a start: ready requests go out; begun ones only if repeating them does no harm."""
        after = ""
        while page := await self._store.effects(after=after, limit=500):
            after = page[-1].key
            for effect in page:
                if effect.kind != "http":
                    continue
                if effect.state == "ready" or effect.data.get("method") in _REPEATABLE:
                    self.start(effect)
                else:
                    reason = "the gateway stopped while the request was under way; it is not repeated"
                    self._done(effect.ref, effect.key, "error", {"status": 0, "body": "", "reason": reason})

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _carry_out(self, effect: Effect) -> None:
        name = _host_of(str(effect.data.get("url")))
        host = self._hosts.setdefault(name, _Host())
        host.users += 1
        try:
            async with host.room:
                await self._begin(effect)
                event, data = await self._tried(effect)
        finally:
            host.users -= 1
            if not host.users:
                del self._hosts[name]
        self._done(effect.ref, effect.key, event, data)

    async def _begin(self, effect: Effect) -> None:
        """Record that the request goes out.  Until the store takes that, it does not: it stays ready."""
        while True:
            try:
                await self._store.commit([replace(effect, state="begun")])
            except (StoreError, Throttled) as error:
                log.warning("http.not_begun", extra={"key": effect.key, "reason": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _tried(self, effect: Effect) -> tuple[str, dict[str, Any]]:
        """The answer, or the last one: each attempt has the same Idempotency-Key."""
        pause = float(effect.data.get("retry", 1.0))
        for _ in range(int(effect.data.get("retries", 0))):
            event, data = await self._request(effect)
            status = data.get("status", 0)
            if status and status < 500 and status not in _RETRIED:
                return event, data
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_RETRY_SECONDS)
        return await self._request(effect)

    async def _request(self, effect: Effect) -> tuple[str, dict[str, Any]]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
            )
        data = effect.data
        try:
            shown = await self._authorised(
                self._session,
                str(data.get("service", "")),
                str(data.get("auth", "")),
                data["method"],
                data["url"],
                data.get("body", ""),
            )
            async with self._session.request(
                data["method"],
                data["url"],
                headers={"Idempotency-Key": effect.key, **data.get("headers", {}), **shown},
                data=data.get("body") or None,
                timeout=aiohttp.ClientTimeout(total=float(data.get("timeout", 10.0))),
                allow_redirects=False,
            ) as response:
                return await _answer(response)
        except TimeoutError:
            return "timeout", {"status": 0, "body": "", "reason": "no answer in time"}
        except (Unauthorised, aiohttp.ClientError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
        except Exception as error:  # a run waits for the answer, whatever a flow has put into the request
            log.exception("http.failed", extra={"key": effect.key})
            reason = f"{type(error).__name__}: {error}"
        return "error", {"status": 0, "body": "", "reason": reason}


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:  # "http://[": the request will say so
        return url


class _Host:
    __slots__ = ("room", "users")

    def __init__(self) -> None:
        self.room = asyncio.Semaphore(_PER_HOST)
        self.users = 0


async def _answer(response: aiohttp.ClientResponse) -> tuple[str, dict[str, Any]]:
    octets = bytearray()
    while len(octets) < _BODY_OCTETS and (some := await response.content.read(_BODY_OCTETS - len(octets))):
        octets += some
    try:
        text = octets.decode(response.charset or "utf-8", "replace")
    except LookupError:  # a charset that nobody knows
        text = octets.decode("utf-8", "replace")
    answer: dict[str, Any] = {"status": response.status, "body": text, "reason": ""}
    if "json" in response.content_type:
        try:
            answer["json"] = msgspec.json.decode(octets)
        except msgspec.DecodeError:
            answer["reason"] = "the body is no JSON"
    return "success" if 200 <= response.status < 300 else "error", answer
