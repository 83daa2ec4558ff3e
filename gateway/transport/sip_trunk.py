"""One trunk as it is now: where its hosts are, which of them answer, whether we are registered."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from ipaddress import ip_address

from gateway.config.endpoint import Network, host_port, network
from gateway.config.model import Sip, Trunk
from gateway.observe.health import CarrierState, HostState
from gateway.protocol.sip.address import Address, Transport
from gateway.protocol.sip.call import CallFailed
from gateway.protocol.sip.digest import Digest
from gateway.protocol.sip.hosts import Hosts
from gateway.protocol.sip.identity import Identity
from gateway.protocol.sip.manner import Binding, Manner
from gateway.protocol.sip.message import Response
from gateway.protocol.sip.registration import Registration, State
from gateway.protocol.sip.uri import host_port as written
from gateway.protocol.sip.uri import sip_uri
from gateway.transport.sip_dns import Located, Resolver
from gateway.transport.sip_endpoint import SipEndpoint
from gateway.transport.tls_port import load_own
from gateway.values.numbering import Numbering

log = logging.getLogger(__name__)

_RESOLVE_AGAIN_SECONDS = 10.0
_OPEN_SECONDS = 5.0  # that a start waits for name servers; afterwards they have their time
_LEARN_SECONDS = 60.0  # at most so often a changed address of ours is told before its time
_HOST_FAILURES = frozenset({408, 500, 502, 503, 504})  # that say more about a host than about a call


class TrunkLink:
    """`changed` is called when the trunk comes up, `moved` when its `networks` are others.  `supported` are
    the transports that we listen by.

    `open` looks its hosts up once; `start` begins keep-alive and registration.
    """

    def __init__(
        self,
        name: str,
        sip: Sip,
        trunk: Trunk,
        endpoint: SipEndpoint,
        resolver: Resolver,
        supported: Sequence[Transport],
        chance: Callable[[], float],
        changed: Callable[[str], None],
        moved: Callable[[], None],
    ) -> None:
        self.name = name
        self.trunk = trunk
        self.numbering = Numbering(trunk.number_format, trunk.country, trunk.prefix)
        self.networks: list[Network] = []
        self.digest: Digest | None = None
        if trunk.auth != "ip":
            self.digest = Digest(trunk.username, trunk.password, endpoint.token)
        self._sip = sip
        self._endpoint = endpoint
        self._resolver = resolver
        self._supported = supported
        self._changed = changed
        self._moved = moved
        self._clock = asyncio.get_running_loop().time
        self._hosts = Hosts(float(trunk.keepalive))
        self._resolve_at: float | None = self._clock()
        self._binding: Binding | None = None
        self._registration: Registration | None = None
        if trunk.auth == "register":
            self._registration = Registration(int(trunk.expires), chance, self._clock())
        self._asked: Address | None = None  # the host that the latest REGISTER went to
        self._seen_at: tuple[str, int] | None = None
        self._learned_at = float("-inf")
        self._was_up: bool | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._tls: ssl.SSLContext | None = None

    # --- life

    async def open(self) -> None:
        """Look up the hosts: before the first call may come from one of them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_OPEN_SECONDS):
                await self._resolve()

    def start(self) -> None:
        """The endpoint is up: say that we are there.  Does nothing the second time."""
        if self._task is not None:
            return
        if self._registration is not None:
            call_id = f"{self._endpoint.token()}@{self._endpoint.host}"
            self._binding = Binding(self.trunk.username, self.manner(""), call_id, self._endpoint.token())
        self._task = asyncio.create_task(self._run())

    async def stop(self, grace_seconds: float) -> None:
        """Have the registration removed, and wait for that for so long."""
        registration = self._registration
        if registration is not None and self._task is not None:
            self._register(registration.stop())
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    while registration.state is not State.STOPPED:
                        self._wake.clear()
                        await self._wake.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            now = self._clock()
            if self._resolve_at is not None and now >= self._resolve_at:
                await self._resolve()
            for address in self._hosts.due(now):
                self._endpoint.options(address, self.manner(""))
            if self._registration is not None:
                self._register(self._registration.tick(now))
            self._look()
            self._wake.clear()
            deadlines = [self._resolve_at, self._hosts.deadline()]
            if self._registration is not None:
                deadlines.append(self._registration.deadline())
            known = [deadline for deadline in deadlines if deadline is not None]
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(known) if known else None):
                    await self._wake.wait()

    async def _resolve(self) -> None:
        trunk = self.trunk
        host, port = self._place
        try:
            found = await self._resolver.locate(host, port, self._transport, self._supported)
        except OSError as error:  # what is known stays: a name server that is down is no reason to stop
            log.error("trunk.unresolved", extra={"trunk": self.name, "host": host, "reason": str(error)})
            found = Located([], _RESOLVE_AGAIN_SECONDS)
        now = self._clock()
        if found.addresses:
            self._hosts.replace(found.addresses, now)
        self._resolve_at = None if found.seconds is None else now + found.seconds
        networks = [network(address) for address in (*self._known(), *trunk.allow)]
        if networks != self.networks:
            self.networks = networks
            self._moved()

    def _known(self) -> list[str]:
        """IP addresses that are the trunk's without further ado."""
        known = [host.address.host for host in self._hosts]
        with suppress(ValueError):
            known.append(str(ip_address(self.trunk.host)))
        return list(dict.fromkeys(known))

    # --- what the others want to know

    def why_not(self, avoid: Collection[Address] = ()) -> str:
        """Why no call can go out by it now; empty when one can."""
        now = self._clock()
        registration = self._registration
        if registration is not None and not registration.registered:
            return registration.reason
        if avoid and self._hosts.choose(now, avoid) is None:
            return "no further host"
        return self._hosts.why_not(now)

    def choose(self, avoid: Collection[Address]) -> Address | None:
        return self._hosts.choose(self._clock(), avoid)

    def manner(self, number: str) -> Manner:
        """How to send it requests, those of a call as this canonical number of ours."""
        trunk = self.trunk
        number = self.numbering.written(number) if number else ""
        domain = trunk.domain or (self._endpoint.host if trunk.auth == "ip" else trunk.host)
        identity = Identity(number, domain, trunk.asserted_identity, trunk.anonymous)
        return Manner(self.name, self._domain, trunk.port or None, self._routes, self.digest, identity)

    def uri(self, number: str) -> str:
        """A canonical number as the trunk is asked to call it."""
        return sip_uri(self.numbering.called(number), self._domain, self.trunk.port or None)

    def has(self, address: Address) -> bool:
        return any(host.address == address for host in self._hosts)

    def stream_for(self, address: Address) -> Address | None:
        """Where requests too large for a datagram go."""
        if self.trunk.transport != "udp+tcp" or not self.has(address):
            return None
        return Address(address.host, address.port, "tcp")

    def secured(self) -> tuple[ssl.SSLContext, str]:
        """How to connect by TLS: the certificate must show the name that is configured, not one that DNS gave
        (RFC 5922 section 4).  Raises OSError."""
        if self._tls is None:
            try:
                context = ssl.create_default_context(cafile=self.trunk.tls_ca or None)
            except OSError as error:
                raise OSError(f"tls_ca {self.trunk.tls_ca}: {error}") from error
            if self._sip.tls_certificate:
                load_own(context, self._sip.tls_certificate, self._sip.tls_key)
            self._tls = context
        return self._tls, self._place[0]

    def state(self, calls: int) -> CarrierState:
        now = self._clock()
        why_not = self.why_not()
        hosts = [
            HostState(
                address=f"{host.address.transport}:{written(host.address.host, host.address.port)}",
                up=not host.why_not(now),
                reason=host.why_not(now),
                rtt_ms=None if host.rtt is None else round(host.rtt * 1000, 1),
            )
            for host in self._hosts
        ]
        return CarrierState(
            name=self.name, kind="trunk", up=not why_not, reason=why_not, outstanding=calls, hosts=hosts
        )

    # --- what has happened

    def probed(self, address: Address, status: int | None) -> None:
        self._hosts.answered(address, status, self._clock())
        self._look()
        self._wake.set()

    def failed(self, event: CallFailed) -> None:
        """A call of this trunk came to nothing: is it the host that is to blame?"""
        if event.unreachable or event.status in _HOST_FAILURES or event.retry_after:
            self._hosts.failed(event.call.peer, event.retry_after, self._clock())

    def registered(self, binding: Binding, response: Response | None) -> bool:
        """The outcome of a REGISTER.  False: it was another trunk's."""
        registration = self._registration
        if registration is None or binding is not self._binding:
            return False
        now = self._clock()
        if response is None:
            if self._asked is not None:
                self._hosts.failed(self._asked, None, now)
            again = registration.unanswered(now)
        else:
            again = registration.answered(response, binding.contact, now)
            self._learn(response, registration, now)
        self._register(again)
        self._look()
        self._wake.set()
        return True

    # --- inside

    def _learn(self, response: Response, registration: Registration, now: float) -> None:
        """Behind NAT a registrar says where it sees us (RFC 3581): there it can call us, and is told so at
        once.  `advertise` is the operator's own word on this, and stands."""
        if self._sip.advertise or self._asked is None or self._asked.transport != "udp":
            return
        own = self._endpoint.host, self._endpoint.port_of("udp")
        told = response.via.parameters
        host, port = told.get("received") or own[0], told.get("rport") or ""
        try:
            place = str(ip_address(host)), int(port)
        except ValueError:
            return
        seen = None if place == own or not 0 < place[1] < 65536 else place
        if seen == self._seen_at:
            return
        self._seen_at = seen
        self._endpoint.be_seen_at(self.name, seen)
        if now - self._learned_at > _LEARN_SECONDS:  # some NAT has another port for every request
            self._learned_at = now
            log.info("trunk.behind_nat", extra={"trunk": self.name, "seen_at": written(*place)})
            registration.refresh(now)

    def _register(self, expires: int | None) -> None:
        while expires is not None and self._binding is not None and self._registration is not None:
            self._asked = self._hosts.choose(self._clock())
            if self._asked is not None:
                self._endpoint.register(self._binding, self._asked, expires)
                return
            expires = self._registration.unanswered(self._clock())

    def _look(self) -> None:
        """Say so when the trunk has come up or gone down."""
        why_not = self.why_not()
        up = not why_not
        if up is self._was_up:
            return
        if not up:
            log.warning("trunk.down", extra={"trunk": self.name, "reason": why_not})
        elif self._was_up is not None or self._registration is not None or self._hosts.deadline() is not None:
            log.info("trunk.up", extra={"trunk": self.name})
        self._was_up = up
        if up:
            self._changed(self.name)

    @property
    def _place(self) -> tuple[str, int]:
        """Where requests go first."""
        trunk = self.trunk
        if not trunk.outbound_proxy:
            return trunk.host, trunk.port
        with suppress(ValueError):
            return host_port(trunk.outbound_proxy)
        return trunk.outbound_proxy, 0

    @property
    def _transport(self) -> Transport | None:
        match self.trunk.transport:
            case "udp" | "udp+tcp":
                return "udp"
            case "auto":
                return None
            case transport:
                return transport

    @property
    def _domain(self) -> str:
        return self.trunk.domain or self.trunk.host

    @property
    def _routes(self) -> tuple[str, ...]:
        if not self.trunk.outbound_proxy:
            return ()
        host, port = self._place
        way = "" if self._transport in (None, "udp") else f";transport={self._transport}"
        return (f"sip:{written(host, port or None)}{way};lr",)
