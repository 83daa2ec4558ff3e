from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.directory import customer
from gateway.directory.customer import LIMIT_ATTRIBUTES, Customers
from gateway.store.base import Unit
from gateway.store.sqlite import SqliteStore
from gateway.values.errors import BadInput

BOB = "+447700900001"


def put(customers: Customers, attributes: dict[str, Any], **more: Any) -> Unit:
    unit = Unit()
    customers.set(unit, "alerts", BOB, attributes, 1.0, **more)
    return unit


def test_attributes_are_added_changed_and_taken_away() -> None:
    customers = Customers()
    put(customers, {"tier": "gold", "name": "Bob"}, customerid="7")
    put(customers, {"tier": "silver", "name": None, "orders": 3})
    assert customers.known("alerts", BOB) == {"tier": "silver", "orders": 3, "customerid": "7"}
    put(customers, {"a": True}, whole=True, customerid="")
    assert customers.known("alerts", BOB) == {"a": True, "customerid": ""}
    assert customers.known("news", BOB) == {}


def test_a_profile_is_forgotten() -> None:
    customers = Customers()
    put(customers, {"tier": "gold"})
    assert customers.erase(Unit(), "alerts", BOB)
    assert not customers.erase(Unit(), "alerts", BOB)
    assert customers.get("alerts", BOB) is None


def test_a_customer_is_found_by_the_clients_own_id_as_long_as_it_is_theirs() -> None:
    customers, unit = Customers(), Unit()
    customers.set(unit, "alerts", BOB, {}, 1.0, customerid="CRN-1")
    assert (customers.address("alerts", "CRN-1"), customers.address("pizza", "CRN-1")) == (BOB, "")
    customers.set(unit, "alerts", BOB, {}, 1.0, customerid="CRN-2")
    assert (customers.address("alerts", "CRN-1"), customers.address("alerts", "CRN-2")) == ("", BOB)
    moved = Unit()
    customers.set(moved, "alerts", "+447700900199", {}, 1.0, customerid="CRN-2")
    assert customers.address("alerts", "CRN-2") == "+447700900199"
    moved.take_back()
    customers.erase(unit, "alerts", BOB)
    assert customers.address("alerts", "CRN-2") == ""


def test_what_was_not_stored_does_not_hold() -> None:
    customers = Customers()
    put(customers, {"tier": "gold"})
    put(customers, {"tier": "silver"}).take_back()
    assert customers.known("alerts", BOB)["tier"] == "gold"


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"opted_out": False}, "attributes.opted_out"),
        ({"first name": "x"}, "attributes.first name"),
        ({"a": {"b": 1}}, "attributes.a"),
        ({"a": 1 << 63}, "attributes.a"),  # the store would refuse it, and be asked for it again and again
        ({"a": "x" * 9000}, "attributes"),
        ({f"a{n}": 1 for n in range(LIMIT_ATTRIBUTES + 1)}, "attributes"),
    ],
)
def test_what_no_profile_may_hold(attributes: dict[str, Any], field: str) -> None:
    customers = Customers()
    with pytest.raises(BadInput) as refused:
        put(customers, attributes)
    assert refused.value.field == field
    assert customers.get("alerts", BOB) is None


async def test_profiles_survive_a_restart(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    await put(Customers(), {"tier": "gold"}, customerid="7").commit(store)
    after = Customers()
    await after.load(store)
    assert after.known("alerts", BOB) == {"tier": "gold", "customerid": "7"}
    assert len(after) == 1
    unit = Unit()
    after.erase(unit, "alerts", BOB)
    await unit.commit(store)
    assert await store.customers() == []
    await store.close()


def test_profiles_of_many_different_names_are_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customer, "_LIMIT_NAMES", 2)
    customers = Customers()
    for n in range(5):
        customers.set(Unit(), "shop", f"+4477009000{n:02}", {f"n{n}": n, "big": 2**62}, 1.0)
    found = [customers.get("shop", f"+4477009000{n:02}") for n in range(5)]
    assert [each.attributes for each in found if each] == [{f"n{n}": n, "big": 2**62} for n in range(5)]
    assert len(customers) == 5 and len(customers._names) == 2
