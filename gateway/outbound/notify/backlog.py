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
        # by receiver and transaction: what has failed, while the store does not know yet
        self._unrecorded: dict[tuple[str, str], str] = {}
        self._back: dict[str, _Back] = {}  # receivers that are there again: theirs comes in, due or not
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
        """Until when a transaction's notifications have to wait, as those before them do; 0: none does."""
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

    def failed(self, notification: Notification, due: float) -> None:
        """It has to wait until then for its next attempt, as soon as that is recorded."""
        receiver, ref = notification.receiver, notification.ref
        self.behind(receiver, ref, due)
        self._unrecorded[receiver, ref] = notification.id
        if receiver in self._back:
            self._back[receiver].failed.add(ref)

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
        self._back.setdefault(receiver, _Back()).looks = 2
        self._look[receiver] = 0.0
        return True

    def all_back(self) -> None:
        """The clock was set back: what waits would wait so much longer.  It goes out now."""
        for receiver in self._look:
            self._back.setdefault(receiver, _Back()).looks = 2
            self._look[receiver] = 0.0

    def released(self, notification: Notification) -> None:
        """Its outcome is in the store: that it was taken, or when it goes out again."""
        if self._reading:
            self._released.add(notification.id)
        key = notification.receiver, notification.ref
        if self._unrecorded and self._unrecorded.get(key) == notification.id:
            del self._unrecorded[key]
            self._look_at(key[0], self._waiting.get(key[0], {}).get(key[1], 0.0))

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
        back = self._back.get(receiver) or _Back()
        limit = self._memory.load(receiver) + PAGE * back.pages
        page = await self._store.notifications(
            receiver=receiver, due_before=FOR_EVER if called else now, limit=limit
        )
        back.pages = 1
        fresh, put_off, brought, room = list[Notification](), list[Write](), 0, self._memory.room(receiver)
        # transactions of which one has failed since: what waits behind it stays there
        staying = back.failed | {ref for name, ref in self._unrecorded if name == receiver}
        for notification in page:
            if notification.id in self._released and not self._memory.has(receiver, notification.ref):
                staying.add(notification.ref)
            elif notification.id not in self._memory.held and notification.id not in self._released:
                fresh.append(notification)
        away = 0.0 if called else self._away.get(receiver, 0.0)
        waiting, again = self._waiting.get(receiver, {}), False
        for notification in fresh:
            ref = notification.ref
            due = max(waiting.get(ref, 0.0), away)
            if notification.due < due:
                # to where the last one before it is: all of a transaction come in by one order
                put_off.append(replace(notification, due=due))
                self.behind(receiver, ref, due)
                staying.add(ref)
                again = again or called or due <= now
            elif ref not in staying and brought < room:
                self._hold(notification)
                brought += 1
        whole = len(page) < limit and brought < room and not again
        if whole:
            self._all_in_memory(receiver, FOR_EVER if called else now, staying)
        if put_off:
            await self._store.commit(put_off)
        if not whole:
            self._look_at(receiver, now)
            if not put_off and not brought and called and room:
                back.pages = 2 * len(page) // PAGE + 1  # only what has failed since: look behind it
            return bool(put_off or brought) or back.pages > 1
        if called and back.again():
            self._look_at(receiver, now + AGAIN_SECONDS)
            return False
        self._back.pop(receiver, None)
        await self._look_for_next(receiver)
        return False

    def _all_in_memory(self, receiver: str, due_before: float, but: Container[str]) -> None:
        """Of what is due by then nothing is in the store only, but what came while it was read."""
        waiting = self._waiting.get(receiver, {})
        known = [ref for ref, due in waiting.items() if due <= due_before and ref not in but]
        self._forget(receiver, [ref for ref in known if (receiver, ref) not in self._left])

    async def _look_for_next(self, receiver: str) -> None:
        """Find when the first of those in the store only is due."""
        limit = self._memory.load(receiver) + 1
        dues = await self._store.notification_dues(receiver, limit=limit)
        unheld = [due for id, due in dues if id not in self._memory.held]
        if unheld:
            self._look_at(receiver, unheld[0])
        elif len(dues) == limit:  # memory has taken more meanwhile, which now hide the others
            self._look_at(receiver, self._clock.now() + AGAIN_SECONDS)

    def _look_at(self, receiver: str, at: float) -> None:
        self._look[receiver] = min(at, self._look.get(receiver, FOR_EVER))

    def _forget(self, receiver: str, refs: list[str]) -> None:
        waiting = self._waiting.get(receiver, {})
        for ref in refs:
            del waiting[ref]
        self._watched -= len(refs)
        if not waiting:
            self._waiting.pop(receiver, None)


class _Back:
    """A receiver that is there again: how often yet to look for all of its, and what has failed meanwhile."""

    __slots__ = ("failed", "looks", "pages")

    def __init__(self) -> None:
        self.looks = 2  # the second finds what was put off while the first was under way
        self.pages = 1  # to read at once
        self.failed: set[str] = set()  # transactions

    def again(self) -> bool:
        """One look is over: whether there is another."""
        self.looks -= 1
        self.failed.clear()
        return self.looks > 0
