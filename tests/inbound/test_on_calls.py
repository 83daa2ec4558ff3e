from typing import Any

from gateway.flows.call_effects import CallEffect, HangUp, Play
from gateway.inbound.on_calls import OnCalls
from gateway.store.base import Unit
from gateway.values.dialogue import Utterance
from gateway.values.work import Run

RUN = Run(
    id="r1",
    service="bank",
    flow="f",
    version="v",
    customer="+447700900001",
    number="1",
    created_at=1.0,
    updated_at=1.0,
)
SAY = Play(key="r1/1", prompt=(Utterance(text="Your code is TOKEN"),))


class FakeClock:
    def now(self) -> float:
        return 5.0

    def monotonic(self) -> float:
        return 5.0


class FakeCalls:
    def __init__(self) -> None:
        self.did: list[Any] = []
        self.up: set[str] = set()

    def carry_out(self, run: str, effect: CallEffect) -> None:
        self.did.append(effect)

    def has(self, run: str) -> bool:
        return run in self.up

    def over(self, run: str) -> None:
        self.did.append(f"{run} is over")


def wired() -> tuple[OnCalls, FakeCalls]:
    calls = FakeCalls()
    on_calls = OnCalls(FakeClock(), lambda text, service, address: text.replace("TOKEN", "4711"))
    on_calls.calls = calls
    return on_calls, calls


def test_an_act_is_stored_without_the_code_that_is_spoken_and_done_once_that_is_durable() -> None:
    on_calls, calls = wired()
    unit = Unit()
    assert on_calls.act(unit, RUN, SAY) is None
    effect: Any = unit.writes[0]
    assert (effect.key, effect.kind, effect.ref) == ("r1/1", "call", "r1")
    assert "TOKEN" in str(effect.data) and calls.did == []
    unit.act()
    assert [said.prompt[0].text for said in calls.did] == ["Your code is 4711"]


def test_a_run_that_has_acted_on_a_call_is_busy_until_it_is_over() -> None:
    on_calls, calls = wired()
    assert not on_calls.busy("r1")
    on_calls.act(Unit(), RUN, HangUp(key="r1/1"))
    assert on_calls.busy("r1")
    unit = Unit()
    on_calls.over(unit, "r1")
    unit.act()
    assert not on_calls.busy("r1") and calls.did == ["r1 is over"]
    calls.up.add("r2")
    assert on_calls.busy("r2")  # a call that it has not acted on yet


def test_without_telephony_an_act_fails_at_once() -> None:
    done = OnCalls(FakeClock(), lambda text, service, address: text).act(Unit(), RUN, SAY)
    assert done is not None and done.data["reason"] == "the gateway has no telephony"
