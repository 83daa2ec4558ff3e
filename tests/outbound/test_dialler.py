"""Call lists, on virtual time: who is called when, again, or never."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.config.model import CallList, Seconds, Service
from gateway.outbound.accept import CANCELLED, SendRequest
from gateway.outbound.dialler import Dialler
from gateway.store.base import Told, Unit, Write
from gateway.values.dial import DialEntry, DialList
from gateway.values.errors import BadInput, StoreError
from gateway.values.message import Message
from tests.peers.virtual_time import virtual_time

START = 1_796_036_400.0  # 2026-11-30 11:00 UTC, a Monday
ANNE, BOB, CAROL = "+447700900401", "+447700900402", "+447700900403"
NEW_YORK = "+12125550123"


class FakeClock:
    def now(self) -> float:
        return START + asyncio.get_running_loop().time()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class FakeStore:
    """What is committed is durable at once; `refuses` so many commits first."""

    def __init__(self) -> None:
        self.lists: dict[str, DialList] = {}
        self.entries: dict[tuple[str, int], DialEntry] = {}
        self.refuses = 0

    def write(self, writes: Sequence[Write], done: Told) -> None:
        if self.refuses:
            self.refuses -= 1
            done(StoreError("the disk is full"))
            return
        for one in writes:
            if isinstance(one, DialList):
                self.lists[one.id] = one
            elif isinstance(one, DialEntry):
                self.entries[one.list, one.position] = one
        done(None)

    def commit(self, writes: Sequence[Write]) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.write(writes, lambda error: future.set_exception(error) if error else future.set_result(None))
        return future

    async def dial_lists(self, *, service: str = "", name: str = "", limit: int = 50) -> list[DialList]:
        return [one for one in reversed(self.lists.values()) if name in ("", one.name)][:limit]

    async def dial_due(self, list: str, now: float, limit: int) -> list[DialEntry]:
        due = [e for e in self._of(list, "waiting") if e.due <= now]
        return sorted(due, key=lambda e: (e.due, e.position))[:limit]

    async def dial_next(self, list: str) -> float | None:
        return min((e.due for e in self._of(list, "waiting")), default=None)

    async def dial_counts(self, list: str) -> dict[str, int]:
        states = [e.state for e in self._of(list)]
        return {state: states.count(state) for state in states}

    async def dial_entries(
        self, list: str, *, state: str = "", after: int = 0, limit: int
    ) -> list[DialEntry]:
        return [e for e in self._of(list, state) if e.position > after][:limit]

    def _of(self, list: str, state: str = "") -> list[DialEntry]:
        return [e for (id, _), e in sorted(self.entries.items()) if id == list and state in ("", e.state)]


class Bench:
    def __init__(self, folder: Path, **wanted: Any) -> None:
        self.folder = folder
        plain: dict[str, Any] = {"flow": "remind", "calls_per_second": 10.0, "retry": {}}
        self.wanted = CallList(file=str(folder / "people.csv"), **plain | wanted)
        service = Service(name="Clinic", country="GB", call_lists={"reminder": self.wanted})
        self.services = {"clinic": service}
        self.store = FakeStore()
        self.ids = map(str, itertools.count(1))
        self.opted_out: set[str] = set()
        self.placed: list[tuple[float, SendRequest]] = []
        self.sessions: list[DialEntry] = []
        self.released: list[str] = []
        self.no_session = ""
        self.refused = ""
        self.not_begun: set[str] = set()  # messages whose call still waits for a line
        self._make()

    def _make(self) -> None:
        self.dialler = Dialler(
            services=self.services,
            store=self.store,  # type: ignore[arg-type]
            clock=FakeClock(),
            new_id=lambda: next(self.ids),
            accepting=self,
            refusal=lambda service, number: "has opted out" if number in self.opted_out else "",
            begin=self._begin,
            release=self.released.append,
            take_back=self._take_back,
        )

    # the outbound side

    def check_room(self) -> None: ...

    def check(self, request: SendRequest) -> None: ...

    def accept(self, unit: Unit, request: SendRequest) -> Message:
        if self.refused:
            raise BadInput(self.refused)
        self.placed.append((asyncio.get_running_loop().time(), request))
        message = Message(
            id=f"m{len(self.placed)}",
            direction="mt",
            service=request.service,
            sender=request.sender,
            recipient=request.to,
            created_at=0.0,
            updated_at=0.0,
        )
        unit.writes.append(message)
        return message

    def _begin(self, unit: Unit, entry: DialEntry, service: str, wanted: CallList, carrier: str) -> str:
        if self.no_session:
            raise BadInput(self.no_session)
        self.sessions.append(entry)
        return f"run{len(self.sessions)}"

    async def _take_back(self, message: str, reason: str) -> bool:
        if message not in self.not_begun:
            return False
        await self.outcome("error", int(message[1:]) - 1, code=CANCELLED, reason=reason)
        return True

    # what happens

    async def start(self, *numbers: str, lines: str = "") -> DialList:
        (self.folder / "people.csv").write_text(lines or "number\n" + "\n".join(numbers) + "\n")
        return await self.dialler.start("clinic", "reminder")

    async def outcome(self, event: str, call: int = -1, **data: object) -> None:
        unit = Unit()
        self.dialler.effect_done(unit, self.placed[call][1].run, event, {"result": event, **data})
        await unit.commit(self.store)  # type: ignore[arg-type]

    async def crash(self) -> None:
        """A new life on the same store."""
        await self.dialler.stop()
        self._make()
        await self.dialler.load()

    @property
    def called(self) -> list[str]:
        return [request.to for _, request in self.placed]

    @property
    def states(self) -> list[str]:
        return [entry.state for _, entry in sorted(self.store.entries.items())]

    @property
    def state(self) -> str:
        return list(self.store.lists.values())[-1].state


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    async def at_once(work: Any, *arguments: Any) -> Any:
        return work(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", at_once)
    opened: list[Bench] = []

    def open_one(**wanted: Any) -> Bench:
        opened.append(Bench(tmp_path, **wanted))
        return opened[-1]

    with virtual_time():
        yield open_one
        for one in opened:
            await one.dialler.stop()


async def test_everybody_is_called_at_the_list_s_pace(bench: Any) -> None:
    it = bench(calls_per_second=2.0, sender="+442079460000")
    made = await it.start(ANNE, BOB, CAROL)
    assert (made.state, made.total) == ("running", 3)
    await asyncio.sleep(1.6)
    assert it.called == [ANNE, BOB, CAROL]
    assert [at for at, _ in it.placed] == pytest.approx([0.0, 0.5, 1.0])
    request = it.placed[0][1]
    assert (request.channel, request.keep, request.sender) == ("voice", "dial", "+442079460000")
    assert it.states == ["calling"] * 3


async def test_no_more_calls_at_once_than_the_list_allows(bench: Any) -> None:
    it = bench(max_calls=1)
    await it.start(ANNE, BOB)
    await asyncio.sleep(100)
    assert it.called == [ANNE]
    await it.outcome("answered")
    await asyncio.sleep(0.2)
    assert it.called == [ANNE, BOB]


async def test_an_answered_call_begins_a_session_with_the_columns_of_its_line(bench: Any) -> None:
    it = bench()
    await it.start(lines="number,name,day\n07700 900401,Anne,Monday\n")
    await asyncio.sleep(0.1)
    await it.outcome("answered")
    [entry] = it.sessions
    assert (entry.number, entry.variables, entry.message) == (ANNE, {"name": "Anne", "day": "Monday"}, "m1")
    [stored] = it.store.entries.values()
    assert (stored.state, stored.run) == ("answered", "run1")
    await asyncio.sleep(0.1)
    assert it.state == "done"


async def test_who_is_not_reached_is_called_again_by_cause(bench: Any) -> None:
    it = bench(retry={"busy": [Seconds(300), Seconds(600)], "no-answer": [Seconds(3600)]})
    await it.start(ANNE)
    await asyncio.sleep(0.1)
    for event, wait in (("busy", 300), ("no-answer", 3600), ("busy", 600)):
        await it.outcome(event)
        assert it.states == ["waiting"]
        before = len(it.placed)
        await asyncio.sleep(wait - 1)
        assert len(it.placed) == before
        await asyncio.sleep(2)
        assert len(it.placed) == before + 1
    await it.outcome("busy", reason="east answered 486")
    await asyncio.sleep(1)
    [entry] = it.store.entries.values()
    assert (entry.state, entry.reason, entry.attempts) == ("failed", "east answered 486", 4)
    assert it.state == "done"


async def test_who_has_opted_out_is_never_called(bench: Any) -> None:
    it = bench(retry={"busy": [Seconds(60)]})
    it.opted_out.add(ANNE)
    await it.start(ANNE, BOB)
    await asyncio.sleep(0.5)
    assert it.called == [BOB]
    it.opted_out.add(BOB)
    await it.outcome("busy")
    await asyncio.sleep(100)
    assert it.called == [BOB] and it.states == ["skipped", "skipped"] and it.state == "done"


async def test_people_are_called_within_the_hours_of_their_own_day(bench: Any) -> None:
    it = bench(window="09:00-20:00")
    await it.start(ANNE, NEW_YORK)  # where it is 6 in the morning
    await asyncio.sleep(3 * 3600 - 60)
    assert it.called == [ANNE]
    await it.outcome("answered", 0)
    await asyncio.sleep(120)
    assert it.called == [ANNE, NEW_YORK]


async def test_days_count_too(bench: Any) -> None:
    it = bench(days=["wed"])
    await it.start(ANNE)
    await asyncio.sleep(36 * 3600)
    assert it.called == []
    await asyncio.sleep(2 * 3600)
    assert it.called == [ANNE]


async def test_a_paused_list_places_no_calls_until_it_goes_on(bench: Any) -> None:
    it = bench(max_calls=1)
    await it.start(ANNE, BOB, CAROL)
    await asyncio.sleep(0.2)
    assert (await it.dialler.pause("clinic", "reminder")).state == "paused"
    await it.outcome("answered")
    await asyncio.sleep(100)
    assert it.called == [ANNE]
    await it.dialler.resume("clinic", "reminder")
    await asyncio.sleep(0.2)
    assert it.called == [ANNE, BOB]


async def test_a_pause_takes_back_what_waits_for_a_line_and_leaves_what_rings(bench: Any) -> None:
    it = bench(max_calls=3)
    await it.start(ANNE, BOB, CAROL)
    await asyncio.sleep(1)
    it.not_begun = {"m2", "m3"}
    await it.dialler.pause("clinic", "reminder")
    assert it.states == ["calling", "waiting", "waiting"]
    await it.outcome("answered", 0)
    await it.dialler.resume("clinic", "reminder")
    await asyncio.sleep(1)
    assert it.called == [ANNE, BOB, CAROL, BOB, CAROL]
    assert [entry.attempts for _, entry in sorted(it.store.entries.items())] == [1, 1, 1]


async def test_a_stopped_list_is_over_and_may_begin_anew(bench: Any) -> None:
    it = bench(max_calls=1)
    await it.start(ANNE, BOB)
    await asyncio.sleep(0.2)
    await it.dialler.end("clinic", "reminder")
    await it.outcome("answered")
    await asyncio.sleep(10)
    assert it.called == [ANNE] and it.states == ["answered", "waiting"]
    await it.start(CAROL)
    await asyncio.sleep(0.2)
    assert it.called == [ANNE, CAROL]
    progress = await it.dialler.progress("clinic", "reminder")
    assert (progress.list.total, progress.counts) == (1, {"calling": 1})


@pytest.mark.parametrize("act", ["pause", "resume", "end"])
async def test_what_is_not_under_way_cannot_be_steered(bench: Any, act: str) -> None:
    it = bench()
    with pytest.raises(BadInput, match="'reminder' is not under way"):
        await getattr(it.dialler, act)("clinic", "reminder")
    with pytest.raises(BadInput, match="has no call list 'other'"):
        await getattr(it.dialler, act)("clinic", "other")
    with pytest.raises(BadInput, match="never begun"):
        await it.dialler.progress("clinic", "reminder")


async def test_a_list_begins_once_at_a_time(bench: Any) -> None:
    it = bench()
    await it.start(ANNE)
    with pytest.raises(BadInput, match="under way already"):
        await it.dialler.start("clinic", "reminder")


async def test_a_file_that_cannot_be_read_begins_nothing(bench: Any) -> None:
    it = bench()
    with pytest.raises(BadInput, match='must name a column "number"'):
        await it.start(lines="phone\n1\n")
    assert it.store.lists == {}
    await it.start(ANNE)


async def test_nobody_is_called_twice_after_a_crash(bench: Any) -> None:
    it = bench(max_calls=2)
    await it.start(ANNE, BOB, CAROL)
    await asyncio.sleep(0.5)
    assert it.called == [ANNE, BOB]
    await it.crash()
    await it.outcome("error", 0, result="in-doubt")  # what the outbound side finds out at its start
    it.dialler.begin_work()
    await asyncio.sleep(0.5)
    assert it.called == [ANNE, BOB, CAROL], "the second's call goes on waiting for its outcome"
    await it.outcome("answered", 1)
    await it.outcome("answered", 2)
    await asyncio.sleep(0.5)
    assert it.states == ["in-doubt", "answered", "answered"] and it.state == "done"


async def test_a_paused_list_is_still_paused_after_a_stop(bench: Any) -> None:
    it = bench(max_calls=1)
    await it.start(ANNE, BOB)
    await asyncio.sleep(0.1)
    await it.dialler.pause("clinic", "reminder")
    await it.crash()
    it.dialler.begin_work()
    await it.outcome("busy")
    await asyncio.sleep(100)
    assert it.called == [ANNE]
    await it.dialler.resume("clinic", "reminder")
    await asyncio.sleep(1)
    assert it.called == [ANNE, BOB]


async def test_a_list_that_was_only_half_read_at_a_stop_is_not_begun(bench: Any) -> None:
    it = bench()
    now = START
    made = DialList(
        id="9", service="clinic", name="reminder", state="loading", created_at=now, updated_at=now
    )
    await it.store.commit([made])
    await it.crash()
    it.dialler.begin_work()
    assert it.state == "stopped"
    await it.start(ANNE)


async def test_a_store_that_refuses_loses_nobody_and_calls_nobody_twice(bench: Any) -> None:
    it = bench()
    await it.start(ANNE)
    it.store.refuses = 2
    await asyncio.sleep(5)
    assert it.states == ["calling"] and len(it.dialler._calling) == 1
    await it.outcome("answered")
    assert it.states == ["answered"]


async def test_a_call_that_cannot_even_be_asked_for_has_failed(bench: Any) -> None:
    it = bench()
    it.refused = "service 'clinic' has no asset to send voice from"
    await it.start(ANNE)
    await asyncio.sleep(1)
    [entry] = it.store.entries.values()
    assert (entry.state, entry.reason) == ("failed", it.refused) and it.state == "done"


async def test_a_suspended_service_s_list_pauses(bench: Any) -> None:
    it = bench()
    await it.start(ANNE)
    it.services["clinic"] = Service(name="Clinic", status="suspended", call_lists={"reminder": it.wanted})
    await asyncio.sleep(1)
    [found] = it.store.lists.values()
    assert (found.state, found.reason, it.called) == ("paused", "the service is suspended", [])


async def test_a_list_that_has_gone_from_the_configuration_pauses_and_lets_go_of_its_calls(
    bench: Any,
) -> None:
    it = bench(max_calls=1)
    await it.start(ANNE, BOB)
    await asyncio.sleep(0.1)
    it.services["clinic"] = Service(name="Clinic")
    await it.outcome("answered")
    await asyncio.sleep(60)
    assert it.called == [ANNE] and it.released == [it.placed[0][1].run] and it.state == "paused"


async def test_a_call_that_gets_no_session_is_let_go(bench: Any) -> None:
    it = bench()
    it.no_session = "a session with the same session key is open"
    await it.start(ANNE)
    await asyncio.sleep(0.1)
    await it.outcome("answered")
    [entry] = it.store.entries.values()
    assert (entry.state, entry.reason, it.released) == ("failed", it.no_session, [entry.owner])


async def test_news_of_calls_that_are_no_entry_s_are_nothing(bench: Any) -> None:
    it = bench()
    unit = Unit()
    it.dialler.effect_done(unit, "dial:9:1", "answered", {})
    assert unit.writes == []


async def test_a_defect_pauses_the_list_and_says_so(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    it = bench()

    def broken(unit: Unit, request: SendRequest) -> Message:
        raise ZeroDivisionError

    monkeypatch.setattr(it, "accept", broken)
    await it.start(ANNE)
    await asyncio.sleep(1)
    [found] = it.store.lists.values()
    assert (found.state, found.reason) == ("paused", "it failed here: ZeroDivisionError")
    assert it.states == ["waiting"]
