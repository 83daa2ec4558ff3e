"""Errors as JSON: {"code": "bad_address", "field": "to", "reason": "..."}, whatever went wrong."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct

from gateway.http.deps import DEPS
from gateway.values.errors import BadInput, GatewayError, StoreError, Throttled

log = logging.getLogger(__name__)

JSON = "application/json"
SERVER = "trunkline"  # not which Python and aiohttp
_STORE_SECONDS = 5  # Retry-After when the store fails
_OWN_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}

encode = msgspec.json.Encoder().encode


class ProblemBody(Struct, frozen=True, omit_defaults=True):
    """What is wrong: a stable code, the field if one is to blame, a sentence."""

    code: str
    reason: str
    field: str = ""
    id: str = ""  # code "internal": the id under which the log has the details


class Problem(GatewayError):
    """An answer other than success."""

    def __init__(
        self,
        status: int,
        code: str,
        reason: str,
        *,
        field: str = "",
        id: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.body = ProblemBody(code, reason, field, id)
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        return answer(self.body, self.status, self.headers)


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=encode(body), status=status, content_type=JSON, headers=headers or None)


def problem_of(error: BaseException) -> Problem:
    """The answer to an error.  What nobody has foreseen is logged under an id, which the answer carries."""
    match error:
        case Problem():
            return error
        case BadInput(code="suspended"):
            return Problem(403, error.code, error.reason, field=error.field)
        case BadInput():
            return Problem(400, error.code, error.reason, field=error.field)
        case Throttled():
            wait = max(1, math.ceil(error.wait_seconds))
            return Problem(429, "throttled", str(error), headers={"Retry-After": str(wait)})
        case StoreError() if error.retryable:
            # its text names files of ours; the log has it from the store itself
            reason = "the gateway's store fails at the moment; nothing was accepted"
            return Problem(503, "store", reason, headers={"Retry-After": str(_STORE_SECONDS)})
        case web.RequestPayloadError():
            return Problem(400, "bad_body", "the body is not what its headers say")
        case web.HTTPException():
            headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            code = _OWN_CODES.get(error.status, "http")
            return Problem(error.status, code, error.reason, headers=headers)
        case _:
            id = secrets.token_hex(8)
            log.error("http.failed", extra={"id": id}, exc_info=error)
            reason = "the gateway has failed at this; its log has the details under the id"
            return Problem(500, "internal", reason, id=id)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every error into its problem, and counts requests."""
    response: web.StreamResponse
    try:
        response = await handler(request)
    except ConnectionError:  # the client is gone: nobody to answer
        raise
    except Exception as error:
        response = problem_of(error).response()
    response.headers["Server"] = SERVER
    resource = request.match_info.route.resource
    # what a stranger may choose freely is no label: it would grow without end
    method, route = (request.method, resource.canonical) if resource is not None else ("other", "none")
    request.app[DEPS].metrics.request(method, route, response.status)
    return response
