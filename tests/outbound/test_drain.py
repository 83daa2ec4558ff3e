from __future__ import annotations

from gateway.outbound.drain import LONGEST, SHORTEST, UNKNOWN, Drain


def test_how_long_it_takes_is_known_by_how_fast_messages_have_left() -> None:
    drain = Drain()
    assert drain.wait_seconds(100, 500, 1.0) == UNKNOWN
    assert drain.wait_seconds(150, 500, 1.5) == UNKNOWN  # too soon to tell
    assert drain.wait_seconds(300, 500, 3.0) == 5.0  # 100 a second
    assert drain.wait_seconds(300, 500, 3.5) == 6.25
    assert drain.wait_seconds(100_000, 500, 4.0) == SHORTEST


def test_where_nothing_leaves_it_takes_long() -> None:
    drain = Drain()
    drain.wait_seconds(7, 500, 1.0)
    assert drain.wait_seconds(7, 500, 3.0) == LONGEST


def test_it_is_measured_anew_after_a_while_and_forgotten_after_a_pause() -> None:
    drain = Drain()
    drain.wait_seconds(0, 500, 0.0)
    assert drain.wait_seconds(1_000, 500, 10.0) == 5.0
    assert drain.wait_seconds(1_001, 500, 10.5) == 5.0
    assert drain.wait_seconds(1_020, 500, 12.0) == 50.0  # it has slowed down since
    assert drain.wait_seconds(9_000, 500, 100.0) == UNKNOWN
