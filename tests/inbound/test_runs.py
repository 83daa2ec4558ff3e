"""The open runs of flows: what advances them, what they bring about, what survives a restart."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.inbound.actions import Subject
from gateway.rules import variables
from gateway.store.base import Unit
from gateway.values.call import Call
from gateway.values.errors import BadInput
from gateway.values.outcome import Result
from gateway.values.work import FlowVersion, Run

CUSTOMER = "+447700900123"
SHOP = """
name = "Shop"
assets = ["12345", "+442079460000"]
notify.inbound = "https://shop.example/mo"
"""
ASK = """
[flows.ask]
start = "wait"
[flows.ask.nodes.wait]
type = "receive"
timeout = "10m"
on = { message = "say", timeout = "late" }
[flows.ask.nodes.say]
type = "send-sms"
text = "You said $(wait.text)"
on = { success = "end", error = "end:7" }
[flows.ask.nodes.late]
type = "send-sms"
text = "Too late"
on = { success = "end", error = "end:8" }
"""


def single(node: str, on: str, extra: str = "") -> str:
    return f'[flows.one]\nstart = "it"\n[flows.one.nodes.it]\n{node}\non = {on}\n{extra}\n'


def texted(text: str = "Hi", service: str = "shop") -> Subject:
    seen = variables.sms(sender=CUSTOMER, recipient="12345", text=text)
    return subject(seen, number="12345", service=service)


def called() -> Subject:
    call = Call(
        id="c1",
        direction="in",
        service="shop",
        trunk="east",
        caller=CUSTOMER,
        called="+442079460000",
        started_at=1.0,
    )
    return subject(variables.call(call), number=call.called)


def subject(seen: Any, *, number: str, service: str = "shop") -> Subject:
    return Subject(ref="ref", type="t", service=service, customer=CUSTOMER, number=number, variables=seen)


async def start(world: Any, flow: str, about: Subject) -> None:
    unit = Unit()
    world.runs.start(unit, flow, about)
    await unit.commit(world.store)


async def ended(world: Any) -> list[tuple[int, str]]:
    """(result, reason) of every run there ever was."""
    return [(r.result, r.reason) for r in await all_runs(world) if r.state == "ended"]


async def all_runs(world: Any) -> list[Run]:
    ids = [e["run"] for e in await world.events("ref", "session.started")]
    return [run for id in ids if (run := await world.store.run(id))]


async def test_an_unknown_flow_is_refused(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    with pytest.raises(BadInput, match="has no flow 'nothing'"):
        world.runs.start(Unit(), "nothing", texted())


async def test_a_run_is_found_by_customer_and_number_and_the_youngest_first(open_world: Any) -> None:
    world = await open_world(shop=SHOP + ASK)
    await start(world, "ask", texted())
    first = world.runs.open_run(CUSTOMER, "12345")
    world.clock.forward(1)
    await start(world, "ask", texted())
    second = world.runs.open_run(CUSTOMER, "12345")
    assert first and second > first
    assert world.runs.open_run(CUSTOMER, "+442079460000") == ""
    assert world.runs.service(second) == "shop"
    unit = Unit()
    world.runs.stop(unit, second, "enough")
    await unit.commit(world.store)
    assert world.runs.open_run(CUSTOMER, "12345") == first


async def test_time_runs_out_also_when_it_did_so_during_a_restart(open_world: Any) -> None:
    world = await open_world(shop=SHOP + ASK)
    await start(world, "ask", texted())
    [run] = await world.store.open_runs()
    assert run.due == world.clock.now() + 600
    world.clock.forward(601)
    await world.restart()
    while not world.texts:  # the timer fires in the loop, and its outcome is recorded by the store's thread
        await world.settled()
    assert world.texts == ["Too late"]
    await world.outcome(world.sms.sent[0], Result.ACCEPTED)
    assert await ended(world) == [(0, "late: success")]


async def test_a_run_stays_on_its_version_when_the_flow_has_changed(
    open_world: Any, services: Any, mo: Any
) -> None:
    world = await open_world(shop=SHOP + ASK)
    await start(world, "ask", texted())
    world.services = services(shop=SHOP + ASK.replace("You said", "New:"))
    await world.restart()
    await world.deliver(*mo("old"))
    await start(world, "ask", texted())
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    await world.deliver(*mo("new"))
    assert world.texts == ["You said old", "New: new"]


async def test_a_run_whose_version_no_longer_reads_does_not_stop_the_start(open_world: Any) -> None:
    world = await open_world(shop=SHOP + ASK)
    bad: dict[str, Any] = {"start": "x", "nodes": {"x": {"type": "telepathy"}}}
    unit = Unit()
    unit.writes.append(
        FlowVersion(service="shop", flow="old", number=1, version="v", definition=bad, created_at=1.0)
    )
    plain: dict[str, Any] = {"service": "shop", "customer": CUSTOMER, "number": "12345"}
    plain |= {"created_at": 1.0, "updated_at": 1.0}
    unit.writes.append(Run(id="r1", flow="old", version="v", **plain))
    unit.writes.append(Run(id="r2", flow="gone", version="v", **plain))
    await unit.commit(world.store)
    await world.restart()
    assert len(world.runs) == 0


async def test_a_session_that_did_not_become_durable_did_not_begin(open_world: Any) -> None:
    world = await open_world(shop=SHOP + ASK)
    lost, kept = Unit(), Unit()
    world.runs.start(lost, "ask", texted())
    world.runs.start(kept, "ask", texted())
    lost.take_back()
    await kept.commit(world.store)
    await world.restart()
    assert len(world.runs) == 1


async def test_a_session_that_a_call_began_texts_from_the_services_own_asset(open_world: Any) -> None:
    """It took the number that was called, which no bind carries."""
    node = single('type = "send-sms"\ntext = "Hello"', '{ success = "end", error = "end:1" }')
    world = await open_world(shop=SHOP + node)
    await start(world, "one", called())
    assert [m.sender for m in world.sms.sent] == ["12345"]


async def test_a_call_node_places_a_call_from_the_number_that_was_called(open_world: Any) -> None:
    on = '{ answered = "end", busy = "end:5", error = "end:6" }'
    world = await open_world(shop=SHOP + single('type = "call"\ntext = "Hallo"\nlanguage = "de"', on))
    await start(world, "one", called())
    [call] = world.voice.sent
    assert (call.sender, call.recipient) == ("+442079460000", CUSTOMER)
    [step] = call.plan
    assert (step.text, step.language, step.until) == ("Hallo", "de", Result.ANSWERED)
    await world.outcome(call, Result.BUSY)
    assert await ended(world) == [(5, "it: busy")]


async def test_a_send_that_cannot_be_made_leaves_by_error_at_once(open_world: Any) -> None:
    node = single('type = "send-sms"\ntext = "Hi"\nfrom = "99999"', '{ success = "end", error = "end:4" }')
    world = await open_world(shop=SHOP + node)
    await start(world, "one", texted())
    assert await ended(world) == [(4, "it: error")]
    assert len(world.runs) == 0


async def test_a_send_to_one_who_opted_out_leaves_by_error_at_once(open_world: Any, mo: Any) -> None:
    node = single('type = "send-sms"\ntext = "Hi"', '{ success = "end", error = "end:4" }')
    world = await open_world(shop=SHOP + node)
    await world.deliver(*mo("STOP"))
    await start(world, "one", texted())
    assert await ended(world) == [(4, "it: error")]


async def test_an_http_node_is_carried_out_once_its_effect_is_durable(open_world: Any) -> None:
    node = single(
        'type = "http"\nurl = "https://x.example/$(sms.text)"', '{ success = "end", error = "end:3" }'
    )
    world = await open_world(shop=SHOP + node)
    unit = Unit()
    world.runs.start(unit, "one", texted("a b"))
    assert world.fetches == []
    await unit.commit(world.store)
    [effect] = world.fetches
    assert (effect.kind, effect.data["url"]) == ("http", "https://x.example/a%20b")
    assert [e.key for e in await world.store.effects()] == [effect.key]
    world.runs.done(effect.ref, effect.key, "success", {"status": 200, "body": "ok"})
    await world.settled()
    assert await ended(world) == [(0, "it: success")]
    assert await world.store.effects() == []


async def test_rules_hear_of_the_end_of_a_session(open_world: Any) -> None:
    rule = """
    [rules.done]
    on = "session.ended"
    when = 'session.flow == "one" && session.result == 9'
    do = [{ notify = "https://ops.example/" }]
    """
    node = single('type = "set"\nvalues = { a = "b" }', '{ done = "end:9" }')
    world = await open_world(shop=SHOP + node + rule)
    await start(world, "one", texted())
    [body] = world.notifier.to("https://ops.example/")
    assert (body["type"], body["result"]) == ("session.ended", 9)


async def test_flows_that_start_each_other_at_their_end_come_to_an_end(open_world: Any) -> None:
    rule = '[rules.again]\non = "session.ended"\ndo = [{ flow = "one" }]\n'
    node = single('type = "set"\nvalues = { a = "b" }', '{ done = "end" }')
    world = await open_world(shop=SHOP + node + rule)
    await start(world, "one", texted())
    assert len(world.runs) == 0


async def test_what_was_not_stored_has_not_happened(open_world: Any) -> None:
    world = await open_world(shop=SHOP + ASK)
    unit = Unit()
    world.runs.start(unit, "ask", texted())
    assert len(world.runs) == 1
    unit.take_back()
    assert len(world.runs) == 0 and world.runs.open_run(CUSTOMER, "12345") == ""
