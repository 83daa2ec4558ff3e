"""What is written of sessions by the level of [trace], and when what was said goes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.values.outcome import Result
from gateway.values.work import Run

CUSTOMER = "+447700900123"
SHOP = """
name = "Shop"
assets = ["12345"]
[keywords.ASK]
flow = "ask"
[flows.ask]
start = "wait"
[flows.ask.nodes.wait]
type = "receive"
timeout = "10m"
leave.log = [{ id = "said", value = "$(sms.text)" }]
on = { message = "say", timeout = "end" }
[flows.ask.nodes.say]
type = "send-sms"
text = "You said $(wait.text)"
on = { success = "end", error = "end" }
"""


async def played(world: Any, mo: Any) -> Run:
    await world.deliver(*mo("ask"))
    [run] = await world.store.open_runs()
    await world.deliver(*mo("my PIN is 4711"))
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    ended = await world.store.run(run.id)
    assert ended.state == "ended"
    return ended  # type: ignore[no-any-return]


async def recorded(world: Any, run: Run) -> list[Any]:
    return world.journal.unpacked(await world.store.events(run.id), run.seal)  # type: ignore[no-any-return]


@pytest.mark.parametrize("level", [1, 2, 3])
async def test_the_level_says_what_is_recorded(open_world: Any, mo: Any, level: int) -> None:
    """All was recorded, and `--level` only hid it."""
    world = await open_world(shop=SHOP + f"[trace]\nlevel = {level}\n")
    run = await played(world, mo)
    events = await recorded(world, run)
    types = {event.type for event in events}
    assert ("node.entered" in types) is (level > 1)
    assert {"session.started", "session.input", "session.ended"} <= types
    inputs = [event.data for event in events if event.type == "session.input"]
    assert [data["kind"] for data in inputs] == ["message", "effect-done"]
    assert ("4711" in str(inputs)) is (level == 3)
    assert ("4711" in str(run.data)) is (level == 3)
    assert bool(run.seal) is (level == 3)
    [line] = [event for event in events if event.type == "log"]
    assert line.data["value"] == "my PIN is 4711"  # which the flow asked for


async def test_what_was_said_goes_with_its_key_when_its_time_is_over(open_world: Any, mo: Any) -> None:
    world = await open_world(shop=SHOP + '[trace]\ndetails = "1d"\n')
    run = await played(world, mo)
    world.clock.forward(86_399)
    await world.deliver(*mo("ask"))  # another, which is open
    await world.runs.tidy(world.store)
    assert "4711" in str(await recorded(world, run))
    world.clock.forward(2)
    await world.runs.tidy(world.store)
    after = await world.store.run(run.id)
    assert (after.seal, after.data) == ("", {})
    left = str(await recorded(world, after))
    assert "4711" not in left and "node.entered" in left
    [other] = await world.store.open_runs()
    assert other.seal and other.data
