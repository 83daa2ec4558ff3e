"""All trunks: which one a request is from, which host a call goes to, what a changed setting does."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Callable, Collection

from gateway.config.endpoint import allowed
from gateway.config.model import Sip
from gateway.observe.health import CarrierState
from gateway.protocol.sip.address import Address, Transport
from gateway.protocol.sip.call import (
    Call,
    CallFailed,
    IncomingCall,
    OptionsAnswered,
    RegisterAnswered,
    SipEvent,
)
from gateway.protocol.sip.digest import Digest
from gateway.protocol.sip.reason import NORMAL_CLEARING
from gateway.protocol.sip.transaction import IllegalTransition
from gateway.transport.sip_dns import Resolver
from gateway.transport.sip_endpoint import SipEndpoint
from gateway.transport.sip_trunk import TrunkLink
from gateway.values.address import canonical
from gateway.values.errors import GatewayError

_REMEMBERED = 10_000  # source addresses


class NoHost(GatewayError):
    """No host of the trunk can be asked now."""


class CannotRefer(GatewayError):
    """The call is not in a state in which it can be transferred."""


class Trunks:
    """`changed` is called with a trunk's name when it comes up.

    The first six methods are what `SipEndpoint` asks for; `endpoint` is to be set before `open`.
    """

    endpoint: SipEndpoint

    def __init__(self, rng: random.Random, changed: Callable[[str], None]) -> None:
        self._rng = rng
        self._changed = changed
        self._links: dict[str, TrunkLink] = {}
        self._numbers: dict[str, set[str]] = {}
        self._sources: dict[str, list[str]] = {}  # trunks by source address: each request asks several times

    # --- for the endpoint

    def admit(self, source: str) -> str | None:
        """The name of a trunk by an IP address, None for a stranger's."""
        names = self._of(source)
        return names[0] if names else None

    def digest_of(self, trunk: str) -> Digest | None:
        link = self._links.get(trunk)
        return link.digest if link is not None else None

    def stream_for(self, address: Address) -> Address | None:
        return next(filter(None, (link.stream_for(address) for link in self._links.values())), None)

    def secured(self, address: Address) -> tuple[ssl.SSLContext, str]:
        """Raises OSError."""
        for link in self._links.values():
            if link.has(address):
                return link.secured()
        raise OSError("no trunk is there")

    # --- life

    async def configure(self, sip: Sip) -> None:
        """Take these trunks; those that have not changed go on, others begin anew.

        To be called before the endpoint starts, so that no carrier is taken for a stranger; `start` follows.
        """
        kept = {name: link for name, link in self._links.items() if sip.trunks.get(name) == link.trunk}
        gone = [link for name, link in self._links.items() if name not in kept]
        await asyncio.gather(*(link.stop(2.0) for link in gone))
        supported: list[Transport] = [way for way in ("udp", "tcp", "tls") if _listens(sip, way)]
        wide = "[" in sip.listen[0]
        resolver = Resolver(sip.name_server, self._rng.random, wide=wide)
        links = {
            name: kept.get(name)
            or TrunkLink(
                name,
                sip,
                trunk,
                self.endpoint,
                resolver,
                supported,
                self._rng.random,
                self._changed,
                self._sources.clear,
            )
            for name, trunk in sip.trunks.items()
        }
        new = [link for name, link in links.items() if name not in kept]
        await asyncio.gather(*(link.open() for link in new))
        self._links = links
        self._numbers = {
            name: {canonical(number) for number in trunk.numbers} for name, trunk in sip.trunks.items()
        }
        self._sources.clear()

    def start(self) -> None:
        """The endpoint is up."""
        for link in self._links.values():
            link.start()

    async def stop(self, grace_seconds: float) -> None:
        """Have what is registered removed."""
        await asyncio.gather(*(link.stop(grace_seconds) for link in self._links.values()))

    # --- calls (`channels.voice.call.Phone`)

    def invite(
        self,
        *,
        trunk: str,
        to_number: str,
        from_number: str,
        sdp: bytes,
        avoid: Collection[Address] = (),
    ) -> Call:
        """Call a canonical number by a trunk, at the best of its hosts but `avoid`.  Raises NoHost."""
        link = self._links.get(trunk)
        target = link.choose(avoid) if link is not None else None
        if link is None or target is None:
            raise NoHost(f"{trunk}: {self.why_not(trunk, avoid)}")
        return self.endpoint.invite(
            target=target,
            to_number=link.numbering.called(to_number),
            from_number=link.numbering.written(from_number),
            sdp=sdp,
            manner=link.manner(from_number),
        )

    def hang_up(self, call: Call, why: int = NORMAL_CLEARING) -> None:
        self.endpoint.hang_up(call, why)

    def refer(self, call: Call, trunk: str, to_number: str) -> None:
        """Ask the trunk of a call to call a canonical number in our place.  Raises NoHost, CannotRefer."""
        link = self._links.get(trunk)
        if link is None:
            raise NoHost(f"{trunk}: {self.why_not(trunk)}")
        try:
            self.endpoint.refer(call, link.uri(to_number))
        except IllegalTransition as error:
            raise CannotRefer(str(error)) from error

    def accept_offer(self, call: Call, sdp: bytes) -> None:
        self.endpoint.accept_offer(call, sdp)

    def refuse_offer(self, call: Call, status: int = 488) -> None:
        self.endpoint.refuse_offer(call, status)

    def why_not(self, trunk: str, avoid: Collection[Address] = ()) -> str:
        """Why no call can go out by a trunk now; empty when one can."""
        link = self._links.get(trunk)
        return link.why_not(avoid) if link is not None else "there is no such trunk any more"

    def states(self, calls: Counter[str]) -> list[CarrierState]:
        return [link.state(calls[name]) for name, link in self._links.items()]

    # --- what SIP says

    def event(self, event: SipEvent) -> bool:
        """Take note.  False: it is for others too."""
        match event:
            case OptionsAnswered(probe, status):
                for link in self._links.values():
                    link.probed(probe.target, status)
                return True
            case RegisterAnswered(binding, response):
                return any(link.registered(binding, response) for link in self._links.values())
            case CallFailed(call) if call.trunk in self._links:
                self._links[call.trunk].failed(event)
        return False

    def read(self, event: IncomingCall) -> IncomingCall:
        """The same with canonical numbers, and with the trunk that has the number among those that share the
        address.  A registered trunk may have the number in To only: the Request-URI is then our Contact."""
        names = self._of(event.source.host)
        for name in names:
            numbering = self._links[name].numbering
            for written in (event.to_number, event.dialled):
                if (called := numbering.read(written)) in self._numbers[name]:
                    event.call.trunk, event.call.digest = name, self.digest_of(name)
                    return _read(event, name, called, numbering.read(event.from_number))
        if not names:
            return event
        numbering = self._links[names[0]].numbering
        called = numbering.read(event.to_number) or event.to_number
        return _read(event, event.trunk, called, numbering.read(event.from_number))

    def _of(self, source: str) -> list[str]:
        """The trunks that an IP address may be of."""
        names = self._sources.get(source)
        if names is None:
            if len(self._sources) >= _REMEMBERED:
                self._sources.clear()
            names = [name for name, link in self._links.items() if allowed(source, link.networks)]
            self._sources[source] = names
        return names


def _listens(sip: Sip, transport: str) -> bool:
    return any(written.startswith(f"{transport}:") for written in sip.listen)


def _read(event: IncomingCall, trunk: str, called: str, caller: str) -> IncomingCall:
    return IncomingCall(event.call, caller, called, event.source, trunk, event.sdp, event.dialled)
