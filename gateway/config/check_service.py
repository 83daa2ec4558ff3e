"""What one service's settings mean: the names it uses, the numbers it holds, the words it says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import phonenumbers
from msgspec import Struct

from gateway.config.check_assets import asset_faults, bind_faults, route_faults
from gateway.config.check_nlp import nlp_faults
from gateway.config.check_otp import otp_faults
from gateway.config.check_steps import app_faults, step_faults
from gateway.config.check_template import template_faults
from gateway.config.locate import join
from gateway.config.model import (
    Action,
    Bind,
    CallList,
    Chain,
    Dial,
    Gateway,
    Keyword,
    Number,
    Raise,
    Rule,
    Send,
    Service,
    SmartLink,
    Step,
    Template,
)
from gateway.values.address import Kind, canonical, kind
from gateway.values.errors import BadAddress, BadInput
from gateway.values.fault import Fault, nearest
from gateway.values.hours import hours

_LONGEST_RING_SECONDS = 180.0  # proxies give up after three minutes (RFC 3261, timer C)
_AUTHS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "basic": ("user", "password"),
    "bearer": ("token",),
    "oauth2-client": ("token_url", "client_id", "client_secret"),
    "hmac": ("secret",),
}
_LINK_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CAUSES = ("busy", "no-answer", "rejected", "unreachable")  # of a call list's retry
_MOST_TOGETHER = 1000  # notifications in one POST


class Carriers(Struct, frozen=True):
    """What carries traffic, by name, and the canonical addresses of each."""

    binds: Mapping[str, Bind]
    trunks: Collection[str]
    by_bind: Collection[str]
    by_trunk: Collection[str]
    sip: bool

    @classmethod
    def of(cls, gateway: Gateway) -> Carriers:
        binds, trunks = gateway.smpp.binds, gateway.sip.trunks if gateway.sip else {}
        return cls(
            binds,
            list(trunks),
            {a for bind in binds.values() for a in _canonical(bind.addresses).values()},
            {a for trunk in trunks.values() for a in _canonical(trunk.numbers).values()},
            gateway.sip is not None,
        )


def service_faults(name: str, service: Service, carriers: Carriers) -> Iterator[Fault]:
    """Paths from "services.NAME" on."""
    yield from _Checked(f"services.{name}", service, carriers).faults()


class _Checked:
    def __init__(self, path: str, service: Service, carriers: Carriers) -> None:
        self._path = path
        self._service = service
        self._carriers = carriers
        self._assets = set(_canonical(service.assets).values())

    def faults(self) -> Iterator[Fault]:
        path, service = self._path, self._service
        if not service.name:
            yield Fault(f"{path}.name", "must not be empty")
        if service.country and service.country not in phonenumbers.SUPPORTED_REGIONS:
            near = nearest(service.country.upper(), phonenumbers.SUPPORTED_REGIONS)
            yield Fault(f"{path}.country", f'"{service.country}" is no ISO 3166 code of two letters{near}')
        yield from _url(f"{path}.notify.status", service.notify.status)
        yield from _url(f"{path}.notify.inbound", service.notify.inbound)
        yield from _url(f"{path}.notify.calls", service.notify.calls)
        if not 1 <= service.notify.batch <= _MOST_TOGETHER:
            said = f"is {service.notify.batch}; it must be 1 to {_MOST_TOGETHER}"
            yield Fault(f"{path}.notify.batch", f"{said}, and 1 is one notification in each POST, no array")
        yield from _manners(path, service)
        for what in ("key", "hub_secret"):
            previous, until = getattr(service, f"previous_{what}"), getattr(service, f"previous_{what}_until")
            if bool(previous) != bool(until):
                said = f"previous_{what} and previous_{what}_until belong together"
                yield Fault(f"{path}.previous_{what}{'_until' if until else ''}", said)
        chains = service.chains.values()
        by_step = _canonical([s.sender for chain in chains for s in chain.steps if s.via and s.sender])
        yield from asset_faults(
            path,
            service,
            binds=self._carriers.binds,
            trunks=self._carriers.trunks,
            carried={*self._carriers.by_bind, *self._carriers.by_trunk, *by_step.values()},
        )
        yield from self._numbers()
        if service.route_table:
            yield from route_faults(path, service, self._carriers.binds)
        else:
            for index, route in enumerate(service.routes):
                yield from bind_faults(f"{path}.routes[{index}]", route, self._carriers.binds)
        if service.default is not None:
            yield from self._keyword(f"{path}.default", service.default)
        for name, keyword in service.keywords.items():
            yield from self._keyword(f"{path}.keywords.{name}", keyword)
        for name, rule in service.rules.items():
            yield from self._rule(f"{path}.rules.{name}", rule)
        for name, template in service.templates.items():
            yield from template_faults(join(f"{path}.templates", name), template, service.links)
        for name, chain in service.chains.items():
            yield from self._chain(f"{path}.chains.{name}", chain)
        for name, auth in service.auths.items():
            needed = _AUTHS[auth.kind]
            yield from (
                Fault(f"{path}.auths.{name}.{key}", f'missing; kind = "{auth.kind}" needs it')
                for key in needed
                if not getattr(auth, key)
            )
        for name, book in service.logbooks.items():
            yield from (
                Fault(
                    f"{path}.logbooks.{name}.columns.{column}",
                    "each row has that already; choose another name",
                )
                for column in ("at", "session", "transid")
                if column in book.columns
            )
        for name, integration in service.integrations.items():
            yield from _url(f"{path}.integrations.{name}.url", integration.url)
        for index, number in enumerate(service.test_numbers):
            if _canonical([number]).get(number) != number:
                yield Fault(f"{path}.test_numbers[{index}]", f"{number} is no number like +447700900123")
        yield from otp_faults(f"{path}.otp", service.otp)
        yield from self._otp_sender()
        for name, secret in service.secrets.items():
            if not secret:
                yield Fault(f"{path}.secrets.{name}", "must not be empty")
        for name, link in service.links.items():
            yield from self._link(f"{path}.links.{name}", name, link)
        for name, app in service.apps.items():
            yield from app_faults(f"{path}.apps.{name}", app)
        if service.nlp is not None:
            yield from nlp_faults(f"{path}.nlp", service.nlp)
        for name, wanted in service.call_lists.items():
            yield from self._call_list(f"{path}.call_lists.{name}", wanted)
        for name, flow in service.flows.items():
            yield from self._flow(f"{path}.flows.{name}", flow)

    def _numbers(self) -> Iterator[Fault]:
        for number, settings in self._service.numbers.items():
            path = f"{self._path}.numbers.{number}"
            yield from _policy(path, settings)
            yield from self._named(f"{path}.flow", settings.flow, "flow", self._service.flows)
            foreign = list(self._asset(path, number))
            yield from foreign
            if foreign:
                continue
            if not self._carriers.sip:
                yield _sip_missing(path)
            elif _canonical([number]).get(number) not in self._carriers.by_trunk:
                yield Fault(path, f"no call can reach {number}: no trunk has it among its numbers")

    def _keyword(self, path: str, keyword: Keyword) -> Iterator[Fault]:
        yield from _exactly_one(path, keyword, ("reply", "flow", "chain", "notify"))
        yield from self._named(f"{path}.flow", keyword.flow, "flow", self._service.flows)
        yield from self._named(f"{path}.chain", keyword.chain, "chain", self._service.chains)
        if keyword.notify and not self._service.notify.inbound:
            yield Fault(f"{path}.notify", "there is nobody to notify; set notify.inbound to a URL")

    def _rule(self, path: str, rule: Rule) -> Iterator[Fault]:
        if not rule.do:
            yield Fault(f"{path}.do", "is empty, so that the rule does nothing")
        for index, action in enumerate(rule.do):
            yield from self._action(f"{path}.do[{index}]", action)

    def _action(self, path: str, action: Action) -> Iterator[Fault]:
        acts = ("send", "reply", "flow", "chain", "call", "notify", "event", "profile", "opt")
        yield from _exactly_one(path, action, acts)
        yield from self._named(f"{path}.flow", action.flow, "flow", self._service.flows)
        yield from _url(f"{path}.notify", action.notify)
        if action.chain is not None:
            yield from self._named(f"{path}.chain.name", action.chain.name, "chain", self._service.chains)
            if not action.chain.to:
                yield Fault(f"{path}.chain.to", "must not be empty")
        if action.send is not None:
            yield from self._send(f"{path}.send", action.send, action.send.channel)
        if action.call is not None:
            yield from self._send(f"{path}.call", action.call, "voice")
        if action.event is not None:
            yield from self._named(f"{path}.event.name", action.event.name, "event", self._service.events)
            yield from self._ungiven(f"{path}.event.parameters", action.event)
        if action.channel and not action.opt:
            yield Fault(f"{path}.channel", "says nothing without opt")

    def _ungiven(self, path: str, raised: Raise) -> Iterator[Fault]:
        """An event that is raised without what it must have is none."""
        event = self._service.events.get(raised.name)
        for name, parameter in event.parameters.items() if event is not None else ():
            if parameter.mandatory and parameter.default is None and name not in raised.parameters:
                yield Fault(
                    path, f'the event {raised.name} needs the parameter "{name}"; give it, or a default'
                )

    def _send(self, path: str, send: Send | Dial, channel: str) -> Iterator[Fault]:
        yield from _exactly_one(path, send, ("text", "template"))
        yield from self._words(path, channel, send.template)
        yield from self._sender(path, channel, send.sender)
        if not send.to:
            yield Fault(f"{path}.to", "must not be empty")

    def _chain(self, path: str, chain: Chain) -> Iterator[Fault]:
        if not chain.steps:
            yield Fault(f"{path}.steps", "a chain needs at least one step")
        for index, step in enumerate(chain.steps):
            yield from self._step(f"{path}.steps[{index}]", step)
            yield from step_faults(f"{path}.steps[{index}]", chain, step)
        first = chain.steps[0].within if len(chain.steps) > 1 else 0
        if 0 < chain.within <= first:
            what = f"is over when the first step has waited its {first:g} s, so that no other is ever tried"
            yield Fault(f"{path}.within", f"{what}; make it longer, or the step's shorter")

    def _step(self, path: str, step: Step) -> Iterator[Fault]:
        # neither is right too: the request brings the text
        if step.text and step.template:
            yield Fault(path, "has both text and template; set one of them")
        yield from self._words(path, step.channel, step.template)
        yield from self._sender(path, step.channel, step.sender)
        if not step.via:
            return
        trunks, binds = self._carriers.trunks, self._carriers.binds
        if step.channel == "voice":
            if step.via in binds and step.via not in trunks:
                yield Fault(f"{path}.via", f'"{step.via}" is a bind; a call goes by a trunk')
            else:
                yield from self._named(f"{path}.via", step.via, "trunk", trunks)
        elif step.channel == "app":
            yield Fault(f"{path}.via", "an app has no carrier; leave it out")
        else:
            if step.via in trunks and step.via not in binds:
                yield Fault(f"{path}.via", f'"{step.via}" is a trunk; an SMS goes by a bind')
            else:
                yield from bind_faults(f"{path}.via", step.via, binds)
            bind = binds.get(step.via)
            if bind is not None and step.until == "delivered" and not bind.receipts:
                what = f"bind {step.via} asks for no receipts, so that no delivery will ever be known"
                yield Fault(f"{path}.until", what)

    def _words(self, path: str, channel: str, name: str) -> Iterator[Fault]:
        """The template exists and has words for the channel."""
        yield from self._named(f"{path}.template", name, "template", self._service.templates)
        template = self._service.templates.get(name)
        if template is not None and not _says(template, channel):
            spoken = {"voice": "voice, wav or text", "app": "app or text"}.get(channel, "text")
            yield Fault(f"{path}.template", f"template {name} has no {spoken} for a step by {channel}")

    def _call_list(self, path: str, wanted: CallList) -> Iterator[Fault]:
        if wanted.flow:
            yield from self._named(f"{path}.flow", wanted.flow, "flow", self._service.flows)
        else:
            yield Fault(f"{path}.flow", "must not be empty")
        if "$(" in wanted.sender:
            yield Fault(f"{path}.from", "is one number for all calls, not a text with variables")
        yield from self._sender(path, "voice", wanted.sender)
        if wanted.calls_per_second <= 0:
            yield Fault(f"{path}.calls_per_second", f"must be more than 0, not {wanted.calls_per_second:g}")
        for key in ("max_calls", "longest"):
            if getattr(wanted, key) <= 0:
                yield Fault(f"{path}.{key}", f"must be more than 0, not {getattr(wanted, key):g}")
        for cause in wanted.retry:
            if cause not in _CAUSES:
                what = f'"{cause}" is no reason for which nobody is reached{nearest(cause, _CAUSES)}'
                yield Fault(join(f"{path}.retry", cause), f"{what} (there are: {', '.join(_CAUSES)})")
        if wanted.window:
            try:
                hours(wanted.window)
            except BadInput as error:
                yield Fault(f"{path}.window", error.reason)

    def _sender(self, path: str, channel: str, sender: str) -> Iterator[Fault]:
        if channel == "app":
            yield from self._app(path, sender)
            return
        if channel == "voice" and not self._carriers.sip:
            yield _sip_missing(f"{path}.channel")
        if "$(" in sender:
            return
        if sender:
            yield from self._asset(f"{path}.from", sender)
            if channel == "voice" and not _is_number(sender):
                yield Fault(f"{path}.from", f"a call comes from a phone number, which {sender} is not")
        elif not any(channel == "sms" or kind(asset) is Kind.NUMBER for asset in self._assets):
            yield Fault(f"{path}.from", f"the service has no asset that {channel} could come from")

    def _app(self, path: str, name: str) -> Iterator[Fault]:
        if not self._service.apps:
            yield Fault(f"{path}.channel", "the service has no app; give it one: [apps.NAME]")
        elif "$(" not in name:
            yield from self._named(f"{path}.from", name, "app", self._service.apps)

    def _asset(self, path: str, address: str) -> Iterator[Fault]:
        try:
            held = canonical(address) in self._assets
        except BadAddress as error:
            yield Fault(path, error.reason)
            return
        if not held:
            assets = self._service.assets
            what = f"{address} is not among the service's assets{nearest(address, assets)}"
            yield Fault(path, what)

    def _otp_sender(self) -> Iterator[Fault]:
        if self._service.otp.sender:
            yield from self._asset(f"{self._path}.otp.from", self._service.otp.sender)

    def _link(self, path: str, name: str, link: SmartLink) -> Iterator[Fault]:
        if not _LINK_NAME.fullmatch(name):
            yield Fault(path, f'"{name}" cannot stand in $(link.NAME): letters, digits and underscores')
        if not link.other:
            yield Fault(f"{path}.other", "must not be empty: it is where most links lead")
        for key in ("other", "android", "ios", "after"):
            yield from _url(f"{path}.{key}", getattr(link, key))
        if link.expires <= 0:
            yield Fault(f"{path}.expires", "must be longer than 0")

    def _flow(self, path: str, flow: Mapping[str, Any]) -> Iterator[Fault]:
        """What a flow's own lint cannot know: whether there is telephony at all."""
        nodes = flow.get("nodes")
        if self._carriers.sip or not isinstance(nodes, dict):
            return
        for name, node in nodes.items():
            if isinstance(node, dict) and node.get("type") == "call":
                yield _sip_missing(f"{path}.nodes.{name}.type")

    def _named(self, path: str, name: str, what: str, known: Collection[str]) -> Iterator[Fault]:
        if name and name not in known:
            near = nearest(name, known) or f" (there are: {', '.join(known) or 'none'})"
            yield Fault(path, f'"{name}" is no {what}{near}')


