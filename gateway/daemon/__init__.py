"""The composition root: the only module that knows everybody; starts and stops the parts in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import random
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import __version__
from gateway.channels.app import AppChannel
from gateway.channels.base import Channel
from gateway.channels.segmentation import terms_of
from gateway.channels.sms import Flight, SmsChannel
from gateway.config.load import Loaded
from gateway.config.model import Account, Bind, Gateway, Service, receipts_about
from gateway.content.journal import Journal
from gateway.content.otp import Codes
from gateway.content.smart_link import Tokens
from gateway.daemon.held import held
from gateway.daemon.reload import Reload, changed_binds, needs_restart
from gateway.daemon.secret import secret_of
from gateway.daemon.smpp import SmppSide
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.directory.devices import Devices
from gateway.directory.offences import Offences
from gateway.directory.policy import Policy, explicit
from gateway.flows import effects
from gateway.http.app import HttpServer
from gateway.http.client import Proxies
from gateway.http.deps import CarrierState, Deps
from gateway.inbound import accounts as esme
from gateway.inbound.accounts import Accounts
from gateway.inbound.actions import Actions
from gateway.inbound.app import AppTexts
from gateway.inbound.calls import CallRecords
from gateway.inbound.consequences import ACCOUNT_SCHEME, Consequences
from gateway.inbound.custom import CustomEvents
from gateway.inbound.dialled import DialledCalls
from gateway.inbound.listening import Listening
from gateway.inbound.pipeline import InboundPipeline
from gateway.inbound.reassembly import Reassembly, Source, source_of
from gateway.inbound.runs import Runs
from gateway.inbound.stored import Stored
from gateway.inbound.words import Words
from gateway.observe.metrics import Metrics
from gateway.observe.system import IdSource, SystemClock
from gateway.observe.systemd import Systemd
from gateway.outbound.accept import Counted, Planner
from gateway.outbound.authorise import Authoriser
from gateway.outbound.control import Control
from gateway.outbound.dialler import Dialler
from gateway.outbound.fetch import Fetcher
from gateway.outbound.links import Links
from gateway.outbound.notify.hub import Hub
from gateway.outbound.notify.notifier import Notifier
from gateway.outbound.otp import Otps
from gateway.outbound.pipeline import HELD, OutboundPipeline
from gateway.outbound.queries import TIMER as QUERY_TIMER
from gateway.outbound.queries import Queries
from gateway.outbound.receipts import Receipts
from gateway.outbound.reroute import Reroute
from gateway.outbound.routes import Routes
from gateway.outbound.segments import SegmentBook
from gateway.protocol.sms.coding import Coding
from gateway.protocol.sms.preview import PLAIN, Preview, preview
from gateway.rules import variables
from gateway.rules.keywords import Keywords
from gateway.rules.ruleset import Ruleset
from gateway.rules.skip import skipped
from gateway.store.base import Unit
from gateway.store.file import path_of
from gateway.store.sqlite import SqliteStore
from gateway.store.timers import Timers
from gateway.transport.smpp_client import Inbound
from gateway.transport.smpp_link import Respond
from gateway.transport.smpp_submission import SubmitResult
from gateway.values.call import Call
from gateway.values.errors import BadInput, GatewayError
from gateway.values.message import Message, StepPlan
from gateway.values.work import Timer

if TYPE_CHECKING:
    from gateway.daemon.sip import SipSide

log = logging.getLogger(__name__)

GRACE_SECONDS = 10.0  # for what was begun, when stopping
_HOUSEKEEPING_SECONDS = 1.0
_TIDY_SECONDS = 3600.0


class StartError(GatewayError):
    """The daemon cannot start; the text says what is in the way."""


class Daemon:
    """`reload` reads the configuration anew, for SIGHUP."""

    def __init__(
        self, config: Gateway, *, state_directory: Path, reload: Callable[[], Loaded] | None = None
    ) -> None:
        self.config = config
        self._clock = SystemClock()
        self._new_id = IdSource(self._clock)
        self._rng = random.SystemRandom()
        self._services: dict[str, Service] = dict(config.services)
        self._binds: dict[str, Bind] = dict(config.smpp.binds)
        self._esmes: dict[str, Account] = dict(config.smpp.accounts)
        self._tasks: list[asyncio.Task[None]] = []
        self._state_directory = state_directory
        self._binds_begun = False
        self._stopping = False
        self._parked: set[str] = set()  # live services for which texts may be parked
        self._resuming: asyncio.Task[None] | None = None
        self.metrics = Metrics()
        self.systemd = Systemd()
        self._reload = Reload(read=reload, apply=self._apply, systemd=self.systemd) if reload else None
        self.store = SqliteStore(
            path_of(config.store.url, state_directory),
            queue=config.store.queue,
            process=config.store.writer == "process",
        )
        self._consents = Consents()
        self._customers = Customers()
        self._offences = Offences()
        self._policy = Policy(self._services, self._consents.opted_in)
        secret = secret_of(config.secret, state_directory)
        codes = self._codes = Codes(secret)
        self._otps = Otps(
            services=self._services,
            codes=codes,
            clock=self._clock,
            new_id=self._new_id,
            randomness=secrets.token_bytes,
            count=self.metrics.otp,
        )
        self._links = Links(
            services=self._services,
            base=config.http.links,
            tokens=Tokens(secret),
            clock=self._clock,
            store=self.store,
            record=lambda unit: self.outbound.record(unit),
            clicked=lambda *what: self.consequences.of_click(*what),
            count=self.metrics.link,
        )
        self._book = SegmentBook(self.store)
        self._timers = Timers(self._clock, self._fire, appointments={HELD})
        self._routes = Routes(self._binds, self._services)
        self._sms = SmsChannel(
            binds=self._binds,
            clock=self._clock,
            routes=self._candidates,
            refusal=partial(self._consents.refusal, channel="sms"),
            codes=codes,
            enqueue=lambda flight: self._smpp.enqueue(flight),
            state=lambda bind: self._smpp.state(bind),
            report=lambda *news: self.outbound.report(*news),
            known=lambda segment: self._receipts.known(segment),
            answered=lambda *what: self._queries.answered(*what),
            doubted=lambda *what: self._receipts.doubted(*what),
            give_back=lambda *what: self.outbound.give_back(*what),
        )
        self._devices = Devices(lambda: secrets.token_urlsafe(24))
        self._apps = AppChannel(
            services=self._services,
            devices=self._devices,
            clock=self._clock,
            refusal=partial(self._consents.refusal, channel="app"),
            codes=codes,
            report=lambda *news: self.outbound.report(*news),
            room=lambda queue: self.outbound.refill(queue, force=True),
        )
        self._channels: dict[str, Channel] = {"sms": self._sms, "app": self._apps}
        self.outbound = OutboundPipeline(
            store=self.store,
            clock=self._clock,
            new_id=self._new_id,
            planner=Planner(self._services, self._customers.language),
            channels=self._channels,
            timers=self._timers,
            book=self._book,
            consequences=self._of_status,
            policy=self._policy,
            queue_limit=config.http.queue,
            skip=self._skip,
            put_links=self._links.put_in,
            absent=self._apps.absent,
        )
        self._receipts = Receipts(
            store=self.store,
            book=self._book,
            pipeline=self.outbound,
            seen=self.metrics.receipt,
            orphaned=self.metrics.orphan_receipt,
            settled=lambda unit, segment: self._queries.settled(unit, segment),
            about=self._receipts_about,
        )
        self._control = Control(
            store=self.store, clock=self._clock, timers=self._timers, pipeline=self.outbound
        )
        self._queries = Queries(
            binds=self._binds,
            services=self._services,
            clock=self._clock,
            new_id=self._new_id,
            timers=self._timers,
            pipeline=self.outbound,
            receipts=self._receipts,
            ask=lambda *what: self._smpp.ask(*what),
            asked=self.metrics.query,
        )
        self._hub = Hub(
            lambda service: str(self._services[service].hub_secret),
            self._clock,
            batch=lambda service: self._services[service].notify.batch,
            previous=self._previous_hub_secret,
        )
        self._esme_reassembly = Reassembly(self._esme_sources(), self._new_id, self._clock.steady)
        self._accounts = Accounts(
            accounts=self._esmes,
            store=self.store,
            clock=self._clock,
            accepting=Counted(self.outbound, partial(self.metrics.accepted, by="smpp")),
            reassembly=self._esme_reassembly,
            stored=Stored(
                store=self.store,
                clock=self._clock,
                control=self._control,
                load=self.outbound.load,
                waits=lambda account, id: self._esme_reassembly.waits(esme.source_name(account), id),
            ),
            deliver=lambda *what: self._smpp.deliver_to_account(*what),
        )
        self._notifier = Notifier(
            store=self.store,
            clock=self._clock,
            new_id=self._new_id,
            posts={
                "http": self._hub,
                "https": self._hub,
                ACCOUNT_SCHEME: self._accounts,
            },
        )
        self._fetcher = Fetcher(
            self.store, lambda *done: self._runs.done(*done), Authoriser(self._services, self._clock)
        )
        self._events = CustomEvents(
            services=self._services, clock=self._clock, new_id=self._new_id, owing=self._notifier
        )
        self._listening = Listening(self._clock, self.metrics.nlp_left_out, self._offences)
        self._listening.configure(self._services, self._listening.readers(self._services))
        self._words = Words(
            services=self._services,
            otps=self._otps,
            links=self._links,
            listening=self._listening,
            clock=self._clock,
            randomness=secrets.token_bytes,
        )
        self._runs = Runs(
            services=self._services,
            clock=self._clock,
            new_id=self._new_id,
            accepting=Counted(self.outbound, partial(self.metrics.accepted, by="flow")),
            owing=self._notifier,
            consents=self._consents,
            customers=self._customers,
            record=self.outbound.record,
            fetch=self._fetcher.start,
            randomness=secrets.token_bytes,
            journal=Journal(secret.decode(), secrets.token_bytes),
            others={
                effects.RaiseEvent: self._events.act,
                **self._words.acts,
            },
            speak=codes.spoken,
        )
        self._actions = Actions(
            accepting=Counted(self.outbound, partial(self.metrics.accepted, by="rule")),
            owing=self._notifier,
            consents=self._consents,
            customers=self._customers,
            events=self._events,
            runs=self._runs,
            clock=self._clock,
        )
        self._calls = CallRecords(
            clock=self._clock,
            record=self.outbound.record,
            consequences=lambda *what: self.consequences.of_call(*what),
            ended=self._call_ended,
        )
        self._app_texts = AppTexts(services=self._services, clock=self._clock, new_id=self._new_id)
        dialled = DialledCalls(
            sessions=self._runs,
            live=lambda: self._sip.live if self._sip is not None else None,
            clock=self._clock,
            refusal=partial(self._consents.refusal, channel="voice"),
            sender=lambda service, wanted: self.outbound.planner.sender(service, wanted, "voice"),
        )
        self._dialler = Dialler(
            services=self._services,
            store=self.store,
            clock=self._clock,
            new_id=self._new_id,
            accepting=Counted(self.outbound, partial(self.metrics.accepted, by="list")),
            refusal=partial(self._consents.refusal, channel="voice"),
            begin=dialled.begin,
            release=lambda owner: self._sip.live.release(owner) if self._sip and self._sip.live else None,
            take_back=self._control.cancel,
        )
        self._reassembly = Reassembly(self._sources(), self._new_id, self._clock.steady)
        self._decide_by(Keywords.build(self._services), Ruleset.build(self._services))
        self._smpp = SmppSide(
            self._binds,
            hand_over=self._hand_over,
            result=self._segment_result,
            late=self._late_result,
            deliver=self._deliver,
            request=self._accounts.requested,
            bound=lambda account: self._notifier.back(f"{ACCOUNT_SCHEME}:{account}"),
            room=self.outbound.refill,
            give_back=self.outbound.give_back,
            rest=self.outbound.rest,
            put_off=self.metrics.segment,
            changed=lambda: self._reroute.soon(),
            rng=self._rng,
        )
        self._reroute = Reroute(
            store=self.store,
            clock=self._clock,
            pipeline=self.outbound,
            channel=self._sms,
            down=lambda: [name for name in self._binds if not self._smpp.state(name)[0]],
        )
        self._sip: SipSide | None = None
        if config.sip is not None:
            from gateway.daemon.sip import SipSide  # 20 MiB that a gateway without telephony does without

            self._sip = SipSide(config.sip, self._rng, state_directory, self.outbound.refill)
        self.http = HttpServer(
            config.http.listen,
            Deps(
                submit_soon=self.outbound.submit_soon,
                store=self.store,
                services=self._services,
                clock=self._clock,
                consents=self._consents,
                customers=self._customers,
                offences=self._offences,
                events=self._events,
                dialler=self._dialler,
                carriers=self.carriers,
                segments=self._sms.count,
                preview=self._preview,
                metrics=self.metrics,
                accepting=self.outbound,
                otps=self._otps,
                links=self._links,
                health=self._health,
                devices=self._devices,
                apps=self._apps,
                app_texts=self._app_texts,
                message=self.outbound.load,
                stopping=lambda: self._stopping,
            ),
            Proxies(config.http.trusted_proxies),
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
        loop.add_signal_handler(signal.SIGUSR1, self._take_down)
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
        await self._consents.load(self.store, explicit(self._services))
        await self._devices.load(self.store)
        await self._listening.load(self.store)
        await self._customers.load(self.store)
        await self._policy.load(self.store, self._clock.now())
        await self._events.load(self.store)
        await self._otps.load(self.store)
        await self._links.load()
        # an answer that was parked comes before the time-out of who waits for it
        self._runs.pause([name for name in self._services if await self.store.parked(name, 1)])
        await self._runs.load(self.store)
        await self._dialler.load()
        await self._book.load(self._clock.now())
        await self._notifier.load()
        await self._reassembly.start(self.store)
        await self._esme_reassembly.start(self.store)
        await self._timers.start(self.store)
        left_open = await self.store.open_calls()  # before new ones can come
        try:
            if self._sip is not None:
                await self._sip.open()
                self._channels["voice"] = self._sip.connect(
                    services=self._services,
                    clock=self._clock,
                    new_id=self._new_id,
                    sessions=self._runs,
                    records=self._calls,
                    overloaded=self.metrics.call_shed,
                    consents=self._consents,
                    codes=self._codes,
                    outbound=self.outbound,
                )
                await self._sip.load(self.store)
            # before anything else may look for work in the store: what was begun is there as if it were ready
            await self.outbound.recover(self._may_repeat)
            await self._smpp.listen(self.config.smpp)
            self._binds_begun = True
            await self._smpp.hold(held(self._state_directory))
            await self._fetcher.recover()
            await self._runs.recover(self.store)
            await self.inbound.take_up()
            self._resume([name for name, service in self._services.items() if service.status == "live"])
            self._calls.close(left_open)
            self._dialler.begin_work()
            self._notifier.start()
            await self.http.start()
        except OSError as error:
            await self.stop()
            raise StartError(f"cannot listen: {error}") from error
        self._tasks.append(asyncio.create_task(self._keep_house()))
        # a restart cures a dead writer, not a full disk
        self._tasks.append(asyncio.create_task(self.systemd.watch(lambda: self.store.writing)))
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be looked at again
        log.info("gateway.ready", extra={"version": __version__, "http": self.http.port})

    async def stop(self) -> None:
        """Drain: nothing new is taken, what was begun is finished, peers are told good-bye."""
        if self._stopping:
            return
        self._stopping = True
        log.info("gateway.stopping")
        self._apps.close()
        await self.http.stop()
        await self._dialler.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._smpp.stop_server(GRACE_SECONDS / 2)
        if self._sip is not None:
            await self._sip.stop(GRACE_SECONDS / 2)
        self._sms.stopping = True
        await self._reroute.stop()
        await self._smpp.stop(None, GRACE_SECONDS)
        self._timers.stop()
        self._runs.close()
        await self._queries.stop()
        await self._notifier.stop(GRACE_SECONDS / 5)
        await self._hub.close()
        await self._fetcher.stop()
        await self.outbound.stop()
        await self.store.close()
        log.info("gateway.stopped")
        self.systemd.close()

    # -- carriers ----------------------------------------------------------------------------------

    def _candidates(self, message: Message, step: StepPlan) -> list[str]:
        return self._routes.candidates(message, step, self._clock.now())

    def _skip(self, message: Message, step: StepPlan) -> str:
        who = message.service, message.recipient
        subject = variables.subject(
            service=message.service,
            customer=message.recipient,
            opted_out=bool(self._consents.refusal(*who)),
            known=self._customers.known(*who),
        )
        return skipped(message, step, subject)

    async def _hand_over(self, keys: list[str], carrier: str) -> None:
        await self.outbound.hand_over(keys, carrier)

    def _segment_result(self, flight: Flight, result: SubmitResult) -> None:
        self.metrics.segment(flight.carrier, result.kind)
        self._sms.result(flight, result)

    def _late_result(self, flight: Flight, result: SubmitResult) -> None:
        self.metrics.segment(flight.carrier, result.kind)
        if result.kind == "rejected":
            self._book.refused(flight.message.id, flight.step, flight.parts[result.part])
        self._sms.late(flight, result)

    def _deliver(self, inbound: Inbound, respond: Respond) -> None:
        self.metrics.received(inbound.bind)
        self.inbound.deliver(inbound.bind, inbound.pdu, respond)

    def _call_ended(self, call: Call) -> None:
        self.metrics.call(call.trunk, call.direction, call.cause)
        if call.flood:
            self.metrics.flood(call.trunk)

    # -- the core ----------------------------------------------------------------------------------

    def _decide_by(self, keywords: Keywords, ruleset: Ruleset) -> None:
        self.consequences = Consequences(
            services=self._services,
            ruleset=ruleset,
            actions=self._actions,
            owing=self._notifier,
            consents=self._consents,
            customers=self._customers,
            clock=self._clock,
            runs=self._runs,
            dialled=self._dialler.effect_done,
        )
        self._runs.firing = self._events.follow = self.consequences
        self.inbound = InboundPipeline(
            store=self.store,
            clock=self._clock,
            new_id=self._new_id,
            binds=self._binds,
            services=self._services,
            keywords=keywords,
            ruleset=ruleset,
            consents=self._consents,
            customers=self._customers,
            actions=self._actions,
            owing=self._notifier,
            runs=self._runs,
            reassembly=self._reassembly,
            receipts=self._receipts,
            listening=self._listening,
            listeners=self._listeners,
            heard_from=self._policy.heard,
            hide=self._otps.hide,
        )
        self._app_texts.deciding = self.inbound.deciding

    def _receipts_about(self, bind: str) -> Sequence[str]:
        settings = self._binds.get(bind)
        if settings is None or (settings.mode != "receiver" and not settings.receipts_of):
            return (bind,)
        return receipts_about(bind, self._binds)

    def _listeners(self, service: str) -> list[str]:
        """Accounts that the texts of a service go to, as URLs."""
        accounts = self._esmes.items()
        return [f"{ACCOUNT_SCHEME}:{name}" for name, a in accounts if a.inbound and a.service == service]

    def _of_status(self, unit: Unit, message: Message, at: float) -> None:
        self.metrics.status(message.service, message.status)
        self.consequences.of_status(unit, message, at)

    def _fire(self, timer: Timer) -> None:
        if timer.kind == QUERY_TIMER:
            self._queries.timer(timer)
        else:
            self.outbound.timer(timer)

    def _may_repeat(self, channel: str, carrier: str) -> bool:
        bind = self._binds.get(carrier)
        return channel == "sms" and bind is not None and bind.on_in_doubt == "resend"

    def _sources(self) -> dict[str, Source]:
        return {name: source_of(bind) for name, bind in self._binds.items()}

    def _esme_sources(self) -> dict[str, Source]:
        source = Source(esme.REASSEMBLY_SECONDS, Coding.GSM)
        return {esme.source_name(name): source for name in self._esmes}

    async def _keep_house(self) -> None:
        """What is due by time and held in no timer: parts of long messages, rows of Logbooks."""
        tidied = -math.inf
        while True:
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
            try:
                self._receipts.expire(self._clock.now())
                if self._parked and self._resuming is not None and self._resuming.done():
                    self._resume([])  # the store failed meanwhile
                unit = Unit()
                self._otps.expire(unit)
                if unit.writes:
                    self.outbound.record(unit)
                now = self._clock.monotonic()
                if now - tidied >= _TIDY_SECONDS:
                    tidied = now
                    await self._runs.tidy(self.store)
                    if self._sip is not None:
                        await self._sip.tidy(self.store, self._clock)
                if (due := self._reassembly.deadline()) is not None and due <= now:
                    await self.inbound.expire_parts()
                if (due := self._esme_reassembly.deadline()) is not None and due <= now:
                    await self._accounts.expire_parts()
            except GatewayError as error:
                log.warning("housekeeping.failed", extra={"reason": str(error)})

    def _resume(self, services: Sequence[str]) -> None:
        """Take up what was parked while these services were suspended."""
        if self._resuming is not None:
            self._resuming.cancel()
        self._parked |= set(services)
        self._resuming = asyncio.create_task(self._take_up_parked())
        self._tasks.append(self._resuming)

    async def _take_up_parked(self) -> None:
        for name in sorted(self._parked):
            try:
                await self.inbound.resume(name)
                self._runs.resume(name)  # after the texts: an answer that was parked comes before a time-out
            except GatewayError as error:
                log.warning("service.parked", extra={"service": name, "reason": str(error)})
            else:
                self._parked.discard(name)

    def _previous_hub_secret(self, name: str) -> str:
        """ "" once its time is over."""
        service = self._services[name]
        holds = self._clock.now() < service.previous_hub_secret_until
        return str(service.previous_hub_secret) if holds else ""

    # -- what it looks like from outside -----------------------------------------------------------

    def carriers(self) -> list[CarrierState]:
        return [*self._smpp.states(), *(self._sip.states() if self._sip is not None else ())]

    def _preview(self, text: str, bind: str) -> Preview:
        """How a text would go on air by that bind, or by most.  Raises BadInput."""
        if bind and bind not in self._binds:
            known = ", ".join(self._binds) or "none"
            raise BadInput(
                f"no bind is named {bind!r} (there are: {known})", field="bind", code="unknown_bind"
            )
        return preview(text, terms_of(self._binds[bind]) if bind else PLAIN)

    def _health(self) -> list[str]:
        """What is wrong, as sentences; empty when all is well."""
        found = []
        if self.store.trouble:
            found.append(f"the store cannot write: {self.store.trouble}")
        if self.store.damage:
            found.append(f"the store is damaged: {self.store.damage}; stop the gateway, restore a backup")
        if self.outbound.unrecorded:
            found.append(f"{self.outbound.unrecorded} outcomes wait to be recorded")
        return found

    def _gauges(self) -> dict[str, float]:
        return {
            "messages_in_memory": self.outbound.waiting,
            "outcomes_unrecorded": self.outbound.unrecorded,
            "notifications_in_memory": self._notifier.waiting,
            "runs_open": len(self._runs),
            "apps_connected": self._apps.connected,
            "otps": len(self._otps),
            "otp_holds": self._otps.holds,
            "timers": len(self._timers),
            "store_queue": self.store.queued,
            "receipts_matched_total": self._receipts.matched,
            "receipts_unmatched_total": self._receipts.unmatched,
            "receipts_duplicate_total": self._receipts.duplicates,
            "notifications_sent_total": self._notifier.sent,
            "notifications_failed_total": self._notifier.failed,
            "notifications_dead_total": self._notifier.dead,
            **(self._sip.gauges() if self._sip is not None else {}),
        }

    # -- reload ------------------------------------------------------------------------------------

    def _hang_up(self) -> None:
        """SIGHUP."""
        if self._reload is not None:
            self._tasks.append(asyncio.get_running_loop().create_task(self._reload.run()))

    def _take_down(self) -> None:
        """SIGUSR1: `gateway bind` has said which binds are to be down."""
        if self._binds_begun:  # else the start will read it
            work = self._smpp.hold(held(self._state_directory))
            self._tasks.append(asyncio.get_running_loop().create_task(work))

    def _was_suspended(self, name: str, service: Service) -> bool:
        before = self._services.get(name)
        return before is not None and before.status == "suspended" and service.status == "live"

    async def _apply(self, new: Gateway) -> None:
        keywords, ruleset = Keywords.build(new.services), Ruleset.build(new.services)
        # in a thread: it may read what lingua knows of a language
        readers = await asyncio.to_thread(self._listening.readers, new.services)
        await self._runs.configure(
            self.store, new.services
        )  # raises on a bad flow, before anything has changed
        for section in needs_restart(self.config, new):
            log.warning("reload.needs_restart", extra={"section": section})
        self.config = new
        resumed = [name for name, service in new.services.items() if self._was_suspended(name, service)]
        self._services.clear()
        self._services.update(new.services)
        self._listening.configure(self._services, readers)
        self._apps.dismiss()
        await self._listening.load(self.store)
        await self._consents.require(self.store, explicit(new.services))
        self._policy.configure(new.services)
        self.outbound.planner = Planner(self._services, self._customers.language)
        gone, fresh = changed_binds(self._binds, new.smpp.binds)
        self._binds.clear()
        self._binds.update(new.smpp.binds)
        self._routes = Routes(self._binds, self._services)
        self._esmes.clear()
        self._esmes.update(new.smpp.accounts)
        self._reassembly.configure(self._sources())
        self._esme_reassembly.configure(self._esme_sources())
        self._decide_by(keywords, ruleset)
        if self._sip is not None and new.sip is not None:
            await self._sip.configure(new.sip, self._services)
        await self._smpp.stop(gone, GRACE_SECONDS)
        for name in fresh:
            self._smpp.start(name)
        for name in set(gone) - set(fresh):
            self.outbound.refill(name, force=True)  # nobody will take these: their chains must move on
        await self._smpp.configure(new.smpp)
        if resumed or self._parked:
            self._resume(resumed)
        log.info("reload.done", extra={"binds_stopped": gone, "binds_started": fresh})
