"""Effects by the flows that decide on them, in the whole of inbound (conftest)."""

from typing import Any

import pytest

from gateway.inbound.actions import Subject
from gateway.rules import variables
from gateway.store.base import Unit
from gateway.values.outcome import Result
from gateway.values.work import Run

CUSTOMER = "+447700900123"
SHOP = 'name = "Shop"\nassets = ["12345", "+442079460000"]\n'
ENDS = 'on = { success = "end:1", error = "end:2" }'


def flow(name: str, node: str, extra: str = "") -> str:
    return f'[flows.{name}]\nstart = "it"\n[flows.{name}.nodes.it]\n{node}\n{extra}\n'


async def begin(world: Any, name: str, **custom: Any) -> None:
    seen = variables.sms(sender=CUSTOMER, recipient="12345", text="Hi") | variables.custom(custom)
    about = Subject(ref="ref", type="t", service="shop", customer=CUSTOMER, number="12345", variables=seen)
    unit = Unit()
    world.runs.start(unit, name, about)
    await unit.commit(world.store)
    await world.settled()


async def ran(world: Any, flow: str) -> Run:
    """The only session of that flow."""
    [run] = [r for r in await all_of(world) if r.flow == flow]
    return run


async def all_of(world: Any) -> list[Run]:
    def read(connection: Any) -> list[str]:
        return [id for (id,) in connection.execute("SELECT id FROM runs ORDER BY id")]

    ids = await world.store.read(read)
    return [run for id in ids if (run := await world.store.run(id))]


async def test_consent_is_noted_and_asked_for(open_world: Any) -> None:
    node = 'type = "consent"\nopt = "out"\non = { opted-in = "end:1", opted-out = "end:2", error = "end:3" }'
    world = await open_world(shop=SHOP + flow("leave", node) + flow("ask", node.replace('"out"', '"check"')))
    await begin(world, "ask")
    assert (await ran(world, "ask")).result == 1
    await begin(world, "leave")
    assert (await ran(world, "leave")).result == 2
    assert [c.reason for c in await world.store.opted_out()] == ["flow leave, node it"]


async def test_a_profile_is_changed_and_read(open_world: Any) -> None:
    ends = 'on = { success = "end:1", missing = "end:2", error = "end:3" }'
    write = f'type = "profile"\nset = {{ size = "$(sms.text)" }}\n{ends}'
    read = f'type = "profile"\nsave = {{ size = "size" }}\n{ends}'
    world = await open_world(shop=SHOP + flow("write", write) + flow("read", read))
    await begin(world, "read")
    assert (await ran(world, "read")).result == 2
    await begin(world, "write")
    assert (await ran(world, "write")).result == 1
    assert world.customers.known("shop", CUSTOMER)["size"] == "Hi"


async def test_rows_of_a_logbook_have_its_types_and_go_when_they_are_old(open_world: Any) -> None:
    book = '[logbooks.book]\ncolumns = { n = "number", text = "text" }\nretention = "1d"\n'
    node = 'type = "log"\nbook = "book"\nrow = { n = "$(custom.n)", text = "$(sms.text)" }\n'
    node += 'on = { done = "end" }'
    world = await open_world(shop=SHOP + book + flow("a", node))
    await begin(world, "a", n="5")
    world.clock.forward(43_200)
    await begin(world, "a", n="five")
    rows = await world.store.logbook("shop", "book", limit=10)
    assert [row.data for row in rows] == [{"n": 5, "text": "Hi"}, {"n": None, "text": "Hi"}]
    world.clock.forward(43_201)
    await world.runs.tidy(world.store)
    assert await world.store.logbook("shop", "book", limit=10) == rows[1:]


async def test_a_session_knows_itself_and_the_transaction_that_began_it(open_world: Any) -> None:
    node = 'type = "end"\nreason = "$(session.id) $(session.flow) $(session.transid)"'
    again = '[rules.again]\non = "session.ended"\nwhen = \'session.flow == "a"\'\ndo = [{ flow = "b" }]\n'
    world = await open_world(shop=SHOP + again + flow("a", node) + flow("b", node))
    await begin(world, "a")
    first, second = await ran(world, "a"), await ran(world, "b")
    assert first.reason == f"{first.id} a ref"
    assert second.reason == f"{second.id} b ref"