def _policy(path: str, number: Number) -> Iterator[Fault]:
    """What a call to a number meets."""
    if number.policy == "answer" and not number.flow:
        yield Fault(f"{path}.flow", 'missing; policy "answer" needs the flow that a call begins')
    elif number.flow and number.policy != "answer":
        yield Fault(f"{path}.flow", f'is for policy "answer"; "{number.policy}" answers no call')
    if not 0 < number.ring <= _LONGEST_RING_SECONDS:
        how = 'write policy = "reject-at-once" for none, "ring-until-cancel" for as long as the caller waits'
        yield Fault(f"{path}.ring", f"must be more than 0 and at most {_LONGEST_RING_SECONDS:g} s; {how}")
    for name in ("caller_limit", "flood"):
        if getattr(number, name) < 0:
            yield Fault(f"{path}.{name}", f"is {getattr(number, name)}; write 0 for no limit")


def _manners(path: str, service: Service) -> Iterator[Fault]:
    if service.quiet_hours:
        try:
            hours(service.quiet_hours)
        except BadInput as error:
            yield Fault(f"{path}.quiet_hours", error.reason)
    for key in ("per_day", "per_week"):
        if getattr(service, key) < 0:
            yield Fault(f"{path}.{key}", f"is {getattr(service, key)}; write 0 for any number")
    for key in ("quiet_hours", "per_day", "per_week"):
        if getattr(service, key) and service.traffic != "marketing":
            what = 'has no effect: the service is transactional; write traffic = "marketing"'
            yield Fault(f"{path}.{key}", what, warning=True)


