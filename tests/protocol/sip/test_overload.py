"""When new calls are turned away: not for a burst, at once for what goes on and on."""

from gateway.protocol.sip.overload import LATE_OCTETS, Overload


def heard(it: Overload, *states: tuple[float, int]) -> list[int]:
    return [it.waiting(octets, at) for at, octets in states]


def test_what_is_worked_off_in_time_is_no_overload() -> None:
    assert heard(Overload(), (0.0, 0), (5.0, LATE_OCTETS - 1), (9.0, LATE_OCTETS - 1)) == [0] * 3


def test_a_burst_is_let_through() -> None:
    states = ((0.0, 900_000), (0.5, 500_000), (0.9, 100_000), (0.95, 0), (1.5, 900_000), (2.4, 900_000))
    assert heard(Overload(), *states) == [0] * 6


def test_what_goes_on_is_turned_away_until_it_is_worked_off() -> None:
    states = ((0.0, 900_000), (1.0, 900_000), (1.1, LATE_OCTETS), (1.2, LATE_OCTETS - 1))
    assert heard(Overload(), *states) == [0, 1, 1, 0]


def test_after_an_overload_the_next_is_seen_at_once_for_a_while() -> None:
    it = Overload()
    heard(it, (0.0, 900_000), (1.0, 900_000), (1.1, 0))
    assert heard(it, (5.0, 100_000), (5.06, 100_000), (5.1, 0)) == [0, 1, 0]
    assert heard(it, (20.0, 100_000), (20.5, 100_000), (21.0, 100_000)) == [0, 0, 1]


def test_carriers_are_sent_away_for_a_second_and_for_longer_only_while_it_lasts() -> None:
    it = Overload()
    assert heard(it, (0.0, 900_000), (1.0, 900_000), (1.9, 900_000), (2.0, 900_000)) == [0, 1, 1, 2]
    assert heard(it, *((at, 900_000) for at in (3.0, 4.5, 6.0, 7.5, 9.0, 10.5, 12.0)))[-3:] == [9, 10, 10]
    assert heard(it, (12.1, 0), (15.0, 900_000), (15.1, 900_000)) == [0, 0, 1]
