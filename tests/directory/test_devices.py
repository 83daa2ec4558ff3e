from __future__ import annotations

import itertools
from pathlib import Path

from gateway.directory.devices import MAX_DEVICES, Devices
from gateway.store.base import Delete, Unit
from gateway.store.sqlite import SqliteStore
from gateway.values.customer import Device

BOB = ("pizza", "shop", "+447700900001")


def devices() -> Devices:
    numbers = itertools.count(1)
    return Devices(lambda: f"token-{next(numbers)}")


def test_a_token_names_its_holder_until_it_is_too_old() -> None:
    known = devices()
    token, device = known.issue(Unit(), BOB, 100.0, 60.0)
    assert (device.service, device.app, device.address, device.expires_at) == (*BOB, 160.0)
    assert known.holder(token, 159.9) == device and known.has(BOB, 159.9) and known.known(device)
    assert known.holder(token, 160.0) is None and not known.has(BOB, 160.0)
    assert known.holder("another", 100.0) is None


def test_the_token_itself_is_kept_nowhere() -> None:
    unit = Unit()
    token, device = devices().issue(unit, BOB, 100.0, 60.0)
    assert unit.writes == [device] and token not in repr(unit.writes)


def test_one_too_many_takes_the_place_of_the_oldest() -> None:
    known = devices()
    tokens = [known.issue(Unit(), BOB, float(n), 1000.0)[0] for n in range(MAX_DEVICES)]
    unit = Unit()
    tokens.append(known.issue(unit, BOB, 50.0, 1000.0)[0])
    assert [known.holder(token, 60.0) is not None for token in tokens] == [False] + [True] * MAX_DEVICES
    assert [type(write) for write in unit.writes] == [Delete, Device]


def test_those_that_are_too_old_go_with_the_next_one() -> None:
    known = devices()
    known.issue(Unit(), BOB, 0.0, 10.0)
    unit = Unit()
    known.issue(unit, BOB, 20.0, 10.0)
    assert [type(write) for write in unit.writes] == [Delete, Device]


def test_what_was_revoked_is_unknown_and_comes_back_if_the_store_refuses() -> None:
    known = devices()
    token, _ = known.issue(Unit(), BOB, 0.0, 10.0)
    unit = Unit()
    assert known.revoke(unit, BOB) == 1 and known.holder(token, 1.0) is None
    unit.take_back()
    assert known.holder(token, 1.0) is not None
    issued = Unit()
    other, _ = known.issue(issued, BOB, 0.0, 10.0)
    issued.take_back()
    assert known.holder(other, 1.0) is None and known.has(BOB, 1.0)
    assert known.revoke(Unit(), ("pizza", "shop", "+447700900002")) == 0


async def test_they_outlive_a_restart(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    known, unit = devices(), Unit()
    token, device = known.issue(unit, BOB, 0.0, 10.0)
    await unit.commit(store)
    again = devices()
    await again.load(store)
    assert again.holder(token, 1.0) == device
    await store.close()
