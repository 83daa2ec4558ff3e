"""/v2/call-lists/NAME: begin, pause, go on with or end a call list of the service; how far it has come."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from gateway.http.auth import authenticate
from gateway.http.deps import DEPS
from gateway.http.problem import Problem, answer
from gateway.values.clock import iso
from gateway.values.errors import BadInput

ACTS = ("start", "pause", "resume", "stop")
_STATUS = {"unknown_list": 404, "never_begun": 404, "under_way": 409, "not_under_way": 409}


class CallListOut(Struct, frozen=True, kw_only=True):
    """Entries by what has become of them: waiting for their time or their next try; being called now;
    answered; failed after the last try; in doubt after a stop; skipped: opted out, no number, or twice."""

    id: str
    name: str
    state: str  # running, paused, stopped, done
    reason: str
    total: int
    waiting: int
    calling: int
    answered: int
    failed: int
    in_doubt: int
    skipped: int
    begun: str  # RFC 3339


def routes() -> list[web.RouteDef]:
    return [web.get("/v2/call-lists/{name}", show), web.post("/v2/call-lists/{name}/{act}", act)]


async def show(request: web.Request) -> web.Response:
    return await _progress(request, authenticate(request))


async def act(request: web.Request) -> web.Response:
    service, dialler = authenticate(request), request.app[DEPS].dialler
    name, what = request.match_info["name"], request.match_info["act"]
    if what not in ACTS:
        raise Problem(404, "not_found", f"there is nothing at this address; a list knows {', '.join(ACTS)}")
    do = {"start": dialler.start, "pause": dialler.pause, "resume": dialler.resume, "stop": dialler.end}[what]
    try:
        await do(service, name)
    except BadInput as error:
        raise _problem(error) from error
    return await _progress(request, service)


async def _progress(request: web.Request, service: str) -> web.Response:
    try:
        found = await request.app[DEPS].dialler.progress(service, request.match_info["name"])
    except BadInput as error:
        raise _problem(error) from error
    counts, it = found.counts, found.list
    out = CallListOut(
        id=it.id,
        name=it.name,
        state=it.state,
        reason=it.reason,
        total=it.total,
        waiting=counts.get("waiting", 0),
        calling=counts.get("calling", 0),
        answered=counts.get("answered", 0),
        failed=counts.get("failed", 0),
        in_doubt=counts.get("in-doubt", 0),
        skipped=counts.get("skipped", 0),
        begun=iso(it.created_at),
    )
    return answer(out)


def _problem(error: BadInput) -> Problem:
    return Problem(_STATUS.get(error.code, 400), error.code, error.reason, field=error.field)
