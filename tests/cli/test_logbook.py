import json
from typing import Any

import pytest

from gateway.values.work import LogbookRow

QUIZ = """
name = "Quiz"
assets = ["12345"]
[logbooks.answers]
columns = { score = "number", why = "text" }
retention = "30d"
"""


@pytest.fixture
def quiz(place: Any) -> Any:
    place.write("services/quiz.toml", QUIZ)
    rows = [
        LogbookRow(
            id=f"r{n}/1", service="quiz", book="answers", run=f"r{n}", transid=f"t{n}", at=float(n), data=data
        )
        for n, data in enumerate(({"score": 5, "why": "=cmd()"}, {"score": None, "why": "-3, no"}), 1)
    ]
    place.fill(rows)
    return place


def test_logbooks_are_listed(quiz: Any) -> None:
    assert quiz.run("logbook").stdout == "quiz\tanswers\tscore, why\t30 days\n"
    assert json.loads(quiz.run("logbook", "--json").stdout) == [
        {"service": "quiz", "book": "answers", "columns": {"score": "number", "why": "text"}}
    ]


def test_rows_as_json_keep_their_types(quiz: Any) -> None:
    assert json.loads(quiz.run("logbook", "quiz/answers", "--json").stdout) == [
        {"at": "1970-01-01T00:00:01.000Z", "session": "r1", "transid": "t1", "score": 5, "why": "=cmd()"},
        {"at": "1970-01-01T00:00:02.000Z", "session": "r2", "transid": "t2", "score": None, "why": "-3, no"},
    ]


def test_rows_as_csv_hold_no_formula(quiz: Any) -> None:
    assert quiz.run("logbook", "quiz/answers", "--csv").stdout.splitlines() == [
        "at,session,transid,score,why",
        "1970-01-01T00:00:01.000Z,r1,t1,5,'=cmd()",
        '1970-01-01T00:00:02.000Z,r2,t2,,"\'-3, no"',
    ]
    assert quiz.run("logbook", "quiz/answers").stdout.splitlines()[0].endswith("\tr1\tt1\t5\t=cmd()")


def test_a_logbook_that_is_not_there(quiz: Any) -> None:
    assert "has no Logbook 'x' (it has: answers)" in quiz.run("logbook", "quiz/x").stderr
