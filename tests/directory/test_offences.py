from gateway.directory.offences import Offences
from gateway.store.base import Delete, Unit
from gateway.values.message import Offence

BOB = "+447700900001"


def test_offences_are_counted_by_service_and_customer() -> None:
    offences, unit = Offences(), Unit()
    offences.note(unit, "shop", BOB, 3, 1.0)
    assert (offences.count("shop", BOB), offences.count("other", BOB)) == (3, 0)
    assert unit.writes == [Offence(service="shop", address=BOB, count=3, at=1.0)]
    unit.take_back()
    assert offences.count("shop", BOB) == 2


def test_who_is_erased_has_none() -> None:
    offences, unit = Offences(), Unit()
    assert not offences.erase(unit, "shop", BOB)
    offences.note(Unit(), "shop", BOB, 2, 1.0)
    assert offences.erase(unit, "shop", BOB)
    assert offences.count("shop", BOB) == 0
    assert unit.writes == [Delete(Offence, ("shop", BOB))]
    unit.take_back()
    assert offences.count("shop", BOB) == 2
