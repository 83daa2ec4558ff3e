from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.http.messaging import MAX_DESTINATIONS, PATH
from gateway.store.base import Unit
from gateway.values.message import Form

if TYPE_CHECKING:
    from conftest import Api

TO = [{"msisdn": ["447700900123"]}]
HELLO: dict[str, Any] = {
    "deliverychannel": "sms",
    "channels": {"sms": {"text": "Hi", "senderid": "12345"}},
    "destination": TO,
}


async def test_each_destination_becomes_a_message_of_its_own(api: Api) -> None:
    body = HELLO | {
        "correlationid": "all",
        "destination": [
            {"msisdn": ["447700900123", "+447700900124"], "correlationid": "4711"},
            {"msisdn": "447700900125"},
        ],
    }
    status, answer, _ = await api.post(PATH, body)
    assert status == 200
    assert [(item["code"], item["description"], item["correlationid"]) for item in answer["response"]] == [
        ("1001", "Queued", "4711"),
        ("1001", "Queued", "4711"),
        ("1001", "Queued", "all"),
    ]
    sent = [await api.store.message(item["transid"]) for item in answer["response"]]
    assert [(one.recipient, one.sender, one.text, one.correlationid) for one in sent if one] == [
        ("+447700900123", "12345", "Hi", "4711"),
        ("+447700900124", "12345", "Hi", "4711"),
        ("+447700900125", "12345", "Hi", "all"),
    ]
    assert api.store.commits == 1


async def test_a_bad_destination_spoils_no_other(api: Api) -> None:
    status, answer, _ = await api.post(PATH, HELLO | {"destination": [{"msisdn": ["12", "447700900123"]}]})
    assert (status, [item["code"] for item in answer["response"]]) == (200, ["7004", "1001"])
    assert "'12'" in answer["response"][0]["description"]


async def test_a_customer_is_reached_by_the_clients_own_id(api: Api) -> None:
    unit = Unit()
    api.customers.set(unit, "alerts", "+447700900123", {}, 1.0, customerid="CRN-1")
    await unit.commit(api.store)
    to = [{"customerid": ["CRN-1", "CRN-2"]}]
    _, answer, _ = await api.post(PATH, HELLO | {"destination": to})
    good, unknown = answer["response"]
    message = await api.store.message(good["transid"])
    assert message is not None and message.recipient == "+447700900123"
    assert (unknown["code"], "CRN-2" in unknown["description"]) == ("7004", True)


async def test_a_template_gets_its_parameters(api: Api) -> None:
    body = {"deliverychannel": "sms", "destination": TO}
    template = {"template": "hello", "parameters": {"name": "Ann"}}
    _, answer, _ = await api.post(PATH, body | {"message": template})
    message = await api.store.message(answer["response"][0]["transid"])
    assert message is not None and message.text == "Hello Ann"
    status, answer, _ = await api.post(PATH, body | {"message": {"template": "hello"}})
    assert (status, answer["response"][0]["code"]) == (400, "7003")
    assert "name" in answer["response"][0]["description"]


async def test_a_call_says_a_template_or_a_text(api: Api) -> None:
    body = {"deliverychannel": "voice", "destination": TO, "message": {"parameters": {"name": "Ann"}}}
    for voice, text in (({"promptid": "hello"}, "Good day Ann"), ({"text": "Hear"}, "Hear")):
        channels = {"voice": {"cli": "+442079460000", "callflowid": "", **voice}}
        _, answer, _ = await api.post(PATH, body | {"channels": channels})
        message = await api.store.message(answer["response"][0]["transid"])
        assert message is not None and (message.plan[0].channel, message.text) == ("voice", text)
        assert message.sender == "+442079460000"


@pytest.mark.parametrize(
    ("sms", "text", "shape"),
    [
        ({"type": 1, "text": "Hi", "media-path": "https://example.org/x"}, "Hi https://example.org/x", None),
        ({"type": "4", "text": "Привет"}, "Привет", None),
        ({"type": "2", "text": "Hi"}, "Hi", (False, 0x10)),
        ({"type": "3", "body": "0106"}, "0106", (True, 4)),
    ],
)
async def test_types_of_sms(sms: dict[str, Any], text: str, shape: tuple[bool, int] | None, api: Api) -> None:
    _, answer, _ = await api.post(PATH, HELLO | {"channels": {"sms": sms}})
    message = await api.store.message(answer["response"][0]["transid"])
    assert message is not None and message.text == text
    form = message.plan[0].form
    assert (form and (form.raw, form.data_coding)) == shape


