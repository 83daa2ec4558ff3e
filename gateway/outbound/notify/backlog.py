"""What only the store holds: which transactions it concerns, and when to look for it.

Memory holds some of what is due, the store all of it.  A transaction with a notification that memory does not
hold is `waiting`: what it owes later waits behind that one, in the store too, until both are brought in by
their order.  Receivers are looked after one by one, each when something of its is due and there is room.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from msgspec.structs import replace

from gateway.outbound.notify.receivers import Receivers
from gateway.store.base import Store, Write
from gateway.values.clock import Clock
from gateway.values.work import Notification

AWAY_SECONDS = 3600.0  # until a receiver that is away is asked all the same
WATCHED = 100_000  # transactions whose order is watched while they wait in the store
PAGE = 1_000
AGAIN_SECONDS = 1.0
FOR_EVER = 1e12


class Backlog:
    """`hold` takes into memory what comes from the store."""

    def __init__(
        self, store: Store, clock: Clock, memory: Receivers, hold: Callable[[Notification], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._memory = memory
        self._hold = hold
        # by receiver and transaction: when the first of those in the store only is due
        self._waiting: dict[str, dict[str, float]] = {}
        self._watched = 0
        self._look: dict[str, float] = {}  # receivers of whom something is in the store only: when to look
        self._away: dict[str, float] = {}  # receivers that are not there, and when to ask them all the same
        # receivers that are there again, and how often yet to look for theirs, due or not
        self._back: dict[str, int] = {}
        self._reading = False  # a page, while:
        self._left: set[tuple[str, str]] = set()  # these got a new one that was left to the store
        self._released: set[str] = set()  # these are done: what the page says of them is old
        self.loaded = False

    async def load(self) -> None:
        """Know again what waits, before there is more: that comes after it."""
        for receiver, due in await self._store.notification_receivers():
            self._look_at(receiver, due)
        for receiver, ref, due in await self._store.notification_refs(limit=WATCHED):
            self.behind(receiver, ref, due)
        self.loaded = True

    def due(self, receiver: str, ref: str) -> float:
        """Until when a transaction's notifications have to wait."""
        waiting = self._waiting.get(receiver)
        away = self._away.get(receiver, 0.0)
        return max(waiting.get(ref, 0.0), away) if waiting else away

    def keeps(self, notification: Notification) -> bool:
        """Whether a new one, which is durable, has to wait in the store."""
        receiver, ref = notification.receiver, notification.ref
        if (
            self.loaded
            and ref not in self._waiting.get(receiver, ())
            and self._away.get(receiver, 0.0) <= self._clock.now()
            and self._memory.room(receiver) > 0
        ):
            return False
        if self._reading:
            self._left.add((receiver, ref))
        self.behind(receiver, ref, max(notification.due, self.due(receiver, ref)))
        return True

    def behind(self, receiver: str, ref: str, due: float) -> None:
        """One of a transaction waits in the store until then."""
        waiting = self._waiting.setdefault(receiver, {})
        if ref not in waiting:
            self._watched += 1
        waiting[ref] = max(due, waiting.get(ref, 0.0))
        self._look_at(receiver, due)
        if self._watched > WATCHED:
            self._forget(receiver, [next(iter(waiting))])  # its order is no longer watched over

    def away(self, receiver: str) -> float:
        """The receiver is not there: until when to wait for it."""
        now = self._clock.now()
        due = self._away.get(receiver, 0.0)
        if due <= now:
            due = self._away[receiver] = now + AWAY_SECONDS
        return due

    def back(self, receiver: str) -> bool:
        """It is there again.  True: something waits for it."""
        if receiver not in self._away and receiver not in self._waiting and self.loaded:
            return False
        self._away.pop(receiver, None)
        self._back[receiver] = 2  # the second look finds what was put off while the first one read
        self._look[receiver] = 0.0
        return True

    def released(self, notification: Notification) -> None:
        """Its outcome is in the store: that it was taken, or when it goes out again."""
        if self._reading:
            self._released.add(notification.id)
        waiting = self._waiting.get(notification.receiver)
        if waiting and notification.ref in waiting:
            self._look_at(notification.receiver, waiting[notification.ref])

    def wanted(self, receiver: str) -> bool:
        """Whether something of a receiver's is due and there is room for it."""
        return self._look.get(receiver, FOR_EVER) <= self._clock.now() and self._memory.room(receiver) > 0

    async def bring(self) -> None:
        """Bring in what is due and not in memory."""
        for receiver in list(self._look):
            while self.wanted(receiver):
                if not await self._page(receiver):
                    break

    async def _page(self, receiver: str) -> bool:
        """Bring in a page of a receiver's.  True: there may be more."""
        del self._look[receiver]
        self._reading = True
        try:
            return await self._bring_page(receiver)
        except BaseException:
            self._look_at(receiver, self._clock.now())
            raise
        finally:
            self._reading = False
            self._left.clear()
            self._released.clear()

    async def _bring_page(self, receiver: str) -> bool:
        now, called = self._clock.now(), receiver in self._back
        limit = self._memory.load(receiver) + PAGE
        page = await self._store.notifications(
            receiver=receiver, due_before=FOR_EVER if called else now, limit=limit
        )
        if called:
            self._away.pop(receiver, None)
            page.sort(key=lambda notification: notification.id)
        put_off: list[Write] = []
        unrecorded = set[str]()  # transactions with one that was put off since
        brought, room = 0, self._memory.room(receiver)
        for notification in page:
            if notification.id in self._memory.held or notification.id in self._released:
                if not self._memory.has(receiver, notification.ref):
                    unrecorded.add(notification.ref)
                continue
            due = 0.0 if called else self.due(receiver, notification.ref)
            if due > now:
                put_off.append(replace(notification, due=due))
            elif brought < room:
                self._hold(notification)
                brought += 1
        whole = len(page) < limit and brought < room
        if whole:
            self._all_in_memory(receiver, FOR_EVER if called else now, unrecorded)
        if put_off:
            await self._store.commit(put_off)
        if not whole:
            self._look_at(receiver, now)
        elif not called:
            await self._look_for_next(receiver)
        elif self._back[receiver] > 1:
            self._back[receiver] -= 1
            self._look_at(receiver, now + AGAIN_SECONDS)
        else:
            del self._back[receiver]
            await self._look_for_next(receiver)
        return not whole and bool(put_off or brought)

    def _all_in_memory(self, receiver: str, due_before: float, but: Container[str]) -> None:
        """Of what is due by then nothing is in the store only, but what came while it was read."""
        waiting = self._waiting.get(receiver, {})
        known = [ref for ref, due in waiting.items() if due <= due_before and ref not in but]
        self._forget(receiver, [ref for ref in known if (receiver, ref) not in self._left])

    async def _look_for_next(self, receiver: str) -> None:
        """Find when the first of those in the store only is due."""
        limit = self._memory.load(receiver) + 1
        for id, due in await self._store.notification_dues(receiver, limit=limit):
            if id not in self._memory.held:
                self._look_at(receiver, due)
                return

    def _look_at(self, receiver: str, at: float) -> None:
        self._look[receiver] = min(at, self._look.get(receiver, FOR_EVER))

    def _forget(self, receiver: str, refs: list[str]) -> None:
        waiting = self._waiting.get(receiver, {})
        for ref in refs:
            del waiting[ref]
        self._watched -= len(refs)
        if not waiting:
            self._waiting.pop(receiver, None)
