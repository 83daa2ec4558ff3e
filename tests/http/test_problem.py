from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec
import pytest

from gateway.http.problem import Problem, ProblemBody, problem_of
from gateway.values.errors import BadAddress, BadInput, StoreError, Throttled, Unstorable

if TYPE_CHECKING:
    from conftest import Api


@pytest.mark.parametrize(
    ("error", "status", "body", "headers"),
    [
        (BadInput("no", field="to", code="odd"), 400, ProblemBody("odd", "no", "to"), {}),
        (BadAddress("no number", field="to"), 400, ProblemBody("bad_address", "no number", "to"), {}),
        (Throttled("busy", wait_seconds=0.2), 429, ProblemBody("throttled", "busy"), {"Retry-After": "1"}),
        (Throttled("busy", wait_seconds=7.1), 429, ProblemBody("throttled", "busy"), {"Retry-After": "8"}),
        (Problem(404, "not_found", "gone", field="id"), 404, ProblemBody("not_found", "gone", "id"), {}),
    ],
)
def test_each_error_has_its_answer(
    error: Exception, status: int, body: ProblemBody, headers: dict[str, str]
) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.body, problem.headers) == (status, body, headers)


def test_store_failure_tells_no_file_names() -> None:
    problem = problem_of(StoreError("cannot write /var/lib/gateway.db"))
    assert (problem.status, problem.body.code, problem.headers["Retry-After"]) == (503, "store", "5")
    assert "/var" not in problem.body.reason


def test_what_can_never_be_stored_is_not_to_be_tried_again() -> None:
    problem = problem_of(Unstorable("a record cannot be stored: integer out of range"))
    assert (problem.status, problem.body.code, problem.headers) == (500, "internal", {})


def test_empty_fields_are_left_out() -> None:
    assert msgspec.json.encode(ProblemBody("a", "b")) == b'{"code":"a","reason":"b"}'


async def test_unforeseen_error_is_500_with_the_id_that_is_logged(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.surprise = RuntimeError("the inside is nobody's business")
    status, body, _ = await api.post("/v2/messages", {"to": "+447700900123", "text": "Hi"})
    assert (status, body["code"]) == (500, "internal")
    assert "nobody" not in str(body)
    [record] = [record for record in caplog.records if record.msg == "http.failed"]
    assert record.__dict__["id"] == body["id"]
    assert record.exc_info is not None
    assert record.levelno == logging.ERROR


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/message", "/v1/messages", "/healthz/", "/%00"])
async def test_unknown_path_is_404_in_json_even_for_browsers(path: str, api: Api) -> None:
    async with api.session.get(path, headers={"Accept": "text/html"}) as response:
        assert (response.status, response.content_type) == (404, "application/json")
        assert (await response.json())["code"] == "not_found"


async def test_other_method_is_405_with_those_allowed(api: Api) -> None:
    async with api.session.delete("/v2/messages") as response:
        assert (response.status, response.content_type) == (405, "application/json")
        assert set(response.headers["Allow"].split(",")) >= {"GET", "POST"}
        assert (await response.json())["code"] == "method_not_allowed"
