"""/v2/otp: send a one-time password, send it again, check what the customer has entered."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import Meta, Struct, field

from gateway.config.model import OtpSettings
from gateway.http.auth import authenticate
from gateway.http.body import decode, octets
from gateway.http.deps import DEPS, Deps
from gateway.http.models import MAX_CORRELATIONID
from gateway.http.problem import Problem, answer
from gateway.outbound.accept import SendRequest
from gateway.outbound.otp import CheckOutcome, Issued, Refused, Wanted
from gateway.store.base import Unit
from gateway.values.address import subscriber
from gateway.values.clock import iso
from gateway.values.duration import seconds
from gateway.values.errors import BadAddress, BadInput
from gateway.values.message import Message
from gateway.values.otp import LONGEST, Otp
from gateway.values.outcome import Result
from gateway.values.variables import UnknownVariable, render

LIMIT_OCTETS = 64 * 1024
_SHORTEST, _LONGEST_SECONDS, _MOST_ATTEMPTS = 4, 86_400.0, 20


class OtpIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out is as the service's [otp] has it.  Under the same `to` and `reference` a code that is
    still valid is sent again."""

    to: Annotated[str, Meta(description="The number of the customer", examples=["+447700900123"])]
    sender: Annotated[str, Meta(description="An asset of the service; default: its first")] = field(
        default="", name="from"
    )
    channel: Annotated[Literal["sms", "voice", "app"], Meta(description="voice: it is spoken in a call")] = (
        "sms"
    )
    text: Annotated[
        str,
        Meta(
            description="With $(code), and $(minutes) it is valid for",
            examples=["$(code) is your code for Pizza"],
        ),
    ] = ""
    template: Annotated[str, Meta(description="The name of a template of the service, with $(code)")] = ""
    variables: Annotated[dict[str, Any], Meta(description="Further values for $(name)")] = {}
    reference: Annotated[
        str, Meta(max_length=MAX_CORRELATIONID, description="Yours, such as that of an order or a login")
    ] = ""
    format: Literal["", "numeric", "alphabetic", "alphanumeric"] = ""
    length: Annotated[int, Meta(ge=0, le=LONGEST, description="4 to 32 characters")] = 0
    validity: Annotated[str, Meta(description="How long it may be entered", examples=["5m"])] = ""
    attempts: Annotated[int, Meta(ge=0, le=_MOST_ATTEMPTS, description="Wrong codes before it is locked")] = 0
    resend: Annotated[
        Literal["", "same", "new"], Meta(description="Whether a code that is sent again is a new one")
    ] = ""


class OtpOut(Struct, frozen=True, kw_only=True):
    """The code itself is told to nobody but the customer."""

    id: str
    to: str
    reference: str
    state: Annotated[str, Meta(description="pending, expired, used, locked")]
    expires: str
    sends: int
    attempts_left: int
    transid: Annotated[str, Meta(description="The message that brings it; empty where none is sent now")] = ""


class CheckIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(description="As the customer has entered it", max_length=200)] = ""
    message: Annotated[
        str, Meta(description="In place of code: the transid of the text in which the customer sent it back")
    ] = ""


class ResendIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    channel: Annotated[Literal["sms", "voice", "app"], Meta(description="By which it goes this time")] = "sms"


class CheckOut(Struct, frozen=True, kw_only=True):
    id: str
    outcome: Annotated[
        CheckOutcome,
        Meta(description="success only once: after it the same code is invalid"),
    ]
    attempts_left: int


def routes() -> list[web.RouteDef]:
    return [
        web.post("/v2/otp", send),
        web.get("/v2/otp/{id}", show),
        web.post("/v2/otp/{id}/check", check),
        web.post("/v2/otp/{id}/resend", resend),
    ]


async def send(request: web.Request) -> web.Response:
    service, deps = authenticate(request), request.app[DEPS]
    body = decode(await octets(request, LIMIT_OCTETS), OtpIn)
    country = deps.services[service].country
    try:
        to = subscriber(body.to, country)
    except BadAddress as error:
        raise BadAddress(error.reason, field="to") from None
    wanted = Wanted(
        to=to,
        reference=body.reference,
        format=body.format,
        length=_length(body.length),
        validity_seconds=_validity(body.validity),
        attempts=body.attempts,
        resend=body.resend,
    )
    return await _issued(deps, service, wanted, body)


async def resend(request: web.Request) -> web.Response:
    """Once more, with the text of the service's [otp]."""
    service, deps = authenticate(request), request.app[DEPS]
    otp = _of(request, deps, service)
    if otp.state == "used" or deps.clock.now() >= otp.expires_at:
        raise Problem(409, "over", f"it is {_state(otp, deps.clock.now())}; send a new one", field="id")
    content = await octets(request, LIMIT_OCTETS)
    body = decode(content, ResendIn) if content.strip() else ResendIn()
    wanted = Wanted(to=otp.address, reference=otp.reference)
    return await _issued(deps, service, wanted, OtpIn(to=otp.address, channel=body.channel))


