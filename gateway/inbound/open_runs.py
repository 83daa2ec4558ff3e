"""The runs that have not ended, in memory: packed, since a hundred thousand may wait, most of them for days.

A waiting one takes about half a kilobyte, with all that it is found by.  Time-outs are one heap and one timer
of the loop; nothing is done while nothing is due.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterator

from gateway.inbound.packed_runs import Packer, due_of, id_of, key_of, moment, seconds
from gateway.values.clock import Clock
from gateway.values.work import Run

log = logging.getLogger(__name__)

_STALE = 1_000  # heap entries of time-outs that are over, beside as many as there are runs
_MOMENT_OCTETS = 8


class OpenRuns:
    """`time_up(run, due)` is called in the loop when a run's time is up, unless the run has gone on since.

    A time-out is measured on the monotonic clock from when it was set or, after a start, taken up: a wall
    clock that is set forth ends none early, and one that is set back prolongs none.
    """

    def __init__(self, clock: Clock, time_up: Callable[[str, float], None]) -> None:
        self._clock = clock
        self._time_up = time_up
        self._packer = Packer()
        self._runs: dict[bytes, bytes] = {}  # by key
        # hash of the customer -> keys, oldest first; most have one, which is then no tuple
        self._of: dict[int, bytes | tuple[bytes, ...]] = {}
        self._heap: list[bytes] = []  # moment by the monotonic clock, key
        self._handle: asyncio.TimerHandle | None = None
        self._running = False

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, id: str) -> bool:
        return key_of(id) in self._runs

    def get(self, id: str) -> Run | None:
        return self._get(key_of(id))

    def of(self, customer: str) -> Iterator[Run]:
        """The open runs of a customer, the youngest first."""
        for key in reversed(self._keys(customer)):
            run = self._get(key)
            if run is not None and run.customer == customer:
                yield run

    def put(self, run: Run) -> None:
        """As it is now; one that has ended is open no more."""
        key = key_of(run.id)
        if run.state == "ended":
            self._drop(key, run.customer)
            return
        before = self._runs.get(key)
        if before is None:
            known = self._keys(run.customer)
            self._of[hash(run.customer)] = (*known, key) if known else key
        if before is not None and due_of(before) == run.due:
            self._runs[key] = self._packer.packed(run, before[:_MOMENT_OCTETS])
            return
        at = moment(self._clock.monotonic() + run.due - self._clock.now() if run.due else 0.0)
        self._runs[key] = self._packer.packed(run, at)
        if run.due:
            self._await(at + key)

    def start(self) -> None:
        """From now on time-outs are told; what came due meanwhile at once."""
        self._running = True
        self._arm()

    def stop(self) -> None:
        self._running = False
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _get(self, key: bytes) -> Run | None:
        octets = self._runs.get(key)
        return None if octets is None else self._packer.unpacked(key, octets)

    def _keys(self, customer: str) -> tuple[bytes, ...]:
        keys = self._of.get(hash(customer), ())
        return keys if isinstance(keys, tuple) else (keys,)

    def _drop(self, key: bytes, customer: str) -> None:
        if self._runs.pop(key, None) is None:
            return
        left = tuple(each for each in self._keys(customer) if each != key)
        if left:
            self._of[hash(customer)] = left if len(left) > 1 else left[0]
        else:
            del self._of[hash(customer)]

    def _await(self, entry: bytes) -> None:
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._runs) + _STALE:
            self._heap = [entry for entry in self._heap if self._waits(entry)]
            heapq.heapify(self._heap)
        if self._handle is None or self._heap[0] is entry:
            self._arm()

    def _waits(self, entry: bytes) -> bool:
        octets = self._runs.get(entry[_MOMENT_OCTETS:])
        return octets is not None and octets[:_MOMENT_OCTETS] == entry[:_MOMENT_OCTETS] and due_of(octets) > 0

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._running and self._heap:
            wait = max(seconds(self._heap[0]) - self._clock.monotonic(), 0.0)
            self._handle = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._handle = None
        now = self._clock.monotonic()
        while self._heap and seconds(self._heap[0]) <= now:
            entry = heapq.heappop(self._heap)
            if not self._waits(entry):
                continue
            key = entry[_MOMENT_OCTETS:]
            try:
                self._time_up(id_of(key), due_of(self._runs[key]))
            except Exception:  # one that cannot be served must not stop the others
                run = self._packer.unpacked(key, self._runs[key])
                extra = {"session": run.id, "transid": run.data.get("session.transid", "")}
                log.exception("run.time_up_failed", extra=extra)
        self._arm()
