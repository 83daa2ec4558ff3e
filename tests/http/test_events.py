from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.config.model import CustomEvent, Parameter

if TYPE_CHECKING:
    from tests.http.conftest import Api

PATH = "/resources/v1/events/externalevent"


@pytest.fixture(autouse=True)
def declared(api: Api) -> None:
    from msgspec.structs import replace

    events = {"paid": CustomEvent(parameters={"amount": Parameter(type="number")})}
    api.services["alerts"] = replace(api.services["alerts"], events=events)


def event(**fields: Any) -> dict[str, Any]:
    return {"evtid": "paid", "parameters": {"amount": 1}, **fields}


async def test_each_event_of_a_request_is_judged_by_itself(api: Api) -> None:
    body = {"events": [event(correlationid="a"), event(parameters={}), event(evtid="payed")]}
    status, answer, _ = await api.post(PATH, body)
    assert status == 200
    first, missing, unknown = answer["response"]
    assert (first["code"], first["description"], first["correlationid"]) == ("1002", "Queued", "a")
    assert len(await api.deps.store.events(first["transid"])) == 1
    assert missing["code"] == "7003" and "amount" in missing["description"]
    assert unknown["code"] == "7004" and 'did you mean "paid"' in unknown["description"]


async def test_a_repeated_event_is_answered_as_the_first(api: Api) -> None:
    first = (await api.post(PATH, {"events": [event(correlationid="a")]}))[1]["response"][0]
    again = (await api.post(f"{PATH}/", {"events": [event(correlationid="a")]}))[1]["response"][0]
    assert (again["code"], again["transid"]) == ("1002", first["transid"])
    assert again["warning"] == "it has been raised before"


async def test_expiry_and_notify_url(api: Api) -> None:
    body = {"expiry": "2015-04-12T18:51:19", "notifyurl": "https://a.example/x", "events": [event()]}
    _, answer, _ = await api.post(PATH, body)
    assert answer["response"][0]["description"] == "Expired"
    assert [told["url"] for told in api.owed] == ["https://a.example/x"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "7000"),
        ({"events": []}, "7004"),
        ({}, "7003"),
        ({"events": [{"parameters": {}}]}, "7003"),
        ({"expiry": "soon", "events": [event()]}, "7004"),
        ({"notifyurl": "nowhere", "events": [event()]}, "7004"),
        ({"events": [event(correlationid="x" * 51)]}, "7004"),
    ],
)
async def test_a_request_that_cannot_be_read_is_refused_as_a_whole(api: Api, body: Any, code: str) -> None:
    status, answer, _ = await api.post(PATH, body)
    assert (status, [one["code"] for one in answer["response"]]) == (400, [code])


@pytest.mark.parametrize(("key", "code"), [("wrong", "7001"), ("", "7002")])
async def test_who_has_no_key_is_told_so(api: Api, key: str, code: str) -> None:
    status, answer, _ = await api.post(PATH, {"events": [event()]}, key=key)
    assert (status, answer["response"][0]["code"]) == (401, code)


async def test_a_suspended_service_takes_none(api: Api) -> None:
    status, answer, _ = await api.post(PATH, {"events": [event()]}, key="off-key")
    assert (status, answer["response"][0]["code"]) == (400, "7005")
