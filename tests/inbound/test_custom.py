"""Custom events, from their parameters to what rules make of them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.inbound.custom import EXPIRED, REPEATED, UNLINKED, WINDOW_SECONDS, Occurrence, Outcome
from gateway.store.base import Unit
from gateway.values.errors import BadInput

CUSTOMER = "+447700900123"
SHOP = """
name = "Shop"
country = "GB"
assets = ["12345"]
[events.paid.parameters]
amount = "number"
msisdn = { mandatory = false }
note = { default = "thanks" }
[events.lonely]
[events.awaited]
[rules.paid]
on = "custom.paid"
when = "custom.amount > 10"
do = [{ send = { to = "$(customer.address)", text = "$(custom.note) for $(custom.amount)" } }]
[rules.loud]
on = "sms.received"
when = 'sms.text == "pay"'
do = [
  { event = { name = "paid", parameters = { amount = "20" } } },
  { profile = { tier = "gold", seen = "$(sms.text)" } },
  { opt = "out", channel = "voice" },
  { call = { to = "$(sms.from)", from = "+442079460000", text = "Hello" } },
]
[rules.loop]
on = "custom.loop"
do = [{ event = { name = "loop" } }]
[events.loop]
[flows.wait]
start = "ask"
[flows.wait.nodes.ask]
type = "receive"
timeout = "10m"
on = { message = "end", timeout = "end" }
"""


async def happen(world: Any, name: str = "paid", **fields: Any) -> Outcome:
    unit = Unit()
    outcome: Outcome = world.custom.happen(unit, Occurrence(service="shop", name=name, by="api", **fields))
    await unit.commit(world.store)
    await world.settled()
    return outcome


async def test_an_event_fires_the_rules_on_it_with_typed_parameters(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    outcome = await happen(world, parameters={"amount": "12.5", "msisdn": "07700 900123"})
    assert outcome.warning == ""
    assert [(m.recipient, m.text) for m in world.sms.sent] == [(CUSTOMER, "thanks for 12.5")]
    assert [rule["fired"] for rule in await world.events(outcome.id, "rule")] == [True]


@pytest.mark.parametrize(
    ("name", "parameters", "field", "code"),
    [
        ("payed", {}, "event", "unknown_event"),
        ("paid", {}, "parameters.amount", "missing_variable"),
        ("paid", {"amount": "much"}, "parameters.amount", "bad_parameter"),
        ("paid", {"amount": 1, "msisdn": "12"}, "parameters.msisdn", "bad_address"),
    ],
)
async def test_what_is_wrong_is_refused_by_name(
    open_world: Any, name: str, parameters: dict[str, Any], field: str, code: str
) -> None:
    world = await open_world(shop=SHOP)
    with pytest.raises(BadInput) as refused:
        await happen(world, name, parameters=parameters)
    assert (refused.value.field, refused.value.code) == (field, code)


async def test_the_same_correlationid_is_the_same_event_also_after_a_restart(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    paid = {"parameters": {"amount": 20, "msisdn": CUSTOMER}, "correlationid": "c1"}
    first = await happen(world, **paid)
    assert await happen(world, **paid) == Outcome(first.id, REPEATED)
    await world.restart()
    assert await happen(world, **paid) == Outcome(first.id, REPEATED)
    assert len(await world.messages()) == 1
    world.clock.forward(WINDOW_SECONDS + 1)
    assert (await happen(world, **paid)).id != first.id
    assert len(await world.messages()) == 2
    assert [raised.correlationid for raised in await world.store.raised()] == ["c1"]


async def test_what_has_expired_does_nothing_and_says_so(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    paid = {"amount": 20, "msisdn": CUSTOMER}
    assert (await happen(world, parameters=paid, expiry=world.clock.now())).warning == EXPIRED
    assert (await happen(world, parameters=paid, expiry=world.clock.now() + 1)).warning == ""
    assert len(world.texts) == 1


async def test_an_event_that_nothing_waits_for_is_taken_with_a_warning(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    assert (await happen(world, "lonely")).warning == UNLINKED


async def test_the_url_of_a_request_is_told(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    outcome = await happen(world, "lonely", notify_url="https://a.example/", correlationid="c")
    [told] = world.notifier.to("https://a.example/")
    assert (told["type"], told["transid"], told["correlationid"], told["warning"]) == (
        "custom.lonely",
        outcome.id,
        "c",
        UNLINKED,
    )


async def test_a_rule_raises_events_sets_the_profile_and_calls(open_world: Any, mo: Any) -> None:
    world = await open_world(shop=SHOP.replace('["12345"]', '["12345", "+442079460000"]'))
    await world.deliver(*mo("pay"))
    assert world.texts == ["thanks for 20"]
    assert world.customers.known("shop", CUSTOMER) == {"tier": "gold", "seen": "pay", "customerid": ""}
    assert [message.plan[0].text for message in world.voice.sent] == ["Hello"]
    assert world.consents.refusal("shop", CUSTOMER, "voice")
    assert not world.consents.refusal("shop", CUSTOMER)
    [change] = await world.store.consent_changes("shop", CUSTOMER, limit=9)
    assert (change.by, change.channel, bool(change.ref)) == ("rule", "voice", True)


async def test_an_event_that_raises_itself_comes_to_an_end(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    await happen(world, "loop")
    counts = await world.store.counts()
    assert counts["events"] < 30


async def test_a_suspended_service_raises_none(open_world: Any) -> None:
    world = await open_world(shop=SHOP)
    world.suspend("shop")
    with pytest.raises(BadInput) as refused:
        await happen(world, "lonely")
    assert refused.value.code == "suspended"
