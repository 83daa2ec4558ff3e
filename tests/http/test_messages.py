from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest

from gateway.store.base import Unit
from gateway.values.message import Message, Segment
from gateway.values.outcome import Outcome, Result

if TYPE_CHECKING:
    from conftest import Api


@pytest.fixture(params=["front", "aiohttp"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def deep(levels: int) -> Any:
    value: Any = [1]
    for _ in range(levels - 1):
        value = [value]
    return value


HELLO = {"to": "+44 7700 900123", "text": "Hello"}


async def test_message_is_accepted_after_the_commit_and_sent(api: Api) -> None:
    status, body, _ = await api.post("/v2/messages", HELLO | {"correlationid": "order-7"})
    id = body["id"]
    assert status == 202
    assert body == {
        "id": id,
        "transid": id,
        "status": "queued",
        "to": "+447700900123",
        "from": "12345",
        "segments": 1,
        "correlationid": "order-7",
        "links": {"self": f"/v2/messages/{id}"},
    }
    stored = await api.store.message(id)
    assert stored is not None
    assert (stored.service, stored.text, stored.correlationid) == ("alerts", "Hello", "order-7")
    assert api.channel.sent == [id]


async def test_a_message_goes_to_whoever_has_the_clients_own_id(api: Api) -> None:
    api.customers.set(Unit(), "alerts", "+447700900123", {}, 1.0, customerid="C-7")
    status, body, _ = await api.post("/v2/messages", HELLO | {"to": {"customerid": "C-7"}})
    assert (status, body["to"]) == (202, "+447700900123")
    status, body, _ = await api.post("/v2/messages", HELLO | {"to": {"customerid": "C-8"}})
    assert (status, body["field"], body["code"]) == (400, "to", "unknown_customer")
    assert body["reason"] == "nobody has the customerid 'C-8'"


async def test_segments_are_those_that_the_chosen_bind_makes(api: Api) -> None:
    for carrier, segments in (("north", 3), ("ankara", 1)):
        api.channel.carrier = carrier
        _, answer, _ = await api.post("/v2/messages", {"to": "+447700900123", "text": "ş" + "a" * 152})
        assert answer["segments"] == segments


@pytest.mark.parametrize(
    ("body", "text", "segments"),
    [
        ({"text": "x" * 160}, "x" * 160, 1),
        ({"text": "x" * 161}, "x" * 161, 2),
        ({"text": "й" * 71}, "й" * 71, 2),
        ({"template": "hello", "variables": {"name": "Ann"}}, "Hello Ann", 1),
        ({"template": "hello", "variables": {"name": 7}}, "Hello 7", 1),
        ({"template": "hello", "variables": {"name": "Ann"}, "channel": "voice"}, "Good day Ann", 0),
        ({"chain": "alert", "variables": {"name": "Ann"}}, "Hello Ann", 1),
    ],
)
async def test_segments_are_those_of_the_text_that_goes_out(
    body: dict[str, Any], text: str, segments: int, api: Api
) -> None:
    status, answer, _ = await api.post("/v2/messages", {"to": "+447700900123"} | body)
    assert (status, answer["segments"]) == (202, segments)
    stored = await api.store.message(answer["id"])
    assert stored is not None
    assert stored.text == text


@pytest.mark.parametrize(
    ("body", "until", "within_seconds"),
    [
        ({}, Result.ACCEPTED, 0.0),
        ({"until": "delivered", "validity": 90}, Result.DELIVERED, 90.0),
        ({"validity": "10m"}, Result.ACCEPTED, 600.0),
        ({"channel": "voice"}, Result.ANSWERED, 0.0),
        ({"channel": "voice", "until": "accepted"}, Result.ACCEPTED, 0.0),
    ],
)
async def test_goal_and_validity_become_the_steps(
    body: dict[str, Any], until: Result, within_seconds: float, api: Api
) -> None:
    _, answer, _ = await api.post("/v2/messages", HELLO | body)
    stored = await api.store.message(answer["id"])
    assert stored is not None
    [step] = stored.plan
    assert (step.until, step.within_seconds) == (until, within_seconds)


async def test_notify_url_goes_with_the_message(api: Api) -> None:
    url = "https://example.org:8443/dlr?tenant=7"
    _, answer, _ = await api.post("/v2/messages", HELLO | {"notify": url})
    stored = await api.store.message(answer["id"])
    assert stored is not None
    assert stored.notify_url == url


WRONG: dict[str, tuple[Any, int, str, str, str]] = {
    # name: body, status, code, field, part of the reason
    "no json": (b"to=123", 400, "bad_json", "", "no JSON"),
    "empty": (b"", 400, "bad_json", "", "no JSON"),
    "cut off": (b'{"to": "+447700900123", "te', 400, "bad_json", "", "no JSON"),
    "no utf-8": (b'{"to": "\xff"}', 400, "bad_json", "", "no JSON"),
    "half a surrogate pair": (b'{"to": "+447700900123", "text": "\\ud800"}', 400, "bad_json", "", "no JSON"),
    "bottomless": (b'{"to": "1", "variables": {"a": ' + b"[" * 50_000, 400, "bad_json", "", "too deeply"),
    "deep": (HELLO | {"variables": {"a": {"b": deep(16)}}}, 400, "invalid", "variables", "deeper than 16"),
    "a list": ([], 400, "invalid", "", "an object"),
    "no destination": ({"text": "Hi"}, 400, "missing_field", "to", "missing"),
    "unknown field": (HELLO | {"form": "x"}, 400, "unknown_field", "form", 'did you mean "from"?'),
    "unheard-of field": (HELLO | {"zzzz": 1}, 400, "unknown_field", "zzzz", "known are to, from, text"),
    "wrong type": (HELLO | {"text": 5}, 400, "invalid", "text", "expected a string, got int"),
    "unknown channel": (HELLO | {"channel": "fax"}, 400, "invalid", "channel", "'fax'"),
    "unknown goal": (HELLO | {"until": "seen"}, 400, "invalid", "until", "'seen'"),
    "goal of the other channel": (HELLO | {"until": "answered"}, 400, "invalid", "until", "sms knows"),
    "bad number": (HELLO | {"to": "hello!!"}, 400, "bad_address", "to", "'hello!!'"),
    "a shortcode as destination": (HELLO | {"to": "12345"}, 400, "bad_address", "to", "E.164"),
    "foreign sender": (HELLO | {"from": "PIZZA"}, 400, "foreign_sender", "from", "not an asset"),
    "bad sender": (HELLO | {"from": "?"}, 400, "bad_address", "from", "'?'"),
    "nothing to say": ({"to": "+447700900123"}, 400, "empty", "text", "text"),
    "text and template": (HELLO | {"template": "hello"}, 400, "contradiction", "template", "exclude"),
    "unknown template": (
        {"to": "+447700900123", "template": "bye"},
        400,
        "unknown_template",
        "template",
        "it has: hello",
    ),
    "missing variable": (
        {"to": "+447700900123", "template": "hello"},
        400,
        "missing_variable",
        "variables",
        "$(name)",
    ),
    "unknown chain": (
        {"to": "+447700900123", "chain": "x"},
        400,
        "unknown_chain",
        "chain",
        "it has: alert",
    ),
    "chain and goal": (
        {"to": "+447700900123", "chain": "alert", "until": "delivered"},
        400,
        "contradiction",
        "until",
        "chain",
    ),
    "chain and validity": (
        {"to": "+447700900123", "chain": "alert", "validity": 5},
        400,
        "contradiction",
        "validity",
        "chain",
    ),
    "long text": (HELLO | {"text": "x" * 39_100}, 400, "too_long", "text", "256 segments"),
    "long text in UCS-2": (HELLO | {"text": "й" * 17_100}, 400, "too_long", "text", "256 segments"),
    "bad validity": (HELLO | {"validity": "soon"}, 400, "invalid", "validity", "'soon'"),
    "negative validity": (HELLO | {"validity": -1}, 400, "invalid", "validity", "-1"),
    "long correlationid": (
        HELLO | {"correlationid": "x" * 51},
        400,
        "invalid",
        "correlationid",
        "length <= 50",
    ),
    "no url": (HELLO | {"notify": "example.org"}, 400, "bad_url", "notify", "http://"),
    "url of another kind": (HELLO | {"notify": "smpp:acme"}, 400, "bad_url", "notify", "http://"),
    "url without host": (HELLO | {"notify": "http:///x"}, 400, "bad_url", "notify", "http://"),
    "broken url": (HELLO | {"notify": "http://[x/"}, 400, "bad_url", "notify", "http://"),
    "url with a line break": (HELLO | {"notify": "http://x/\r\na"}, 400, "bad_url", "notify", "http://"),
    "too large": (HELLO | {"text": "x" * 262_144}, 413, "too_large", "", "262144 octets"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_input_is_answered_with_code_field_and_reason(name: str, api: Api) -> None:
    sent, status, code, field, reason = WRONG[name]
    got, body, _ = await api.post("/v2/messages", sent)
    assert (got, body["code"], body.get("field", "")) == (status, code, field)
    assert reason in body["reason"]
    assert api.channel.sent == []
    assert (await api.store.counts())["messages"] == 0


async def test_body_without_a_length_has_the_same_limit(api: Api) -> None:
    async def pieces() -> Any:
        for _ in range(5):
            yield b" " * 65_536

    headers = {"key": "alerts-key", "Content-Type": "application/json"}
    async with api.session.post("/v2/messages", data=pieces(), headers=headers) as response:
        assert response.status == 413
        assert (await response.json())["code"] == "too_large"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_other_content_types_are_415(kind: str, api: Api) -> None:
    headers = {"Content-Type": kind}
    if not kind:
        async with api.session.post(
            "/v2/messages",
            data=b"{}",
            headers={"key": "alerts-key"},
            skip_auto_headers={"Content-Type"},
        ) as response:
            status, body = response.status, await response.json()
    else:
        status, body, _ = await api.post("/v2/messages", HELLO, **headers)
    assert (status, body["code"], body["field"]) == (415, "not_json", "content-type")
    assert "application/json" in body["reason"]


async def test_suspended_service_sends_nothing(api: Api) -> None:
    status, body, _ = await api.post("/v2/messages", HELLO, key="off-key")
    assert (status, body["code"]) == (403, "suspended")


async def test_full_queue_is_429_with_a_time(api: Api) -> None:
    api.store.crowded = True
    status, body, response = await api.post("/v2/messages", HELLO)
    assert (status, body["code"], response.headers["Retry-After"]) == (429, "throttled", "2")


async def test_failing_store_is_503_and_nothing_is_accepted(api: Api) -> None:
    api.store.full = True
    status, body, response = await api.post("/v2/messages", HELLO)
    assert (status, body["code"]) == (503, "store")
    assert int(response.headers["Retry-After"]) > 0
    assert "gateway.db" not in body["reason"]
    assert (api.channel.sent, api.pipeline.waiting) == ([], 0)


async def test_story_tells_all_that_has_happened(api: Api) -> None:
    _, answer, _ = await api.post(
        "/v2/messages", {"to": "+447700900123", "chain": "alert", "variables": {"name": "Ann"}}
    )
    id = answer["id"]
    segment = Segment(
        message=id, step=0, part=1, total=1, bind="north", state="rejected", code="ESME_RINVDSTADR"
    )
    refusal = Outcome(Result.REJECTED, "north answered ESME_RINVDSTADR", "ESME_RINVDSTADR", "north")
    api.pipeline.report(id, 0, refusal, (segment,))
    api.pipeline.report(id, 1, Outcome(Result.ANSWERED, carrier="east"))
    await api.store.commit(
        [Segment(message="other", step=0, part=1, total=1, bind="north")]
    )  # all is written
    status, story = await api.get(f"/v2/messages/{id}")
    assert status == 200
    assert (story["id"], story["transid"], story["status"], story["final"]) == (id, id, "answered", True)
    assert (story["direction"], story["channel"], story["chain"]) == ("mt", "voice", "alert")
    assert (story["from"], story["to"], story["carrier"]) == ("12345", "+447700900123", "east")
    assert story["created"].endswith("Z")
    first, second = story["steps"]
    assert (first["channel"], first["carrier"], first["state"], first["result"], first["code"]) == (
        "sms",
        "north",
        "failed",
        "rejected",
        "ESME_RINVDSTADR",
    )
    assert first["started"] <= first["ended"]
    assert (second["channel"], second["from"], second["text"]) == ("voice", "+442079460000", "Good day Ann")
    assert (second["state"], second["result"]) == ("succeeded", "answered")
    assert [(s["bind"], s["part"], s["state"], s["code"]) for s in story["segments"]] == [
        ("north", 1, "rejected", "ESME_RINVDSTADR")
    ]
    assert story["segments"][0]["updated"] is None
    assert [event["type"] for event in story["events"]] == [
        "message.accepted",
        "step.started",
        "step.failed",
        "step.started",
        "step.succeeded",
        "sms.status",
    ]
    assert story["events"][2]["data"]["reason"] == "north answered ESME_RINVDSTADR"


async def test_a_message_is_found_by_the_id_of_a_segment(api: Api) -> None:
    _, answer, _ = await api.post("/v2/messages", HELLO)
    status, story = await api.get(f"/v2/messages/{answer['id']}-2")
    assert (status, story["id"]) == (200, answer["id"])


@pytest.mark.parametrize("key", ["pizza-key", "off-key"])
async def test_messages_of_another_service_are_as_unknown_as_any(key: str, api: Api) -> None:
    _, answer, _ = await api.post("/v2/messages", HELLO)
    status, other = await api.get(f"/v2/messages/{answer['id']}", key=key)
    assert (status, other["code"], other["field"]) == (404, "not_found", "id")
    status, nothing = await api.get("/v2/messages/nonsense", key=key)
    assert (status, nothing["code"], nothing["field"]) == (404, "not_found", "id")


async def many(api: Api, count: int) -> list[str]:
    ids = []
    for n in range(count):
        body = {"to": f"+4477009001{n:02}", "text": "Hi", "correlationid": f"c{n % 2}"}
        ids.append((await api.post("/v2/messages", body))[1]["id"])
    return ids


async def test_search_gives_own_messages_newest_first_page_by_page(api: Api) -> None:
    ids = await many(api, 5)
    await api.post("/v2/messages", HELLO | {"from": "PIZZA"}, key="pizza-key")
    seen: list[str] = []
    path: str | None = "/v2/messages?limit=2&direction=mt&status=queued"
    pages = 0
    while path:
        status, page = await api.get(path)
        assert status == 200
        seen += [message["id"] for message in page["messages"]]
        path = page["next"]
        pages += 1
    assert seen == ids[::-1]
    assert pages == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("to=%2B447700900103", [3]),
        ("to=+447700900103", [3]),  # a plus sign that was not encoded is a blank
        ("to=447700900103", [3]),
        ("correlationid=c1", [3, 1]),
        ("correlationid=c1&to=447700900101", [1]),
        ("status=delivered", []),
        ("direction=mo", []),
        ("limit=1", [4]),
    ],
)
async def test_search_by_filter(query: str, found: list[int], api: Api) -> None:
    ids = await many(api, 5)
    _, page = await api.get(f"/v2/messages?{query}")
    assert [message["id"] for message in page["messages"]] == [ids[n] for n in found]


async def test_search_for_a_recipient_leaves_out_what_it_sent(api: Api) -> None:
    common: dict[str, Any] = {"service": "alerts", "created_at": 1.0, "updated_at": 1.0}
    await api.store.commit(
        [
            Message(id="1", direction="mo", sender="+447700900123", recipient="12345", **common),
            Message(id="2", direction="mt", sender="12345", recipient="+447700900123", **common),
        ]
    )
    _, page = await api.get("/v2/messages?to=447700900123")
    assert [message["id"] for message in page["messages"]] == ["2"]
    _, page = await api.get("/v2/messages?to=12345&direction=mo")
    assert [(message["id"], message["channel"]) for message in page["messages"]] == [("1", "sms")]


@pytest.mark.parametrize(
    ("query", "field", "reason"),
    [
        ("limit=0", "limit", "1 to 500"),
        ("limit=501", "limit", "1 to 500"),
        ("limit=ten", "limit", "1 to 500"),
        ("status=lost", "status", "delivered"),
        ("direction=up", "direction", "mt"),
        ("to=%3F", "to", "'?'"),
        ("stats=sent", "stats", 'did you mean "status"?'),
    ],
)
async def test_wrong_filters_are_400(query: str, field: str, reason: str, api: Api) -> None:
    status, body = await api.get(f"/v2/messages?{query}")
    assert (status, body["field"]) == (400, field)
    assert reason in body["reason"]


async def test_batch_is_accepted_in_one_commit_and_answered_in_order(api: Api) -> None:
    wanted = [{"to": f"+4477009002{n:02}", "text": "Hi"} for n in range(20)]
    before = api.store.commits
    status, body, _ = await api.post("/v2/messages/batch", {"messages": wanted})
    assert (status, body["accepted"], body["refused"]) == (202, 20, 0)
    assert api.store.commits == before + 1
    assert [message["to"] for message in body["messages"]] == [message["to"] for message in wanted]
    assert api.channel.sent == [message["id"] for message in body["messages"]]


async def test_bad_messages_of_a_batch_spoil_no_others(api: Api) -> None:
    wanted = [HELLO, HELLO | {"to": "?"}, HELLO | {"txt": "x"}, 5, HELLO | {"from": "PIZZA"}, HELLO]
    status, body, _ = await api.post("/v2/messages/batch", {"messages": wanted})
    assert (status, body["accepted"], body["refused"]) == (202, 2, 4)
    places = [(item.get("index"), item.get("code"), item.get("field")) for item in body["messages"]]
    assert places == [
        (None, None, None),
        (1, "bad_address", "to"),
        (2, "unknown_field", "txt"),
        (3, "invalid", None),
        (4, "foreign_sender", "from"),
        (None, None, None),
    ]
    assert api.channel.sent == [body["messages"][0]["id"], body["messages"][5]["id"]]


async def test_first_of_a_batch_that_is_refused_says_its_index(api: Api) -> None:
    _, body, _ = await api.post("/v2/messages/batch", {"messages": [HELLO | {"to": "?"}, HELLO]})
    assert body["messages"][0]["index"] == 0


async def test_batch_without_a_good_message_is_400(api: Api) -> None:
    status, body, _ = await api.post("/v2/messages/batch", {"messages": [{}, HELLO | {"to": "?"}]})
    assert (status, body["accepted"], body["refused"]) == (400, 0, 2)
    assert [item["index"] for item in body["messages"]] == [0, 1]


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"messages": []}, "messages", "length >= 1"),
        ({"messages": [HELLO] * 1001}, "messages", "length <= 1000"),
        ({"message": [HELLO]}, "message", 'did you mean "messages"?'),
        ({}, "messages", "missing"),
    ],
)
async def test_wrong_batches_are_400(body: dict[str, Any], field: str, reason: str, api: Api) -> None:
    status, problem, _ = await api.post("/v2/messages/batch", body)
    assert (status, problem["field"]) == (400, field)
    assert reason in problem["reason"]


