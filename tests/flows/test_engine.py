from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.flows import engine
from gateway.flows.definition import Flow, faults, read
from gateway.flows.effects import SendSms
from gateway.flows.inputs import EffectDone, EventIn, Input, MessageIn, Start, Stop, TimeUp
from gateway.rules import variables
from gateway.values.event import Trigger
from gateway.values.work import Run

CUSTOMER = "+447700900123"


def message(text: str) -> MessageIn:
    return MessageIn(variables.sms(sender=CUSTOMER, recipient="12345", text=text)["sms"])


def start(flow: Flow, **extra: Any) -> engine.Advance:
    seen = variables.sms(sender=CUSTOMER, recipient="12345", text="ORDER") | extra
    began = Start(run_id="run", service="pizza", customer=CUSTOMER, number="12345", variables=seen)
    return engine.start(flow, began, 1000.0)


def restarted(run: Run) -> Run:
    return msgspec.json.decode(msgspec.json.encode(run), type=Run)


def texts(advance: engine.Advance) -> list[str]:
    return [effect.text for effect in advance.effects if isinstance(effect, SendSms)]


def sent(n: int) -> EffectDone:
    return EffectDone(f"run/{n}", "success", {"transid": f"t{n}", "status": "sent"})


def types(advance: engine.Advance) -> list[str]:
    return [event.type for event in advance.events]


def test_a_pizza_is_ordered_in_two_steps_with_a_restart_before_each(pizza: dict[str, Any]) -> None:
    flow = read("order", pizza)
    step = start(flow)
    said = texts(step)
    inputs: list[Input] = [sent(1), message("Huge"), sent(2), message(" m! "), sent(3)]
    for now, input in enumerate(inputs, 1001):
        assert step.run.state == "waiting"
        step = engine.advance(restarted(step.run), read("order", pizza), input, float(now))
        said += texts(step)
    assert said == [
        "Which size? S, M or L",
        "Huge is no size. S, M or L",
        "One pizza m for +447700900123. Thank you!",
    ]
    assert (step.run.state, step.run.result, step.run.reason) == ("ended", 0, "confirm: success")


def test_the_effect_names_whom_to_text_from_which_number_under_a_key_of_its_own(
    pizza: dict[str, Any],
) -> None:
    step = start(read("order", pizza))
    assert step.effects == (
        SendSms(key="run/1", sender="12345", recipient=CUSTOMER, text="Which size? S, M or L"),
    )
    assert (step.run.waiting, step.run.effects, step.run.due) == ("effect:run/1", 1, 0.0)


def test_waiting_for_a_message_sets_the_moment_when_the_time_is_up(pizza: dict[str, Any]) -> None:
    flow = read("order", pizza)
    step = engine.advance(start(flow).run, flow, sent(1), 1001.0)
    assert (step.run.waiting, step.run.due) == ("message", 1601.0)
    early = engine.advance(step.run, flow, TimeUp(), 1600.0)
    assert early == engine.Advance(step.run, log=("Ignored: the time is not up.",))
    late = engine.advance(step.run, flow, TimeUp(), 1601.0)
    assert (late.run.state, late.run.result, late.run.due) == ("ended", 103, 0.0)


def test_the_events_are_the_transaction_log(pizza: dict[str, Any]) -> None:
    flow = read("order", pizza)
    first = start(flow)
    assert types(first) == ["session.started", "node.entered"]
    second = engine.advance(first.run, flow, sent(1), 1001.0)
    assert types(second) == ["session.input", "node.left", "node.entered"]
    assert second.events[1].data == {"node": "ask", "event": "success", "to": "size"}
    last = engine.advance(second.run, flow, TimeUp(), 1601.0)
    assert types(last) == ["session.input", "node.left", Trigger.SESSION_ENDED]
    assert last.events[-1].data == {"flow": "order", "result": 103, "reason": "size: timeout"}
    assert {(event.ref, event.service) for event in first.events + second.events} == {("run", "pizza")}
    assert second.events[0].at == 1001.0
    assert last.log[-1] == "Ends with 103: size: timeout."


