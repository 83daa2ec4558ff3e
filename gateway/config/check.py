"""What a well-formed configuration means: pure, over the whole, every fault at once.

Paths begin at the whole: "smpp.binds.north.window", "services.pizza.keywords.ORDER.flow".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from gateway.config.check_assets import shared_faults
from gateway.config.check_links import links
from gateway.config.check_service import Carriers, service_faults
from gateway.config.endpoint import network
from gateway.config.model import Gateway, Service
from gateway.values.address import canonical
from gateway.values.errors import BadAddress
from gateway.values.fault import Fault
from gateway.values.service_key import digest

_SECRET_CHARACTERS = 32


def check(gateway: Gateway) -> list[Fault]:
    return [*links(gateway), *_services(gateway)]


def _services(gateway: Gateway) -> Iterator[Fault]:
    carriers = Carriers.of(gateway)
    for name, service in gateway.services.items():
        yield from service_faults(name, service, carriers)
    yield from _secret(gateway)
    yield from _link_base(gateway)
    yield from shared_faults(gateway.services)
    yield from _one_key_each(gateway.services)
    yield from _one_answer_each(gateway.services)


def _secret(gateway: Gateway) -> Iterator[Fault]:
    """Commands read the file without what it refers to: a reference says nothing of its length."""
    if gateway.secret and not gateway.secret.startswith("$") and len(gateway.secret) < _SECRET_CHARACTERS:
        yield Fault(
            "secret",
            f"is too short to be one: {_SECRET_CHARACTERS} characters and more, such as those of "
            "`openssl rand -hex 32`; without it one is made",
        )


def _link_base(gateway: Gateway) -> Iterator[Fault]:
    """What smart links begin with, and where they are without it."""
    for index, written in enumerate(gateway.http.trusted_proxies):
        try:
            network(written)
        except ValueError as error:
            yield Fault(f"http.trusted_proxies[{index}]", str(error))
    base = gateway.http.links
    parts = urlsplit(base)
    if base and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/")):
        yield Fault("http.links", f'"{base}" is no URL without a path; write "https://s.example.org"')
    for name, service in gateway.services.items():
        if service.links and not base:
            yield Fault(f"services.{name}.links", "lead nowhere yet: set links in [http] to a URL of yours")


def _one_key_each(services: Mapping[str, Service]) -> Iterator[Fault]:
    holders: dict[bytes, str] = {}
    for name, service in services.items():
        for what, key in (("key", service.key), ("previous_key", service.previous_key)):
            if key and (holder := holders.setdefault(digest(key), name)) != name:
                said = f"service {holder} has the same key; a key says which service a request is for"
                yield Fault(f"services.{name}.{what}", said)


def _one_answer_each(services: Mapping[str, Service]) -> Iterator[Fault]:
    """A call goes to one service, so that only one may say what it meets."""
    holders: dict[str, str] = {}
    for name, service in services.items():
        for number in service.numbers:
            try:
                address = canonical(number)
            except BadAddress:
                continue
            path = f"services.{name}.numbers.{number}"
            if holders.setdefault(address, path) != path:
                yield Fault(path, f"calls to {number} already meet {holders[address]}")
