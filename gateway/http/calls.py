"""/v2/calls: the call detail records of a service."""

from __future__ import annotations

import math
from datetime import datetime
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

from gateway.http.auth import authenticate
from gateway.http.deps import DEPS
from gateway.http.models import EventOut
from gateway.http.problem import Problem, answer
from gateway.store.base import CallQuery
from gateway.values.address import canonical
from gateway.values.call import Cdr, cdr
from gateway.values.clock import iso
from gateway.values.errors import BadAddress, BadInput
from gateway.values.fault import nearest

MAX_LIST = 500
FILTERS = (
    "from",
    "to",
    "trunk",
    "cause",
    "sip_call_id",
    "direction",
    "state",
    "since",
    "until",
    "before",
    "limit",
)
_DIRECTIONS, _STATES = ("in", "out"), ("ringing", "answered", "ended")


class CallList(Struct, frozen=True, kw_only=True):
    calls: list[Cdr]  # newest first
    next: str | None  # ask this for the next page; null = there is none


class CallStory(Struct, frozen=True, kw_only=True):
    """A call with all that has happened because of it."""

    call: Cdr
    events: list[EventOut]  # the transaction log


def routes() -> list[web.RouteDef]:
    return [web.get("/v2/calls", search), web.get("/v2/calls/{id}", show)]


async def show(request: web.Request) -> web.Response:
    service, store = authenticate(request), request.app[DEPS].store
    id = request.match_info["id"]
    call = await store.call(id)
    if call is None or call.service != service:
        raise Problem(404, "not_found", f"service {service!r} has no call {id!r}", field="id")
    # those of an outbound call belong to its message
    events = await store.events(call.message or id)
    own = [event for event in events if not call.message or event.data.get("call") == id]
    told = [EventOut(type=event.type, at=iso(event.at), data=event.data) for event in own]
    return answer(CallStory(call=cdr(call), events=told))


async def search(request: web.Request) -> web.Response:
    service, store = authenticate(request), request.app[DEPS].store
    query = _query(request, service)
    page = await store.calls(query)
    after = None
    if len(page) == query.limit:
        filters = {name: value for name, value in request.query.items() if name != "before"}
        after = f"/v2/calls?{urlencode({**filters, 'before': page[-1].id})}"
    return answer(CallList(calls=[cdr(call) for call in page], next=after))


def _query(request: web.Request, service: str) -> CallQuery:
    given = request.query
    for name in given:
        if name not in FILTERS:
            hint = nearest(name, FILTERS) or f"; known are {', '.join(FILTERS)}"
            raise BadInput(f'unknown filter "{name}"{hint}', field=name, code="unknown_field")
    limit = given.get("limit", "50")
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit) <= MAX_LIST):
        raise BadInput(f"must be 1 to {MAX_LIST}", field="limit")
    for name, known in (("direction", _DIRECTIONS), ("state", _STATES)):
        if given.get(name, "") not in ("", *known):
            raise BadInput(f"{given[name]!r} is none of {', '.join(known)}", field=name)
    return CallQuery(
        service=service,
        direction=given.get("direction", ""),
        trunk=given.get("trunk", ""),
        caller=_address(given["from"], "from") if "from" in given else None,
        called=_address(given.get("to", ""), "to"),
        state=given.get("state", ""),
        cause=given.get("cause", ""),
        sip_call_id=given.get("sip_call_id", ""),
        since=_moment(given.get("since", ""), "since", 0.0),
        until=_moment(given.get("until", ""), "until", math.inf),
        before=given.get("before", ""),
        limit=int(limit),
    )


def _address(text: str, name: str) -> str:
    try:
        return canonical(text) if text else ""
    except BadAddress as error:
        raise BadAddress(error.reason, field=name) from None


def _moment(text: str, name: str, default: float) -> float:
    if not text:
        return default
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.timestamp()
    except ValueError:
        pass
    raise BadInput(f'{text!r} is no time of RFC 3339; write "2026-11-23T14:05:09Z"', field=name)