@pytest.mark.parametrize(
    ("change", "status", "code", "says"),
    [
        ({"deliverychannel": "push"}, 400, "7004", "deliverychannel"),
        ({"deliverychannel": None}, 400, "7004", "deliverychannel"),
        ({"priority": "4"}, 400, "7004", "priority"),
        ({"channels": {}}, 400, "7003", "text"),
        ({"channels": {"sms": {"type": 7, "text": "x"}}}, 400, "7004", "channels.sms.type"),
        ({"channels": {"sms": {"type": 3}}}, 400, "7003", "channels.sms.body"),
        ({"channels": {"sms": {"text": "x", "senderid": "999"}}}, 400, "7004", "'999'"),
        ({"channels": {"sms": {"text": "x"}, "smartlinks": [{"linkid": "y"}]}}, 400, "7004", "no link 'y'"),
        ({"channels": {"sms": {"text": "x" * 5_200}}}, 413, "7120", "5120"),
        ({"deliverychannel": "voice", "channels": {"voice": {"callflowid": "9"}}}, 400, "7004", "promptid"),
        ({"destination": []}, 400, "7004", "destination"),
        ({"destination": [{}]}, 400, "7003", "[customerid, msisdn]"),
        ({"destination": [{"msisdn": ["1"] * (MAX_DESTINATIONS + 1)}]}, 400, "7004", "1000"),
        ({"correlationid": "x" * 51}, 400, "7004", "correlationid"),
        ({"notifyurl": "ftp://x"}, 400, "7004", "http://"),
        ({"expiry": "tomorrow"}, 400, "7004", "2026-12-24T18:00:00Z"),
        ({"expiry": "2015-04-12T18:30:19.456+5:30"}, 400, "7004", "over"),
    ],
)
async def test_what_is_wrong_is_named(
    change: dict[str, Any], status: int, code: str, says: str, api: Api
) -> None:
    given, answer, _ = await api.post(PATH, HELLO | change)
    [item] = answer["response"]
    assert (given, item["code"]) == (status, code)
    assert says in item["description"]
    assert api.channel.sent == []


@pytest.mark.parametrize(
    ("octets", "key", "status", "code"),
    [
        (b"{", "alerts-key", 400, "7000"),
        (b'{"deliverychannel": "sms"}', "alerts-key", 400, "7003"),
        (b" " * 300_000, "alerts-key", 413, "7120"),
        (b"{}", "", 401, "7002"),
        (b"{}", "unknown", 401, "7001"),
        (b"{}", "off-key", 403, "7005"),
    ],
)
async def test_each_refusal_has_that_platforms_code(
    octets: bytes, key: str, status: int, code: str, api: Api
) -> None:
    given, answer, _ = await api.post(PATH, octets, key=key)
    assert (given, [item["code"] for item in answer["response"]]) == (status, [code])


async def test_the_status_is_an_array_of_one_transaction(api: Api) -> None:
    _, answer, _ = await api.post(f"{PATH}/", HELLO)
    id = answer["response"][0]["transid"]
    status, found = await api.get(f"{PATH}/status/{id}")
    assert status == 200
    [told] = list[Any](found)
    assert told.pop("date_created").endswith("UTC") and told.pop("last_updated").endswith("UTC")
    assert told == {
        "transactionid": id,
        "api_version": "v1",
        "type": "outbound-api",
        "from": "12345",
        "to": "+447700900123",
        "body": "Hi",
        "channel": "SMS",
        "status": "queued",
        "error_code": None,
        "error_message": None,
    }


async def test_a_transaction_of_nobody_or_of_others_is_404(api: Api) -> None:
    _, answer, _ = await api.post(PATH, HELLO)
    id = answer["response"][0]["transid"]
    for path, key, status in ((id, "pizza-key", 404), ("x", "alerts-key", 404), (id, "", 401)):
        given, found = await api.get(f"{PATH}/status/{path}", key=key)
        assert (given, "response" in found) == (status, True)


async def test_its_notifications_are_to_have_that_platforms_form(api: Api) -> None:
    body = HELLO | {"notifyurl": "https://example.org/dlr", "callbackData": "mine"}
    _, answer, _ = await api.post(PATH, body)
    message = await api.store.message(answer["response"][0]["transid"])
    assert message is not None
    assert (message.notify_url, message.plan[0].callback) == ("https://example.org/dlr", "mine")
    _, answer, _ = await api.post(PATH, HELLO)
    message = await api.store.message(answer["response"][0]["transid"])
    assert message is not None and message.plan[0].callback == ""


@pytest.mark.parametrize(("priority", "flag"), [(1, 0), ("2", 1), (3, 2)])
async def test_a_higher_priority_is_that_of_smpp(priority: str | int, flag: int, api: Api) -> None:
    _, answer, _ = await api.post(PATH, HELLO | {"priority": priority})
    message = await api.store.message(answer["response"][0]["transid"])
    assert message is not None and message.plan[0].form == Form(priority_flag=flag)
