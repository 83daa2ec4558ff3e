"""The inside of the gateway, from a carrier's PDU to what leaves by a channel, wired as the daemon does it.

Real: store, outbound spine, rules, flows, consents.  Fakes: the clock, the channels, the receivers of
notifications, receipts.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.channels.base import Carrier
from gateway.config.model import Bind, Service
from gateway.config.shape import Reader
from gateway.content.journal import Journal
from gateway.content.otp import Codes
from gateway.content.smart_link import Tokens
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.flows import effects
from gateway.inbound.actions import Actions
from gateway.inbound.app import AppTexts
from gateway.inbound.consequences import Consequences
from gateway.inbound.custom import CustomEvents
from gateway.inbound.listening import Listening
from gateway.inbound.pipeline import InboundPipeline
from gateway.inbound.reassembly import Reassembly, source_of
from gateway.inbound.runs import Runs
from gateway.inbound.words import Words
from gateway.observe.system import IdSource
from gateway.outbound.accept import Planner
from gateway.outbound.links import Links
from gateway.outbound.otp import Otps
from gateway.outbound.pipeline import OutboundPipeline
from gateway.outbound.segments import SegmentBook
from gateway.protocol.smpp.fields import pack_tlvs
from gateway.protocol.smpp.pdu import DeliverSm
from gateway.protocol.sms.segments import LongMethod, split
from gateway.rules.keywords import Keywords
from gateway.rules.ruleset import Ruleset
from gateway.store.base import MessageQuery, Told, Unit
from gateway.store.sqlite import SqliteStore
from gateway.store.timers import Timers
from gateway.values.customer import Device
from gateway.values.errors import StoreError, Throttled
from gateway.values.message import Message, Receipt, StepPlan
from gateway.values.outcome import Outcome, Result
from gateway.values.work import Effect, Notification
from tests.peers.callbacks import asked

CUSTOMER = "+447700900123"
START = 1_800_000_000.0


class FakeClock:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at - START

    def forward(self, seconds: float) -> None:
        self.at += seconds


class RefusingStore(SqliteStore):
    """Refuses to commit while `refuses` says how: at once, or after the caller has let go of the loop."""

    refuses = ""

    def write(self, writes: Any, done: Told) -> None:
        if self.refuses == "at once":
            raise Throttled("the queue is full")
        if self.refuses == "later":
            asyncio.get_running_loop().call_soon(done, StoreError("the disk is full"))
        else:
            super().write(writes, done)


class FakeChannel:
    """Takes every step for carrier "north", once the customer has not opted out."""

    def __init__(self, consents: Consents) -> None:
        self._consents = consents
        self.sent: list[Message] = []
        self.abandoned: list[str] = []

    def applicable(self, message: Message, step: StepPlan) -> str:
        if message.consent_exempt:
            return ""
        return self._consents.refusal(message.service, message.recipient)

    def available(self, message: Message, step: StepPlan) -> Carrier:
        return Carrier("north")

    def send(self, message: Message, index: int, carrier: str, done: Collection[int] = ()) -> bool:
        self.sent.append(message)
        return True

    def parts(self, message: Message, index: int, carrier: str) -> int:
        return 1

    def abandon(self, message: str, index: int) -> None:
        self.abandoned.append(message)


class FakeNotifier:
    """Owing: what is owed is written, and listed once it is durable."""

    def __init__(self, new_id: Callable[[], str], clock: FakeClock) -> None:
        self._new_id, self._clock = new_id, clock
        self.owed: list[tuple[str, dict[str, Any]]] = []

    def owe(self, unit: Unit, *, service: str, ref: str, url: str, body: Mapping[str, Any]) -> None:
        now = self._clock.now()
        unit.writes.append(
            Notification(
                id=self._new_id(),
                ref=ref,
                service=service,
                url=url,
                body=msgspec.json.encode(body),
                due=now,
                created_at=now,
            )
        )
        unit.acts.append(lambda: self.owed.append((url, {"service": service, **body})))

    def to(self, url: str) -> list[dict[str, Any]]:
        return [body for to, body in self.owed if to == url]


class FakeReceipts:
    """Refuses, if it `fails`, when it has changed memory already."""

    def __init__(self) -> None:
        self.applied: list[tuple[Receipt, str, str]] = []
        self.details: Mapping[str, str] = {}
        self.other_id = ""
        self.fails = False
        self.taken_back = 0

    async def apply(
        self,
        unit: Unit,
        receipt: Receipt,
        recipient: str,
        sender: str,
        details: Mapping[str, str],
        other_id: str = "",
    ) -> None:
        self.details, self.other_id = details, other_id
        unit.undo.append(self._take_back)
        if self.fails:
            raise StoreError("outcomes that are older could not be recorded yet")
        unit.writes.append(receipt)
        unit.acts.append(lambda: self.applied.append((receipt, recipient, sender)))

    def _take_back(self) -> None:
        self.taken_back += 1


class World:
    """Everything between `store` and the fakes, for one life of the daemon."""

    def __init__(self, path: Path, services: dict[str, Service], binds: Mapping[str, Bind]) -> None:
        self.services, self.binds = services, binds
        self.clock = FakeClock()
        self.new_id = IdSource(self.clock)
        self.store = RefusingStore(path)
        self._build()

    def _build(self) -> None:
        self.consents = Consents()
        self.customers = Customers()
        self.timers = Timers(self.clock, self._fire)
        self.sms, self.voice = FakeChannel(self.consents), FakeChannel(self.consents)
        self.app = FakeChannel(self.consents)
        self.notifier = FakeNotifier(self.new_id, self.clock)
        self.receipts = FakeReceipts()
        self.fetches: list[Effect] = []
        self.outbound = OutboundPipeline(
            store=self.store,
            clock=self.clock,
            new_id=self.new_id,
            planner=Planner(self.services),
            channels={"sms": self.sms, "voice": self.voice, "app": self.app},
            timers=self.timers,
            book=SegmentBook(self.store),
            consequences=lambda *what: self.consequences.of_status(*what),
            queue_limit=1000,
            skip=lambda message, step: "",
            put_links=lambda *what: self.links.put_in(*what),
        )
        self.custom = CustomEvents(
            services=self.services, clock=self.clock, new_id=self.new_id, owing=self.notifier
        )
        self.links = Links(
            services=self.services,
            base="https://s.example.org",
            tokens=Tokens(b"key"),
            clock=self.clock,
            store=self.store,
            record=self.outbound.record,
            clicked=lambda *what: self.consequences.of_click(*what),
        )
        self.listening = Listening(self.clock)
        self.listening.configure(self.services, self.listening.readers(self.services))
        self.otps = Otps(
            services=self.services,
            codes=Codes(b"key"),
            clock=self.clock,
            new_id=self.new_id,
            randomness=lambda octets: bytes(range(octets)),
        )
        self.words = Words(
            services=self.services,
            otps=self.otps,
            links=self.links,
            listening=self.listening,
            clock=self.clock,
            randomness=lambda octets: bytes(range(octets)),
        )
        self.journal = Journal("test", lambda octets: bytes(octets))
        self.runs = Runs(
            services=self.services,
            clock=self.clock,
            new_id=self.new_id,
            accepting=self.outbound,
            owing=self.notifier,
            consents=self.consents,
            customers=self.customers,
            record=self.outbound.record,
            fetch=self.fetches.append,
            randomness=lambda octets: bytes(range(octets)),
            journal=self.journal,
            others={
                effects.RaiseEvent: self.custom.act,
                **self.words.acts,
            },
            speak=Codes(b"key").spoken,
        )
        self.actions = Actions(
            accepting=self.outbound,
            owing=self.notifier,
            consents=self.consents,
            customers=self.customers,
            events=self.custom,
            runs=self.runs,
            clock=self.clock,
        )
        self.app_texts = AppTexts(services=self.services, clock=self.clock, new_id=self.new_id)
        self.reassembly = Reassembly({n: source_of(b) for n, b in self.binds.items()}, self.new_id)
        self._decide()

    def _decide(self) -> None:
        ruleset = Ruleset.build(self.services)
        self.consequences = Consequences(
            services=self.services,
            ruleset=ruleset,
            actions=self.actions,
            owing=self.notifier,
            consents=self.consents,
            customers=self.customers,
            clock=self.clock,
            runs=self.runs,
        )
        self.runs.firing = self.custom.follow = self.consequences
        self.inbound = InboundPipeline(
            store=self.store,
            clock=self.clock,
            new_id=self.new_id,
            binds=self.binds,
            services=self.services,
            keywords=Keywords.build(self.services),
            ruleset=ruleset,
            consents=self.consents,
            customers=self.customers,
            actions=self.actions,
            owing=self.notifier,
            runs=self.runs,
            reassembly=self.reassembly,
            receipts=self.receipts,
            listening=self.listening,
            hide=self.otps.hide,
        )
        self.app_texts.deciding = self.inbound.deciding

    async def start(self) -> None:
        await self.store.open()
        await self.consents.load(self.store)
        await self.listening.load(self.store)
        await self.customers.load(self.store)
        await self.custom.load(self.store)
        await self.otps.load(self.store)
        await self.links.load()
        await self.runs.load(self.store)
        await self.reassembly.start(self.store)
        await self.timers.start(self.store)

    async def stop(self) -> None:
        self.timers.stop()
        self.runs.close()
        await self.outbound.stop()
        await self.store.close()

    async def restart(self) -> None:
        """New objects on the same file, as after a crash of the daemon."""
        await self.stop()
        self._build()
        await self.start()

    def suspend(self, name: str, *, live: bool = False) -> None:
        """What a reload with another status of that service comes to."""
        self.services[name] = msgspec.structs.replace(
            self.services[name], status="live" if live else "suspended"
        )
        if not live:
            self.runs.pause([name])
        self._decide()

    async def resume(self, name: str) -> None:
        """What the daemon does once the service is live again."""
        self.suspend(name, live=True)
        await self.inbound.resume(name)
        self.runs.resume(name)
        await self.settled()

    async def deliver(self, *pdus: DeliverSm, bind: str = "north") -> list[int]:
        statuses = [await asked(self.inbound.deliver, bind, pdu) for pdu in pdus]
        await self.settled()
        return statuses

    async def in_app(self, text: str, *, service: str = "pizza", app: str = "shop") -> str:
        """What the customer writes in an app; its transid."""
        device = Device(
            digest="d", service=service, app=app, address=CUSTOMER, created_at=0.0, expires_at=1e12
        )
        unit = Unit()
        id = self.app_texts.received(unit, device, text)
        await unit.commit(self.store)
        await self.settled()
        return id

    async def outcome(self, message: Message, result: Result, reason: str = "", code: str = "") -> None:
        """The carrier's news of a message's only step."""
        unit = Unit()
        now = await self.outbound.load(message.id)
        assert now is not None
        self.outbound.apply(unit, now, 0, Outcome(result, reason, code, "north"))
        await unit.commit(self.store)
        await self.settled()

    async def settled(self) -> None:
        """Until all that was recorded is durable and acted upon."""
        for _ in range(3):
            while self.store.queued:  # noqa: ASYNC110 - the writer's thread tells nobody else
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)

    async def messages(self, **filters: Any) -> list[Message]:
        """Oldest first."""
        return (await self.store.messages(MessageQuery(**filters)))[::-1]

    async def events(self, ref: str, type: str) -> list[dict[str, Any]]:
        run = await self.store.run(ref)
        events = self.journal.unpacked(await self.store.events(ref), run.seal if run else "")
        return [event.data for event in events if event.type == type]

    @property
    def texts(self) -> list[str]:
        """What has gone out by SMS."""
        return [message.text for message in self.sms.sent]

    def _fire(self, timer: Any) -> None:
        self.outbound.timer(timer)


def _service(toml: str) -> Service:
    reader = Reader(lambda written: written)
    service = reader.struct(Service, tomllib.loads(toml), "")
    assert reader.faults == []
    return service


@pytest.fixture
def services() -> Callable[..., dict[str, Service]]:
    """Service files by name, in TOML."""
    return lambda **files: {name: _service(toml) for name, toml in files.items()}


@pytest.fixture
async def open_world(
    tmp_path: Path, services: Callable[..., dict[str, Service]]
) -> AsyncIterator[Callable[..., Awaitable[World]]]:
    """A started World with services given as TOML; `bind` are settings of the bind "north"."""
    opened: list[World] = []

    async def open_one(bind: Mapping[str, Any] | None = None, **files: str) -> World:
        north = Bind(host="127.0.0.1", system_id="gw", **dict(bind or {}))
        world = World(tmp_path / f"{len(opened)}.db", services(**files), {"north": north})
        await world.start()
        opened.append(world)
        return world

    yield open_one
    for world in opened:
        world.store.refuses = ""
        await world.stop()


def _mo(
    text: str, *, to: str = "12345", sender: str = CUSTOMER, method: str = "udh8", reference: int = 7
) -> Any:
    """A person's text as the SMSC brings it, in as many PDUs as it takes."""
    return [
        DeliverSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=sender.removeprefix("+").encode(),
            destination_addr=to.removeprefix("+").encode(),
            esm_class=0x40 if cut.udhi else 0,
            data_coding=int(cut.data_coding),
            short_message=b"" if cut.payload else cut.octets,
            tlv_octets=_tlvs(cut),
        )
        for cut in split(text, reference=reference, method=LongMethod(method))
    ]


def _tlvs(cut: Any) -> bytes:
    if cut.payload:
        return pack_tlvs({0x0424: cut.octets})
    if not cut.sar:
        return b""
    return pack_tlvs(
        {0x020C: cut.reference.to_bytes(2, "big"), 0x020E: bytes((cut.total,)), 0x020F: bytes((cut.part,))}
    )


@pytest.fixture
def mo() -> Callable[..., list[DeliverSm]]:
    return _mo


@pytest.fixture
def world_type() -> type[World]:
    """For tests that make worlds of their own, with another store."""
    return World
