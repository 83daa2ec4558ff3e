"""The API on a free port, with the real outbound spine and store behind it; only the carriers are made up."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from gateway.channels.app import AppChannel
from gateway.channels.base import Carrier
from gateway.config.model import App, CallList, Chain, NotifyUrls, Secret, Service, SmartLink, Step, Template
from gateway.content.otp import Codes
from gateway.content.smart_link import Tokens
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.directory.devices import Devices
from gateway.directory.offences import Offences
from gateway.http.app import HttpServer
from gateway.http.deps import CarrierState, Deps
from gateway.inbound.app import AppTexts
from gateway.inbound.custom import CustomEvents
from gateway.observe.metrics import Metrics
from gateway.observe.system import IdSource, SystemClock
from gateway.outbound.accept import Planner, SendRequest
from gateway.outbound.dialler import Dialler
from gateway.outbound.links import Links
from gateway.outbound.otp import Otps
from gateway.outbound.pipeline import OutboundPipeline, Submitted
from gateway.outbound.segments import SegmentBook
from gateway.protocol.sms.national import Language
from gateway.protocol.sms.preview import PLAIN, Preview, Terms, preview
from gateway.store.base import Told, Unit, Write
from gateway.store.sqlite import SqliteStore
from gateway.store.timers import Timers
from gateway.values.errors import BadInput, StoreError, Throttled
from gateway.values.message import Message, StepPlan

TERMS = {"": PLAIN, "north": PLAIN, "ankara": Terms(languages=(Language.TURKISH,), transliterate=True)}


def count(text: str, bind: str) -> int:
    return TERMS[bind].count(TERMS[bind].written(text))


def previewed(text: str, bind: str) -> Preview:
    if bind not in TERMS:
        raise BadInput(f"no bind is named {bind!r}", field="bind", code="unknown_bind")
    return preview(text, TERMS[bind])


class Channel:
    """Takes every message for its carrier and never says more."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.carrier = "north"

    def applicable(self, message: Message, step: StepPlan) -> str:
        return ""

    def available(self, message: Message, step: StepPlan) -> Carrier:
        return Carrier(self.carrier)

    def send(self, message: Message, index: int, carrier: str, done: Collection[int] = ()) -> bool:
        self.sent.append(message.id)
        return True

    def abandon(self, message: str, index: int) -> None:
        pass


CODES = Codes(b"key")


class Moody(SqliteStore):
    """Counts commits, and refuses what comes: `full` is a disk, `crowded` its queue."""

    full = False
    crowded = False
    commits = 0

    def write(self, writes: Sequence[Write], done: Told) -> None:
        if self.crowded:
            raise Throttled("100000 writes wait for the store", wait_seconds=1.5)
        if self.full:
            done(StoreError(f"cannot write {self.path}: disk full"))
        else:
            self.commits += 1
            super().write(writes, done)


def services(people: Path) -> dict[str, Service]:
    return {
        "alerts": Service(
            name="Alerts",
            key=Secret("alerts-key"),
            assets=["12345", "+442079460000"],
            templates={"hello": Template(text="Hello $(name)", voice="Good day $(name)")},
            call_lists={"reminder": CallList(file=str(people), flow="remind")},
            chains={
                "alert": Chain(
                    steps=[Step(channel="sms", template="hello"), Step(channel="voice", template="hello")]
                )
            },
        ),
        "pizza": Service(
            name="Pizza",
            key=Secret("pizza-key"),
            assets=["PIZZA"],
            templates={
                "offer": Template(text="See $(link.offer)"),
                "code": Template(text="$(code) for $(name)"),
            },
            links={"offer": SmartLink(other="https://example.org/offer", ios="https://example.org/ios")},
            apps={"shop": App()},
            notify=NotifyUrls(inbound="https://example.org/mo"),
        ),
        "silent": Service(name="No API access", assets=["54321"]),
        "off": Service(name="Off", key=Secret("off-key"), status="suspended", assets=["777"]),
    }


