import json
import tomllib
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.flows import definition, rollout
from gateway.values.work import FlowState, FlowVersion

QUIZ = """
name = "Quiz"
assets = ["12345"]
[flows.quiz]
start = "ask"
{more}
[flows.quiz.nodes.ask]
type = "send-sms"
text = "{text}"
on = {{ success = "end", error = "end:2" }}
[[flows.quiz.tests]]
name = "asked"
steps = [{{ expect = "Ready" }}, {{ end = 0 }}]
"""


def version(number: int, text: str, **fields: Any) -> FlowVersion:
    table = tomllib.loads(QUIZ.format(text=text, more=""))["flows"]["quiz"]
    return FlowVersion(
        service="quiz",
        flow="quiz",
        number=number,
        version=definition.version(table),
        definition=table,
        created_at=1_800_000_000.0 + number,
        **fields,
    )


FIRST, SECOND = version(1, "Ready one?", author="Ann", note="first"), version(2, "Ready two?")
BROKEN, FAILING = version(3, "Ready $(x)?"), version(4, "Steady?")
STATE = FlowState(service="quiz", flow="quiz", live=2, file=SECOND.version, updated_at=1.0)


@pytest.fixture
def quiz(place: Any) -> Any:
    place.write("services/quiz.toml", QUIZ.format(text="Ready two?", more=""))
    place.fill([FIRST, SECOND, BROKEN, FAILING, STATE])
    return place


def standings(place: Any) -> dict[int, str]:
    listed = json.loads(place.run("flow", "versions", "quiz", "--json").stdout)
    return {each["number"]: each["standing"] for each in listed if each["standing"]}


def test_versions_are_listed_with_who_made_them_and_what_is_live(quiz: Any) -> None:
    lines = quiz.run("flow", "versions", "quiz/quiz").stdout.splitlines()
    assert lines[0].split("\t") == ["1", FIRST.version, "", "2027-01-15 08:00:01", "Ann", "first"]
    assert lines[1].split("\t")[2] == "live"
    assert "there is no flow quizz" in quiz.run("flow", "versions", "quizz").stderr


def test_a_diff_tells_what_differs_from_the_live_version(quiz: Any) -> None:
    lines = quiz.run("flow", "diff", "quiz", "1").stdout.splitlines()
    assert lines[:2] == ["--- version 1", "+++ version 2"]
    assert '-      "text": "Ready one?",' in lines or any("Ready one?" in x and x[0] == "-" for x in lines)
    assert quiz.run("flow", "diff", "quiz", "2", "2").stdout == "the same content\n"
    assert "there is no version 9 (there are: 1, 2, 3, 4)" in quiz.run("flow", "diff", "quiz", "9").stderr


def test_a_version_is_made_live_unless_it_has_faults_or_fails_its_tests(quiz: Any) -> None:
    assert "Version 1 is live" in quiz.run("flow", "live", "quiz", "1").stdout
    assert standings(quiz) == {1: "live"}
    for number, what in (("3", "nothing sets $(x)"), ("4", '"asked" fails: step 1')):
        result = quiz.run("flow", "live", "quiz", number)
        assert result.exit_code == 1 and what in result.stderr
    assert standings(quiz) == {1: "live"}
    assert "it has no draft" in quiz.run("flow", "live", "quiz").stderr


def test_the_draft_is_what_is_made_live_by_default(place: Any) -> None:
    place.write("services/quiz.toml", QUIZ.format(text="Ready one?", more="draft = true"))
    place.fill([FIRST, SECOND, replace(STATE, draft=1)])
    assert standings(place) == {1: "draft", 2: "live"}
    assert "Version 1 is live" in place.run("flow", "live", "quiz").stdout
    assert standings(place) == {1: "live"}


def test_a_roll_back_is_a_new_version_of_old_content(quiz: Any) -> None:
    assert "Version 5, a copy of 1, is live" in quiz.run("flow", "rollback", "quiz").stdout
    assert standings(quiz) == {5: "live"}
    listed = json.loads(quiz.run("flow", "versions", "quiz", "--json").stdout)
    assert (listed[-1]["version"], listed[-1]["note"]) == (FIRST.version, "rolled back to version 1")
    assert json.loads(quiz.run("flow", "export", "quiz").stdout) == FIRST.definition
    assert json.loads(quiz.run("flow", "export", "quiz", "2").stdout) == SECOND.definition


def test_a_split_is_between_the_live_version_and_another(quiz: Any) -> None:
    assert "live for 10 %" in quiz.run("flow", "split", "quiz", "1", "10").stdout
    assert standings(quiz) == {1: "live 10 %", 2: "live 90 %"}
    assert "1 to 99" in quiz.run("flow", "split", "quiz", "1", "100").stderr
    assert "cannot be made live" in quiz.run("flow", "split", "quiz", "3", "10").stderr


def test_what_the_gateway_has_not_seen_yet_has_no_versions(place: Any) -> None:
    place.write("services/quiz.toml", QUIZ.format(text="Ready?", more=""))
    place.fill([])
    assert "has not taken it up" in place.run("flow", "versions", "quiz").stderr


def test_the_daemon_takes_what_was_chosen(quiz: Any) -> None:
    """The state that the command leaves is one that the file does not change."""
    quiz.run("flow", "live", "quiz", "1")
    now = replace(STATE, live=1)
    written = rollout.Written(service="quiz", flow="quiz", version=SECOND.version, table=SECOND.definition)
    assert rollout.taken(written, now, {1: FIRST.version, 2: SECOND.version}, 5.0) == (now, None)