@pytest.mark.parametrize("input", [sent(1), EffectDone("run/9", "success"), EffectDone("other/2", "success")])
def test_the_outcome_of_another_effect_changes_nothing(pizza: dict[str, Any], input: Input) -> None:
    flow = read("order", pizza)
    run = engine.advance(start(flow).run, flow, sent(1), 1001.0).run
    step = engine.advance(run, flow, input, 1002.0)
    assert step.run is run
    assert not step.effects
    assert not step.events


def test_an_ended_session_takes_nothing_more(pizza: dict[str, Any]) -> None:
    flow = read("order", pizza)
    run = engine.advance(start(flow).run, flow, Stop("texted STOP"), 1001.0).run
    assert (run.state, run.result, run.reason) == ("ended", engine.RESULT_STOPPED, "texted STOP")
    for input in (message("M"), sent(1), TimeUp(), Stop("again")):
        assert engine.advance(run, flow, input, 9000.0).run is run


def test_a_message_that_comes_too_early_is_read_by_the_next_node_that_waits(pizza: dict[str, Any]) -> None:
    flow = read("order", pizza)
    early = engine.advance(start(flow).run, flow, message("L"), 1001.0)
    assert types(early) == ["session.input"]
    assert early.run.waiting == "effect:run/1"
    step = engine.advance(restarted(early.run), flow, sent(1), 1002.0)
    assert texts(step) == ["One pizza l for +447700900123. Thank you!"]
    assert step.run.inbox == ()


def test_of_too_many_early_messages_the_oldest_is_dropped_and_that_is_on_record(
    pizza: dict[str, Any],
) -> None:
    flow = read("order", pizza)
    step = start(flow)
    for n in range(11):
        step = engine.advance(step.run, flow, message(f"{n}"), 1001.0 + n)
    assert types(step) == ["session.input", "session.message-dropped"]
    assert step.events[1].data["message"]["text"] == "0"
    assert [kept["text"] for kept in step.run.inbox] == [f"{n}" for n in range(1, 11)]


def test_messages_that_nobody_read_are_counted_at_the_end(pizza: dict[str, Any]) -> None:
    flow = read("order", pizza)
    run = engine.advance(start(flow).run, flow, message("L"), 1001.0).run
    last = engine.advance(run, flow, EffectDone("run/1", "error"), 1002.0)
    assert last.run.result == 102
    assert last.events[-1].data["unread"] == 1


def test_a_run_goes_on_only_on_its_own_version(pizza: dict[str, Any]) -> None:
    run = start(read("order", pizza)).run
    other = read("order", pizza | {"start": "size", "nodes": {"size": pizza["nodes"]["size"] | {"on": END}}})
    with pytest.raises(ValueError, match="is on version"):
        engine.advance(run, other, sent(1), 1001.0)


END = {"message": "end", "timeout": "end"}


def test_a_hundred_nodes_on_one_input_are_enough() -> None:
    nodes = {
        f"n{n}": {"type": "set", "values": {"x": n}, "on": {"done": f"n{n + 1}" if n < 150 else "end"}}
        for n in range(151)
    }
    step = start(read("long", {"start": "n0", "nodes": nodes}))
    assert (step.run.state, step.run.result) == ("ended", engine.RESULT_LOOP)
    assert types(step).count("node.entered") == engine.LIMIT_NODES
    assert "100 nodes" in step.run.reason


def test_early_messages_cannot_keep_a_session_going_round() -> None:
    nodes = {"size": {"type": "receive", "timeout": "1m", "on": {"message": "size", "timeout": "end"}}}
    flow = read("echo", {"start": "size", "nodes": nodes})
    run = msgspec.structs.replace(start(flow).run, inbox=({"text": "a"},) * 200)
    step = engine.advance(run, flow, message("b"), 1001.0)
    assert step.run.result == engine.RESULT_LOOP