class Api:
    """The server, what stands behind it, and a client."""

    def __init__(self, store: Moody, headers: Mapping[str, str], people: Path) -> None:
        """`people` is the file of the call list "reminder"."""
        clock = SystemClock()
        self.headers = headers
        self.store = store
        self.channel = Channel()
        self.people = people
        self.services = services(people)
        self.faults: list[str] = []
        self.stopping = False
        self.carriers = [
            CarrierState(name="north", kind="bind", up=True, queued=1, outstanding=2),
            CarrierState(name="east", kind="trunk", up=False, reason="no answer"),
        ]
        self.numbers = itertools.count(1)
        self.channels: dict[str, Any] = {"sms": self.channel, "voice": self.channel}
        self.pipeline = OutboundPipeline(
            store=store,
            clock=clock,
            new_id=IdSource(clock),
            planner=Planner(self.services),
            channels=self.channels,
            timers=Timers(clock, lambda timer: None),
            book=SegmentBook(store),
            consequences=lambda unit, message, at: None,
            queue_limit=100,
            skip=lambda message, step: "",
            put_links=lambda *what: self.links.put_in(*what),
            absent=lambda queue: self.apps.absent(queue),
        )
        self.devices = Devices(lambda: f"token-{next(self.numbers)}")
        self.apps = AppChannel(
            services=self.services,
            devices=self.devices,
            clock=clock,
            refusal=lambda service, address: "",
            codes=CODES,
            report=lambda *news: self.pipeline.report(*news),
            room=lambda queue: self.pipeline.refill(queue, force=True),
        )
        self.channels["app"] = self.apps
        self.app_texts = AppTexts(services=self.services, clock=clock, new_id=IdSource(clock))
        self.app_texts.deciding = self
        self.consents, self.customers, self.offences = Consents(), Customers(), Offences()
        self.owed: list[dict[str, Any]] = []
        self.events = CustomEvents(services=self.services, clock=clock, new_id=IdSource(clock), owing=self)
        self.metrics = Metrics()
        self.surprise: Exception | None = None
        self.clicks: list[tuple[str, str]] = []
        self.otps = Otps(
            services=self.services,
            codes=CODES,
            clock=clock,
            new_id=IdSource(clock),
            randomness=lambda octets: bytes(octets),
            count=self.metrics.otp,
        )
        self.links = Links(
            services=self.services,
            base="https://s.example.org",
            tokens=Tokens(b"key"),
            clock=clock,
            store=store,
            record=self.pipeline.record,
            clicked=lambda unit, event, link, device: self.clicks.append((link.address, device)),
            count=self.metrics.link,
        )
        self.dialler = Dialler(
            services=self.services,
            store=store,
            clock=clock,
            new_id=IdSource(clock),
            accepting=self.pipeline,
            refusal=self.consents.refusal,
            begin=lambda unit, entry, service, wanted, carrier: "",
            release=lambda owner: None,
            take_back=self._take_back,
        )
        self.deps = Deps(
            accepting=self.pipeline,
            otps=self.otps,
            links=self.links,
            submit_soon=self._submit_soon,
            store=store,
            services=self.services,
            clock=clock,
            consents=self.consents,
            customers=self.customers,
            offences=self.offences,
            events=self.events,
            dialler=self.dialler,
            segments=count,
            preview=previewed,
            carriers=lambda: self.carriers,
            health=lambda: self.faults,
            metrics=self.metrics,
            devices=self.devices,
            apps=self.apps,
            app_texts=self.app_texts,
            message=self.pipeline.load,
            stopping=lambda: self.stopping,
        )
        self.server = HttpServer("127.0.0.1:0", self.deps)

    async def start(self) -> None:
        await self.server.start()
        url = f"http://127.0.0.1:{self.server.port}"
        self.session = aiohttp.ClientSession(url, headers=self.headers)
        self.reading = aiohttp.ClientSession(url)  # on connections of its own, which become aiohttp's

    async def stop(self) -> None:
        await self.session.close()
        await self.reading.close()
        await self.server.stop()
        await self.dialler.stop()
        await self.pipeline.stop()

    def handle(self, unit: Unit, message: Message, details: Mapping[str, str]) -> None:
        unit.writes.append(message)

    def owe(self, unit: Unit, *, service: str, ref: str, url: str, body: Mapping[str, Any]) -> None:
        unit.acts.append(lambda: self.owed.append({"url": url, **body}))

    async def _take_back(self, message: str, reason: str) -> bool:
        return False

    def _submit_soon(self, requests: Sequence[SendRequest], done: Submitted) -> None:
        if self.surprise is not None:
            raise self.surprise
        self.pipeline.submit_soon(requests, done)

    async def post(
        self, path: str, body: Any, *, key: str = "alerts-key", **headers: str
    ) -> tuple[int, dict[str, Any], aiohttp.ClientResponse]:
        """`body`: octets as they are, anything else as JSON."""
        octets = body if isinstance(body, bytes) else msgspec.json.encode(body)
        wanted = {"Content-Type": "application/json", "key": key} | headers
        async with self.session.post(
            path, data=octets, headers={name: value for name, value in wanted.items() if value}
        ) as response:
            assert response.content_type == "application/json"
            return response.status, await response.json(), response

    async def get(self, path: str, *, key: str = "alerts-key") -> tuple[int, dict[str, Any]]:
        async with self.reading.get(path, headers={"key": key} if key else {}) as response:
            assert response.content_type == "application/json"
            return response.status, await response.json()


# What a client may send with each request; the second makes no request plain: aiohttp takes them all
FORMS = {"front": {}, "aiohttp": {"TE": "trailers"}}


@pytest.fixture
def form() -> str:
    """Who reads plain requests.  Overridden where that must make no difference."""
    return "front"


@pytest.fixture
async def api(form: str, tmp_path: Path) -> AsyncIterator[Api]:
    store = Moody(tmp_path / "gateway.db")
    await store.open()
    api = Api(store, FORMS[form], tmp_path / "people.csv")
    await api.start()
    yield api
    await api.stop()
    await store.close()