def _says(template: Template, channel: str) -> bool:
    own = {"voice": template.voice or template.wav, "app": template.app}.get(channel, "")
    return bool(template.text or own)


def _is_number(address: str) -> bool:
    try:
        return kind(canonical(address)) is Kind.NUMBER
    except BadAddress:
        return True  # said already


def _canonical(addresses: Collection[str]) -> dict[str, str]:
    """Canonical forms by what is written, without what has none."""
    found = {}
    for address in addresses:
        try:
            found[address] = canonical(address)
        except BadAddress:
            continue
    return found


def _exactly_one(path: str, struct: Struct, keys: tuple[str, ...]) -> Iterator[Fault]:
    given = [key for key in keys if getattr(struct, key)]
    options = f"{', '.join(keys[:-1])} or {keys[-1]}"
    if not given:
        yield Fault(path, f"does nothing; set {options}")
    elif len(given) > 1:
        yield Fault(path, f"has {' and '.join(given)}; set exactly one of {options}")


def _url(path: str, url: str) -> Iterator[Fault]:
    if not url:
        return
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        good = good and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        yield Fault(path, f'"{url}" is no URL; write "https://example.org/path"')


def _sip_missing(path: str) -> Fault:
    return Fault(path, "calls need [sip] in the main file, which is missing")
