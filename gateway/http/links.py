"""/l/TOKEN: where a smart link leads, for anybody; /v2/links: what has become of a service's links."""

from __future__ import annotations

import math
from collections import OrderedDict
from html import escape

from aiohttp import web
from msgspec import Struct

from gateway.content.smart_link import PATH, by_program, device
from gateway.http.auth import authenticate
from gateway.http.client import client_of
from gateway.http.deps import DEPS
from gateway.http.problem import answer
from gateway.values.clock import iso

COUNTED_DAYS = 30
_RATE, _BURST = 5.0, 50.0  # looks per second from one address
_MISS = 10.0  # what a token that is none counts for: guessing is slow
_ADDRESSES = 10_000

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>{title}</title>'
    '<body style="font: 1.2em sans-serif; margin: 3em auto; max-width: 30em"><h1>{title}</h1><p>{text}</p>'
)


class LinkCountsOut(Struct, frozen=True, kw_only=True):
    """The links of one name; previews are looks by programs, which are no clicks."""

    name: str
    sent: int
    clicked: int  # links that were opened at all
    clicks: int
    previews: int


class LinksOut(Struct, frozen=True, kw_only=True):
    since: str
    links: list[LinkCountsOut]


class Pace:
    """How often an address may look: a token bucket for each of the latest ones."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and when

    def take(self, address: str, now: float, cost: float = 1.0) -> bool:
        left, at = self._left.pop(address, (_BURST, now))
        left = min(_BURST, left + (now - at) * _RATE)
        allowed = left > 0
        self._left[address] = (left - cost if allowed else left, now)
        if len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)
        return allowed

    def wait(self, address: str) -> float:
        """Seconds from its last look on until it may look again."""
        left, _ = self._left.get(address, (_BURST, 0.0))
        return max(0.0, -left / _RATE) + 1 / _RATE


PACE = web.AppKey("pace", Pace)


def routes() -> list[web.RouteDef]:
    return [
        web.get(PATH + "{token}", follow),  # HEAD too
        web.get("/v2/links", counts),
    ]


async def follow(request: web.Request) -> web.Response:
    deps, pace, peer = request.app[DEPS], request.app[PACE], client_of(request)
    now = deps.clock.monotonic()
    if not pace.take(peer, now):
        wait = {"Retry-After": str(math.ceil(pace.wait(peer)))}
        return _page(429, "Too many requests", "Please try again in a moment.", wait)
    link = await deps.links.find(request.match_info["token"])
    if link is None:
        pace.take(peer, now, _MISS)
        return _page(404, "No such link", "Please check the address, or ask its sender for a new one.")
    url = deps.links.open(
        link,
        device(request.headers.get("User-Agent", "")),
        by_program=by_program(request.method, {k.lower(): v for k, v in request.headers.items()}),
    )
    if not url:
        return _page(410, "This link has expired", "Please ask its sender for a new one.")
    return web.Response(status=302, headers={**_HEADERS, "Location": url})


async def counts(request: web.Request) -> web.Response:
    service, deps = authenticate(request), request.app[DEPS]
    since = deps.clock.now() - COUNTED_DAYS * 86_400.0
    found = await deps.store.link_counts(service, since)
    links = [
        LinkCountsOut(name=c.name, sent=c.sent, clicked=c.clicked, clicks=c.clicks, previews=c.previews)
        for c in found
    ]
    return answer(LinksOut(since=iso(since), links=links))


def _page(status: int, title: str, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        text=_PAGE.format(title=escape(title), text=escape(text)),
        content_type="text/html",
        headers={**_HEADERS, **(headers or {})},
    )
