"""/v2/messages: send one, send many (what http.front has left), look one up, search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlencode

from aiohttp import web

from gateway.http import models, submission
from gateway.http.auth import authenticate
from gateway.http.body import octets
from gateway.http.deps import DEPS, Deps
from gateway.http.models import MessageList
from gateway.http.problem import JSON, Problem, answer
from gateway.store.base import MessageQuery
from gateway.values.address import canonical
from gateway.values.errors import BadAddress, BadInput
from gateway.values.fault import nearest
from gateway.values.ids import message_of
from gateway.values.outcome import Status

MAX_LIST = 500
_FILTERS = ("status", "to", "correlationid", "direction", "before", "limit")


def routes() -> list[web.RouteDef]:
    return [
        web.post("/v2/messages", send),
        web.post("/v2/messages/batch", send_batch),
        web.get("/v2/messages", search),
        web.get("/v2/messages/{id}", show),
    ]


async def send(request: web.Request) -> web.Response:
    service = authenticate(request)
    return await _submitted(submission.one, await octets(request, submission.LIMIT_OCTETS), service, request)


async def send_batch(request: web.Request) -> web.Response:
    """Each message is judged by itself; the good ones become durable together."""
    service = authenticate(request)
    body = await octets(request, submission.BATCH_LIMIT_OCTETS)
    return await _submitted(submission.batch, body, service, request)


async def show(request: web.Request) -> web.Response:
    service, store = authenticate(request), request.app[DEPS].store
    id = request.match_info["id"]
    message = await store.message(message_of(id) or id)
    if message is None or message.service != service:
        raise Problem(404, "not_found", f"service {service!r} has no message {id!r}", field="id")
    segments, events = await store.segments(message.id), await store.events(message.id)
    return answer(models.story(message, segments, events))


async def search(request: web.Request) -> web.Response:
    service, store = authenticate(request), request.app[DEPS].store
    query = _query(request, service)
    page = await store.messages(query)
    # the store's filter takes either side
    wanted = "to" in request.query and query.address
    found = [message for message in page if not wanted or message.recipient == wanted]
    after = None
    if len(page) == query.limit:
        filters = {name: value for name, value in request.query.items() if name != "before"}
        after = f"/v2/messages?{urlencode({**filters, 'before': page[-1].id})}"
    return answer(MessageList(messages=[models.brief(message) for message in found], next=after))


def _query(request: web.Request, service: str) -> MessageQuery:
    given = request.query
    for name in given:
        if name not in _FILTERS:
            hint = nearest(name, _FILTERS) or f"; known are {', '.join(_FILTERS)}"
            raise BadInput(f'unknown filter "{name}"{hint}', field=name, code="unknown_field")
    limit = given.get("limit", "50")
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit) <= MAX_LIST):
        raise BadInput(f"must be 1 to {MAX_LIST}", field="limit")
    status, direction, to = given.get("status", ""), given.get("direction", ""), given.get("to", "")
    if status and status not in set(Status):
        raise BadInput(f"{status!r} is none of {', '.join(Status)}", field="status")
    if direction not in ("", "mt", "mo"):
        raise BadInput(f"{direction!r} is neither mt nor mo", field="direction")
    try:
        address = canonical(to) if to else ""
    except BadAddress as error:
        raise BadAddress(error.reason, field="to") from None
    return MessageQuery(
        service=service,
        direction=direction,
        status=status,
        address=address,
        correlationid=given.get("correlationid", ""),
        before=given.get("before", ""),
        limit=int(limit),
    )


async def _submitted(
    submit: Callable[[bytes, str, Deps, submission.Answered], None],
    octets: bytes,
    service: str,
    request: web.Request,
) -> web.Response:
    waiting: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

    def answered(answer: submission.Answer) -> None:
        if waiting.done():  # the request was cancelled
            return
        if isinstance(answer, BaseException):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)

    submit(octets, service, request.app[DEPS], answered)
    status, body = await waiting
    return web.Response(body=body, status=status, content_type=JSON)
