"""A chain is killed at every write, before it is durable and after, and comes to the same end all the same.

The process and its store are real but for the dying; carriers know what they were given by its key, so that
what comes to them twice is one act.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from gateway.observe.system import IdSource
from gateway.store.base import Told, Write
from gateway.store.sqlite import SqliteStore
from gateway.values.message import StepState
from gateway.values.outcome import Outcome, Result, Status

# what becomes of each step: first by SMS of one carrier, then of another, then by phone
OUTCOMES = {
    0: (Result.ACCEPTED, Result.UNDELIVERED),
    1: (Result.REJECTED,),
    2: (Result.ANSWERED,),
}
CARRIERS = {0: "north", 1: "south", 2: "east"}


class Mortal(SqliteStore):
    """Dies with the write number `at`, before it is durable or after; then nobody hears of anything."""

    refuses = ""
    unreadable = False
    at, after = 0, False
    writes = 0
    alive = True

    def write(self, writes: Sequence[Write], done: Told) -> None:
        if not self.alive:
            return
        self.writes += 1
        if self.writes != self.at:
            super().write(writes, done)
            return
        self.alive = False
        if self.after:
            super().write(writes, lambda error: None)


class Still:
    """A clock that stands."""

    def now(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return 0.0


class Killed(Exception):
    """What was being done when the process died."""


class Play:
    def __init__(self, gate_type: Any, path: Path, at: int, after: bool) -> None:
        self._gate_type, self._path, self._at, self._after = gate_type, path, at, after
        self._clock = Still()
        self._new_id = IdSource(self._clock)
        self.deaths = self.writes = 0
        self.acts: dict[tuple[str, int], str] = {}  # what carriers were given: by whom
        self.message = ""

    async def run(self) -> Any:
        await self._open()
        while True:
            try:
                await self._or_death(self._live())
            except Killed:
                self.deaths += 1
                self.writes += self.gate.store.writes
                await self._close()
                self._at = 0
                await self._open()
                continue
            break
        self.writes += self.gate.store.writes
        stored = await self.gate.store.message(self.message)
        timers = await self.gate.store.timers()
        await self._close()
        return stored, timers

    async def _open(self) -> None:
        store = Mortal(self._path)
        self.gate = self._gate_type(store, self._clock, self._new_id, 100)
        await store.open()
        store.at, store.after = self._at, self._after
        await self.gate.timers.start(store)

    async def _close(self) -> None:
        self.gate.timers.stop()
        await self.gate.pipeline.stop()
        await self.gate.store.close()

    async def _or_death(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(doing)
        while not task.done():
            await asyncio.sleep(0.001)
            if not self.gate.store.alive:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise Killed
        if not self.gate.store.alive:
            raise Killed
        task.result()

    async def _live(self) -> None:
        """One life: take up what was left, ask for the chain if that is not durable, and do what comes."""
        gate = self.gate
        await gate.pipeline.recover(lambda channel, carrier: True)
        await gate.quiet()
        stored = await gate.store.message(self.message)
        if stored is None:
            self.message = "m-alarm"
            await gate.submit(text="", chain="alert", id=self.message)
        elif (step := stored.steps[stored.step]).state is StepState.ACCEPTED:
            # a receipt that nobody acknowledged comes again
            receipt = Outcome(OUTCOMES[stored.step][-1], carrier=step.carrier)
            gate.pipeline.report(stored.id, stored.step, receipt, ())
            await gate.quiet()
        done = 0
        while len(sent := [*gate.sms.sent, *gate.voice.sent]) > done:
            for id, index, _ in sent[done:]:
                carrier = CARRIERS[index]
                await gate.pipeline.hand_over([f"{id}/{index}"], carrier)
                self.acts[id, index] = carrier
                for result in OUTCOMES[index]:
                    gate.pipeline.report(id, index, Outcome(result, carrier=carrier), ())
                    await gate.quiet()
            done = len(sent)


async def test_every_kill_leaves_the_same_end_and_the_same_acts(tmp_path: Path, gate_type: Any) -> None:
    whole = Play(gate_type, tmp_path / "whole.db", 0, False)
    wanted, timers = await whole.run()
    assert wanted.status is Status.ANSWERED and timers == []
    assert sorted(whole.acts) == [("m-alarm", 0), ("m-alarm", 1), ("m-alarm", 2)]
    assert whole.writes > 5
    for at in range(1, whole.writes + 1):
        for after in (False, True):
            play = Play(gate_type, tmp_path / f"{at}-{after}.db", at, after)
            found, timers = await play.run()
            where = f"killed {'after' if after else 'before'} write {at} of {whole.writes}"
            assert play.deaths == 1, where
            assert found.status is wanted.status, where
            told = [(s.state, s.result, s.carrier) for s in found.steps]
            assert told == [(s.state, s.result, s.carrier) for s in wanted.steps], where
            assert play.acts == whole.acts and timers == [], where
