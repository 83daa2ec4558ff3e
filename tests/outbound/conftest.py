"""The outbound side over a real store.  Fakes: the clock, the channels, what follows from a status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from pathlib import Path

import pytest

from gateway.channels.base import Carrier, Channel
from gateway.config.model import Chain, Service, Step
from gateway.observe.system import IdSource
from gateway.outbound import backlog, pipeline, recorder
from gateway.outbound.accept import Planner, SendRequest
from gateway.outbound.pipeline import OutboundPipeline
from gateway.outbound.receipts import Receipts
from gateway.outbound.segments import SegmentBook
from gateway.store.base import Told, Unit, Write
from gateway.store.sqlite import SqliteStore
from gateway.store.timers import Timers
from gateway.values.errors import StoreError, Throttled
from gateway.values.event import Event
from gateway.values.message import Message, Segment, StepPlan
from gateway.values.outcome import Outcome, Result

BOB = "+447700900001"
START = 1_800_000_000.0

SERVICES = {
    "alerts": Service(
        name="Alerts",
        assets=["12345", "+442079460000"],
        chains={
            "alert": Chain(
                steps=[
                    Step(channel="sms", via="north", text="Fire", until="delivered", within=60.0),  # type: ignore[arg-type]
                    Step(channel="sms", via="south", text="Fire"),
                    Step(channel="voice", sender="+442079460000", text="Fire", until="answered"),
                ]
            ),
            "patient": Chain(
                within=90.0,  # type: ignore[arg-type]
                steps=[
                    Step(channel="voice", text="Fire", until="answered", retries=1),
                    Step(channel="sms", text="Fire", skip_when="previous.result == 'busy'"),
                    Step(channel="sms", text="Fire", via="south"),
                ],
            ),
        },
    )
}


class FakeClock:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at - START


class RefusingStore(SqliteStore):
    """Refuses to commit while `refuses` says how, and to read while `unreadable`."""

    refuses = ""
    unreadable = False

    def write(self, writes: Sequence[Write], done: Told) -> None:
        if self.refuses == "at once":
            raise Throttled("the queue is full")
        if self.refuses == "later":
            asyncio.get_running_loop().call_soon(done, StoreError("the disk is full"))
        else:
            super().write(writes, done)

    async def message(self, id: str) -> Message | None:
        if self.unreadable:
            raise StoreError("cannot be read")
        return await super().message(id)

    async def waiting(self, carrier: str, *, after: str = "", limit: int) -> list[Message]:
        if self.unreadable:
            raise StoreError("cannot be read")
        return await super().waiting(carrier, after=after, limit=limit)


class FakeChannel:
    """Takes up to `room` steps; `sent` are (message id, step, parts not to be sent again)."""

    def __init__(self, *carriers: str) -> None:
        self.carriers = carriers
        self.down: set[str] = set()
        self.unfit = ""
        self.room = 1_000_000
        self.sent: list[tuple[str, int, tuple[int, ...]]] = []
        self.abandoned: list[tuple[str, int]] = []

    def applicable(self, message: Message, step: StepPlan) -> str:
        return self.unfit

    def available(self, message: Message, step: StepPlan) -> Carrier:
        name = step.via or self.carriers[0]
        return Carrier(name, "down" if name in self.down else "")

    def send(self, message: Message, index: int, carrier: str, done: Collection[int] = ()) -> bool:
        if self.room == 0:
            return False
        self.room -= 1
        self.sent.append((message.id, index, tuple(sorted(done))))
        return True

    def parts(self, message: Message, index: int, carrier: str) -> int:
        return -(-len(message.plan[index].text) // 160)

    def abandon(self, message: str, index: int) -> None:
        self.abandoned.append((message, index))


class Gate:
    """One life of the outbound side."""

    def __init__(self, store: RefusingStore, clock: FakeClock, new_id: IdSource, queue_limit: int) -> None:
        self.store, self.clock = store, clock
        self.sms, self.voice = FakeChannel("north", "south"), FakeChannel("east")
        channels: dict[str, Channel] = {"sms": self.sms, "voice": self.voice}
        self.events: list[tuple[str, str]] = []
        self.book = SegmentBook(store)
        self.timers = Timers(clock, lambda timer: self.pipeline.timer(timer))
        self.pipeline = OutboundPipeline(
            store=store,
            clock=clock,
            new_id=new_id,
            planner=Planner(SERVICES),
            channels=channels,
            timers=self.timers,
            book=self.book,
            consequences=self.follow,
            queue_limit=queue_limit,
            skip=lambda message, step: self.skips.get(step.skip_when, ""),
        )
        self.skips: dict[str, str] = {}
        self.seen: list[tuple[str, str]] = []
        self.orphaned: list[str] = []
        self.receipts = Receipts(
            store=store,
            book=self.book,
            pipeline=self.pipeline,
            seen=lambda bind, state: self.seen.append((bind, state)),
            orphaned=self.orphaned.append,
        )

    def follow(self, unit: Unit, message: Message, at: float) -> None:
        assert at == self.clock.now()
        self.events.append((message.id, str(message.status)))

    @property
    def statuses(self) -> list[str]:
        return [status for _, status in self.events]

    async def submit(self, **fields: object) -> Message:
        request = {"service": "alerts", "to": BOB, "text": "hi"} | fields
        [message] = await self.accept([SendRequest(**request)])  # type: ignore[arg-type]
        return message

    async def accept(self, requests: Sequence[SendRequest]) -> list[Message]:
        """Accepted, durably.  Raises what the first of them, or all, were refused with."""
        told = asyncio.get_running_loop().create_future()
        self.pipeline.submit_soon(requests, told.set_result)
        results = await told
        for result in [results] if isinstance(results, Exception) else results:
            if isinstance(result, Exception):
                raise result
        return list(results)

    async def start_chain(self) -> Message:
        return await self.submit(text="", chain="alert")

    async def begin(self, message: Message, step: int = 0, carrier: str = "north") -> None:
        await self.pipeline.hand_over([f"{message.id}/{step}"], carrier)

    def tell(
        self,
        message: Message,
        result: Result | None,
        *segments: Segment,
        step: int = 0,
        carrier: str = "north",
    ) -> None:
        outcome = Outcome(result, carrier=carrier) if result else None
        self.pipeline.report(message.id, step, outcome, segments)

    def segment(self, message: Message, part: int = 1, total: int = 1, **fields: object) -> Segment:
        given = {"step": 0, "bind": "north", "smsc_id": f"A{part}", "state": "accepted"} | fields
        return Segment(message=message.id, part=part, total=total, **given)  # type: ignore[arg-type]

    async def due(self, seconds: float) -> None:
        """Time passes, and what the loop does when its timer runs out."""
        self.clock.at += seconds
        self.timers._due()
        await self.quiet()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110  some of it happens in threads
                await asyncio.sleep(0)

    async def quiet(self) -> None:
        """Until nothing is being written, read or retried."""
        for _ in range(10_000):
            for _ in range(5):
                await asyncio.sleep(0)
            busy = self.store.queued or self.pipeline._tasks or self.pipeline.unrecorded
            if not busy and not self.receipts._tasks:
                await self.store.commit([Event(ref="-", type="-", service="-", at=0.0)])
                return
            await asyncio.sleep(0.002)
        raise AssertionError("it never gets quiet")

    async def stored(self, message: Message) -> Message:
        await self.quiet()
        found = await self.store.message(message.id)
        assert found is not None
        return found

    async def effects(self) -> list[tuple[str, str, str]]:
        """(key without the message, state, carrier) of each."""
        await self.quiet()
        begun = {key for row in await self.store.begun() for key in row.keys}
        waiting = [
            message
            for carrier in await self.store.carriers_owed()
            for message in await self.store.waiting(carrier, limit=10_000)
        ]
        return [
            (str(m.step), "begun" if f"{m.id}/{m.step}" in begun else "ready", m.waits)
            for m in sorted(waiting, key=lambda m: m.id)
        ]

    async def log(self, message: Message) -> list[str]:
        await self.quiet()
        return [event.type for event in await self.store.events(message.id)]


Open = Callable[..., Awaitable[Gate]]


@pytest.fixture
async def open_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Opens the outbound side; a second call is what a restart after a crash finds."""
    for module in (pipeline, recorder, backlog):
        monkeypatch.setattr(module, "_RETRY_SECONDS", 0.005)
    clock = FakeClock()
    new_id = IdSource(clock)
    gates: list[Gate] = []

    async def close(gate: Gate) -> None:
        gate.timers.stop()
        gate.store.unreadable, gate.store.refuses = False, ""
        await gate.pipeline.stop()
        await gate.store.close()

    async def open_gate(queue_limit: int = 100_000) -> Gate:
        if gates:
            await close(gates.pop())
        gate = Gate(RefusingStore(tmp_path / "gateway.db"), clock, new_id, queue_limit)
        gates.append(gate)
        await gate.store.open()
        await gate.timers.start(gate.store)
        return gate

    yield open_gate
    for gate in gates:
        await close(gate)


@pytest.fixture
async def gate(open_gate: Open) -> Gate:
    return await open_gate()


@pytest.fixture
def gate_type() -> type[Gate]:
    """For tests that open gates of their own, with another store."""
    return Gate
