"""The messages that are in memory: as they are now, which the store's reader may not see yet."""

from __future__ import annotations

from collections import OrderedDict

from gateway.store.base import Progress, Store, Unit
from gateway.values.message import Message

_RECENT = 20_000
_OVER = 2_000  # of the recent ones, those whose status is final: all that may come is a receipt twice


class Memory:
    """Live messages have a step that is being tried; recent ones are here until newer ones push them out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._live: dict[str, Message] = {}
        self._recent: OrderedDict[str, Message] = OrderedDict()
        self._over: OrderedDict[str, None] = OrderedDict()  # of these, the final ones
        self.gone = 0  # that were live and are no more, since the start
        self._begun: set[str] = set()  # messages of which a carrier may have something

    @property
    def waiting(self) -> int:
        """How many are live."""
        return len(self._live)

    def live(self, id: str) -> Message | None:
        return self._live.get(id)

    def known(self, id: str) -> Message | None:
        return self._live.get(id) or self._recent.get(id)

    async def load(self, id: str) -> Message | None:
        """The message as it is now.  Raises StoreError."""
        stored = self.known(id) or await self._store.message(id)
        return self.known(id) or stored  # it may have changed during the read

    def keep(self, unit: Unit, message: Message, *, live: bool = True, progress: bool = False) -> None:
        """Write a changed message, known from now on; as it was before if the unit fails.

        `live`: the step that is being tried, if there is one, is not left to the store.  `progress`: the
        store has it, and no more is new than how far it has come.
        """
        live_before = self._live.get(message.id)
        before = live_before or self._recent.get(message.id)
        unit.writes.append(Progress(message) if progress else message)
        self.remember(message, live=live)
        unit.undo.append(lambda: self._take_back(message.id, before, live=live_before is not None))

    def remember(self, message: Message, *, live: bool = True) -> None:
        id, tried = message.id, being_tried(message)
        if live and tried:
            self._recent.pop(id, None)
            self._live[id] = message
            return
        if self._live.pop(id, None) is not None:
            self.gone += 1
        if not tried:
            self._begun.discard(id)
        self._recent[id] = message
        if message.status.final:
            self._over[id] = None
        self._trim()

    def leave(self, id: str) -> bool:
        """A live message is live no more: the store has its effect.  False: it is not live."""
        message = self._live.pop(id, None)
        if message is None:
            return False
        self.gone += 1
        self._recent[id] = message
        self._trim()
        return True

    def begin(self, id: str) -> None:
        """From now on a carrier may have something of it."""
        self._begun.add(id)

    def begun(self, id: str) -> bool:
        """Whether a carrier may have something of a message that is being tried."""
        return id in self._begun

    def _trim(self) -> None:
        if len(self._recent) > _RECENT:
            self._over.pop(self._recent.popitem(last=False)[0], None)
        if len(self._over) > _OVER:
            id, _ = self._over.popitem(last=False)
            if id in self._recent and self._recent[id].status.final:  # a failed unit may have taken it back
                del self._recent[id]

    def _take_back(self, id: str, before: Message | None, *, live: bool) -> None:
        if before is not None:
            self.remember(before, live=live)
        else:
            self._live.pop(id, None)
            self._recent.pop(id, None)


def being_tried(message: Message) -> bool:
    """Whether a step of it is being tried."""
    return bool(message.waits)


def tries(message: Message, index: int) -> bool:
    """Whether that very step is being tried."""
    return message.step == index and bool(message.waits)
