"""The HTTP server: all resources in one application, on one address."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from gateway.config.endpoint import host_port
from gateway.http import (
    apps,
    call_lists,
    calls,
    customers,
    events,
    links,
    messages,
    messaging,
    openapi,
    otp,
    preview,
    status,
    submission,
)
from gateway.http.auth import KEYS, Keys
from gateway.http.client import PROXIES, Proxies
from gateway.http.deps import DEPS, Deps
from gateway.http.front import Front
from gateway.http.peer import Handler, peer_log
from gateway.http.problem import problems

_STOP_SECONDS = 5.0  # for requests under way


def build(deps: Deps, proxies: Proxies) -> web.Application:
    app = web.Application(middlewares=[problems], client_max_size=submission.BATCH_LIMIT_OCTETS)
    app[DEPS] = deps
    app[KEYS] = Keys(deps.services)
    app[PROXIES] = proxies
    app[links.PACE] = links.Pace()
    for resource in (
        messages,
        messaging,
        apps,
        calls,
        call_lists,
        preview,
        customers,
        events,
        otp,
        links,
        status,
        openapi,
    ):
        app.router.add_routes(resource.routes())
    return app


class HttpServer:
    """Listens on "127.0.0.1:8080", "[::1]:8080" or "0.0.0.0:8080"; port 0: any free one.  `proxies` tell
    whose request they bring."""

    def __init__(self, listen: str, deps: Deps, proxies: Proxies | None = None) -> None:
        """Raises ValueError."""
        self._host, self._port = host_port(listen)
        app = build(deps, proxies or Proxies())
        self._runner = web.AppRunner(app, shutdown_timeout=_STOP_SECONDS)
        self._peer_log = peer_log(f"{__name__}.peer")
        self._front = Front(deps, app[KEYS], self._aiohttp)
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Raises OSError when the address cannot be had."""
        await self._runner.setup()
        self._listener = await asyncio.get_running_loop().create_server(
            self._front, self._host, self._port, backlog=1024
        )
        self._front.start()

    async def stop(self) -> None:
        """Finish the requests under way and close every connection."""
        if self._listener is not None:
            self._listener.close()
        await asyncio.gather(self._front.stop(_STOP_SECONDS), self._runner.cleanup())

    @property
    def port(self) -> int:
        """The one it listens on."""
        assert self._listener is not None, "it has not been started"
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    def _aiohttp(self) -> asyncio.Protocol:
        assert self._runner.server is not None  # there has been a request
        loop = asyncio.get_running_loop()
        no_log: Any = None  # which its type does not foresee
        return Handler(self._runner.server, loop=loop, logger=self._peer_log, access_log=no_log)
