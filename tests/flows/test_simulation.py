from typing import Any

import pytest

from gateway.flows.definition import Flow, read
from gateway.flows.inputs import EffectDone, Start
from gateway.flows.replay import replay
from gateway.flows.simulation import Answer, Simulation, World

CUSTOMER = "+447700900123"
ENDS = {"success": "end:1", "error": "end:2"}


def flow(name: str, *nodes: dict[str, Any], **more: Any) -> Flow:
    """Nodes a, b, c, ... in order."""
    return read(name, {"start": "a", "nodes": dict(zip("abcdef", nodes, strict=False)), **more})


def begun(main: Flow, *others: Flow, **world: Any) -> Simulation:
    simulation = Simulation(main, {f.name: f for f in (main, *others)}, World(**world))
    simulation.begin(Start(run_id="r", service="s", customer=CUSTOMER, number="12345"), 1000.0)
    return simulation


def test_a_conversation_and_the_time_between(pizza: dict[str, Any]) -> None:
    simulation = begun(read("order", pizza))
    simulation.text("Huge")
    simulation.text("m")
    assert simulation.world.texts[1:] == [
        "Huge is no size. S, M or L",
        f"One pizza m for {CUSTOMER}. Thank you!",
    ]
    assert (simulation.run.state, simulation.run.result) == ("ended", 0)
    assert ("order", "check", "else") in simulation.edges and ("order", "check", "case 1") in simulation.edges


def test_time_outs_happen_at_their_time() -> None:
    wait = {"type": "delay", "for": "1d", "on": {"done": "b"}}
    simulation = begun(flow("f", wait, wait | {"on": {"done": "end:3"}}))
    simulation.forward(86400.0)
    assert (simulation.run.node, simulation.run.due) == ("b", 1000.0 + 2 * 86400)
    simulation.forward(7 * 86400.0)
    assert (simulation.run.result, simulation.run.updated_at) == (3, 1000.0 + 2 * 86400)
    assert simulation.now == 1000.0 + 8 * 86400


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        ({}, 2),
        ({"a": [Answer(status=200)]}, 1),
        ({"a": [Answer(json={"x": 1})]}, 1),
        ({"a": [Answer(status=500)]}, 2),
        ({"a": [Answer(event="timeout")]}, 2),
    ],
)
def test_what_a_server_answers_is_given(answers: dict[str, list[Answer]], result: int) -> None:
    node = {"type": "http", "url": "https://x.example/", "on": ENDS}
    assert begun(flow("f", node), answers=answers).run.result == result


def test_answers_are_given_one_after_the_other_and_the_last_stays() -> None:
    send = {"type": "send-sms", "text": "x", "on": {"success": "end:1", "error": "a"}}
    assert begun(flow("f", send), answers={"a": [Answer(event="error"), Answer()]}).run.result == 1


def test_another_flow_is_called_and_its_edges_count() -> None:
    call = {"type": "call-flow", "flow": "g", "take": ["x"], "on": {"done": "b", "error": "end:9"}}
    main = flow("f", call, {"type": "end", "reason": "$(x)"})
    simulation = begun(main, flow("g", {"type": "set", "values": {"x": "y"}, "on": {"done": "end"}}))
    assert simulation.run.reason == "y"
    assert simulation.edges == {("g", "a", "done"), ("f", "a", "done")}
    assert begun(main).run.result == 9


def test_flows_that_call_each_other_come_to_an_end() -> None:
    call = {"type": "call-flow", "flow": "f", "on": {"done": "end", "error": "end:9"}}
    assert begun(flow("f", call)).run.result == 9


def test_consent_events_and_notifications_are_noted() -> None:
    consent = {"type": "consent", "opt": "out", "on": {"opted-in": "end", "opted-out": "b", "error": "end"}}
    event = {"type": "event", "name": "gone", "data": {"n": 1}, "on": {"success": "c", "error": "end"}}
    notify = {"type": "notify", "body": {"x": "y"}, "on": ENDS}
    world = begun(flow("f", consent, event, notify)).world
    assert (world.opted_out, world.events, world.notified) == (True, [("gone", {"n": 1})], [{"x": "y"}])


def test_a_profile_is_kept() -> None:
    ends = {"success": "b", "missing": "end:3", "error": "end"}
    ask = {"type": "profile", "save": {"x": "name"}, "on": ends}
    tell = {"type": "end", "reason": "$(x)"}
    assert begun(flow("f", ask, tell)).run.result == 3
    assert begun(flow("f", ask, tell), profile={"name": "Ann"}).run.reason == "Ann"
    assert begun(flow("f", ask | {"set": {"name": "Bob"}}, tell), profile={"a": 1}).run.reason == "Bob"


def test_what_was_given_can_be_replayed(pizza: dict[str, Any]) -> None:
    order = read("order", pizza)
    simulation = begun(order)
    simulation.text("L")
    assert replay(order, simulation.inputs)[-1].run == simulation.run


def test_a_session_that_has_been_somewhere_goes_on(pizza: dict[str, Any]) -> None:
    order = read("order", pizza)
    before = begun(order)
    simulation = Simulation(order, {}, World())
    simulation.resume(before.run, 2000.0)
    simulation.text("L")
    assert simulation.run.result == 0
    simulation.give(EffectDone("r/1", "success"))
    assert simulation.run.result == 0


ASK = {"type": "menu", "text": "Press 1.", "choices": {"1": "end:1"}, "first_timeout": "5s", "tries": 2}
ANSWER = {"type": "answer", "on": {"answered": "b", "error": "end:2"}}
LEFT = {"invalid": "end:3", "timeout": "end:4", "hangup": "end:5", "error": "end:2"}


def on_the_phone(**world: Any) -> Simulation:
    return begun(flow("f", ANSWER, ASK | {"on": LEFT}), **world)


@pytest.mark.parametrize(("keys", "result"), [("1", 1), ("7", 3), ("12", 3)])
def test_a_person_presses_keys_when_asked(keys: str, result: int) -> None:
    simulation = on_the_phone()
    assert (simulation.run.node, simulation.world.said) == ("b", ["Press 1."])
    assert simulation.press(keys) and simulation.run.result == result
    assert not simulation.press("1") and not simulation.hang_up()


def test_a_person_who_presses_nothing_times_out_after_all_tries() -> None:
    simulation = on_the_phone()
    simulation.forward(9.9)
    assert simulation.run.state != "ended"
    simulation.forward(0.1)
    assert simulation.run.result == 4


def test_a_person_hangs_up() -> None:
    simulation = on_the_phone()
    assert simulation.hang_up() and simulation.run.result == 5


def test_what_is_said_recorded_and_told_apart_on_a_call_comes_out_well() -> None:
    nodes: list[dict[str, Any]] = [
        {"type": "call", "text": "Hello", "detect": True, "on": {"answered": "b", "machine": "end:9"}},
        {"type": "say", "text": "Speak", "on": {"done": "c"}},
        {"type": "record", "text": "after the beep", "on": {"stored": "d"}},
        {"type": "transfer", "to": "+447700900999", "on": {"transferred": "e"}},
        {"type": "hangup", "on": {"done": "end:1"}},
    ]
    simulation = begun(flow("f", *(n | {"on": {**n["on"], "error": "end:2"}} for n in nodes[:4]), nodes[4]))
    assert (simulation.run.result, simulation.world.said) == (1, ["Hello", "Speak", "after the beep"])
