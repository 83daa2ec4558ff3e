"""What a service holds and by which ways its messages go: assets and routes, and who holds them besides."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

import phonenumbers

from gateway.config.locate import join
from gateway.config.model import Asset, Bind, Route, Service
from gateway.values.address import Kind, canonical, kind
from gateway.values.errors import BadAddress, BadInput
from gateway.values.fault import Fault, nearest
from gateway.values.hours import hours
from gateway.values.zone import zone_named

_FORMS = {
    "shortcode": (Kind.SHORTCODE, "3 to 8 digits"),
    "longcode": (Kind.NUMBER, "an E.164 number"),
    "phone-number": (Kind.NUMBER, "an E.164 number"),
    "sender-id": (Kind.SENDER_ID, "1 to 11 letters and digits"),
}
_USUAL_SHORTCODE = range(4, 8)
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")
_APP = re.compile(r"[A-Za-z0-9._-]{1,64}")


def asset_faults(
    path: str, service: Service, *, binds: Collection[str], trunks: Collection[str], carried: Collection[str]
) -> Iterator[Fault]:
    """Each asset is well-formed, named once, and something carries it; `carried` are the canonical addresses
    that binds, trunks and steps name."""
    seen: set[str] = set()
    for index, written in enumerate(service.assets):
        at = _place(path, service, written, index)
        settings = service.registry.get(written, Asset())
        try:
            address = canonical(written)
        except BadAddress as error:
            yield Fault(at, error.reason)
            continue
        if address in seen:
            yield Fault(at, f"{written} is in the list twice")
        elif address not in carried and not service.routes and not settings.carrier:
            what = f"nothing carries {written}: name it in a bind's addresses or a trunk's numbers, "
            yield Fault(at, f"{what}or give the service routes")
        seen.add(address)
        yield from _form(at, address, settings)
    for written, settings in service.registry.items():
        at = join(f"{path}.assets", written)
        if settings.kind == "app" and not _APP.fullmatch(written):
            yield Fault(
                at, "an app is named by letters, digits, full stops, hyphens and underscores, 64 at most"
            )
        if settings.country and settings.country not in phonenumbers.SUPPORTED_REGIONS:
            near = nearest(settings.country.upper(), phonenumbers.SUPPORTED_REGIONS)
            yield Fault(f"{at}.country", f'"{settings.country}" is no ISO 3166 code of two letters{near}')
        carriers = [*binds, *trunks]
        if settings.carrier and settings.carrier not in carriers:
            near = nearest(settings.carrier, carriers) or f" (there are: {', '.join(carriers) or 'none'})"
            yield Fault(f"{at}.carrier", f'"{settings.carrier}" is no bind and no trunk{near}')


def route_faults(path: str, service: Service, binds: Mapping[str, Bind]) -> Iterator[Fault]:
    """The plain list or the table; whether its binds send is said elsewhere."""
    for name, route in service.route_table.items():
        at = join(f"{path}.routes", name)
        bind = route.bind or name
        yield from bind_faults(at if not route.bind else f"{at}.bind", bind, binds)
        yield from _route(at, route)


def bind_faults(path: str, name: str, binds: Mapping[str, Bind]) -> Iterator[Fault]:
    """Whether a bind of that name sends."""
    if name and name not in binds:
        near = nearest(name, binds) or f" (there are: {', '.join(binds) or 'none'})"
        yield Fault(path, f'"{name}" is no bind{near}')
    elif name and binds[name].mode == "receiver":
        yield Fault(path, f"bind {name} is a receiver, which cannot send")


def shared_faults(services: Mapping[str, Service]) -> Iterator[Fault]:
    """One owner for each asset, unless all who hold it say that it is shared, or it is a shortcode."""
    holders: dict[str, list[tuple[str, str, bool | None]]] = {}
    for name, service in services.items():
        settings = {_canonical(written): asset for written, asset in service.registry.items()}
        for index, written in enumerate(service.assets):
            if address := _canonical(written):
                place = _place(f"services.{name}", service, written, index)
                shared = settings.get(address, Asset()).shared
                holders.setdefault(address, []).append((name, place, shared))
    for address, who in holders.items():
        first, *others = who
        for name, place, shared in others:
            if name == first[0]:
                continue
            if shared is False or first[2] is False:
                yield Fault(place, f"service {first[0]} holds {address} too, and it is not to be shared")
            elif kind(address) is not Kind.SHORTCODE and not (shared and first[2]):
                what = f"service {first[0]} holds {address} too; if that is meant, write in both files"
                yield Fault(place, f'{what} [assets."{address}"] shared = true', warning=True)


def _route(at: str, route: Route) -> Iterator[Fault]:
    for index, prefix in enumerate(route.prefixes):
        if not _PREFIX.fullmatch(prefix):
            yield Fault(f"{at}.prefixes[{index}]", f'"{prefix}" begins no number; write "+44" or "+447"')
    for key in ("cost", "weight"):
        if not 0 <= getattr(route, key) < float("inf"):
            yield Fault(f"{at}.{key}", f"must be 0 or more, not {getattr(route, key):g}")
    for key, reader, written in (("hours", hours, route.hours), ("zone", zone_named, route.zone)):
        if written:
            try:
                reader(written)
            except BadInput as error:
                yield Fault(f"{at}.{key}", error.reason)


def _form(at: str, address: str, settings: Asset) -> Iterator[Fault]:
    """Whether the address is of the kind that it is said to be."""
    if settings.kind:
        wanted, words = _FORMS[settings.kind]
        if kind(address) is not wanted:
            yield Fault(f"{at}.kind", f"{address} is no {settings.kind}, which is {words}")
            return
    if kind(address) is Kind.SHORTCODE and len(address) not in _USUAL_SHORTCODE:
        what = f"{address} has {len(address)} digits; most shortcodes have 4 to 7"
        yield Fault(at, what, warning=True)
    if kind(address) is Kind.SENDER_ID and any(what != "sms-mt" for what in settings.capabilities):
        yield Fault(f"{at}.capabilities", "a sender ID only sends: nobody can answer it or call it")
    if kind(address) is Kind.SHORTCODE and any(what.startswith("voice") for what in settings.capabilities):
        yield Fault(f"{at}.capabilities", "a shortcode carries no calls here")


def _place(path: str, service: Service, written: str, index: int) -> str:
    return join(f"{path}.assets", written) if service.registry else f"{path}.assets[{index}]"


def _canonical(written: str) -> str:
    try:
        return canonical(written)
    except BadAddress:
        return ""