async def show(request: web.Request) -> web.Response:
    service, deps = authenticate(request), request.app[DEPS]
    return answer(_out(_of(request, deps, service), deps.clock.now()))


async def check(request: web.Request) -> web.Response:
    service, deps = authenticate(request), request.app[DEPS]
    body = decode(await octets(request, LIMIT_OCTETS), CheckIn)
    otp = _of(request, deps, service)
    if bool(body.code) == bool(body.message):
        raise BadInput("needs either `code` or `message`", field="code", code="contradiction")
    given = await _said(deps, service, otp, body.message) if body.message else body.code
    unit = Unit()
    verdict = deps.otps.check(unit, otp, given)
    await unit.commit(deps.store)  # what is counted is counted, also when the power fails now
    return answer(CheckOut(id=otp.id, outcome=verdict.outcome, attempts_left=verdict.attempts_left))


async def _said(deps: Deps, service: str, otp: Otp, id: str) -> str:
    """What a customer's text says of that code; the text itself is kept without it."""
    message = await deps.store.message(id)
    if message is None or (message.service, message.sender) != (service, otp.address):
        reason = f"{id!r} is no text of the customer's to service {service!r}"
        raise Problem(404, "not_found", reason, field="message")
    events = await deps.store.events(id)
    said = any(event.type == "otp.said" and event.data.get("otp") == otp.id for event in events)
    return deps.otps.said(otp) if said else message.text


async def _issued(deps: Deps, service: str, wanted: Wanted, body: OtpIn) -> web.Response:
    """The code and the message that brings it become durable together."""
    unit = Unit()
    deps.accepting.check_room()
    try:
        issued = deps.otps.issue(unit, service, wanted)
        message = deps.accepting.accept(unit, _request(deps, service, issued, body))
        if message.plan[0].code is None:
            raise BadInput("says no $(code)", field="template", code="no_code")
    except Refused as refusal:
        unit.take_back()
        wait = str(max(1, math.ceil(refusal.wait_seconds)))
        headers = {"Retry-After": wait}
        raise Problem(429, refusal.code, refusal.reason, field="to", headers=headers) from None
    except BaseException:
        unit.take_back()
        raise
    await unit.commit(deps.store)
    deps.metrics.accepted(service)
    return answer(_out(issued.otp, deps.clock.now(), message), 202)


def _request(deps: Deps, service: str, issued: Issued, body: OtpIn) -> SendRequest:
    """Raises BadInput."""
    settings: OtpSettings = deps.services[service].otp
    if body.text and body.template:
        raise BadInput("`text` and `template` exclude each other", field="template", code="contradiction")
    minutes = max(1, round(issued.otp.validity_seconds / 60))
    variables = {**body.variables, "code": issued.token, "minutes": minutes}
    text = "" if body.template else body.text or settings.text
    if text and "$(code)" not in text:
        raise BadInput("says no $(code)", field="text", code="no_code")
    try:
        text = render(text, variables)
    except UnknownVariable as error:
        raise BadInput(str(error), field="variables", code="missing_variable") from None
    if body.channel == "voice" and text.count(issued.token) == 1:
        text = f"{text} {text}"  # nobody has pen and paper at hand the first time
    return SendRequest(
        service=service,
        to=issued.otp.address,
        sender=body.sender or ("" if body.channel == "app" else settings.sender),
        channel=body.channel,
        text=text,
        template=body.template,
        variables=variables,
        until=Result.ANSWERED if body.channel == "voice" else Result.ACCEPTED,
        validity_seconds=issued.otp.validity_seconds,  # late it would be worth nothing
        correlationid=body.reference,
    )


def _of(request: web.Request, deps: Deps, service: str) -> Otp:
    id = request.match_info["id"]
    otp = deps.otps.get(service, id)
    if otp is None:
        reason = f"service {service!r} has no one-time password {id!r}; it is kept for an hour after its time"
        raise Problem(404, "not_found", reason, field="id")
    return otp


def _out(otp: Otp, now: float, message: Message | None = None) -> OtpOut:
    return OtpOut(
        id=otp.id,
        to=otp.address,
        reference=otp.reference,
        state=_state(otp, now),
        expires=iso(otp.expires_at),
        sends=otp.sends,
        attempts_left=max(0, otp.most_attempts - otp.attempts) if otp.state == "pending" else 0,
        transid=message.id if message is not None else "",
    )


def _state(otp: Otp, now: float) -> str:
    return "expired" if otp.state == "pending" and now >= otp.expires_at else str(otp.state)


def _length(length: int) -> int:
    if length and length < _SHORTEST:
        raise BadInput(f"a code of {length} is soon guessed; {_SHORTEST} to {LONGEST}", field="length")
    return length


def _validity(written: str) -> float:
    if not written:
        return 0.0
    try:
        found = seconds(written)
    except ValueError as error:
        raise BadInput(str(error), field="validity") from None
    if not 10 <= found <= _LONGEST_SECONDS:
        raise BadInput("10 seconds to a day", field="validity")
    return found
