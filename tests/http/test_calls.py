"""/v2/calls: a service's own call detail records, searched and one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.http.openapi import document
from gateway.values.call import Call
from gateway.values.event import Event

if TYPE_CHECKING:
    from conftest import Api

AT = 1_795_442_709.12  # 2026-11-23 14:05:09
ANNE, OURS = "+447700900001", "+442079460000"


def call(id: str, **fields: Any) -> Call:
    plain: dict[str, Any] = {
        "direction": "in",
        "service": "alerts",
        "trunk": "east",
        "caller": ANNE,
        "called": OURS,
        "state": "ended",
        "cause": "caller-cancelled",
        "status": 487,
        "started_at": AT,
    }
    return Call(id=id, **plain | fields)


CALLS = [
    call("c1", rung_at=AT, ended_at=AT + 2.5),
    call("c2", started_at=AT + 10, caller="", cause="rejected-by-policy", trunk="west", sip_call_id="7@east"),
    call("c3", started_at=AT + 20, direction="out", caller=OURS, called=ANNE, message="m1", state="answered"),
    call("c4", started_at=AT + 30, service="pizza"),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["c3", "c2", "c1"]),
        ("?from=", ["c2"]),
        ("?from=00447700900001", ["c1"]),
        ("?to=%2B447700900001", ["c3"]),
        ("?trunk=west&cause=rejected-by-policy", ["c2"]),
        ("?direction=out&state=answered", ["c3"]),
        ("?sip_call_id=7%40east", ["c2"]),
        ("?since=2026-11-23T14:05:15Z", ["c3", "c2"]),
        ("?until=2026-11-23T15:05:15%2B01:00", ["c1"]),
        ("?before=c2", ["c1"]),
    ],
)
async def test_a_service_sees_its_own_calls(query: str, found: list[str], api: Api) -> None:
    await api.store.commit(CALLS)
    status, body = await api.get(f"/v2/calls{query}")
    assert (status, [one["transid"] for one in body["calls"]], body["next"]) == (200, found, None)


async def test_pages_follow_each_other(api: Api) -> None:
    await api.store.commit(CALLS)
    seen, path = [], "/v2/calls?limit=2"
    while path:
        _, body = await api.get(path)
        seen += [one["transid"] for one in body["calls"]]
        path = body["next"]
    assert seen == ["c3", "c2", "c1"]


async def test_a_call_with_its_events(api: Api) -> None:
    missed = Event(ref="c1", type="call.missed", service="alerts", at=AT + 2.5, data={"from": ANNE})
    await api.store.commit([*CALLS, missed])
    status, body = await api.get("/v2/calls/c1")
    assert status == 200
    told = body["call"]
    assert (told["from"], told["to"], told["cause"], told["status"]) == (ANNE, OURS, "caller-cancelled", 487)
    assert (told["ring_ms"], told["billable_seconds"], told["answered"]) == (2500, 0, None)
    assert told["ended"] == "2026-11-23T14:05:11.620Z"
    assert body["events"] == [
        {"type": "call.missed", "at": "2026-11-23T14:05:11.620Z", "data": {"from": ANNE}}
    ]
    schemas = document()["components"]["schemas"]
    assert set(told) == set(schemas["Cdr"]["properties"])
    assert set(body) == set(schemas["CallStory"]["properties"])


async def test_an_outbound_call_has_the_events_of_its_own_of_those_of_its_message(api: Api) -> None:
    events = [
        Event(ref="m1", type="call.ended", service="alerts", at=AT + n, data={"call": f"c{n}"})
        for n in (3, 9)
    ]
    await api.store.commit([*CALLS, *events])
    _, body = await api.get("/v2/calls/c3")
    assert [event["data"] for event in body["events"]] == [{"call": "c3"}]


@pytest.mark.parametrize("id", ["c4", "c9"])
async def test_calls_of_others_are_not_found(id: str, api: Api) -> None:
    await api.store.commit(CALLS)
    status, body = await api.get(f"/v2/calls/{id}")
    assert (status, body["code"], body["field"]) == (404, "not_found", "id")


@pytest.mark.parametrize(
    ("query", "field", "reason"),
    [
        ("trunks=east", "trunks", 'did you mean "trunk"?'),
        ("limit=501", "limit", "must be 1 to 500"),
        ("direction=mo", "direction", "'mo' is none of in, out"),
        ("state=over", "state", "is none of"),
        ("from=%2B1", "from", "neither an E.164 number"),
        ("since=yesterday", "since", "is no time of RFC 3339"),
        ("until=2026-11-23T14:05:09", "until", "is no time of RFC 3339"),
    ],
)
async def test_what_is_wrong_with_a_search_is_said(query: str, field: str, reason: str, api: Api) -> None:
    status, body = await api.get(f"/v2/calls?{query}")
    assert (status, body["field"]) == (400, field)
    assert reason in body["reason"]


async def test_calls_want_a_key(api: Api) -> None:
    status, _ = await api.get("/v2/calls", key="wrong")
    assert status == 401
