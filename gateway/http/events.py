"""POST /resources/v1/events/externalevent: applications raise custom events.

Bodies and codes are those of the platform whose clients move here (1002 queued, 7000 no JSON, 7001 key
unknown, 7002 key missing, 7003 a parameter is missing); 7004 and 7005 are ours: no such event, or a wrong
value; the service is suspended.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, Struct

from gateway.http.auth import HEADER, KEYS
from gateway.http.body import decode
from gateway.http.deps import DEPS
from gateway.http.models import MAX_CORRELATIONID, MAX_URL
from gateway.http.problem import answer
from gateway.inbound.custom import EXPIRED, Occurrence
from gateway.outbound.webhook.target import target
from gateway.store.base import Unit
from gateway.values.errors import BadInput
from gateway.values.parameters import MISSING

MAX_EVENTS = 1_000
LIMIT_OCTETS = 1024 * 1024
_CODES = {"bad_json": "7000", MISSING: "7003", "missing_field": "7003", "suspended": "7005"}
_WRONG = "7004"


class EventIn(Struct, frozen=True, kw_only=True):
    evtid: Annotated[str, Meta(description="The name of a custom event of the service", examples=["paid"])]
    correlationid: Annotated[
        str,
        Meta(
            max_length=MAX_CORRELATIONID,
            description="The same within 24 hours is the same event: it is not raised again",
        ),
    ] = ""
    parameters: dict[str, Any] = {}


class EventsIn(Struct, frozen=True, kw_only=True):
    expiry: Annotated[str, Meta(description="Nothing is done after that moment (UTC)")] = ""
    notifyurl: Annotated[str, Meta(max_length=MAX_URL, description="URL that is told of each event")] = ""
    events: Annotated[list[EventIn], Meta(min_length=1, max_length=MAX_EVENTS)]


class EventOut(Struct, frozen=True, kw_only=True, omit_defaults=True):
    code: str
    description: str
    transid: str = ""
    correlationid: str = ""
    warning: str = ""  # why nothing came of it


class EventsOut(Struct, frozen=True):
    response: list[EventOut]  # in the order of the request


def routes() -> list[web.RouteDef]:
    return [
        web.post("/resources/v1/events/externalevent", raise_events),
        web.post("/resources/v1/events/externalevent/", raise_events),
    ]


async def raise_events(request: web.Request) -> web.Response:
    """Each event is judged by itself; the good ones become durable together, with what follows at once."""
    key = request.headers.get(HEADER, "")
    service = request.app[KEYS].service(key) if key else None
    if service is None:
        code, what = ("7001", "Authentication failed") if key else ("7002", "Service key missing")
        return answer(EventsOut([EventOut(code=code, description=what)]), 401)
    deps, unit = request.app[DEPS], Unit()
    octets = await request.read()
    try:
        if len(octets) > LIMIT_OCTETS:
            raise BadInput(f"the body may hold {LIMIT_OCTETS} octets", code="bad_json")
        body = decode(octets, EventsIn)
        expiry = _moment(body.expiry)
        if body.notifyurl:
            target(body.notifyurl)
    except BadInput as error:
        return answer(EventsOut([_refused(error)]), 400)
    results = []
    try:
        for event in body.events:
            raised = Occurrence(
                service=service,
                name=event.evtid,
                parameters=event.parameters,
                correlationid=event.correlationid,
                expiry=expiry,
                notify_url=body.notifyurl,
                by="api",
            )
            try:
                outcome = deps.events.happen(unit, raised)
            except BadInput as error:
                results.append(_refused(error, event.correlationid))
            else:
                results.append(
                    EventOut(
                        code="1002",
                        description="Expired" if outcome.warning == EXPIRED else "Queued",
                        transid=outcome.id,
                        correlationid=event.correlationid,
                        warning=outcome.warning,
                    )
                )
    except BaseException:
        unit.take_back()
        raise
    await unit.commit(deps.store)
    return answer(EventsOut(results), 200 if any(one.code == "1002" for one in results) else 400)


def _refused(error: BadInput, correlationid: str = "") -> EventOut:
    code = _CODES.get(error.code, _WRONG)
    return EventOut(code=code, description=str(error), correlationid=correlationid)


def _moment(written: str) -> float:
    """Unix seconds; without a zone it is UTC.  Raises BadInput."""
    if not written:
        return 0.0
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise BadInput(f"{written!r} is no moment; write 2026-12-24T18:00:00Z", field="expiry") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
