"""Sessions of a suspended service: nothing moves them, nothing is lost, and texts come before time-outs."""

from __future__ import annotations

from typing import Any

from gateway.values.outcome import Result

SHOP = """
name = "Shop"
assets = ["12345"]
[keywords.ORDER]
flow = "order"
[flows.order]
start = "ask"
[flows.order.nodes.ask]
type = "send-sms"
text = "Which size?"
on = { success = "size", error = "end:102" }
[flows.order.nodes.size]
type = "receive"
timeout = "10m"
on = { message = "say", timeout = "end:103" }
[flows.order.nodes.say]
type = "send-sms"
text = "One $(sms.text)"
on = { success = "end:1", error = "end:102" }
"""


async def waiting(world: Any) -> str:
    """A session that waits for the size."""
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    [run] = await world.store.open_runs()
    return str(run.id)


async def test_an_answer_that_was_parked_comes_before_the_time_out(open_world: Any, mo: Any) -> None:
    world = await open_world(shop=SHOP)
    await world.deliver(*mo("order"))
    run = await waiting(world)
    world.suspend("shop")
    await world.deliver(*mo("large"))
    world.clock.forward(3600)
    world.runs._open._due()
    await world.settled()
    assert (await world.store.run(run)).state == "waiting"
    await world.resume("shop")
    assert world.texts == ["Which size?", "One large"]


async def test_a_time_out_waits_until_the_service_is_live(open_world: Any, mo: Any) -> None:
    world = await open_world(shop=SHOP)
    await world.deliver(*mo("order"))
    run = await waiting(world)
    world.suspend("shop")
    world.clock.forward(3600)
    world.runs._open._due()
    await world.settled()
    await world.resume("shop")
    assert (await world.store.run(run)).result == 103


async def test_a_carriers_answer_is_kept_also_over_a_restart(open_world: Any, mo: Any) -> None:
    world = await open_world(shop=SHOP)
    await world.deliver(*mo("order"))
    [asked] = world.sms.sent
    world.suspend("shop")
    await world.outcome(asked, Result.ACCEPTED)
    [run] = await world.store.open_runs()
    assert run.node == "ask"
    await world.restart()
    await world.runs.recover(world.store)
    [run] = await world.store.open_runs()
    assert run.node == "ask"
    await world.resume("shop")
    [run] = await world.store.open_runs()
    assert (run.node, await world.store.effects()) == ("size", [])


async def test_stop_ends_a_paused_session_at_once(open_world: Any, mo: Any) -> None:
    world = await open_world(shop=SHOP)
    await world.deliver(*mo("order"))
    run = await waiting(world)
    world.suspend("shop")
    await world.deliver(*mo("stop"))
    assert (await world.store.run(run)).state == "ended"
    await world.resume("shop")


async def test_what_the_store_refused_is_not_kept(open_world: Any, mo: Any) -> None:
    world = await open_world(shop=SHOP)
    await world.deliver(*mo("order"))
    [asked] = world.sms.sent
    world.suspend("shop")
    from gateway.store.base import Unit

    unit = Unit()
    world.runs.effect_done(unit, asked.run, asked.run_key, "success", {})
    unit.take_back()
    await world.resume("shop")
    [run] = await world.store.open_runs()
    assert run.node == "ask"
