"""/v2/messages/preview: how a text would go on air, and what plain characters save.  Nothing is sent."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal, cast

from aiohttp import web
from msgspec import Meta, Struct

from gateway.http.auth import authenticate
from gateway.http.body import decode, octets
from gateway.http.deps import DEPS, Reading
from gateway.http.problem import answer

LIMIT_OCTETS = 64 * 1024
_Coding = Literal["gsm", "ucs2", "latin1", "ascii", "utf8"]


class PreviewIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str
    bind: Annotated[str, Meta(description="By whose settings; empty: as most carriers want it")] = ""


class OnAir(Struct, frozen=True, kw_only=True):
    """How a text is coded; more than 255 segments cannot be sent."""

    text: str
    coding: _Coding
    segments: int
    units: Annotated[
        int, Meta(description="Septets (gsm), UTF-16 units (ucs2) or octets (others), without headers")
    ]
    parts: Annotated[list[str], Meta(description="What is in each segment")]
    tables: Annotated[list[str], Meta(description='National language tables in use, such as "turkish"')]


class NotGsm(Struct, frozen=True, kw_only=True):
    """A character that the default alphabet lacks: it forces UCS-2, or national language tables."""

    character: str
    name: Annotated[str, Meta(description="Its name in Unicode; empty: it has none")]
    at: Annotated[int, Meta(description="The place where it stands first, from 1")]


class PreviewOut(OnAir, frozen=True, kw_only=True):
    not_gsm: list[NotGsm]
    transliterated: Annotated[
        OnAir | None,
        Meta(description="With plain quotes, dashes, blanks and ligatures; null: nothing would change"),
    ]
    given: Annotated[
        OnAir | None,
        Meta(description="As it was given, where the bind transliterates it; null: it goes out as it is"),
    ]


def routes() -> list[web.RouteDef]:
    return [web.post("/v2/messages/preview", preview)]


async def preview(request: web.Request) -> web.Response:
    authenticate(request)
    body = decode(await octets(request, LIMIT_OCTETS), PreviewIn)
    shown = request.app[DEPS].preview(body.text, body.bind)
    now, plain, given = on_air(shown.now), shown.transliterated, shown.given
    return answer(
        PreviewOut(
            text=now.text,
            coding=now.coding,
            segments=now.segments,
            units=now.units,
            parts=now.parts,
            tables=now.tables,
            not_gsm=[
                NotGsm(character=character, name=unicodedata.name(character, ""), at=at)
                for character, at in shown.foreign.items()
            ],
            transliterated=None if plain is None else on_air(plain),
            given=None if given is None else on_air(given),
        )
    )


def on_air(reading: Reading) -> OnAir:
    return OnAir(
        text=reading.text,
        coding=cast(_Coding, reading.coding.name.lower()),
        segments=reading.segments,
        units=reading.units,
        parts=list(reading.parts),
        tables=list(reading.tables),
    )
