"""/v2/messages: send one, send many, look one up, search."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from gateway.http import models
from gateway.http.auth import authenticate
from gateway.http.body import decode, octets
from gateway.http.deps import DEPS, Deps
from gateway.http.models import Accepted, BatchIn, BatchOut, MessageIn, MessageList, Refused
from gateway.http.problem import Problem, answer, problem_of
from gateway.outbound.accept import SendRequest
from gateway.store.base import MessageQuery
from gateway.values.address import canonical
from gateway.values.duration import seconds
from gateway.values.errors import BadAddress, BadInput, StoreError, Throttled
from gateway.values.fault import nearest
from gateway.values.message import Message
from gateway.values.outcome import Result, Status

LIMIT_OCTETS = 256 * 1024
BATCH_LIMIT_OCTETS = 5 * 1024 * 1024
MAX_SEGMENTS = 255
MAX_LIST = 500
_MAX_DEPTH = 16  # of a variable's value
_SURELY_FITS = 255 * 67 // 2  # characters, each two UTF-16 units

# What a channel can reach, its default first
_UNTIL = {"sms": ("accepted", "delivered"), "voice": ("answered", "accepted")}
_FILTERS = ("status", "to", "correlationid", "direction", "before", "limit")


def routes() -> list[web.RouteDef]:
    return [
        web.post("/v2/messages", send),
        web.post("/v2/messages/batch", send_batch),
        web.get("/v2/messages", search),
        web.get("/v2/messages/{id}", show),
    ]


async def send(request: web.Request) -> web.Response:
    service, deps = authenticate(request), request.app[DEPS]
    wanted = read(decode(await octets(request, LIMIT_OCTETS), MessageIn), service, deps)
    [message] = await deps.submit([wanted])
    deps.metrics.accepted(service)
    return answer(_accepted(message, deps), 202)


async def send_batch(request: web.Request) -> web.Response:
    """Each message is judged by itself; the good ones become durable together."""
    service, deps = authenticate(request), request.app[DEPS]
    batch = decode(await octets(request, BATCH_LIMIT_OCTETS), BatchIn)
    results: list[SendRequest | Message | Exception] = []
    for raw in batch.messages:
        try:
            results.append(read(decode(raw, MessageIn), service, deps))
        except BadInput as error:
            results.append(error)
    wanted = {i: what for i, what in enumerate(results) if isinstance(what, SendRequest)}
    for i, outcome in zip(wanted, await _submit(list(wanted.values()), deps), strict=True):
        results[i] = outcome
    messages = [_item(i, what, deps) for i, what in enumerate(results)]
    accepted = sum(isinstance(what, Message) for what in results)
    deps.metrics.accepted(service, accepted)
    if not accepted:
        for what in results:
            if isinstance(what, Throttled | StoreError):
                raise what
    body = BatchOut(accepted=accepted, refused=len(results) - accepted, messages=messages)
    return answer(body, 202 if accepted else 400)


async def show(request: web.Request) -> web.Response:
    service, store = authenticate(request), request.app[DEPS].store
    id = request.match_info["id"]
    message = await store.message(id)
    if message is None or message.service != service:
        raise Problem(404, "not_found", f"service {service!r} has no message {id!r}", field="id")
    return answer(models.story(message, await store.segments(id), await store.events(id)))


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


def read(body: MessageIn, service: str, deps: Deps) -> SendRequest:
    """What the body asks for.  Raises BadInput, naming the field."""
    until, validity_seconds = _goal(body)
    if body.text and body.template:
        raise BadInput("`text` and `template` exclude each other", field="template", code="contradiction")
    if not (body.text or body.template or body.chain):
        raise BadInput("a message needs `text`, `template` or `chain`", field="text", code="empty")
    if len(body.text) > _SURELY_FITS and (count := deps.segments(body.text)) > MAX_SEGMENTS:
        raise BadInput(
            f"the text takes {count} segments; {MAX_SEGMENTS} is the most", field="text", code="too_long"
        )
    if not all(_flat_enough(value, _MAX_DEPTH) for value in body.variables.values()):
        raise BadInput(f"nested deeper than {_MAX_DEPTH}", field="variables")
    if body.notify:
        _check_url(body.notify)
    return SendRequest(
        service=service,
        to=body.to,
        sender=body.sender,
        text=body.text,
        template=body.template,
        variables=body.variables,
        chain=body.chain,
        channel=body.channel,
        until=until,
        validity_seconds=validity_seconds,
        correlationid=body.correlationid,
        notify_url=body.notify,
    )


def _goal(body: MessageIn) -> tuple[Result, float]:
    """What counts as success, and within how many seconds."""
    if body.chain:
        given = {"channel": body.channel != "sms", "until": body.until, "validity": body.validity}
        for name, value in given.items():
            if value:
                raise BadInput("the steps of the chain say that", field=name, code="contradiction")
    possible = _UNTIL[body.channel]
    if body.until and body.until not in possible:
        raise BadInput(
            f"{body.channel} knows {' and '.join(possible)}, not {body.until}", field="until", code="invalid"
        )
    try:
        within = seconds(body.validity)
    except ValueError as error:
        raise BadInput(str(error), field="validity") from None
    return Result(body.until or possible[0]), within


def _flat_enough(value: object, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not inner or (depth > 0 and all(_flat_enough(what, depth - 1) for what in inner))


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        raise BadInput(f"{url!r} is no http:// or https:// URL", field="notify", code="bad_url")


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


async def _submit(wanted: Sequence[SendRequest], deps: Deps) -> list[Message | Exception]:
    """What became of each.  All in one commit, unless one of them is refused."""
    if not wanted:
        return []
    try:
        return list(await deps.submit(wanted))
    except BadInput:
        pass
    except (Throttled, StoreError) as error:
        return [error] * len(wanted)

    async def alone(request: SendRequest) -> Message | Exception:
        try:
            return (await deps.submit([request]))[0]
        except (BadInput, Throttled, StoreError) as error:
            return error

    # begun together, so that the store takes the good ones into one transaction
    return await asyncio.gather(*map(alone, wanted))


def _item(index: int, what: SendRequest | Message | Exception, deps: Deps) -> Accepted | Refused:
    if isinstance(what, Message):
        return _accepted(what, deps)
    assert isinstance(what, Exception)
    body = problem_of(what).body
    return Refused(body.code, body.reason, body.field, body.id, index=index)


def _accepted(message: Message, deps: Deps) -> Accepted:
    first = message.plan[0]
    return models.accepted(message, deps.segments(first.text) if first.channel == "sms" else 0)
