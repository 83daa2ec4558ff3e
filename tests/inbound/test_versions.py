"""Which version sessions get, in the whole of inbound (conftest)."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows import rollout
from gateway.inbound.actions import Subject
from gateway.rules import variables
from gateway.store.base import Unit
from gateway.values.errors import BadInput, StoreError

CUSTOMER, TESTER = "+447700900123", "+447700900999"
SHOP = f'name = "Shop"\nassets = ["12345"]\ntest_numbers = ["{TESTER}"]\n'


def saying(text: str, more: str = "") -> str:
    node = '[flows.f.nodes.it]\ntype = "receive"\ntimeout = "1h"\non = { message = "say", timeout = "end" }\n'
    say = f'[flows.f.nodes.say]\ntype = "end"\nreason = "{text}"\n'
    return f'{SHOP}[flows.f]\nstart = "it"\n{more}\n{node}{say}'


async def begin(world: Any, customer: str = CUSTOMER) -> str:
    seen = variables.sms(sender=customer, recipient="12345", text="Hi")
    about = Subject(ref="ref", type="t", service="shop", customer=customer, number="12345", variables=seen)
    unit = Unit()
    run = str(world.runs.start(unit, "f", about))
    await unit.commit(world.store)
    return run


async def says(world: Any, run: str, mo: Any, customer: str = CUSTOMER) -> str:
    """What the session ends with when its customer writes."""
    await world.deliver(*mo("go", sender=customer))
    return str((await world.store.run(run)).reason)


async def reload(world: Any, services: Callable[..., Any], toml: str) -> None:
    new = services(shop=toml)
    await world.runs.configure(world.store, new)
    world.services = new


async def test_a_changed_file_is_a_new_version_and_open_sessions_stay_on_theirs(
    open_world: Any, services: Any, mo: Any
) -> None:
    world = await open_world(shop=saying("one", 'author = "Ann"'))
    old = await begin(world)
    await reload(world, services, saying("two"))
    assert await says(world, old, mo) == "one"
    assert await says(world, await begin(world), mo) == "two"
    versions = await world.store.flow_versions("shop", "f")
    assert [(v.number, v.author) for v in versions] == [(1, "Ann"), (2, "")]


async def test_a_roll_back_holds_after_a_restart_until_the_file_changes(
    open_world: Any, services: Any, mo: Any
) -> None:
    world = await open_world(shop=saying("one"))
    await reload(world, services, saying("two"))
    [first, second] = await world.store.flow_versions("shop", "f")
    [state] = await world.store.flow_states()
    heads = {1: first.version, 2: second.version}
    await world.store.commit(list(rollout.rolled_back(state, first, heads, "Ann", 5.0)))
    world.services = services(shop=saying("two"))
    await world.restart()
    assert await says(world, await begin(world), mo) == "one"
    await reload(world, services, saying("three"))
    assert await says(world, await begin(world), mo) == "three"
    assert [v.number for v in await world.store.flow_versions("shop", "f")] == [1, 2, 3, 4]


async def test_a_draft_is_for_test_numbers(open_world: Any, services: Any, mo: Any) -> None:
    world = await open_world(shop=saying("one"))
    await reload(world, services, saying("two", "draft = true"))
    assert await says(world, await begin(world), mo) == "one"
    assert await says(world, await begin(world, TESTER), mo, TESTER) == "two"


@pytest.mark.parametrize("wrong", ['type = "telepathy"', 'type = "receive"'])  # that, and one without timeout
async def test_a_draft_that_cannot_be_read_changes_nothing(
    open_world: Any, services: Any, mo: Any, wrong: str
) -> None:
    draft = saying("two", "draft = true") + f"[flows.f.nodes.x]\n{wrong}\n"
    world = await open_world(shop=saying("one"))
    await reload(world, services, draft)
    assert await says(world, await begin(world, TESTER), mo, TESTER) == "one"
    world.services = services(shop=draft)
    await world.restart()
    assert await says(world, await begin(world), mo) == "one"


async def test_a_draft_may_be_incomplete_and_is_tried_as_far_as_it_goes(
    open_world: Any, services: Any, mo: Any
) -> None:
    """Test numbers got the live version, in silence, until the lint found nothing any more in the draft."""
    world = await open_world(shop=saying("one"))
    await reload(world, services, saying("two", "draft = true").replace(', timeout = "end"', ""))
    assert await says(world, await begin(world, TESTER), mo, TESTER) == "two"
    await reload(world, services, saying("two", "draft = true").replace('message = "say", ', ""))
    assert await says(world, await begin(world, TESTER), mo, TESTER) == "it: message leads nowhere"
    assert await says(world, await begin(world), mo) == "one"


async def test_a_flow_that_was_never_live_begins_for_nobody_else(open_world: Any) -> None:
    world = await open_world(shop=saying("one", "draft = true"))
    with pytest.raises(BadInput, match="no live version"):
        await begin(world)
    assert await begin(world, TESTER)


async def test_a_flow_that_left_the_file_begins_no_more_and_its_sessions_go_on(
    open_world: Any, services: Any, mo: Any
) -> None:
    world = await open_world(shop=saying("one"))
    run = await begin(world)
    await reload(world, services, SHOP)
    with pytest.raises(BadInput, match="has no flow 'f'"):
        await begin(world)
    assert await says(world, run, mo) == "one"


async def test_a_bad_flow_or_a_store_that_refuses_changes_nothing(
    open_world: Any, services: Any, mo: Any
) -> None:
    world = await open_world(shop=saying("one"))
    with pytest.raises(BadInput):
        await reload(world, services, saying("$(nothing)"))
    world.store.refuses = "later"
    with pytest.raises(StoreError):
        await reload(world, services, saying("two"))
    world.store.refuses = ""
    assert await says(world, await begin(world), mo) == "one"
