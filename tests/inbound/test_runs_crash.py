"""The process is killed at every journal position of a survey, once before what is written there is durable
and once after, before anything that follows is done.  Real store, outbound spine and flow: that of
conf/services/survey.toml.

The carrier knows a message again by its id, as it does a submit_sm repeated by `on_in_doubt = "resend"`.
What became durable counts as answered: a carrier that brings a text again brings another text.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from gateway.config.model import Bind, Service
from gateway.config.shape import Reader
from gateway.protocol.smpp.constants import ESME_ROK
from gateway.store.base import Told, Write
from gateway.store.sqlite import SqliteStore
from gateway.values.outcome import Result
from gateway.values.work import LogbookRow, Run

SURVEY = Path(__file__).parents[2] / "conf" / "services" / "survey.toml"
HOURS = 3600.0

# What the customer does: writes, or lets time pass
SCRIPT: tuple[str | float, ...] = ("Survey", 2 * HOURS, 24 * HOURS, "what?", "2", "It was cold")
TEXTS = [
    "How was it? Text a number from 1 (bad) to 5 (great).",
    "We would still like to know: how was it, from 1 to 5?",
    "Sorry, we need a number from 1 to 5.",
    "We are sorry. What went wrong?",
    "Thank you for your answer!",
]


class Mortal(SqliteStore):
    """Dies with the write number `at`, before it is durable or after; then nobody hears of anything."""

    refuses = ""
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


class Killed(Exception):
    """What was being done when the process died."""


class Play:
    """The customer, the carrier, and a gateway that is started again whenever it has died."""

    def __init__(self, world: Any, mo: Callable[..., Any]) -> None:
        self.world, self._mo = world, mo
        self.phone: dict[str, str] = {}  # texts by message id, in the order of their arrival
        self._told: set[str] = set()  # messages whose outcome the gateway has taken
        self.deaths = 0

    async def run(self) -> None:
        for act in SCRIPT:
            if isinstance(act, float):
                self.world.clock.forward(act)
                await self._until_done(self._time_up)
            else:
                await self._until_done(self._write, act)
            await self._until_done(self._carry)

    async def _until_done(self, act: Callable[..., Awaitable[bool]], *arguments: Any) -> None:
        while True:
            try:
                if await self._or_death(act(*arguments)):
                    return
            except Killed:
                await self._rise()
                # what was durable when the process died is not written again: the customer is not there twice
                if act == self._write and self.world.store.after:
                    return

    async def _or_death(self, doing: Awaitable[bool]) -> bool:
        task = asyncio.ensure_future(doing)
        while not task.done():
            await asyncio.sleep(0.001)
            if not self.world.store.alive:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise Killed
        if not self.world.store.alive:
            raise Killed
        return task.result()

    async def _write(self, text: str) -> bool:
        return await self.world.deliver(*self._mo(text, to="12346")) == [ESME_ROK]

    async def _time_up(self) -> bool:
        self.world.runs._open._due()
        await self.world.settled()
        return True

    async def _carry(self) -> bool:
        """The carrier takes what comes, and says so, until nothing more comes."""
        while waiting := [m for m in self.world.sms.sent if m.id not in self._told]:
            for message in waiting:
                self.phone.setdefault(message.id, message.text)
                await self.world.outcome(message, Result.ACCEPTED)
                self._told.add(message.id)
        return True

    async def _rise(self) -> None:
        """A new process on the same file; time-outs that are due are told at once."""
        self.deaths += 1
        world = self.world
        world.timers.stop()
        world.runs.close()
        await world.outbound.stop()
        await world.store.close()
        world.store.alive = True
        world._build()
        await world.start()
        await world.outbound.recover(lambda channel, carrier: True)
        for _ in range(3):
            await asyncio.sleep(0.002)
            await world.settled()


def survey() -> dict[str, Service]:
    reader = Reader(lambda written: written)
    return {"survey": reader.struct(Service, tomllib.loads(SURVEY.read_text()), "")}


async def played(world_type: Any, mo: Any, path: Path, at: int, after: bool) -> tuple[Play, dict[str, Any]]:
    world = world_type(path, survey(), {"north": Bind(host="127.0.0.1", system_id="gw")})
    world.store = Mortal(path)
    world._build()
    await world.start()
    world.store.writes, world.store.at, world.store.after = 0, at, after
    play = Play(world, mo)
    await play.run()
    state = await found(world)
    await world.stop()
    return play, state


async def found(world: Any) -> dict[str, Any]:
    """What is left in the store, without ids and times."""

    def ids(connection: Any) -> list[str]:
        return [id for (id,) in connection.execute("SELECT id FROM runs")]

    runs: list[Run] = [await world.store.run(id) for id in await world.store.read(ids)]
    rows: list[LogbookRow] = await world.store.logbook("survey", "answers", limit=10)
    own = ("transid", "id")
    return {
        "runs": [
            (
                run.state,
                run.result,
                run.reason,
                {name: value for name, value in run.data.items() if name.rpartition(".")[2] not in own},
            )
            for run in runs
        ],
        "rows": [row.data for row in rows],
        "effects": await world.store.effects(),
        "open": len(world.runs),
        "inputs": [
            [event.data["input"]["kind"] for event in steps if "input" in event.data]
            for run in runs
            for steps in [world.journal.unpacked(await world.store.events(run.id), run.seal)]
        ],
    }


async def test_every_kill_leaves_the_same_state_and_the_same_effects(
    tmp_path: Path, world_type: Any, mo: Any
) -> None:
    undisturbed, wanted = await played(world_type, mo, tmp_path / "whole.db", 0, False)
    assert list(undisturbed.phone.values()) == TEXTS
    assert wanted["rows"] == [{"score": 2, "why": "It was cold"}]
    [(state, result, _, _)] = wanted["runs"]
    assert (state, result, wanted["open"], wanted["effects"]) == ("ended", 0, 0, [])
    positions = undisturbed.world.store.writes
    assert positions > 10
    for at in range(1, positions + 1):
        for after in (False, True):
            play, state = await played(world_type, mo, tmp_path / f"{at}-{after}.db", at, after)
            where = f"killed {'after' if after else 'before'} write {at} of {positions}"
            assert play.deaths == 1, where
            assert state == wanted, where
            assert list(play.phone.values()) == TEXTS, where
