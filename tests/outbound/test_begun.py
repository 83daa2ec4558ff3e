from __future__ import annotations

import itertools

from gateway.outbound.begun import BegunBook
from gateway.store.base import Delete, Unit
from gateway.values.work import Begun


def book() -> BegunBook:
    numbers = itertools.count(1)
    return BegunBook(lambda: f"b{next(numbers)}")


def begin(book: BegunBook, *keys: str) -> Unit:
    unit = Unit()
    book.begin(unit, keys, "north", 1.0)
    return unit


def end(book: BegunBook, key: str) -> Unit:
    unit = Unit()
    book.end(unit, key)
    return unit


def durable(unit: Unit) -> None:
    for act in unit.acts:
        act()


def test_what_goes_together_is_one_row() -> None:
    [row] = begin(book(), "m1/0", "m2/0").writes
    assert row == Begun(id="b1", carrier="north", keys=("m1/0", "m2/0"), created_at=1.0)


def test_the_row_goes_with_the_next_one_after_all_its_outcomes_are_durable() -> None:
    begun = book()
    begin(begun, "m1/0", "m2/0")
    durable(end(begun, "m1/0"))
    assert len(begin(begun, "m3/0").writes) == 1
    last = end(begun, "m2/0")
    assert last.writes == [] and len(begin(begun, "m4/0").writes) == 1, "its outcome is not durable yet"
    durable(last)
    assert begin(begun, "m5/0").writes[0] == Delete(Begun, ("b1",))


def test_what_was_withdrawn_is_named_no_more() -> None:
    begun = book()
    begin(begun, "m1/0", "m2/0")
    unit = Unit()
    begun.withdraw(unit, "m1/0")
    assert unit.writes == [Begun(id="b1", carrier="north", keys=("m2/0",), created_at=1.0)]
    durable(end(begun, "m2/0"))
    unit = Unit()
    begun.clear(unit)
    assert unit.writes == [Delete(Begun, ("b1",))]


def test_a_row_whose_last_act_was_withdrawn_is_cleared() -> None:
    begun = book()
    begin(begun, "m1/0")
    begun.withdraw(Unit(), "m1/0")
    unit = Unit()
    begun.clear(unit)
    assert unit.writes == [Delete(Begun, ("b1",))]


def test_a_row_that_did_not_become_durable_is_forgotten() -> None:
    begun = book()
    unit = begin(begun, "m1/0")
    [row] = unit.writes
    assert isinstance(row, Begun) and begun.under_way(row)
    unit.take_back()
    assert not begun.under_way(row) and end(begun, "m1/0").acts == []


def test_deletes_that_failed_are_asked_for_again() -> None:
    begun = book()
    begin(begun, "m1/0")
    durable(end(begun, "m1/0"))
    unit = Unit()
    begun.clear(unit)
    unit.take_back()
    unit = Unit()
    begun.clear(unit)
    assert unit.writes == [Delete(Begun, ("b1",))]