async def test_a_notification_is_owed_to_the_node_s_url_or_to_the_service(open_world: Any) -> None:
    node = 'type = "notify"\nbody = { text = "$(sms.text)" }\n' + ENDS
    world = await open_world(shop=SHOP + flow("a", node + '\nurl = "https://x.example/"') + flow("b", node))
    await begin(world, "a")
    [body] = world.notifier.to("https://x.example/")
    run = await ran(world, "a")
    assert (body["type"], body["session"], body["text"]) == ("session.notify", run.id, "Hi")
    await begin(world, "b")
    assert (await ran(world, "b")).result == 2


async def test_an_http_request_is_stored_with_the_name_of_its_auth_and_no_secret(open_world: Any) -> None:
    node = 'type = "http"\nurl = "https://x.example/"\nauth = "crm"\nretries = 2\n' + ENDS
    auth = '[auths.crm]\nkind = "bearer"\ntoken = "hush"\n'
    world = await open_world(shop=SHOP + auth + flow("a", node))
    await begin(world, "a")
    [effect] = world.fetches
    assert (effect.data["auth"], effect.data["service"], effect.data["retries"]) == ("crm", "shop", 2)
    assert "hush" not in str(effect)


async def test_a_chain_is_sent_and_its_end_waited_for(open_world: Any) -> None:
    chain = '[chains.alert]\nsteps = [{ channel = "sms", text = "Fire at $(where)" }]\n'
    node = 'type = "chain"\nname = "alert"\nvariables = { where = "$(sms.text)" }\n' + ENDS
    world = await open_world(shop=SHOP + chain + flow("a", node))
    await begin(world, "a")
    assert world.texts == ["Fire at Hi"]
    assert (await ran(world, "a")).state == "waiting"
    await world.outcome(world.sms.sent[0], Result.ACCEPTED)
    assert (await ran(world, "a")).result == 1


@pytest.mark.parametrize("last", ["sms", "voice"])
@pytest.mark.parametrize(
    ("until", "reaches"), [("accepted", Result.ACCEPTED), ("delivered", Result.DELIVERED)]
)
async def test_a_chain_of_several_steps_has_come_to_its_end_with_the_first_that_succeeds(
    open_world: Any, last: str, until: str, reaches: Result
) -> None:
    first = f'{{ channel = "sms", text = "Fire", until = "{until}" }}'
    chain = f'[chains.alert]\nsteps = [{first}, {{ channel = "{last}", text = "Fire" }}]\n'
    node = f'type = "chain"\nname = "alert"\n{ENDS}'
    world = await open_world(shop=SHOP + chain + flow("a", node))
    await begin(world, "a")
    await world.outcome(world.sms.sent[0], reaches)
    assert (await ran(world, "a")).result == 1


async def test_a_chain_of_which_no_step_succeeds_has_failed(open_world: Any) -> None:
    chain = '[chains.alert]\nsteps = [{ channel = "sms", text = "Fire", until = "delivered" }]\n'
    world = await open_world(shop=SHOP + chain + flow("a", f'type = "chain"\nname = "alert"\n{ENDS}'))
    await begin(world, "a")
    await world.outcome(world.sms.sent[0], Result.REJECTED, "no such number")
    assert (await ran(world, "a")).result == 2


