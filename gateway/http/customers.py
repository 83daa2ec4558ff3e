"""/v2/customers/{address}: what a service knows of a customer, and whether they want its messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import Meta, Struct

from gateway.directory.consent import CHANNELS, EVERY
from gateway.http.auth import authenticate
from gateway.http.body import decode, octets
from gateway.http.deps import DEPS
from gateway.http.problem import Problem, answer
from gateway.store.base import Unit
from gateway.values.address import subscriber
from gateway.values.clock import iso
from gateway.values.errors import BadAddress
from gateway.values.message import Consent

LIMIT_OCTETS = 64 * 1024
_HISTORY = 200


class ConsentIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    consent: Literal["in", "out"]
    channel: Annotated[
        Literal["all", "sms", "voice", "app"],
        Meta(description="all: every one, whatever was said of it before"),
    ] = "all"
    reason: Annotated[str, Meta(max_length=200, description="Why, for the history")] = ""


class ProfileIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    attributes: Annotated[dict[str, Any], Meta(description="Plain values by name; null takes one away")] = {}
    customerid: Annotated[str | None, Meta(description="The client's own id")] = None


class ConsentChangeOut(Struct, frozen=True, kw_only=True):
    at: str
    channel: str
    consent: str
    by: str  # keyword | rule | flow | api
    reason: str
    transid: str


class CustomerOut(Struct, frozen=True, kw_only=True):
    address: str
    customerid: str
    attributes: dict[str, Any]
    consent: dict[str, str]  # in | out, by channel
    history: list[ConsentChangeOut]  # of the consent, newest first


class Erased(Struct, frozen=True):
    address: str
    erased: bool


def routes() -> list[web.RouteDef]:
    return [
        web.get("/v2/customers/{address}", show),
        web.put("/v2/customers/{address}", replace),
        web.patch("/v2/customers/{address}", change),
        web.delete("/v2/customers/{address}", erase),
        web.put("/v2/customers/{address}/consent", consent),
    ]


async def show(request: web.Request) -> web.Response:
    service = authenticate(request)
    return await _shown(request, service, _address(request, service))


async def replace(request: web.Request) -> web.Response:
    """The profile becomes what the body says."""
    return await _changed(request, whole=True)


async def change(request: web.Request) -> web.Response:
    """The attributes of the body are set, the others stay."""
    return await _changed(request, whole=False)


async def erase(request: web.Request) -> web.Response:
    """Forget the profile, whose links were whose, offences, and the tokens of apps.

    What was said about messages stays: forgetting a STOP would be no favour.
    """
    service = authenticate(request)
    address, deps, unit = _address(request, service), request.app[DEPS], Unit()
    found = [
        deps.customers.erase(unit, service, address),
        deps.offences.erase(unit, service, address),
        *(deps.devices.revoke(unit, (service, app, address)) > 0 for app in deps.services[service].apps),
        await deps.links.forget(unit, service, address),
    ]
    await unit.commit(deps.store)
    return answer(Erased(address, any(found)))


async def consent(request: web.Request) -> web.Response:
    """Note that the customer wants messages, or no more."""
    service = authenticate(request)
    address, deps = _address(request, service), request.app[DEPS]
    body = decode(await octets(request, LIMIT_OCTETS), ConsentIn)
    said = Consent(
        service=service,
        channel=EVERY if body.channel == "all" else body.channel,
        address=address,
        opted_out=body.consent == "out",
        reason=body.reason or "said so to the application",
        by="api",
        at=deps.clock.now(),
    )
    unit = Unit()
    deps.consents.record(unit, said)
    await unit.commit(deps.store)
    return await _shown(request, service, address)


async def _changed(request: web.Request, *, whole: bool) -> web.Response:
    service = authenticate(request)
    address, deps = _address(request, service), request.app[DEPS]
    body, unit = decode(await octets(request, LIMIT_OCTETS), ProfileIn), Unit()
    deps.customers.set(
        unit,
        service,
        address,
        body.attributes,
        deps.clock.now(),
        customerid=(body.customerid or "") if whole else body.customerid,
        whole=whole,
    )
    await unit.commit(deps.store)
    return await _shown(request, service, address)


async def _shown(request: web.Request, service: str, address: str) -> web.Response:
    deps = request.app[DEPS]
    known = deps.customers.get(service, address)
    changes = await deps.store.consent_changes(service, address, limit=_HISTORY)
    refused = {channel: deps.consents.refusal(service, address, channel) for channel in CHANNELS}
    return answer(
        CustomerOut(
            address=address,
            customerid=known.customerid if known else "",
            attributes=known.attributes if known else {},
            consent={channel: "out" if why else "in" for channel, why in refused.items()},
            history=[
                ConsentChangeOut(
                    at=iso(change.at),
                    channel=change.channel or "all",
                    consent="out" if change.opted_out else "in",
                    by=change.by,
                    reason=change.reason,
                    transid=change.ref,
                )
                for change in changes
            ],
        )
    )


def _address(request: web.Request, service: str) -> str:
    """Raises Problem 404: what is no number is nobody's."""
    written = request.match_info["address"]
    try:
        return subscriber(written, request.app[DEPS].services[service].country)
    except BadAddress as error:
        raise Problem(404, "bad_address", error.reason, field="address") from None
