from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.store.engine import Order, Verdict, connect, set_up
from gateway.store.thread import ThreadHand


async def test_orders_are_executed_in_their_order_and_what_waits_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.touch()
    connection = connect(path, "rw")
    set_up(connection)
    hand = ThreadHand(connection, path)
    verdicts: list[Verdict] = []
    ended = asyncio.get_running_loop().create_future()
    await hand.start(verdicts.append, print, ended.set_result)
    hand.give(Order([("CREATE TABLE t (id INTEGER PRIMARY KEY)", [])]))
    hand.give(Order([("INSERT INTO t VALUES (?)", [1])]))
    hand.give(Order([("INSERT INTO t VALUES (?)", [1])]))
    hand.end()
    assert await ended == ""
    hand.join()
    assert [verdict.own for verdict in verdicts] == [False, False, True] and not hand.alive


async def test_one_that_was_never_started_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.touch()
    hand = ThreadHand(connect(path, "rw"), path)
    hand.end()
    assert not hand.alive
