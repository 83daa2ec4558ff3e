from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gateway.store.engine import Verdict, connect, set_up
from gateway.store.migrations import migrate
from gateway.store.thread import ThreadHand
from gateway.store.wire import encode

Records = Any


async def test_transactions_are_done_in_their_order_and_what_waits_before_the_end(
    tmp_path: Path, records: Records
) -> None:
    path = tmp_path / "gateway.db"
    path.touch()
    connection = connect(path, "rw")
    set_up(connection)
    migrate(connection, 0.0)
    hand = ThreadHand(connection, path)
    verdicts: list[Verdict] = []
    ended = asyncio.get_running_loop().create_future()
    await hand.start(verdicts.append, print, ended.set_result)
    good, odd = records.message("m1"), records.message("m2", text=None)
    hand.give([encode([good])])
    hand.give([encode([odd])])
    hand.give([encode([good])])
    hand.end()
    assert await ended == ""
    hand.join()
    assert [bool(verdict.errors) for verdict in verdicts] == [False, True, False] and not hand.alive


async def test_one_that_was_never_started_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.touch()
    hand = ThreadHand(connect(path, "rw"), path)
    hand.end()
    assert not hand.alive