def test_variables_of_the_start_can_be_read_in_texts() -> None:
    nodes = {"tell": {"type": "end", "reason": "$(call.ring_ms) $(custom.order.total)"}}
    step = start(
        read("f", {"start": "tell", "nodes": nodes}), call={"ring_ms": 900}, custom={"order": {"total": 9.5}}
    )
    assert step.run.reason == "900 9.5"


def test_more_data_than_a_session_may_hold_ends_it() -> None:
    grow = {"type": "set", "values": {"x": "$(x)$(sms.text)"}, "on": {"done": "wait"}}
    wait = {"type": "delay", "for": "1s", "on": {"done": "grow"}}
    double = {"type": "evaluate", "values": {"x": "x + x + x + x"}, "on": {"done": "wait", "error": "end:9"}}
    nodes = {"grow": grow | {"on": {"done": "double"}}, "double": double, "wait": wait}
    flow = read("f", {"start": "grow", "nodes": nodes, "variables": {"x": "0123456789"}})
    step, now = start(flow), 1000.0
    while step.run.state != "ended":
        now += 1.0
        step = engine.advance(step.run, flow, TimeUp(), now)
    assert step.run.result in (engine.RESULT_FULL, engine.RESULT_BROKEN)
    assert len(msgspec.json.encode(step.run)) < 100_000


def test_a_session_begins_at_another_node_when_it_is_called_there() -> None:
    nodes = {"a": {"type": "end", "code": 1}, "b": {"type": "start", "on": {"done": "end:2"}}}
    flow = read("f", {"start": "a", "nodes": nodes})
    began = Start(run_id="run", service="s", customer="", number="", node="b", parent="p", parent_key="p/1")
    run = engine.start(flow, began, 1000.0).run
    assert (run.result, run.parent, run.parent_key) == (2, "p", "p/1")
    with pytest.raises(ValueError, match="no node 'c'"):
        engine.start(flow, msgspec.structs.replace(began, node="c"), 1000.0)


NAMES = ["a", "b", "c", "d", "e"]
EDGE = st.sampled_from([*NAMES, *NAMES, "end", "end:7"])
TEXT = st.sampled_from(
    ["Hi", "$(sms.text)", "$(x)", "$(a.text)", "$(customer.address)", "$(custom.nothing)", " "]
)


def wired(*events: str) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(dict.fromkeys(events, EDGE))


