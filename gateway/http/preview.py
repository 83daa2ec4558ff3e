"""/v2/messages/preview: how a text would go on air, and what plain characters save.  Nothing is sent."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta, Struct

from gateway.http.auth import authenticate
from gateway.http.body import decode, octets
from gateway.http.deps import DEPS, Reading
from gateway.http.problem import answer

LIMIT_OCTETS = 64 * 1024


class PreviewIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str


class OnAir(Struct, frozen=True, kw_only=True):
    """How a text is coded; more than 255 segments cannot be sent."""

    text: str
    coding: Literal["gsm", "ucs2"]
    segments: int
    units: Annotated[int, Meta(description="Septets (gsm) or UTF-16 units (ucs2), without headers")]


class NotGsm(Struct, frozen=True, kw_only=True):
    """A character that forces UCS-2."""

    character: str
    name: Annotated[str, Meta(description="Its name in Unicode; empty: it has none")]
    at: Annotated[int, Meta(description="The place where it stands first, from 1")]


class PreviewOut(OnAir, frozen=True, kw_only=True):
    not_gsm: list[NotGsm]
    transliterated: Annotated[
        OnAir | None,
        Meta(description="With plain quotes, dashes, blanks and ligatures; null: nothing would change"),
    ]


def routes() -> list[web.RouteDef]:
    return [web.post("/v2/messages/preview", preview)]


async def preview(request: web.Request) -> web.Response:
    authenticate(request)
    body = decode(await octets(request, LIMIT_OCTETS), PreviewIn)
    shown = request.app[DEPS].preview(body.text)
    now, plain = on_air(shown.now), shown.transliterated
    return answer(
        PreviewOut(
            text=now.text,
            coding=now.coding,
            segments=now.segments,
            units=now.units,
            not_gsm=[
                NotGsm(character=character, name=unicodedata.name(character, ""), at=at)
                for character, at in shown.foreign.items()
            ],
            transliterated=None if plain is None else on_air(plain),
        )
    )


def on_air(reading: Reading) -> OnAir:
    coding: Literal["gsm", "ucs2"] = "ucs2" if reading.coding else "gsm"
    return OnAir(text=reading.text, coding=coding, segments=reading.segments, units=reading.units)
