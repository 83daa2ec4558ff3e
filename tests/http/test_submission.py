from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import pytest

from gateway.config.model import Service
from gateway.http import submission
from gateway.http.deps import Deps
from gateway.observe.metrics import Metrics
from gateway.outbound.accept import Planner, SendRequest
from gateway.outbound.pipeline import Submitted
from gateway.values.errors import BadInput, StoreError
from gateway.values.message import Message

HELLO: dict[str, Any] = {"to": "+447700900123", "text": "Hello"}


class Desk:
    """Plans as the gateway does and commits when told; `asked` are the groups it was given."""

    def __init__(self) -> None:
        services = {"s": Service(name="S", assets=["12345"])}
        self.planner = Planner(services)
        self.asked: list[list[SendRequest]] = []
        self.answers: list[submission.Answer] = []
        self.error: Exception | None = None
        self.deps = Deps(
            submit_soon=self.submit_soon,
            store=cast(Any, None),
            services=services,
            clock=cast(Any, None),
            consents=cast(Any, None),
            customers=cast(Any, None),
            offences=cast(Any, None),
            events=cast(Any, None),
            segments=lambda text, carrier: len(text),
            preview=cast(Any, None),
            carriers=list,
            health=list,
            metrics=Metrics(),
            accepting=cast(Any, None),
            otps=cast(Any, None),
            links=cast(Any, None),
            devices=cast(Any, None),
            apps=cast(Any, None),
            dialler=cast(Any, None),
            app_texts=cast(Any, None),
            message=cast(Any, None),
        )

    def submit_soon(self, requests: Sequence[SendRequest], done: Submitted) -> None:
        self.asked.append(list(requests))
        results = list[Message | BadInput]()
        for request in requests:
            try:
                results.append(self.planner.plan(request, f"id-{len(results)}", 1.0))
            except BadInput as error:
                results.append(error)
        done(self.error or results)

    def one(self, body: Any) -> None:
        submission.one(msgspec.json.encode(body), "s", self.deps, self.answers.append)

    def batch(self, *messages: Any) -> Any:
        submission.batch(msgspec.json.encode({"messages": messages}), "s", self.deps, self.answers.append)
        answer = self.answers.pop()
        assert isinstance(answer, tuple)
        return answer[0], msgspec.json.decode(answer[1])


def test_answer_has_the_message() -> None:
    desk = Desk()
    desk.one(HELLO | {"correlationid": "c"})
    [answer] = desk.answers
    assert isinstance(answer, tuple)
    assert answer[0] == 202
    assert msgspec.json.decode(answer[1]) == {
        "id": "id-0",
        "transid": "id-0",
        "status": "queued",
        "to": "+447700900123",
        "from": "12345",
        "segments": 5,
        "correlationid": "c",
        "links": {"self": "/v2/messages/id-0"},
    }


def test_fault_of_the_body_is_raised_and_nothing_asked_for() -> None:
    desk = Desk()
    with pytest.raises(BadInput):
        desk.one(HELLO | {"until": "answered"})
    assert (desk.asked, desk.answers) == ([], [])


def test_later_errors_are_the_answer() -> None:
    desk = Desk()
    desk.one(HELLO | {"to": "?"})
    desk.error = StoreError("the disk is full")
    desk.one(HELLO)
    assert [type(answer).__name__ for answer in desk.answers] == ["BadAddress", "StoreError"]


def test_defect_in_the_answer_is_the_answer() -> None:
    desk = Desk()
    desk.planner.plan = lambda *_: cast(Message, None)  # type: ignore[method-assign]
    desk.one(HELLO)
    [answer] = desk.answers
    assert isinstance(answer, Exception)


def test_good_ones_of_a_batch_are_asked_for_together() -> None:
    desk = Desk()
    assert desk.batch(HELLO, HELLO)[0] == 202
    status, body = desk.batch(HELLO, {"to": 5}, HELLO | {"to": "?"}, HELLO | {"text": ""}, HELLO)
    assert [len(group) for group in desk.asked] == [2, 3]
    assert (status, body["accepted"], body["refused"]) == (202, 2, 3)
    assert [item.get("id") for item in body["messages"]] == ["id-0", None, None, None, "id-2"]
    assert [item.get("index") for item in body["messages"]] == [None, 1, 2, 3, None]


def test_batch_of_which_nothing_can_be_asked_for_is_answered_at_once() -> None:
    desk = Desk()
    status, body = desk.batch({}, HELLO | {"text": ""})
    assert (status, body["accepted"], desk.asked) == (400, 0, [])
    assert [(item["index"], item["code"]) for item in body["messages"]] == [
        (0, "missing_field"),
        (1, "empty"),
    ]


@pytest.mark.parametrize(
    "message", [HELLO, HELLO | {"variables": {"a": [1, {"b": None}]}, "validity": "10m"}]
)
def test_message_is_read_the_same_beside_a_bad_one(message: dict[str, Any]) -> None:
    desk = Desk()
    _, alone = desk.batch(message)
    _, beside = desk.batch(message, 5)
    assert desk.asked[0] == desk.asked[1]
    assert alone["messages"][0] == beside["messages"][0]


def test_messages_are_counted() -> None:
    desk = Desk()
    desk.one(HELLO)
    desk.batch(HELLO, HELLO, 5)
    assert b'messages_accepted_total{by="http",service="s"} 3.0' in desk.deps.metrics.text()
