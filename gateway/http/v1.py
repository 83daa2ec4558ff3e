"""What /resources/v1 and v2 have in common: calls in the form of the platform whose clients move here.

Each answer is {"response": [{"code", "description", ...}]}, in the order of what was asked for.  Codes are
that platform's: 1001 and 1002 queued, 7000 no JSON, 7001 key unknown, 7002 key missing, 7003 something
mandatory is missing, 7004 something is wrong, 7120 too large; 7005 is ours: the service is suspended.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aiohttp import web
from msgspec import Struct

from gateway.http.auth import HEADER, KEYS
from gateway.http.body import received
from gateway.http.problem import Problem, answer
from gateway.values.errors import BadInput
from gateway.values.parameters import MISSING

SUSPENDED = "7005"
_CODES = {
    "bad_json": "7000",
    "missing_field": "7003",
    MISSING: "7003",
    "empty": "7003",
    "suspended": SUSPENDED,
    "too_large": "7120",
}
_WRONG = "7004"
_SHORT_HOUR = re.compile(r"([+-])([0-9]:[0-9]{2})$")


class V1Item(Struct, frozen=True, kw_only=True, omit_defaults=True):
    code: str
    description: str
    transid: str = ""
    correlationid: str = ""
    warning: str = ""  # why nothing came of it


class V1Reply(Struct, frozen=True):
    response: list[V1Item]  # in the order of the request


def caller(request: web.Request) -> str | web.Response:
    """The calling service, or what to answer to somebody else."""
    key = request.headers.get(HEADER, "")
    service = request.app[KEYS].service(key) if key else None
    if service is not None:
        return service
    code, what = ("7001", "Authentication failed") if key else ("7002", "Service key missing")
    return answer(V1Reply([V1Item(code=code, description=what)]), 401)


async def read(request: web.Request, limit_octets: int) -> bytes:
    """The body.  Raises BadInput for more than the limit."""
    try:
        return await received(request, limit_octets)
    except Problem as problem:
        raise BadInput(problem.body.reason, code=problem.body.code) from None


def unread(error: BadInput) -> web.Response:
    """The answer to a request that is wrong as a whole."""
    return answer(V1Reply([refused(error)]), 413 if error.code == "too_large" else 400)


def refused(error: BadInput, correlationid: str = "") -> V1Item:
    code = _CODES.get(error.code, _WRONG)
    return V1Item(code=code, description=str(error), correlationid=correlationid)


def moment(written: str) -> float:
    """Unix seconds of "2026-12-24T18:00:00Z" or "...+5:30"; without a zone it is UTC, 0 for "".
    Raises BadInput."""
    if not written:
        return 0.0
    try:
        at = datetime.fromisoformat(_SHORT_HOUR.sub(r"\g<1>0\2", written))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadInput(f"{written!r} is no moment; write 2026-12-24T18:00:00Z", field="expiry") from None
