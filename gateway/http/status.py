"""/healthz, /readyz, /metrics: for whoever watches over the gateway.  No key is asked for."""

from __future__ import annotations

from aiohttp import web

from gateway.http.deps import DEPS
from gateway.http.problem import answer
from gateway.observe import metrics
from gateway.observe.health import health, readiness


def routes() -> list[web.RouteDef]:
    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", show_metrics),
    ]


async def healthz(request: web.Request) -> web.Response:
    status, body = health(request.app[DEPS].health())
    return answer(body, status)


async def readyz(request: web.Request) -> web.Response:
    deps = request.app[DEPS]
    status, body = readiness(deps.health(), stopping=deps.stopping(), carriers=deps.carriers())
    return answer(body, status)


async def show_metrics(request: web.Request) -> web.Response:
    text = request.app[DEPS].metrics.text()
    return web.Response(body=text, headers={"Content-Type": metrics.CONTENT_TYPE})