async def test_an_event_of_a_flow_fires_rules_and_wakes_sessions_that_wait_for_it(open_world: Any) -> None:
    wait = 'type = "receive"\nawait = ["custom.paid"]\ntimeout = "1h"\n'
    wait += 'on = { "custom.paid" = "end:7", timeout = "end:8" }'
    tell = 'type = "event"\nname = "paid"\ndata = { amount = "5" }\n' + ENDS
    rule = "[events.paid]\n"
    rule += '[rules.r]\non = "custom.paid"\nwhen = \'custom.amount == "5"\'\ndo = [{ reply = "Thanks" }]\n'
    world = await open_world(shop=SHOP + rule + flow("wait", wait) + flow("tell", tell))
    await begin(world, "wait")
    await begin(world, "tell")
    assert (await ran(world, "wait")).result == 7
    assert (await ran(world, "tell")).result == 1
    assert world.texts == ["Thanks"]


async def test_a_missed_call_wakes_a_session_that_waits_for_one(open_world: Any) -> None:
    wait = 'type = "receive"\nawait = ["sms", "call.missed"]\ntimeout = "1h"\n'
    wait += 'on = { message = "end:6", "call.missed" = "end:7", timeout = "end:8" }'
    world = await open_world(shop=SHOP + flow("wait", wait))
    await begin(world, "wait")
    unit = Unit()
    world.runs.event(unit, "other", CUSTOMER, "call.missed", {})
    world.runs.event(unit, "shop", CUSTOMER, "call.missed", {"from": CUSTOMER})
    await unit.commit(world.store)
    run = await ran(world, "wait")
    assert (run.result, run.data["it.data"]) == (7, {"from": CUSTOMER})


CALLER = """type = "call-flow"
flow = "verify"
variables = { name = "Ann" }
take = ["answer"]
on = { done = "say", error = "end:9" }
[flows.main.nodes.say]
type = "end"
code = 3
reason = "$(answer)"
"""
VERIFY = """type = "receive"
timeout = "10m"
save = "answer"
on = { message = "end", timeout = "end:5" }
"""


async def test_a_flow_calls_another_and_takes_its_variables(open_world: Any, mo: Any) -> None:
    world = await open_world(shop=SHOP + flow("main", CALLER) + flow("verify", VERIFY))
    await begin(world, "main")
    child = await ran(world, "verify")
    assert (child.data["name"], child.depth, child.data["sms.text"]) == ("Ann", 1, "Hi")
    assert world.runs.open_run(CUSTOMER, "12345") == child.id
    await world.restart()
    await world.deliver(*mo("blue"))
    run = await ran(world, "main")
    assert (run.result, run.reason) == (3, "blue")


async def test_the_called_flow_ends_with_the_one_that_called_it(open_world: Any) -> None:
    world = await open_world(shop=SHOP + flow("main", CALLER) + flow("verify", VERIFY))
    await begin(world, "main")
    unit = Unit()
    world.runs.stop(unit, (await ran(world, "main")).id, "enough")
    await unit.commit(world.store)
    assert (await ran(world, "verify")).reason == "the session that began it has ended"
    assert len(world.runs) == 0


async def test_flows_call_each_other_only_so_deep(open_world: Any) -> None:
    node = 'type = "call-flow"\nflow = "a"\non = { done = "end", error = "end:9" }'
    world = await open_world(shop=SHOP + flow("a", node))
    await begin(world, "a")
    runs = await all_of(world)
    assert [run.depth for run in runs] == [0, 1, 2, 3, 4, 5]
    assert {run.result for run in runs} == {9}


async def test_a_session_key_lets_a_session_begin_once(open_world: Any) -> None:
    head = '[flows.a]\nstart = "it"\nkey = "$(custom.order)"\nkey_within = "1h"\n[flows.a.nodes.it]\n'
    node = 'type = "delay"\nfor = "10m"\non = { done = "end" }\n'
    world = await open_world(shop=SHOP + head + node)
    await begin(world, "a", order="7")
    await begin(world, "a", order="7")
    await begin(world, "a", order="8")
    await world.restart()
    await begin(world, "a", order="7")
    assert len(await all_of(world)) == 2
    assert len(await world.events("ref", "session.duplicate")) == 2
    world.clock.forward(3601)
    while len(world.runs):
        world.runs._open._due()
        await world.settled()
    await begin(world, "a", order="7")
    assert len(await all_of(world)) == 3