NODE = st.one_of(
    st.builds(lambda on, text: {"type": "send-sms", "text": text, "on": on}, wired("success", "error"), TEXT),
    st.builds(
        lambda on: {"type": "receive", "timeout": 5, "save": "x", "on": on}, wired("message", "timeout")
    ),
    st.builds(
        lambda when, go, other: {"type": "branch", "cases": [{"when": when, "go": go}], "else": other},
        st.sampled_from(["true", 'sms.text == "1"', "nothing.there", "x > 2"]),
        EDGE,
        EDGE,
    ),
    st.builds(lambda on, text: {"type": "set", "values": {"x": text}, "on": on}, wired("done"), TEXT),
    st.builds(lambda on: {"type": "delay", "for": 5, "on": on}, wired("done")),
    st.builds(
        lambda on, text: {"type": "http", "url": f"http://x/{text}", "on": on},
        wired("success", "error"),
        TEXT,
    ),
    st.builds(lambda on, text: {"type": "call", "text": text, "on": on}, wired("answered", "error"), TEXT),
    st.builds(
        lambda on: {"type": "receive", "timeout": 5, "await": ["sms", "custom.paid"], "on": on},
        wired("message", "custom.paid", "timeout"),
    ),
    st.builds(
        lambda on, cel: {"type": "evaluate", "values": {"x": cel}, "on": on},
        wired("done", "error"),
        st.sampled_from(["1 + 1", "sms.text + x", "x * 2", "sms.words", "1 / 0", "custom.nothing"]),
    ),
    st.builds(
        lambda on, text, path: {"type": "parse", "text": text, "as": "json", "save": {"x": path}, "on": on},
        wired("success", "invalid"),
        st.sampled_from(["1", "{", "$(sms.text)", '{"a": [1]}']),
        st.sampled_from(["$", "$.a[0]"]),
    ),
    st.builds(
        lambda on, text: {
            "type": "transform",
            "text": text,
            "do": ["upper", {"word": 1}],
            "save": "x",
            "on": on,
        },
        wired("done", "error"),
        TEXT,
    ),
    st.builds(lambda on: {"type": "delay", "window": "09:00-10:00", "on": on}, wired("done")),
    st.builds(
        lambda on, opt: {"type": "consent", "opt": opt, "on": on},
        wired("opted-in", "opted-out", "error"),
        st.sampled_from(["in", "out", "check"]),
    ),
    st.builds(lambda on: {"type": "event", "name": "e", "on": on}, wired("success", "error")),
    st.builds(
        lambda on, text: {"type": "notify", "body": {"a": text}, "on": on}, wired("success", "error"), TEXT
    ),
    st.builds(lambda on, text: {"type": "log", "id": "l", "value": text, "on": on}, wired("done"), TEXT),
    st.builds(lambda on: {"type": "call-flow", "flow": "f", "take": ["x"], "on": on}, wired("done", "error")),
    st.builds(lambda on: {"type": "chain", "name": "c", "on": on}, wired("success", "error")),
    st.builds(
        lambda on, text: {"type": "profile", "set": {"a": text}, "save": {"x": "a"}, "on": on},
        wired("success", "error"),
        TEXT,
    ),
    st.builds(lambda on: {"type": "start", "inputs": ["x"], "on": on}, wired("done", "error")),
    st.builds(lambda code, text: {"type": "end", "code": code, "reason": text}, st.integers(0, 9), TEXT),
)
INPUT = st.one_of(
    st.just("done"),
    st.builds(message, st.sampled_from(["1", "2", ""])),
    st.just(TimeUp()),
    st.just(EventIn("custom.paid", {"amount": 5})),
    st.builds(
        lambda n, event: EffectDone(f"run/{n}", event),
        st.integers(1, 5),
        st.sampled_from(["success", "done", "opted-in", "x"]),
    ),
)


def pruned(nodes: dict[str, Any]) -> dict[str, Any]:
    """Only the nodes that the first leads to, so that most graphs get past the lint."""
    kept, new = {"a"}, {"a"}
    while new:
        new = {name for name in NAMES for before in new if f"'{name}'" in str(nodes[before])} - kept
        kept |= new
    return {name: nodes[name] for name in NAMES if name in kept}


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, NODE)), st.lists(INPUT, max_size=15))
def test_any_graph_past_the_lint_waits_or_ends_with_a_code_whatever_comes(
    nodes: dict[str, Any], inputs: list[Any]
) -> None:
    definition = {"start": "a", "nodes": pruned(nodes)}
    assume(not faults("f", definition))
    flow = read("f", definition)
    step, now, keys = start(flow), 1000.0, list[str]()
    for input in [*inputs, None]:
        run = step.run
        keys += [effect.key for effect in step.effects]
        assert len(set(keys)) == len(keys) == run.effects
        if run.state == "ended":
            assert 0 <= run.result <= 999
            assert (run.waiting, run.due) == ("", 0.0)
        else:
            assert run.state == "waiting"
            assert (run.due > 0) == (not run.waiting.startswith("effect:"))
            assert run.due or run.waiting == f"effect:{keys[-1]}"
        assert restarted(run) == run
        if input is None:
            break
        now += 3.0
        known = EffectDone(keys[-1], "success") if keys else TimeUp()
        step = engine.advance(run, flow, known if input == "done" else input, now)
