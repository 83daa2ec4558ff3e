import json
from typing import Any

from click.testing import CliRunner

from gateway.cli import main
from gateway.flows import engine
from gateway.flows.definition import read
from gateway.flows.inputs import EffectDone, MessageIn, Start
from gateway.values.work import Run

ORDER = {
    "start": "ask",
    "nodes": {
        "ask": {
            "type": "send-sms",
            "text": "Which size?",
            "on": {"success": "answer", "error": "end:102"},
        },
        "answer": {"type": "receive", "timeout": "10m", "on": {"message": "ask", "timeout": "end"}},
    },
}
FLOW = read("order", ORDER)
AT = 1_795_442_709.0


def session() -> list[Any]:
    """A run that has asked, heard "M" and asks again; with its events."""
    began = Start(run_id="r1", service="pizza", customer="+447700900001", number="12345")
    advance = engine.start(FLOW, began, AT)
    records: list[Any] = [*advance.events]
    for input in (EffectDone("r1/1", "success", {"status": "sent"}), MessageIn({"text": "M\x1b"})):
        advance = engine.advance(advance.run, FLOW, input, AT + 1)
        records += advance.events
    return [*records, advance.run]


def test_flows_are_listed_with_their_versions(place: Any) -> None:
    assert place.run("flow", "list").stdout == f"pizza\torder\t{FLOW.version}\task\t2\n"
    assert json.loads(place.run("flow", "list", "--json").stdout) == [
        {"service": "pizza", "flow": "order", "version": FLOW.version, "start": "ask", "nodes": 2}
    ]


def test_a_flow_is_shown_as_a_tree_or_a_flowchart(place: Any) -> None:
    shown = place.run("flow", "show", "order").stdout.splitlines()
    assert shown[:2] == [f"order (version {FLOW.version})", "`- ask: send-sms"]
    assert place.run("flow", "show", "pizza/order").stdout.splitlines() == shown
    assert place.run("flow", "show", "order", "--mermaid").stdout.startswith("flowchart TD\n")


def test_a_flow_that_is_not_there(place: Any) -> None:
    result = place.run("flow", "show", "oder")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: there is no flow oder (there are: pizza/order)\n"
    assert "there is no flow alerts/order" in place.run("flow", "show", "alerts/order").stderr
    assert "no service is named 'x'" in place.run("flow", "show", "x/order").stderr


def test_a_name_that_two_services_use_needs_the_service(place: Any) -> None:
    place.write(
        "services/quiz.toml",
        """\
        name = "Quiz"
        [flows.order]
        start = "a"
        nodes.a.type = "end"
        """,
    )
    result = place.run("flow", "show", "order")
    assert result.exit_code == 1
    assert "say pizza/order or quiz/order" in result.stderr
    assert "a: end" in place.run("flow", "show", "quiz/order").stdout


def test_lint_tells_the_faults_of_flows_only(place: Any) -> None:
    assert place.run("flow", "lint").stdout == "no findings in the flows\n"
    place.write(
        "services/quiz.toml", 'name = "Quiz"\nkyy = "x"\n[flows.a]\nstart = "b"\nnodes.a.type = "end"\n'
    )
    result = place.run("flow", "lint")
    file = place.folder / "conf" / "services" / "quiz.toml"
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == f'{file}:4: flows.a.start: "b" is no node'
    assert "kyy" not in result.stdout
    [fault] = json.loads(place.run("flow", "lint", "--json").stdout)
    assert (fault["line"], fault["path"]) == (4, "flows.a.start")


def test_a_session_is_followed_through_its_flow(place: Any) -> None:
    place.fill(session())
    result = place.run("flow", "trace", "r1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"pizza/order version {FLOW.version}, waiting at ask"
    assert [line.split("\t")[1:] for line in lines if "\t" in line] == [
        ["", f"The session of the flow order (version {FLOW.version}) begins."],
        ["ask", "entered (send-sms)"],
        ["", "Its act r1/1 came out as success."],
        ["ask", "success -> answer"],
        ["answer", "entered (receive)"],
        ["", 'The customer wrote "M\\x1b".'],
        ["answer", "message -> ask"],
        ["ask", "entered (send-sms)"],
    ]
    assert '$(ask.status) = "sent"' in lines
    assert '$(answer.text) = "M\\u001b"' in lines


def test_a_trace_as_json(place: Any) -> None:
    records = session()
    run = records[-1]
    assert isinstance(run, Run)
    place.fill(records)
    found = json.loads(place.run("flow", "trace", "r1", "--json").stdout)
    assert (found["session"], found["state"], found["node"]) == ("r1", "waiting", "ask")
    assert found["data"] == run.data
    assert [event["type"] for event in found["events"]][:2] == ["session.started", "node.entered"]


def test_a_session_that_is_not_there(place: Any) -> None:
    place.fill()
    result = place.run("flow", "trace", "r1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no session has the id r1" in result.stderr


TESTED = """
name = "Quiz"
assets = ["12345"]
[flows.quiz]
start = "ask"
[flows.quiz.nodes.ask]
type = "send-sms"
text = "Ready?"
on = { success = "end", error = "end:2" }
[[flows.quiz.tests]]
name = "asked"
steps = [{ expect = "Ready" }, { end = 0 }]
"""


def test_the_tests_of_flows_are_run_and_the_ways_that_they_take_are_counted(place: Any) -> None:
    place.write("services/quiz.toml", TESTED)
    result = place.run("flow", "test", "quiz")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "quiz/quiz: 1 of 1 tests passed, 1 of 2 edges taken",
        "  no test takes: ask error",
    ]
    [report] = json.loads(place.run("flow", "test", "quiz/", "--json").stdout)
    assert report["edges"] == {"all": 2, "taken": 1, "missed": ["ask error"]}
    assert report["tests"] == [{"name": "asked", "passed": True, "failures": []}]


def test_a_test_that_fails_says_why_and_keeps_the_flow_from_being_loaded(place: Any) -> None:
    place.write("services/quiz.toml", TESTED.replace('expect = "Ready"', 'expect = "Steady"'))
    result = place.run("flow", "test", "quiz")
    assert result.exit_code == 1
    assert 'asked: step 1: no text contains "Steady"; sent were "Ready?"' in result.stdout
    assert '"asked" fails: step 1' in place.run("flow", "lint").stdout
    place.write(
        "services/quiz.toml",
        TESTED.replace('"Ready"', '"Steady"').replace("start =", "draft = true\nstart ="),
    )
    assert "warning: " in place.run("flow", "lint").stdout


def test_the_schema_is_printed() -> None:
    assert json.loads(CliRunner().invoke(main, ["flow", "schema"]).stdout)["title"] == "A flow of trunkline"
