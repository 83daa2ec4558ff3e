import pytest

from gateway.inbound import session_keys
from gateway.inbound.session_keys import SessionKeys
from gateway.store.base import Unit

PLACE = ("shop", "order", "7")


def test_a_key_is_held_while_its_session_is_open_and_for_its_time() -> None:
    running = {"r1"}
    keys = SessionKeys(running.__contains__)
    keys.take(Unit(), PLACE, "r1", until=10.0, now=0.0)
    assert keys.holder(PLACE, 11.0) == "r1"
    running.clear()
    assert keys.holder(PLACE, 9.0) == "r1"
    assert keys.holder(PLACE, 10.0) == ""
    assert keys.holder(("shop", "order", "8"), 0.0) == ""


def test_a_session_that_was_not_stored_holds_none() -> None:
    keys, unit = SessionKeys(lambda run: False), Unit()
    keys.load(PLACE, "r1", 10.0)
    keys.take(unit, PLACE, "r2", until=20.0, now=5.0)
    assert keys.holder(PLACE, 15.0) == "r2"
    unit.take_back()
    assert keys.holder(PLACE, 5.0) == "r1"


def test_keys_that_are_over_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_keys, "_MANY", 10)
    keys = SessionKeys(lambda run: run == "r0")
    for n in range(100):
        keys.take(Unit(), ("shop", "order", str(n)), f"r{n}", until=n + 1.0, now=float(n))
    assert len(keys._keys) <= 24
    assert keys.holder(("shop", "order", "0"), 99.0) == "r0"
