"""HTTP requests that flows decide on, carried out after they are durable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
from msgspec.structs import replace

from gateway.store.base import Store
from gateway.values.errors import StoreError, Throttled
from gateway.values.work import Effect

log = logging.getLogger(__name__)

_IN_FLIGHT = 32
_BODY_OCTETS = 65_536  # of an answer; the rest is cut off
_REPEATABLE = {"GET", "HEAD", "PUT", "DELETE"}  # RFC 9110 section 9.2.2

# (run, effect key, node event, data): the flow goes on with it
Done = Callable[[str, str, str, dict[str, Any]], None]


class Fetcher:
    def __init__(self, store: Store, done: Done) -> None:
        self._store = store
        self._done = done
        self._room = asyncio.Semaphore(_IN_FLIGHT)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, effect: Effect) -> None:
        """Carry out an effect whose `data` is {method, url, headers, body, timeout}."""
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
        async with self._room:
            try:
                await self._store.commit([replace(effect, state="begun")])
            except (StoreError, Throttled) as error:
                log.warning("http.not_begun", extra={"key": effect.key, "reason": str(error)})
                return  # it stays ready, and goes out after the next start
            event, data = await self._request(effect)
        self._done(effect.ref, effect.key, event, data)

    async def _request(self, effect: Effect) -> tuple[str, dict[str, Any]]:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        data = effect.data
        headers = {"Idempotency-Key": effect.key, **data.get("headers", {})}
        try:
            async with self._session.request(
                data["method"],
                data["url"],
                headers=headers,
                data=data.get("body") or None,
                timeout=aiohttp.ClientTimeout(total=float(data.get("timeout", 10.0))),
                allow_redirects=False,
            ) as response:
                octets = await response.content.read(_BODY_OCTETS)
                text = octets.decode(response.get_encoding(), "replace")
                answer: dict[str, Any] = {"status": response.status, "body": text, "reason": ""}
                if "json" in response.content_type:
                    try:
                        answer["json"] = msgspec.json.decode(octets)
                    except msgspec.DecodeError:
                        answer["reason"] = "the body is no JSON"
                return "success" if 200 <= response.status < 300 else "error", answer
        except TimeoutError:
            return "timeout", {"status": 0, "body": "", "reason": "no answer in time"}
        except (aiohttp.ClientError, OSError, ValueError, LookupError) as error:
            return "error", {"status": 0, "body": "", "reason": f"{type(error).__name__}: {error}"}
