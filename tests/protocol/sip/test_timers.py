from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sip.timers import Timer, Timers


def test_timers_fire_in_order_of_time_then_of_start() -> None:
    timers, fired = Timers(), list[str]()
    for when, name in [(2.0, "c"), (1.0, "a"), (1.0, "b"), (3.0, "d")]:
        timers.start(when, partial(lambda name, now: fired.append(name), name))
    timers.fire(0.5)
    assert fired == []
    timers.fire(2.0)
    assert fired == ["a", "b", "c"]
    assert timers.deadline() == 3.0


def test_a_timer_that_an_action_makes_due_fires_too_and_a_cancelled_one_does_not() -> None:
    timers, fired = Timers(), list[float]()
    late = timers.start(1.0, fired.append)

    def first(now: float) -> None:
        timers.cancel(late)
        timers.start(now, fired.append)

    timers.start(0.5, first)
    timers.fire(2.0)
    assert fired == [2.0]
    assert timers.deadline() is None
    assert len(timers) == 0


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=400), st.floats(0, 10))
def test_what_fires_is_what_is_due_and_not_cancelled(plan: list[tuple[float, bool]], now: float) -> None:
    timers, fired = Timers(), list[int]()
    handles: list[Timer] = [
        timers.start(when, partial(lambda number, now: fired.append(number), number))
        for number, (when, _) in enumerate(plan)
    ]
    for handle, (_, cancelled) in zip(handles, plan, strict=True):
        if cancelled:
            timers.cancel(handle)
            timers.cancel(handle)
    timers.cancel(None)
    timers.fire(now)
    assert sorted(fired) == [n for n, (when, cancelled) in enumerate(plan) if when <= now and not cancelled]
    waiting = [when for when, cancelled in plan if when > now and not cancelled]
    assert timers.deadline() == (min(waiting) if waiting else None)
    assert len(timers) == len(waiting)
