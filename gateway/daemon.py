"""The composition root: the only module that knows everybody; starts and stops the parts in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from socket import SOCK_DGRAM
from typing import Any

from msgspec.structs import replace

from gateway import __version__
from gateway.channels.base import Channel
from gateway.channels.sms import Flight, SmsChannel
from gateway.channels.voice.call import Line, Media
from gateway.channels.voice.channel import VoiceChannel
from gateway.channels.voice.prompts import PromptCache
from gateway.config.load import Loaded
from gateway.config.model import Bind, Gateway, Service, Trunk
from gateway.directory.consent import Consents
from gateway.http.app import HttpServer
from gateway.http.deps import CarrierState, Deps
from gateway.inbound import accounts as esme
from gateway.inbound.accounts import Accounts
from gateway.inbound.actions import Actions
from gateway.inbound.consequences import ACCOUNT_SCHEME, Consequences
from gateway.inbound.pipeline import InboundPipeline
from gateway.inbound.reassembly import Reassembly, Source, source_of
from gateway.inbound.runs import TIMER as RUN_TIMER
from gateway.inbound.runs import Runs
from gateway.inbound.voice import InboundCalls
from gateway.observe.metrics import Metrics
from gateway.observe.system import IdSource, SystemClock
from gateway.observe.systemd import Systemd
from gateway.outbound.accept import Planner
from gateway.outbound.fetch import Fetcher
from gateway.outbound.notify import HttpPost, Notifier
from gateway.outbound.pipeline import OutboundPipeline
from gateway.outbound.receipts import Receipts
from gateway.outbound.routes import Routes
from gateway.outbound.segments import SegmentBook
from gateway.protocol.sip.call import CallCancelled, IncomingCall, SipEvent
from gateway.protocol.smpp.pdu import DeliverSm
from gateway.protocol.sms import segments
from gateway.protocol.sms.coding import Coding
from gateway.rules.keywords import Keywords
from gateway.rules.ruleset import Ruleset
from gateway.store.base import Unit
from gateway.store.sqlite import SqliteStore, path_of
from gateway.store.timers import Timers
from gateway.transport.rtp_udp import MediaPump, RtpPorts
from gateway.transport.sip_udp import SipEndpoint
from gateway.transport.smpp_client import BindGroup, Inbound
from gateway.transport.smpp_server import SmppServer
from gateway.transport.smpp_submission import Submission
from gateway.values.call import Call
from gateway.values.errors import GatewayError
from gateway.values.event import Event
from gateway.values.message import Message, StepPlan
from gateway.values.work import Effect, Notification, Timer

log = logging.getLogger(__name__)

GRACE_SECONDS = 10.0  # for what was begun, when stopping
_HOUSEKEEPING_SECONDS = 1.0


class StartError(GatewayError):
    """The daemon cannot start; the text says what is in the way."""


class Daemon:
    """`reload` reads the configuration anew, for SIGHUP."""

    def __init__(
        self, config: Gateway, *, state_directory: Path, reload: Callable[[], Loaded] | None = None
    ) -> None:
        self.config = config
        self._reload = reload
        self._clock = SystemClock()
        self._new_id = IdSource(self._clock)
        self._rng = random.SystemRandom()
        self._services: dict[str, Service] = dict(config.services)
        self._binds: dict[str, Bind] = dict(config.smpp.binds)
        self._trunks: dict[str, Trunk] = {}
        self._groups: dict[str, BindGroup] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._trouble = ""
        self.metrics = Metrics()
        self.systemd = Systemd()
        self.store = SqliteStore(path_of(config.store.url, state_directory), queue=config.store.queue)
        self._consents = Consents()
        self._book = SegmentBook(self.store)
        self._timers = Timers(self._clock, self._fire)
        self._routes = Routes(self._binds)
        self._prompts = PromptCache()
        self._sms = SmsChannel(
            binds=self._binds,
            clock=self._clock,
            routes=self._candidates,
            refusal=self._consents.refusal,
            enqueue=self._enqueue,
            state=self._bind_state,
            report=lambda *news: self.outbound.report(*news),
            known=lambda segment: self._receipts.known(segment),
            doubted=self._book.in_doubt,
            give_back=lambda *what: self.outbound.give_back(*what),
        )
        self._channels: dict[str, Channel] = {"sms": self._sms}
        self.outbound = OutboundPipeline(
            store=self.store,
            clock=self._clock,
            new_id=self._new_id,
            planner=Planner(self._services),
            channels=self._channels,
            timers=self._timers,
            book=self._book,
            consequences=self._of_status,
            queue_limit=config.http.queue,
        )
        self._receipts = Receipts(store=self.store, book=self._book, pipeline=self.outbound)
        self._http_post = HttpPost(lambda service: str(self._services[service].hub_secret), self._clock)
        self._notifier = Notifier(
            store=self.store,
            clock=self._clock,
            new_id=self._new_id,
            posts={
                "http": self._http_post,
                "https": self._http_post,
                ACCOUNT_SCHEME: self._post_to_account,
            },
        )
        self._fetcher = Fetcher(self.store, lambda *done: self._runs.fetched(*done))
        self._runs = Runs(
            services=self._services,
            clock=self._clock,
            new_id=self._new_id,
            accepting=self.outbound,
            timers=self._timers,
            record=self.outbound.record,
            fetch=self._fetcher.start,
        )
        self._actions = Actions(
            accepting=self.outbound,
            owing=self._notifier,
            consents=self._consents,
            runs=self._runs,
            clock=self._clock,
        )
        self._reassembly = Reassembly(self._sources(), self._new_id)
        self._esme_reassembly = Reassembly(self._esme_sources(), self._new_id)
        self._decide_by(Keywords.build(self._services), Ruleset.build(self._services))
        self._server: SmppServer | None = None
        self._accounts = Accounts(
            accounts=config.smpp.accounts,
            store=self.store,
            clock=self._clock,
            accepting=self.outbound,
            submit=self.outbound.submit,
            reassembly=self._esme_reassembly,
            deliver=self._deliver_to_account,
        )
        self._sip: SipEndpoint | None = None
        self._pump: MediaPump | None = None
        self._calls_in: InboundCalls | None = None
        self._voice: VoiceChannel | None = None
        self.http = HttpServer(
            config.http.listen,
            Deps(
                submit=self.outbound.submit,
                store=self.store,
                services=self._services,
                carriers=self.carriers,
                segments=lambda text: segments.count(text)[1],
                metrics=self.metrics,
                health=self._health,
                stopping=lambda: self._stopping,
            ),
        )
        self.metrics.observe(self._gauges)
        self.metrics.observe_carriers(self.carriers)

    # -- life --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Start, serve until SIGTERM or SIGINT, drain, stop.  Raises StartError or StoreUnusable."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        await self.start()
        try:
            self.systemd.ready()
            await stop.wait()
        finally:
            self.systemd.stopping()
            await self.stop()

    async def start(self) -> None:
        """Everything up, in order: what needs the store after it, the outside last."""
        sys.setswitchinterval(1e-4)  # the writer thread must not wait long for the interpreter
        await self.store.open()
        await self._consents.load(self.store)
        await self._runs.load(self.store)
        await self._reassembly.start(self.store)
        await self._esme_reassembly.start(self.store)
        await self._timers.start(self.store)
        try:
            await self._start_sip()
            await self._start_server()
            for name in self._binds:
                self._start_bind(name)
            await self.outbound.recover(self._may_repeat)
            await self._fetcher.recover()
            self._notifier.start()
            await self.http.start()
        except OSError as error:
            await self.stop()
            raise StartError(f"cannot listen: {error}") from error
        self._tasks.append(asyncio.create_task(self._keep_house()))
        self._tasks.append(asyncio.create_task(self.systemd.watch(lambda: not self._health())))
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be looked at again
        log.info("gateway.ready", extra={"version": __version__, "http": self.http.port})

    async def stop(self) -> None:
        """Drain: nothing new is taken, what was begun is finished, peers are told good-bye."""
        if self._stopping:
            return
        self._stopping = True
        log.info("gateway.stopping")
        await self.http.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.stop(GRACE_SECONDS / 2)
        if self._calls_in is not None:
            self._calls_in.stop()
        if self._voice is not None:
            await self._voice.stop()
        if self._sip is not None:
            await self._sip.stop(GRACE_SECONDS / 2)
        if self._pump is not None:
            await self._pump.close()
        self._sms.stopping = True
        await asyncio.gather(*(group.stop(GRACE_SECONDS) for group in self._groups.values()))
        self._timers.stop()
        await self._notifier.stop()
        await self._http_post.close()
        await self._fetcher.stop()
        await self.outbound.stop()
        self._prompts.close()
        await self.store.close()
        log.info("gateway.stopped")

    # -- SMPP --------------------------------------------------------------------------------------

    def _start_bind(self, name: str) -> None:
        group = BindGroup(
            name,
            self._binds[name],
            hand_over=partial(self._hand_over, name),
            on_result=self._sms_result,
            on_late=self._sms_result,
            on_deliver=self._deliver,
            on_state=self._bind_changed,
            rng=self._rng,
        )
        group.on_room = partial(self.outbound.refill, name)
        self._groups[name] = group
        group.start()

    def _enqueue(self, flight: Flight) -> bool:
        group = self._groups.get(flight.carrier)
        submission = Submission(flight, flight.pdus, wanted=lambda: not flight.cancelled)
        return group is not None and group.enqueue(submission)

    def _bind_state(self, name: str) -> tuple[bool, str]:
        group = self._groups.get(name)
        return (group.up, "" if group.up else group.reason) if group else (False, "not started")

    def _candidates(self, message: Message, step: StepPlan) -> list[str]:
        service = self._services.get(message.service)
        return self._routes.candidates(step.sender, via=step.via, preferred=service.routes if service else ())

    async def _hand_over(self, name: str, batch: list[Submission]) -> None:
        keys = [flight.key for s in batch if isinstance(flight := s.ref, Flight)]
        await self.outbound.hand_over(keys, name)

    def _sms_result(self, submission: Submission, result: Any) -> None:
        if isinstance(submission.ref, Flight):
            self.metrics.segment(submission.ref.carrier, result.kind)
            self._sms.result(submission.ref, result)

    async def _deliver(self, inbound: Inbound) -> int:
        self.metrics.received(inbound.bind)
        return await self.inbound.deliver(inbound.bind, inbound.pdu)

    def _bind_changed(self, name: str, up: bool, reason: str) -> None:
        log.info("bind.up" if up else "bind.down", extra={"bind": name, "reason": reason})

    async def _start_server(self) -> None:
        listen = self.config.smpp.listen
        if listen is not None:
            self._server = SmppServer(
                listen,
                self.config.smpp.accounts,
                on_submit=self._accounts.submitted,
                on_state=self._account_changed,
            )
            await self._server.start()

    def _account_changed(self, account: str, sessions: int, reason: str) -> None:
        log.info("account.sessions", extra={"account": account, "sessions": sessions, "reason": reason})

    async def _deliver_to_account(self, account: str, pdu: DeliverSm) -> int:
        if self._server is None:
            raise StartError("there is no SMPP server")
        return await self._server.deliver(account, pdu)

    async def _post_to_account(self, notification: Notification) -> str:
        return await self._accounts.receipt(notification)

    # -- SIP ---------------------------------------------------------------------------------------

    async def _start_sip(self) -> None:
        sip = self.config.sip
        if sip is None:
            return
        await self._take_trunks(sip.trunks)
        # `listen` holds one address: check refuses more
        self._sip = SipEndpoint(
            address=sip.listen[0],
            advertise=sip.advertise,
            admit=self._admit,
            on_event=self._sip_event,
            user_agent=f"trunkline/{__version__}",
        )
        await self._sip.start()
        low, _, high = sip.rtp_ports.partition("-")
        ports = RtpPorts(self._sip.host, range(int(low), int(high or low) + 1))
        self._pump = MediaPump(ports, chance=self._rng)
        self._calls_in = InboundCalls(
            services=self._services,
            trunks=self._trunks,
            phone=self._sip,
            clock=self._clock,
            new_id=self._new_id,
            record=self.outbound.record,
            consequences=self.consequences.of_call,
        )
        self._voice = self._channels["voice"] = VoiceChannel(
            trunks=self._trunks,
            line=Line(phone=self._sip, clock=self._clock, note=self._note_call, media_address=self._sip.host),
            open_media=self._open_media,
            prompts=self._prompts,
            new_id=self._new_id,
            refusal=self._consents.refusal,
            hand_over=self._hand_over_call,
            report=self.outbound.report,
            session_id=lambda: self._rng.getrandbits(32),
            room=self.outbound.refill,
        )

    async def _take_trunks(self, trunks: Mapping[str, Trunk]) -> None:
        """Know the trunks by their IP addresses: a request names its source by nothing else."""
        loop = asyncio.get_running_loop()
        found: dict[str, Trunk] = {}
        for name, trunk in trunks.items():
            try:
                infos = await loop.getaddrinfo(trunk.host, trunk.port, type=SOCK_DGRAM)
                found[name] = replace(trunk, host=infos[0][4][0])
            except OSError as error:
                log.error("trunk.unresolved", extra={"trunk": name, "host": trunk.host, "reason": str(error)})
                found[name] = trunk
        self._trunks.clear()
        self._trunks.update(found)
        self._networks = [
            (ip_network(text, strict=False), name)
            for name, trunk in found.items()
            for text in (trunk.host, *trunk.allow)
            if _is_network(text)
        ]

    def _admit(self, source: str) -> str | None:
        address = ip_address(source)
        return next((name for network, name in self._networks if address in network), None)

    def _sip_event(self, event: SipEvent) -> None:
        assert self._calls_in is not None and self._voice is not None
        if isinstance(event, IncomingCall):
            self._calls_in.incoming(event)
        elif not self._voice.event(event) and isinstance(event, CallCancelled):
            self._calls_in.cancelled(event)

    async def _open_media(self) -> Media:
        assert self._pump is not None
        return await self._pump.open()

    async def _hand_over_call(self, key: str, carrier: str) -> None:
        await self.outbound.hand_over([key], carrier)

    def _note_call(self, call: Call, what: str) -> None:
        """An outbound call has come a step further."""
        unit = Unit()
        unit.writes.append(call)
        if what:
            data = {"from": call.caller, "to": call.called, "cause": call.cause, "status": call.status}
            event = Event(
                ref=call.message or call.id,
                type=what,
                service=call.service,
                at=self._clock.now(),
                data={**data, "call": call.id},
            )
            unit.writes.append(event)
            self.consequences.of_call(unit, event, call)
        if what == "call.ended":
            self.metrics.call("out", call.cause)
        self.outbound.record(unit)

    # -- the core ----------------------------------------------------------------------------------

    def _decide_by(self, keywords: Keywords, ruleset: Ruleset) -> None:
        self.consequences = Consequences(
            services=self._services,
            ruleset=ruleset,
            actions=self._actions,
            owing=self._notifier,
            consents=self._consents,
            runs=self._runs,
        )
        self._runs.firing = self.consequences
        self.inbound = InboundPipeline(
            store=self.store,
            clock=self._clock,
            new_id=self._new_id,
            binds=self._binds,
            services=self._services,
            keywords=keywords,
            ruleset=ruleset,
            consents=self._consents,
            actions=self._actions,
            owing=self._notifier,
            runs=self._runs,
            reassembly=self._reassembly,
            receipts=self._receipts,
        )

    def _of_status(self, unit: Unit, event: Event, message: Message) -> None:
        self.metrics.status(message.service, str(message.status))
        self.consequences.of_status(unit, event, message)

    def _fire(self, timer: Timer) -> None:
        if timer.kind == RUN_TIMER:
            self._runs.timer(timer)
        else:
            self.outbound.timer(timer)

    def _may_repeat(self, effect: Effect) -> bool:
        bind = self._binds.get(effect.carrier)
        return effect.kind == "submit" and bind is not None and bind.on_in_doubt == "resend"

    def _sources(self) -> dict[str, Source]:
        return {name: source_of(bind) for name, bind in self._binds.items()}

    def _esme_sources(self) -> dict[str, Source]:
        source = Source(esme.REASSEMBLY_SECONDS, Coding.GSM)
        return {esme.source_name(name): source for name in self.config.smpp.accounts}

    async def _keep_house(self) -> None:
        """What is due by time and held in no timer: parts of long messages."""
        while True:
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
            try:
                now = self._clock.now()
                if (due := self._reassembly.deadline()) is not None and due <= now:
                    await self.inbound.expire_parts()
                if (due := self._esme_reassembly.deadline()) is not None and due <= now:
                    await self._accounts.expire_parts()
            except GatewayError as error:
                log.warning("housekeeping.failed", extra={"reason": str(error)})

    # -- what it looks like from outside -----------------------------------------------------------

    def carriers(self) -> list[CarrierState]:
        binds = [
            CarrierState(
                name=name,
                kind="bind",
                up=group.up,
                reason="" if group.up else group.reason,
                queued=group.queued,
                outstanding=group.outstanding,
            )
            for name, group in self._groups.items()
        ]
        trunks = [
            CarrierState(name=name, kind="trunk", up=True, reason="", queued=0, outstanding=0)
            for name in self._trunks
        ]
        return [*binds, *trunks]

    def _health(self) -> list[str]:
        """What is wrong, as sentences; empty when all is well."""
        found = []
        if self.store.trouble:
            found.append(f"the store cannot write: {self.store.trouble}")
        if self.outbound.unrecorded:
            found.append(f"{self.outbound.unrecorded} outcomes wait to be recorded")
        return found

    def _gauges(self) -> dict[str, float]:
        return {
            "messages_in_memory": self.outbound.waiting,
            "outcomes_unrecorded": self.outbound.unrecorded,
            "notifications_in_memory": self._notifier.waiting,
            "runs_open": len(self._runs),
            "timers": len(self._timers),
            "store_queue": self.store.queued,
            "receipts_unmatched": self._receipts.unmatched,
        }

    # -- reload ------------------------------------------------------------------------------------

    def _hang_up(self) -> None:
        """SIGHUP."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._apply_new()))

    async def _apply_new(self) -> None:
        """Apply a changed configuration.  A bad one changes nothing and says why."""
        if self._reload is None:
            return
        self.systemd.reloading()
        loaded = self._reload()
        for fault in loaded.faults:
            log.error("reload.fault", extra={"reason": str(fault)})
        if loaded.gateway is None:
            log.error("reload.refused", extra={"findings": len(loaded.faults)})
        else:
            try:
                await self._apply(loaded.gateway)
            except GatewayError as error:
                log.error("reload.failed", extra={"reason": str(error)})
        self.systemd.ready()

    async def _apply(self, new: Gateway) -> None:
        old, self.config = self.config, new
        for part in ("store", "http", "log", "state_directory"):
            if getattr(old, part) != getattr(new, part):
                log.warning("reload.needs_restart", extra={"section": part})
        if (old.smpp.listen, old.smpp.accounts) != (new.smpp.listen, new.smpp.accounts):
            log.warning("reload.needs_restart", extra={"section": "smpp.listen and smpp.accounts"})
        keywords, ruleset = Keywords.build(new.services), Ruleset.build(new.services)
        self._runs.configure(new.services)  # raises on a bad flow, before anything has changed
        self._services.clear()
        self._services.update(new.services)
        self.outbound.planner = Planner(self._services)
        gone = [name for name, bind in self._binds.items() if new.smpp.binds.get(name) != bind]
        fresh = [name for name, bind in new.smpp.binds.items() if self._binds.get(name) != bind]
        self._binds.clear()
        self._binds.update(new.smpp.binds)
        self._routes = Routes(self._binds)
        self._reassembly.configure(self._sources())
        self._decide_by(keywords, ruleset)
        if self._calls_in is not None and new.sip is not None:
            await self._take_trunks(new.sip.trunks)
            self._calls_in.configure(self._services, self._trunks)
        await asyncio.gather(*(self._groups.pop(name).stop(GRACE_SECONDS) for name in gone))
        for name in fresh:
            self._start_bind(name)
        log.info("reload.done", extra={"binds_stopped": gone, "binds_started": fresh})


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
