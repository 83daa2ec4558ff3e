"""POST /resources/v1/events/externalevent: applications raise custom events.

Bodies and codes are those of the platform whose clients move here (http.v1).
"""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, Struct

from gateway.http import v1
from gateway.http.body import decode
from gateway.http.deps import DEPS
from gateway.http.models import MAX_CORRELATIONID, MAX_URL
from gateway.http.problem import answer
from gateway.http.v1 import V1Item, V1Reply
from gateway.inbound.custom import EXPIRED, Occurrence
from gateway.outbound.webhook.target import target
from gateway.store.base import Unit
from gateway.values.errors import BadInput

MAX_EVENTS = 1_000
LIMIT_OCTETS = 1024 * 1024


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


def routes() -> list[web.RouteDef]:
    return [
        web.post("/resources/v1/events/externalevent", raise_events),
        web.post("/resources/v1/events/externalevent/", raise_events),
    ]


async def raise_events(request: web.Request) -> web.Response:
    """Each event is judged by itself; the good ones become durable together, with what follows at once."""
    service = v1.caller(request)
    if isinstance(service, web.Response):
        return service
    deps, unit = request.app[DEPS], Unit()
    try:
        body = decode(await v1.read(request, LIMIT_OCTETS), EventsIn)
        expiry = v1.moment(body.expiry)
        if body.notifyurl:
            target(body.notifyurl)
    except BadInput as error:
        return v1.unread(error)
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
                results.append(v1.refused(error, event.correlationid))
            else:
                results.append(
                    V1Item(
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
    return answer(V1Reply(results), 200 if any(one.code == "1002" for one in results) else 400)
