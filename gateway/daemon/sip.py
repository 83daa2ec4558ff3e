"""The SIP side of the daemon: one endpoint, the media of its calls, the trunks by their addresses."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from socket import SOCK_DGRAM

from msgspec.structs import replace

from gateway import __version__
from gateway.channels.voice.call import Media
from gateway.channels.voice.channel import VoiceChannel
from gateway.config.endpoint import allowed, network, port_range
from gateway.config.model import Service, Sip, Trunk
from gateway.inbound.live import LiveCalls
from gateway.inbound.voice import InboundCalls
from gateway.observe.health import CarrierState
from gateway.protocol.sip.call import CallCancelled, IncomingCall, OfferReceived, SipEvent
from gateway.protocol.sip.transaction import StrangerMuted
from gateway.transport.recordings import Recordings
from gateway.transport.rtp_ports import RtpPorts
from gateway.transport.rtp_udp import MediaPump
from gateway.transport.sip_endpoint import SipEndpoint
from gateway.transport.tls_port import own_context

log = logging.getLogger(__name__)

Network = IPv4Network | IPv6Network
_KNOWN_SOURCES = 10_000


class SipSide:
    """`trunks` is filled by `resolve` and shared with the channel: hosts as IP addresses, since a request
    names its source by nothing else.  `calls_in` and `voice` must be set in the turn in which `open` ends."""

    def __init__(self, sip: Sip, rng: random.Random, state_directory: Path) -> None:
        self._sip = sip
        self._recordings = state_directory / "recordings"
        self._rng = rng
        self._networks: list[tuple[str, list[Network]]] = []
        self._known: dict[str, str | None] = {}  # trunks by source: each request asks several times
        self._pump: MediaPump | None = None
        self.trunks: dict[str, Trunk] = {}
        self.calls_in: InboundCalls | None = None
        self.voice: VoiceChannel | None = None
        self.live: LiveCalls | None = None
        self.endpoint = SipEndpoint(
            listen=sip.listen,
            advertise=sip.advertise,
            tls=_own_tls(sip),
            answer_strangers=sip.unknown == "reject",
            admit=self._admit,
            on_event=self._event,
            user_agent=f"trunkline/{__version__}",
        )

    async def open(self) -> None:
        """Bind the sockets.  Raises OSError."""
        await self.resolve(self._sip.trunks)
        await self.endpoint.start()
        ports = list(port_range(self._sip.rtp_ports))
        self._rng.shuffle(ports)
        self._pump = MediaPump(
            RtpPorts(self.endpoint.host, ports), chance=self._rng, recordings=Recordings(self._recordings)
        )

    async def resolve(self, trunks: Mapping[str, Trunk]) -> None:
        """Take these trunks; a host that cannot be resolved now makes its trunk unreachable, no more."""
        loop = asyncio.get_running_loop()
        found: dict[str, Trunk] = {}
        for name, trunk in trunks.items():
            found[name] = trunk
            try:
                infos = await loop.getaddrinfo(trunk.host, trunk.port, type=SOCK_DGRAM)
            except OSError as error:
                extra = {"trunk": name, "host": trunk.host, "reason": str(error)}
                log.error("trunk.unresolved", extra=extra)
            else:
                found[name] = replace(trunk, host=str(infos[0][4][0]))
        self.trunks.clear()
        self.trunks.update(found)
        self._known.clear()
        self._networks = [(name, list(_networks(trunk))) for name, trunk in found.items()]

    async def configure(self, sip: Sip, services: Mapping[str, Service]) -> None:
        """Take changed trunks and policies; calls under way go on.  The addresses stay until a restart."""
        if (sip.listen, sip.advertise, sip.rtp_ports) != (
            self._sip.listen,
            self._sip.advertise,
            self._sip.rtp_ports,
        ):
            log.warning("reload.needs_restart", extra={"section": "sip.listen, advertise and rtp_ports"})
        await self.resolve(sip.trunks)
        if self.calls_in is not None:
            self.calls_in.configure(services, self.trunks)
        if self.voice is not None:
            self.voice.configure(self.trunks)

    async def open_media(self) -> Media:
        assert self._pump is not None
        return await self._pump.open()

    def has_room(self, trunk: str) -> bool:
        """Whether a trunk may have one more call."""
        return self._busy()[trunk] < self.trunks[trunk].max_calls

    def session_id(self) -> int:
        """A number for SDP's o= line."""
        return self._rng.getrandbits(32)

    def states(self) -> list[CarrierState]:
        calls = self._busy()
        return [
            CarrierState(name=name, kind="trunk", up=True, outstanding=calls[name]) for name in self.trunks
        ]

    def gauges(self) -> dict[str, float]:
        if self.calls_in is None:
            return {}
        return {
            "calls_ringing": len(self.calls_in),
            "calls_unrecorded": self.calls_in.waiting,
            **self.endpoint.tables(),
        }

    async def stop(self, grace_seconds: float) -> None:
        """Refuse what rings, hang up what talks, and wait for the answers to each BYE."""
        if self.calls_in is not None:
            await self.calls_in.stop(
                grace_seconds
            )  # before the endpoint refuses them with a status of its own
        if self.live is not None:
            self.live.stop()
        if self.voice is not None:
            await self.voice.stop()
        await self.endpoint.stop(grace_seconds)
        if self._pump is not None:
            await self._pump.close()

    def _busy(self) -> Counter[str]:
        """Calls under way by trunk."""
        counts = Counter[str]()
        for calls in (self.voice, self.live):
            if calls is not None:
                counts.update(calls.busy)
        return counts

    def _admit(self, source: str) -> str | None:
        known = self._known
        if source not in known:
            if len(known) >= _KNOWN_SOURCES:
                known.clear()
            known[source] = next((name for name, own in self._networks if allowed(source, own)), None)
        return known[source]

    def _event(self, event: SipEvent) -> None:
        assert self.calls_in is not None and self.voice is not None
        if isinstance(event, StrangerMuted):
            log.warning("sip.muted", extra={"peer": event.source.host})
        elif isinstance(event, IncomingCall):
            self.calls_in.incoming(event)
        elif self.voice.event(event) or (self.live is not None and self.live.event(event)):
            pass
        elif isinstance(event, CallCancelled):
            self.calls_in.cancelled(event)
        elif isinstance(event, OfferReceived):
            self.endpoint.refuse_offer(event.call)  # a call that nobody speaks on any more


def _own_tls(sip: Sip) -> ssl.SSLContext | None:
    """What we show to clients of our TLS port.  Raises OSError."""
    if not sip.tls_certificate:
        return None
    return own_context(sip.tls_certificate, sip.tls_key, ssl.TLSVersion.TLSv1_2)


def _networks(trunk: Trunk) -> list[Network]:
    found = []
    for text in (trunk.host, *trunk.allow):
        try:
            found.append(network(text))
        except ValueError:  # a host name that could not be resolved
            continue
    return found
