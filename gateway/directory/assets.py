"""Assets: what a service holds, what each can do, and why nothing may be sent from one."""

from __future__ import annotations

from collections.abc import Mapping

import phonenumbers
from msgspec import Struct

from gateway.config.model import Asset, Service
from gateway.values.address import Kind, canonical, kind
from gateway.values.errors import BadAddress

CAN: Mapping[str, tuple[str, ...]] = {
    "shortcode": ("sms-mo", "sms-mt"),
    "longcode": ("sms-mo", "sms-mt", "voice-in", "voice-out"),
    "phone-number": ("sms-mo", "sms-mt", "voice-in", "voice-out"),
    "sender-id": ("sms-mt",),  # nobody can answer it
    "app": (),
    "keyword": (),
}
_BY_FORM = {Kind.SHORTCODE: "shortcode", Kind.NUMBER: "phone-number", Kind.SENDER_ID: "sender-id"}
_SENDING = {"sms": "sms-mt", "voice": "voice-out"}


class Held(Struct, frozen=True, kw_only=True):
    """An asset of a service, every setting with its default filled in."""

    service: str
    address: str  # canonical; of an app its name, of a keyword its word
    kind: str
    country: str = ""
    capabilities: tuple[str, ...] = ()
    carrier: str = ""
    state: str = "active"
    shared: bool = False
    on: str = ""  # keyword: its number; "" = every one of the service

    def refusal(self, channel: str) -> str:
        """Why nothing may be sent from it by that channel; "" if it may."""
        if self.state != "active":
            return f"{self.address} is {self.state}, not active"
        wanted = _SENDING.get(channel, "")
        if wanted and wanted not in self.capabilities:
            return f"{self.address} ({self.kind}) is not for {wanted}"
        return ""


def held(name: str, service: Service) -> list[Held]:
    """Numbers and names in the order of the file, then apps, then keywords.  What is no address is left out:
    `gateway check` says so."""
    found = []
    settings = {_canonical(written): asset for written, asset in service.registry.items()}
    for written in dict.fromkeys(map(_canonical, service.assets)):
        if written:
            found.append(_held(name, service, written, settings.get(written, Asset())))
    for app in service.apps:
        asset = service.registry.get(app, Asset())
        found.append(Held(service=name, address=app, kind="app", country=asset.country, state=asset.state))
    for word, keyword in service.keywords.items():
        shared = len(service.assets) > 0 and not keyword.number
        found.append(Held(service=name, address=word, kind="keyword", shared=shared, on=keyword.number))
    return found


def form(address: str) -> str:
    """The kind of a canonical address by its form."""
    return _BY_FORM[kind(address)]


def country_of(address: str) -> str:
    """ISO 3166, of a number; "" where it does not tell."""
    if not address.startswith("+"):
        return ""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(address)) or ""
    except phonenumbers.NumberParseException:
        return ""


def _held(name: str, service: Service, address: str, asset: Asset) -> Held:
    what = asset.kind or form(address)
    return Held(
        service=name,
        address=address,
        kind=what,
        country=asset.country or country_of(address) or service.country,
        capabilities=tuple(asset.capabilities) or CAN[what],
        carrier=asset.carrier,
        state=asset.state,
        shared=bool(asset.shared) if asset.shared is not None else what == "shortcode",
    )


def _canonical(written: str) -> str:
    try:
        return canonical(written)
    except BadAddress:
        return ""
