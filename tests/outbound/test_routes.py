from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from gateway.config.model import Asset, Bind, Route, Service
from gateway.outbound.routes import Routes
from gateway.values.message import Message, StepPlan

BINDS = {
    "north": Bind(host="n", system_id="gw", addresses=["12345", "447700900000"]),
    "south": Bind(host="s", system_id="gw", addresses=["12345", "PIZZA"]),
    "east": Bind(host="e", system_id="gw"),
    "in": Bind(host="i", system_id="gw", mode="receiver", addresses=["12345", "99999"]),
}
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC).timestamp()  # a Tuesday
UK, DE = "+447700900123", "+4915112345678"


def candidates(
    service: Service, sender: str, *, via: str = "", to: str = UK, id: str = "m", now: float = NOON
) -> list[str]:
    message = Message(
        id=id, direction="mt", service="s", sender=sender, recipient=to, created_at=now, updated_at=now
    )
    return Routes(BINDS, {"s": service}).candidates(
        message, StepPlan(channel="sms", sender=sender, via=via), now
    )


@pytest.mark.parametrize(
    ("sender", "via", "preferred", "binds"),
    [
        ("12345", "", [], ["north", "south"]),
        ("12345", "", ["south"], ["south", "north"]),
        ("12345", "", ["east", "south", "north"], ["south", "north"]),
        ("+447700900000", "", [], ["north"]),
        ("PIZZA", "", ["north"], ["south"]),
        ("54321", "", ["east", "north"], ["east", "north"]),
        ("54321", "", [], []),
        ("54321", "", ["gone", "in", "east"], ["east"]),
        ("99999", "", [], []),
        ("12345", "east", ["north"], ["east"]),
        ("12345", "in", [], []),
        ("12345", "gone", ["north"], []),
    ],
)
def test_the_binds_that_may_carry_a_message(
    sender: str, via: str, preferred: list[str], binds: list[str]
) -> None:
    assert candidates(Service(name="S", routes=preferred), sender, via=via) == binds


def test_a_plain_list_says_why_it_leaves_some_of_its_binds_out() -> None:
    routes = Routes(BINDS, {"s": Service(name="S", routes=["south", "east", "in"])})
    considered = routes.explain("s", "12345", UK, "m", NOON)
    assert [(one.bind, one.reason) for one in considered] == [
        ("south", ""),
        ("north", ""),
        ("east", "east does not carry 12345"),
        ("in", "no bind in sends"),
    ]


def test_a_plain_list_is_worked_out_once() -> None:
    routes = Routes(BINDS, {"s": Service(name="S", routes=["south", "north"])})
    message = Message(
        id="m", direction="mt", service="s", sender="12345", recipient=UK, created_at=0, updated_at=0
    )
    step = StepPlan(channel="sms", sender="12345")
    assert routes.candidates(message, step, 0.0) is routes.candidates(message, step, 1.0)


def test_an_asset_may_name_its_carrier() -> None:
    service = Service(name="S", assets=["54321"], registry={"54321": Asset(carrier="east")}, routes=["north"])
    assert candidates(service, "54321") == ["east"]


TABLE = Service(
    name="S",
    route_table={
        "uk": Route(bind="north", prefixes=["+44"], cost=2),
        "mobile": Route(bind="east", prefixes=["+4477", "+4478"], cost=9),
        "cheap": Route(bind="south", cost=1),
        "dear": Route(bind="east", cost=3),
        "night": Route(bind="north", cost=0.5, hours="20:00-08:00", zone="Europe/London"),
    },
)


def test_the_longest_prefix_goes_first_then_the_lowest_cost() -> None:
    assert candidates(TABLE, "54321") == ["east", "north", "south"]
    assert candidates(TABLE, "54321", to=DE) == ["south", "east"]


def test_hours_count_in_their_zone() -> None:
    assert candidates(TABLE, "54321", to=DE, now=NOON + 8 * 3600) == ["north", "south", "east"]
    weekend = Service(name="S", route_table={"east": Route(days=["sat", "sun"])})
    assert candidates(weekend, "54321") == []
    assert candidates(weekend, "54321", now=NOON + 4 * 86400) == ["east"]


def test_a_carrier_that_does_not_carry_the_sender_is_left_out() -> None:
    assert candidates(TABLE, "12345", to=DE) == ["south"]


def test_equals_take_turns_by_weight_and_all_tries_of_a_message_agree() -> None:
    service = Service(
        name="S",
        route_table={"north": Route(weight=3), "east": Route(weight=1), "south": Route(weight=0)},
    )
    first = Counter(candidates(service, "54321", id=f"m{n}")[0] for n in range(4000))
    assert first["south"] == 0
    assert 2800 < first["north"] < 3200
    assert len({tuple(candidates(service, "54321", id="m1")) for _ in range(5)}) == 1
    assert candidates(service, "54321", id="m1")[-1] == "south"


def test_each_route_that_is_out_says_why() -> None:
    found = Routes(BINDS, {"s": TABLE}).explain("s", "54321", DE, "", NOON)
    assert [(one.name, one.reason) for one in found] == [
        ("cheap", ""),
        ("dear", ""),
        ("uk", f"{DE} does not begin with +44"),
        ("mobile", f"{DE} does not begin with +4477 or +4478"),
        ("night", "it is for 20:00-08:00 (Europe/London)"),
    ]
    gone = Service(name="S", route_table={"in": Route()})
    assert Routes(BINDS, {"s": gone}).explain("s", "54321", DE, "", NOON)[0].reason == "no bind in sends"
