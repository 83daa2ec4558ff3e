"""The sessions of a bind as its queue sees them: whose turn it is, where the segments of a lost one go."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from gateway.transport.smpp_link import SmppLink
from gateway.transport.smpp_submission import Begun


class Lane:
    """One of the bind's sessions; its connections (`link`) come and go."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.link: SmppLink | None = None
        self.bound = False
        self.ready: list[tuple[int, int, Begun]] = []  # heap by order of messages, then part

    @property
    def room(self) -> int:
        return self.link.session.room if self.link and self.link.writable else 0

    def first(self) -> tuple[int, ...]:
        """Order and part of the first segment to write, past what was given up or rests; empty: none."""
        ready = self.ready
        while ready:
            order, part, begun = ready[0]
            if part in begun.unwritten and not begun.held:
                return order, part
            heappop(ready)
        return ()


class Lanes(list[Lane]):
    """All of them, by number, and the segments that have none."""

    def __init__(self, count: int) -> None:
        super().__init__(map(Lane, range(count)))
        self._homeless: list[tuple[int, int, Begun]] = []  # unwritten segments whose session is gone

    @property
    def outstanding(self) -> int:
        """Segments and requests that were written and have no answer yet."""
        return sum(lane.link.session.outstanding for lane in self if lane.link)

    @property
    def waiting(self) -> int:
        """Segments that were handed over and are not written."""
        return sum(len(lane.ready) for lane in self) + len(self._homeless)

    def wait(self, messages: Iterable[Begun]) -> None:
        """The unwritten segments of each message wait for its session."""
        for begun in messages:
            lane = self[begun.lane]
            waiting = lane.ready if lane.bound else self._homeless
            begun.waited |= not lane.bound
            for part in begun.unwritten:
                heappush(waiting, (begun.order, part, begun))

    def lost(self, lane: Lane) -> None:
        """The lane's session has ended: what waits for it waits for any."""
        for entry in filter(_writable, lane.ready):
            entry[2].waited = True
            heappush(self._homeless, entry)
        lane.ready.clear()

    def forget(self, begun: Begun) -> None:
        """The message rests: it comes back as a whole, by `wait`."""
        if self._homeless:
            self._homeless = [entry for entry in self._homeless if entry[2] is not begun]
            heapify(self._homeless)

    def house(self) -> None:
        """Give the segments whose session is gone a session that lives, those of one message the same."""
        while self._homeless:
            lane = max(self, key=lambda lane: lane.room - len(lane.ready))
            if not lane.room:
                return
            order = self._homeless[0][0]
            while self._homeless and self._homeless[0][0] == order:
                entry = heappop(self._homeless)
                entry[2].lane = lane.number
                heappush(lane.ready, entry)

    def next(self) -> Lane | None:
        """The session whose turn it is: that of the oldest segment among those with room."""
        if len(self) == 1:
            lane = self[0]
            return lane if lane.ready and lane.room and lane.first() else None
        found: Lane | None = None
        oldest: tuple[int, ...] = ()
        for lane in self:
            if lane.ready and lane.room and (first := lane.first()) and (found is None or first < oldest):
                found, oldest = lane, first
        return found


def _writable(entry: tuple[int, int, Begun]) -> bool:
    _, part, begun = entry
    return part in begun.unwritten and not begun.held
