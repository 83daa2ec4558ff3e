"""The runs that have not ended, in memory: packed, since a hundred thousand may wait, most of them for days.

Runs are kept as octets, and made again when something happens to them: a waiting one takes about half a
kilobyte.  Their time-outs are one heap and one timer of the loop; nothing is done while nothing is due.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterator

import msgspec

from gateway.values.clock import Clock
from gateway.values.work import Run

log = logging.getLogger(__name__)

_FIELDS = Run.__struct_fields__
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_STALE = 1_000  # heap entries of time-outs that are over, beside as many as there are runs

Entry = tuple[float, float, str]  # when by the monotonic clock, run.due, run


class OpenRuns:
    """`time_up(run, due)` is called in the loop when a run's time is up, unless the run has gone on since.

    A time-out is measured on the monotonic clock from when it was set or, after a start, taken up: a wall
    clock that is set forth ends none early, and one that is set back prolongs none.
    """

    def __init__(self, clock: Clock, time_up: Callable[[str, float], None]) -> None:
        self._clock = clock
        self._time_up = time_up
        self._runs: dict[str, tuple[float, bytes]] = {}  # id -> due, packed
        # customer -> ids, oldest first; most have one, which is then no tuple
        self._of: dict[str, str | tuple[str, ...]] = {}
        self._heap: list[Entry] = []
        self._handle: asyncio.TimerHandle | None = None
        self._running = False

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, id: str) -> bool:
        return id in self._runs

    def get(self, id: str) -> Run | None:
        entry = self._runs.get(id)
        return None if entry is None else _unpacked(entry[1])

    def of(self, customer: str) -> Iterator[Run]:
        """The open runs of a customer, the youngest first."""
        ids = self._of.get(customer, ())
        for id in reversed((ids,) if isinstance(ids, str) else ids):
            if (run := self.get(id)) is not None:
                yield run

    def put(self, run: Run) -> None:
        """As it is now; one that has ended is open no more."""
        if run.state == "ended":
            self._drop(run)
            return
        before = self._runs.get(run.id)
        if before is None:
            ids = self._of.get(run.customer)
            known = () if ids is None else (ids,) if isinstance(ids, str) else ids
            self._of[run.customer] = (*known, run.id) if known else run.id
        self._runs[run.id] = (run.due, _packed(run))
        if run.due and (before is None or before[0] != run.due):
            self._await(run.id, run.due)

    def start(self) -> None:
        """From now on time-outs are told; what came due meanwhile at once."""
        self._running = True
        self._arm()

    def stop(self) -> None:
        self._running = False
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _drop(self, run: Run) -> None:
        if self._runs.pop(run.id, None) is None:
            return
        ids = self._of.get(run.customer, ())
        left = tuple(id for id in ((ids,) if isinstance(ids, str) else ids) if id != run.id)
        if left:
            self._of[run.customer] = left if len(left) > 1 else left[0]
        else:
            self._of.pop(run.customer, None)

    def _await(self, id: str, due: float) -> None:
        at = self._clock.monotonic() + due - self._clock.now()
        heapq.heappush(self._heap, (at, due, id))
        if len(self._heap) > 2 * len(self._runs) + _STALE:
            self._heap = [entry for entry in self._heap if self._waits(entry)]
            heapq.heapify(self._heap)
        if self._handle is None or self._heap[0][2] == id:
            self._arm()

    def _waits(self, entry: Entry) -> bool:
        run = self._runs.get(entry[2])
        return run is not None and run[0] == entry[1]

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._running and self._heap:
            wait = max(self._heap[0][0] - self._clock.monotonic(), 0.0)
            self._handle = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._handle = None
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            if not self._waits(entry):
                continue
            try:
                self._time_up(entry[2], entry[1])
            except Exception:  # one that cannot be served must not stop the others
                log.exception("run.time_up_failed", extra={"session": entry[2]})
        self._arm()


def _packed(run: Run) -> bytes:
    return _encode(msgspec.structs.astuple(run))


def _unpacked(octets: bytes) -> Run:
    fields = dict(zip(_FIELDS, _decode(octets), strict=True))
    fields["inbox"] = tuple(fields["inbox"])
    return Run(**fields)
