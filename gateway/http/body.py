"""From the octets of a request to a typed body, or a problem that names the field."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from gateway.http.problem import JSON, Problem
from gateway.values.errors import BadInput
from gateway.values.fault import nearest

T = TypeVar("T", bound=Struct)

READ_SECONDS = 300.0  # from the head of a request to the last octet of its body

_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`")
_MISSING = re.compile(r"Object missing required field `(.*?)`")
_PLACE = re.compile(r" - at `\$\.?(.*)`$")


async def octets(request: web.Request, limit_octets: int) -> bytes:
    """The body of a request.  Raises Problem 415 for what is not JSON, 413 for more than the limit."""
    if request.content_type != JSON:
        raise Problem(
            415,
            "not_json",
            f'send "Content-Type: {JSON}", not {request.content_type!r}',
            field="content-type",
        )
    return await received(request, limit_octets)


async def received(request: web.Request, limit_octets: int) -> bytes:
    """The body, whatever it is.  Raises Problem 413 for more than the limit, 408 if it does not end."""
    read = b""
    if (request.content_length or 0) <= limit_octets:
        try:
            async with asyncio.timeout(READ_SECONDS):
                read = await request.read()
        except TimeoutError:
            reason = f"the body was not complete after {READ_SECONDS:.0f} seconds"
            raise Problem(408, "timeout", reason) from None
    if len(read) > limit_octets or (request.content_length or 0) > limit_octets:
        raise Problem(413, "too_large", f"the body may hold {limit_octets} octets")
    return read


def decode(octets: bytes | msgspec.Raw, model: type[T]) -> T:
    """Raises BadInput, naming the field."""
    try:
        decoded: T = _decoder(model).decode(octets)
        return decoded
    except msgspec.ValidationError as error:
        raise _bad_field(str(error), model) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"the body is no JSON: {error}", code="bad_json") from None
    except RecursionError:
        raise BadInput("the body is nested too deeply", code="bad_json") from None


@cache
def _decoder(model: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(model)


@cache
def _names(model: type[Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(model)]


def _bad_field(error: str, model: type[Struct]) -> BadInput:
    place = _PLACE.search(error)
    path = place[1] if place else ""
    what = error[: place.start()] if place else error
    if unknown := _UNKNOWN.match(what):
        known = _names(model)
        name = unknown[1]
        hint = "" if path else nearest(name, known) or f"; known are {', '.join(known)}"
        return BadInput(f'unknown field "{name}"{hint}', field=_join(path, name), code="unknown_field")
    if missing := _MISSING.match(what):
        return BadInput("the field is missing", field=_join(path, missing[1]), code="missing_field")
    what = what.replace("`str`", "a string").replace("`object`", "an object").replace("`", "")
    return BadInput(what[:1].lower() + what[1:], field=path, code="invalid")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
