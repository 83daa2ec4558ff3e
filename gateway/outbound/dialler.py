"""Call lists: people called one after another, at the list's pace, within the hours of their own day.

An entry is `calling` from the commit that places its call on, and what became of the call is in one commit
with the outcome of its message.  So a stop in between repeats nothing: a call that had begun is `in-doubt`
and never placed again, one that had not is placed by the outbound pipeline.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from gateway.config.model import CallList, Service
from gateway.outbound.accept import CANCELLED, Accepting, SendRequest
from gateway.outbound.call_file import read_file
from gateway.store.base import Store, Unit
from gateway.values.clock import Clock
from gateway.values.dial import DialEntry, DialList
from gateway.values.errors import BadInput, StoreError, Throttled
from gateway.values.hours import ALL_DAY, DAYS, hours, within
from gateway.values.ids import NewId
from gateway.values.outcome import Result
from gateway.values.zone import zone_of

log = logging.getLogger(__name__)

_BATCH = 50  # entries that are fetched at once
_CHUNK = 500  # entries that are written at once
_PAUSE_SECONDS = 1.0  # after the store or the pipeline has refused
_LOOK_SECONDS = 30.0  # at the longest between two looks at what is due
_OPEN = ("running", "paused")


class Progress(Struct, frozen=True, kw_only=True):
    """A list and how many of its entries are in each state."""

    list: DialList
    counts: dict[str, int]


class Begin(Protocol):
    def __call__(self, unit: Unit, entry: DialEntry, service: str, wanted: CallList, carrier: str) -> str:
        """Begin the session of a call that was answered; its id.  Raises BadInput."""
        ...


class Dialler:
    """`refusal` says why a service may not call somebody, `begin` starts the session of an answered call,
    `release` hangs up the call of an entry that gets none.  `take_back` takes back the message of a call that
    has not begun yet: True when it has not."""

    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        store: Store,
        clock: Clock,
        new_id: NewId,
        accepting: Accepting,
        refusal: Callable[[str, str], str],
        begin: Begin,
        release: Callable[[str], None],
        take_back: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        self._services = services
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._accepting = accepting
        self._refusal = refusal
        self._begin = begin
        self._release = release
        self._take_back = take_back
        self._lists: dict[str, _Worked] = {}  # those that are running or paused
        self._calling: dict[str, DialEntry] = {}  # by owner

    async def load(self) -> None:
        """Take up the lists that were open when the gateway stopped."""
        for found in await self._store.dial_lists(limit=1_000_000):
            if found.state == "loading":
                await self._record(
                    found, "stopped", "the gateway stopped while the list was read: begin it again"
                )
            if found.state not in _OPEN:
                continue
            worked = self._lists[found.id] = _Worked(found)
            after = 0
            while page := await self._store.dial_entries(found.id, state="calling", after=after, limit=1000):
                after = page[-1].position
                self._calling.update({entry.owner: entry for entry in page})
                worked.calling += len(page)

    def begin_work(self) -> None:
        """From now on there may be calls."""
        for worked in self._lists.values():
            self._go_on(worked)

    async def stop(self) -> None:
        """Place no more calls; the lists go on after the next start."""
        tasks = [worked.task for worked in self._lists.values() if worked.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what operators ask for ----------------------------------------------------------------------

    async def start(self, service: str, name: str) -> DialList:
        """Read the list's file and begin.  Raises BadInput, StoreError, Throttled."""
        wanted = self._wanted(service, name)
        if self._open(service, name) is not None:
            raise BadInput(f"call list {name!r} is under way already", field="name", code="under_way")
        now = self._clock.now()
        made = DialList(
            id=self._new_id(), service=service, name=name, state="loading", created_at=now, updated_at=now
        )
        worked = self._lists[made.id] = _Worked(made)
        try:
            country = self._services[service].country
            entries = await asyncio.to_thread(read_file, wanted.file, made.id, country, now)
            await self._store.commit([made])
            for begin in range(0, len(entries), _CHUNK):
                await self._store.commit(entries[begin : begin + _CHUNK])
            worked.list = await self._record(replace(made, total=len(entries)), "running")
        except BaseException:
            del self._lists[made.id]
            raise
        self._go_on(worked)
        return worked.list

    async def pause(self, service: str, name: str) -> DialList:
        """Place no more calls until `resume`; those that ring or are up go on.  Raises BadInput."""
        worked = self._under_way(service, name, ("running",))
        paused = await self._turn(worked, "paused", "paused by an operator")
        await self._recall(worked)
        return paused

    async def resume(self, service: str, name: str) -> DialList:
        """Raises BadInput."""
        worked = self._under_way(service, name, ("paused",))
        worked.list = await self._record(worked.list, "running")
        self._go_on(worked)
        return worked.list

    async def end(self, service: str, name: str) -> DialList:
        """Place no more calls, for good; those that ring or are up go on.  Raises BadInput."""
        worked = self._under_way(service, name, _OPEN)
        stopped = await self._turn(worked, "stopped", "stopped by an operator")
        await self._recall(worked)
        return stopped

    async def progress(self, service: str, name: str) -> Progress:
        """Of the youngest of that name.  Raises BadInput."""
        self._wanted(service, name)
        found = await self._store.dial_lists(service=service, name=name, limit=1)
        if not found:
            raise BadInput(f"call list {name!r} was never begun", field="name", code="never_begun")
        return Progress(list=found[0], counts=await self._store.dial_counts(found[0].id))

    # -- what became of a call -----------------------------------------------------------------------

    def effect_done(self, unit: Unit, owner: str, event: str, data: Mapping[str, object]) -> None:
        """The outcome of an entry's call, in the unit that records that of its message."""
        entry = self._calling.get(owner)
        worked = self._lists.get(entry.list) if entry is not None else None
        if entry is None or worked is None:
            return
        entry = replace(entry, updated_at=self._clock.now())
        wanted = self._settings(worked.list)
        if event == "answered" and wanted is not None:
            try:
                run = self._begin(unit, entry, worked.list.service, wanted, str(data.get("carrier", "")))
                entry = replace(entry, state="answered", reason="", run=run)
            except BadInput as error:
                entry = replace(entry, state="failed", reason=str(error))
                unit.acts.append(lambda: self._release(owner))
        elif event == "answered":  # the list has gone from the configuration
            entry = replace(entry, state="answered", reason="there is no such list any more")
            unit.acts.append(lambda: self._release(owner))
        elif data.get("code") == CANCELLED:  # nobody's phone has rung
            entry = replace(entry, state="waiting", reason="", attempts=entry.attempts - 1)
        elif data.get("result") == Result.IN_DOUBT:
            entry = replace(entry, state="in-doubt", reason="the gateway stopped while it was being called")
        else:
            entry = _again(entry, event, str(data.get("reason", "")), wanted, self._clock.now())
        unit.writes.append(entry)
        unit.acts.append(lambda: self._over(owner, worked))

    async def _recall(self, worked: _Worked) -> None:
        """Take back the calls that wait for a line: those people are called when the list goes on."""
        waiting = [entry.message for entry in self._calling.values() if entry.list == worked.list.id]
        for message in waiting:
            await self._take_back(message, f"the list is {worked.list.state}")

    def _over(self, owner: str, worked: _Worked) -> None:
        if self._calling.pop(owner, None) is not None:
            worked.calling -= 1
            worked.news.set()
            if worked.list.state == "stopped" and not worked.calling:
                self._lists.pop(worked.list.id, None)

    # -- the work ------------------------------------------------------------------------------------

    def _go_on(self, worked: _Worked) -> None:
        if worked.list.state == "running" and (worked.task is None or worked.task.done()):
            worked.task = asyncio.create_task(self._work(worked))

    async def _work(self, worked: _Worked) -> None:
        """Until all of them are called, or somebody says stop."""
        try:
            while worked.list.state == "running":
                worked.news.clear()
                if (wanted := self._settings(worked.list)) is None:
                    await self._turn(worked, "paused", "the list is not in the configuration any more")
                elif self._services[worked.list.service].status != "live":
                    await self._turn(worked, "paused", "the service is suspended")
                elif worked.calling >= wanted.max_calls:
                    await worked.wait(_LOOK_SECONDS)
                else:
                    await self._some(worked, wanted)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a defect of ours; it must not look as if the list were running
            log.exception("dial.failed", extra={"service": worked.list.service, "list": worked.list.name})
            reason = f"it failed here: {type(error).__name__}"
            worked.list = replace(worked.list, state="paused", reason=reason)
            with suppress(StoreError, Throttled):
                await self._turn(worked, "paused", reason)

    async def _some(self, worked: _Worked, wanted: CallList) -> None:
        now = self._clock.now()
        room = min(_BATCH, wanted.max_calls - worked.calling)
        try:
            due = await self._store.dial_due(worked.list.id, now, room)
            for entry in due:
                if worked.list.state != "running":
                    return
                await self._one(worked, wanted, entry)
            if due:
                return
            following = await self._store.dial_next(worked.list.id)
            if following is None and not worked.calling:
                worked.list = await self._record(worked.list, "done")
                self._lists.pop(worked.list.id, None)
                return
        except (StoreError, Throttled) as error:
            log.warning("dial.waits", extra={"list": worked.list.name, "reason": str(error)})
            await worked.wait(_PAUSE_SECONDS)
            return
        ahead = _LOOK_SECONDS if following is None else following - self._clock.now()
        await worked.wait(min(max(ahead, 0.01), _LOOK_SECONDS))

    async def _one(self, worked: _Worked, wanted: CallList, entry: DialEntry) -> None:
        """Place a call, put it off, or pass it over.  Raises StoreError, Throttled."""
        entry = replace(entry, updated_at=self._clock.now())
        if refusal := self._refusal(worked.list.service, entry.number):
            await self._store.commit([replace(entry, state="skipped", reason=refusal)])
            return
        if (opens := _opens(entry.number, wanted, entry.updated_at)) > entry.updated_at:
            await self._store.commit([replace(entry, due=opens)])
            return
        await worked.pace(wanted.calls_per_second, self._clock)
        if worked.list.state != "running":
            return
        self._accepting.check_room()
        entry = replace(entry, state="calling", attempts=entry.attempts + 1)
        unit = Unit()
        try:
            message = self._accepting.accept(
                unit,
                SendRequest(
                    service=worked.list.service,
                    to=entry.number,
                    sender=wanted.sender,
                    channel="voice",
                    keep="dial",
                    until=Result.ANSWERED,
                    run=entry.owner,
                    run_key=f"{entry.owner}/{entry.attempts}",
                ),
            )
        except BadInput as error:
            await self._store.commit([replace(entry, state="failed", reason=str(error))])
            return
        entry = replace(entry, message=message.id)
        unit.writes.append(entry)
        # its outcome may come as soon as it is durable
        self._calling[entry.owner] = entry
        worked.calling += 1
        unit.undo.append(lambda: self._over(entry.owner, worked))
        await unit.commit(self._store)

    # -- small things --------------------------------------------------------------------------------

    async def _turn(self, worked: _Worked, state: str, reason: str) -> DialList:
        worked.list = await self._record(worked.list, state, reason)
        worked.news.set()
        if state == "stopped" and not worked.calling:
            self._lists.pop(worked.list.id, None)
        return worked.list

    async def _record(self, found: DialList, state: str, reason: str = "") -> DialList:
        changed = replace(found, state=state, reason=reason, updated_at=self._clock.now())
        await self._store.commit([changed])
        extra = {"service": found.service, "list": found.name, "state": state, "reason": reason}
        log.info("dial.state", extra=extra)
        return changed

    def _settings(self, found: DialList) -> CallList | None:
        service = self._services.get(found.service)
        return service.call_lists.get(found.name) if service is not None else None

    def _wanted(self, service: str, name: str) -> CallList:
        lists = self._services[service].call_lists
        if name not in lists:
            known = ", ".join(lists) or "none"
            what = f"service {service!r} has no call list {name!r} (it has: {known})"
            raise BadInput(what, field="name", code="unknown_list")
        return lists[name]

    def _open(self, service: str, name: str) -> _Worked | None:
        wanted = (service, name)
        opened = [w for w in self._lists.values() if (w.list.service, w.list.name) == wanted]
        return next((w for w in opened if w.list.state in ("loading", *_OPEN)), None)

    def _under_way(self, service: str, name: str, states: Collection[str]) -> _Worked:
        self._wanted(service, name)
        worked = self._open(service, name)
        if worked is None or worked.list.state not in states:
            now = worked.list.state if worked is not None else "not under way"
            raise BadInput(f"call list {name!r} is {now}", field="name", code="not_under_way")
        return worked