async def test_batch_over_five_megabytes_is_413(api: Api) -> None:
    headers = {"key": "alerts-key", "Content-Type": "application/json"}
    octets = io.BytesIO(b" " * (5 * 1024 * 1024 + 1))
    async with api.session.post("/v2/messages/batch", data=octets, headers=headers) as response:
        status, body = response.status, await response.json()
    assert (status, body["code"]) == (413, "too_large")


async def test_batch_at_a_failing_store_is_503_even_beside_bad_messages(api: Api) -> None:
    api.store.full = True
    status, body, _ = await api.post("/v2/messages/batch", {"messages": [HELLO, HELLO]})
    assert (status, body["code"]) == (503, "store")
    status, body, _ = await api.post("/v2/messages/batch", {"messages": [HELLO, HELLO | {"to": "?"}]})
    assert (status, body["code"]) == (503, "store")
    assert api.channel.sent == []


async def test_batch_at_a_full_queue_is_429(api: Api) -> None:
    api.store.crowded = True
    status, body, response = await api.post("/v2/messages/batch", {"messages": [HELLO]})
    assert (status, body["code"], response.headers["Retry-After"]) == (429, "throttled", "2")


async def test_requests_at_once_are_all_accepted(api: Api) -> None:
    answers = await asyncio.gather(*(api.post("/v2/messages", HELLO) for _ in range(50)))
    assert {status for status, *_ in answers} == {202}
    assert len({body["id"] for _, body, _ in answers}) == 50
    assert (await api.store.counts())["messages"] == 50
