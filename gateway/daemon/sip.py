"""The SIP side of the daemon: one endpoint, the media of its calls, the trunks by their addresses."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from gateway import __version__
from gateway.channels.voice.call import Line, Media
from gateway.channels.voice.channel import VoiceChannel
from gateway.channels.voice.inbound import InboundCall, Reception
from gateway.channels.voice.prompts import PromptCache
from gateway.config.endpoint import port_range
from gateway.config.model import Service, Sip, Trunk
from gateway.content.otp import Codes
from gateway.daemon.recordings import tidy
from gateway.directory.consent import Consents
from gateway.inbound.calls import CallRecords
from gateway.inbound.gathered import Gathered
from gateway.inbound.live import LiveCalls
from gateway.inbound.runs import Runs
from gateway.inbound.voice import InboundCalls
from gateway.observe.health import CarrierState
from gateway.observe.system import collect_for_calls
from gateway.outbound.pipeline import OutboundPipeline
from gateway.protocol.sip.call import CallCancelled, IncomingCall, OfferReceived, SipEvent
from gateway.protocol.sip.transaction import StrangerMuted
from gateway.store.base import Store
from gateway.transport.recordings import Recordings
from gateway.transport.rtp_ports import RtpPorts
from gateway.transport.rtp_udp import MediaPump
from gateway.transport.sip_endpoint import SipEndpoint
from gateway.transport.sip_trunks import Trunks
from gateway.transport.tls_port import own_context
from gateway.values.clock import Clock
from gateway.values.ids import NewId

log = logging.getLogger(__name__)

_FIXED = ("listen", "tls_certificate", "tls_key", "unknown", "advertise", "rtp_ports")  # until a restart


class SipSide:
    """`trunks` are the settings, shared with the channel; `lines` is how the trunks are.  `room` is told of a
    trunk that comes up.  `connect` must be called in the turn in which `open` ends."""

    def __init__(
        self, sip: Sip, rng: random.Random, state_directory: Path, room: Callable[[str], None]
    ) -> None:
        self._sip = self._latest = sip
        self._recordings = state_directory / "recordings"
        self._rng = rng
        self._pump: MediaPump | None = None
        self._prompts = PromptCache()
        self.trunks: dict[str, Trunk] = dict(sip.trunks)
        self.calls_in: InboundCalls | None = None
        self.voice: VoiceChannel | None = None
        self.live: LiveCalls | None = None
        self.lines = Trunks(rng, room)
        self.endpoint = SipEndpoint(
            listen=sip.listen,
            advertise=sip.advertise,
            tls=lambda: _own_tls(sip),
            answer_strangers=sip.unknown == "reject",
            admit=self.lines.admit,
            digest_of=self.lines.digest_of,
            stream_for=self.lines.stream_for,
            secured=self.lines.secured,
            on_event=self._event,
            user_agent=f"trunkline/{__version__}",
        )
        self.lines.endpoint = self.endpoint

    async def open(self) -> None:
        """Bind the sockets.  Raises OSError."""
        await self.lines.configure(self._sip)
        await self.endpoint.start()
        self.lines.start()
        ports = list(port_range(self._sip.rtp_ports))
        self._rng.shuffle(ports)
        self._pump = MediaPump(
            RtpPorts(self.endpoint.host, ports),
            chance=self._rng,
            recordings=Recordings(self._recordings),
            in_use=collect_for_calls,
        )

    def connect(
        self,
        *,
        services: Mapping[str, Service],
        clock: Clock,
        new_id: NewId,
        sessions: Runs,
        records: CallRecords,
        overloaded: Callable[[str], None],
        consents: Consents,
        codes: Codes,
        outbound: OutboundPipeline,
    ) -> VoiceChannel:
        """Both directions of calls, now that the endpoint knows its address."""
        reception = Reception(
            phone=self.endpoint,
            clock=clock,
            note=records.note,
            open_media=self.open_media,
            prompts=self._prompts,
            media_address=self.endpoint.host,
            session_id=self.session_id,
            refer=self.lines.refer,
        )
        live = self.live = sessions.on_calls.calls = LiveCalls(
            clock=clock,
            sessions=sessions,
            receive=lambda arrival: InboundCall(
                reception,
                arrival.event.call,
                arrival.record,
                offer=arrival.event.sdp,
                trunk=self.trunks[arrival.event.trunk],
                refusal=arrival.number.reject,
            ),
            room=self.has_room,
            refusal=partial(consents.refusal, channel="voice"),
            record=outbound.record,
        )
        self.calls_in = InboundCalls(
            services=services,
            trunks=self.trunks,
            phone=self.endpoint,
            clock=clock,
            new_id=new_id,
            note=records.note,
            overloaded=overloaded,
            later=Gathered(asyncio.get_running_loop().call_later, clock.monotonic),
            answer=live.incoming,
        )
        self.voice = VoiceChannel(
            trunks=self.trunks,
            line=Line(phone=self.lines, clock=clock, note=records.note, media_address=self.endpoint.host),
            open_media=self.open_media,
            prompts=self._prompts,
            new_id=new_id,
            refusal=partial(consents.refusal, channel="voice"),
            codes=codes,
            hand_over=lambda key, carrier: outbound.hand_over([key], carrier),
            report=outbound.report,
            session_id=self.session_id,
            room=outbound.refill,
            keep=live.adopt,
        )
        return self.voice

    async def load(self, store: Store) -> None:
        """What earlier lives of the gateway knew of callers."""
        if self.calls_in is not None:
            await self.calls_in.load(store)

    async def tidy(self, store: Store, clock: Clock) -> None:
        """Delete recordings whose time is over.  Raises StoreError, Throttled."""
        await tidy(self._recordings, self._latest, store, clock)

    async def configure(self, sip: Sip, services: Mapping[str, Service]) -> None:
        """Take changed trunks and policies; calls under way go on.  The addresses stay until a restart."""
        if any(getattr(sip, key) != getattr(self._sip, key) for key in _FIXED):
            log.warning("reload.needs_restart", extra={"section": f"sip: {', '.join(_FIXED)}"})
        self._latest = sip
        await self.lines.configure(sip)
        self.lines.start()
        self.trunks.clear()
        self.trunks.update(sip.trunks)
        if self.calls_in is not None:
            self.calls_in.configure(services, self.trunks)
        if self.voice is not None:
            self.voice.configure(self.trunks)

    async def open_media(self) -> Media:
        assert self._pump is not None
        return self._pump.open()

    def has_room(self, trunk: str) -> bool:
        """Whether a trunk may have one more call."""
        return self._busy()[trunk] < self.trunks[trunk].max_calls

    def session_id(self) -> int:
        """A number for SDP's o= line."""
        return self._rng.getrandbits(32)

    def states(self) -> list[CarrierState]:
        return self.lines.states(self._busy())

    def gauges(self) -> dict[str, float]:
        if self.calls_in is None:
            return {}
        return {
            "calls_ringing": len(self.calls_in),
            "calls_unrecorded": self.calls_in.waiting,
            **self.endpoint.tables(),
            **self.endpoint.counts(),
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
        await self.lines.stop(grace_seconds)
        await self.endpoint.stop(grace_seconds)
        if self._pump is not None:
            await self._pump.close()
        self._prompts.close()

    def _busy(self) -> Counter[str]:
        """Calls under way by trunk."""
        counts = Counter[str]()
        for calls in (self.voice, self.live):
            if calls is not None:
                counts.update(calls.busy)
        return counts

    def _event(self, event: SipEvent) -> None:
        assert self.calls_in is not None and self.voice is not None
        if isinstance(event, StrangerMuted):
            log.warning("sip.muted", extra={"peer": event.source.host})
        elif self.lines.event(event):
            pass
        elif isinstance(event, IncomingCall):
            self.calls_in.incoming(self.lines.read(event))
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