class _Worked:
    """A list that is being worked through."""

    def __init__(self, list: DialList) -> None:
        self.list = list
        self.calling = 0
        self.news = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._next_at = 0.0

    async def wait(self, seconds: float) -> None:
        """Until then, or until there is news."""
        try:
            async with asyncio.timeout(seconds):
                await self.news.wait()
        except TimeoutError:
            pass

    async def pace(self, rate: float, clock: Clock) -> None:
        """Wait for the next turn; what an idle list has missed it does not make up for."""
        now = clock.monotonic()
        at = max(now, self._next_at)
        self._next_at = at + 1 / rate
        if at > now:
            await asyncio.sleep(at - now)


def _opens(number: str, wanted: CallList, now: float) -> float:
    """When the number may be called: now, or when the hours of its owner's day begin."""
    if not (wanted.window or wanted.days):
        return now
    span = hours(wanted.window) if wanted.window else ALL_DAY
    return within(now, zone_of(number), span, {DAYS.index(day) for day in wanted.days} or range(7))


def _again(entry: DialEntry, cause: str, reason: str, wanted: CallList | None, now: float) -> DialEntry:
    """The entry after a call that reached nobody: it waits for its next try, or has failed."""
    waits = wanted.retry.get(cause, []) if wanted is not None else []
    tried = entry.tries.get(cause, 0)
    if tried >= len(waits):
        return replace(entry, state="failed", reason=reason or cause)
    tries = entry.tries | {cause: tried + 1}
    return replace(entry, state="waiting", reason=cause, tries=tries, due=now + float(waits[tried]))
