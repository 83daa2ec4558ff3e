from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from gateway.config.model import OtpSettings, Seconds
from gateway.values.event import Event
from gateway.values.message import Message
from tests.http.conftest import CODES

if TYPE_CHECKING:
    from conftest import Api

TO = "+447700900123"


async def post(api: Api, path: str, body: Any, key: str = "alerts-key") -> tuple[int, dict[str, Any]]:
    status, found, _ = await api.post(path, body, key=key)
    return status, found


def said(message: Message) -> str:
    """What goes on air."""
    step = message.plan[0]
    assert step.code is not None
    return CODES.reveal(step.text, step.code, message.service, message.recipient)


async def sent(api: Api, **body: Any) -> tuple[str, str]:
    """The id of a code that was sent, and the code."""
    status, found = await post(api, "/v2/otp", {"to": TO, "text": "$(code)", **body})
    assert status == 202, found
    message = await api.store.message(found["transid"])
    assert message is not None
    return found["id"], said(message)


async def test_a_code_is_sent_and_entered_once(api: Api) -> None:
    status, found = await post(api, "/v2/otp", {"to": TO, "reference": "login 7"})
    assert status == 202
    assert (found["state"], found["reference"], found["attempts_left"], found["sends"]) == (
        "pending",
        "login 7",
        5,
        1,
    )
    message = await api.store.message(found["transid"])
    assert message is not None and message.text == "****** is your code. It is valid for 5 minutes."
    code = said(message).split()[0]
    status, checked = await post(api, f"/v2/otp/{found['id']}/check", {"code": code})
    assert (status, checked["outcome"]) == (200, "success")
    _, checked = await post(api, f"/v2/otp/{found['id']}/check", {"code": code})
    assert checked["outcome"] == "invalid"
    _, shown = await api.get(f"/v2/otp/{found['id']}")
    assert shown["state"] == "used"


async def test_nothing_that_the_api_tells_has_the_code_in_it(api: Api) -> None:
    id, code = await sent(api, length=12)
    [message] = (await api.get("/v2/messages"))[1]["messages"]
    for path in (f"/v2/otp/{id}", "/v2/messages", f"/v2/messages/{message['id']}", "/metrics"):
        _, body = await api.get(path) if path != "/metrics" else (200, api.metrics.text().decode())
        assert code not in str(body)


async def test_wrong_codes_lock_it(api: Api) -> None:
    id, code = await sent(api, attempts=2)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    checks = [(await post(api, f"/v2/otp/{id}/check", {"code": what}))[1] for what in (wrong, wrong, code)]
    assert [check["outcome"] for check in checks] == ["invalid", "max-attempts", "max-attempts"]
    assert [check["attempts_left"] for check in checks] == [1, 0, 0]


async def test_soon_after_another_is_refused_with_the_time_to_wait(api: Api) -> None:
    id, _ = await sent(api)
    status, body, response = await api.post(f"/v2/otp/{id}/resend", {})
    assert (status, body["code"], body["field"]) == (429, "cooldown", "to")
    assert 1 <= int(response.headers["Retry-After"]) <= 30
    status, body = await post(api, "/v2/otp", {"to": TO})
    assert status == 429


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "to"),
        ({"to": "abc!"}, "bad_address", "to"),
        ({"to": TO, "text": "no code"}, "no_code", "text"),
        ({"to": TO, "text": "$(code) $(name)"}, "missing_variable", "variables"),
        ({"to": TO, "template": "hello", "variables": {"name": "Ann"}}, "no_code", "template"),
        ({"to": TO, "template": "nothing"}, "unknown_template", "template"),
        ({"to": TO, "text": "$(code)", "template": "hello"}, "contradiction", "template"),
        ({"to": TO, "length": 3}, "invalid", "length"),
        ({"to": TO, "length": 33}, "invalid", "length"),
        ({"to": TO, "validity": "1s"}, "invalid", "validity"),
        ({"to": TO, "validity": "soon"}, "invalid", "validity"),
        ({"to": TO, "format": "roman"}, "invalid", "format"),
        ({"to": TO, "from": "99999"}, "foreign_sender", "from"),
        ({"to": TO, "lenght": 6}, "unknown_field", "lenght"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_sent(api: Api, body: Any, code: str, field: str) -> None:
    status, found = await post(api, "/v2/otp", body)
    assert (status, found["code"], found["field"]) == (400, code, field)
    assert len(api.otps) == 0 and api.store.commits == 0
    await sent(api)  # nor does a pause begin


async def test_one_of_another_service_is_not_there(api: Api) -> None:
    id, code = await sent(api)
    for path in (f"/v2/otp/{id}/check", f"/v2/otp/{id}/resend"):
        status, body = await post(api, path, {"code": code}, key="pizza-key")
        assert (status, body["code"]) == (404, "not_found")
    assert (await api.get(f"/v2/otp/{id}", key="pizza-key"))[0] == 404
    assert (await api.get(f"/v2/otp/{id}", key=""))[0] == 401


async def test_a_store_that_refuses_leaves_nothing(api: Api) -> None:
    api.store.full = True
    status, _ = await post(api, "/v2/otp", {"to": TO})
    assert status == 503 and len(api.otps) == 0
    api.store.full = False
    id, code = await sent(api)
    api.store.full = True
    assert (await post(api, f"/v2/otp/{id}/check", {"code": code}))[0] == 503
    api.store.full = False
    assert (await post(api, f"/v2/otp/{id}/check", {"code": code}))[1]["outcome"] == "success"


async def test_a_used_one_is_not_sent_again(api: Api) -> None:
    id, code = await sent(api)
    await post(api, f"/v2/otp/{id}/check", {"code": code})
    status, body = await post(api, f"/v2/otp/{id}/resend", {})
    assert (status, body["code"]) == (409, "over")


async def test_a_template_may_say_it(api: Api) -> None:
    body = {"to": TO, "template": "code", "variables": {"name": "Ann"}}
    status, found = await post(api, "/v2/otp", body, key="pizza-key")
    assert status == 202
    message = await api.store.message(found["transid"])
    assert message is not None and message.text == "****** for Ann" and said(message)[:6].isdigit()


async def test_it_may_be_spoken(api: Api) -> None:
    status, found = await post(api, "/v2/otp", {"to": TO, "channel": "voice", "from": "+442079460000"})
    assert status == 202
    message = await api.store.message(found["transid"])
    assert message is not None and message.plan[0].channel == "voice" and message.plan[0].code is not None


async def test_a_code_that_came_by_text_is_checked_by_the_text_s_id(api: Api) -> None:
    id, code = await sent(api)
    fields = {"direction": "mo", "service": "alerts", "sender": TO, "recipient": "12345"}
    times = {"created_at": 1.0, "updated_at": 1.0}
    texts = [Message(id=f"m{n}", text=text, **fields, **times) for n, text in enumerate(("******", "hello"))]  # type: ignore[arg-type]
    event = Event(ref="m0", type="otp.said", service="alerts", at=1.0, data={"otp": id})
    await api.store.commit([*texts, event])
    path = f"/v2/otp/{id}/check"
    for body, wanted in (({"message": "m1"}, "invalid"), ({"message": "m0"}, "success")):
        assert (await post(api, path, body))[1]["outcome"] == wanted
    assert (await post(api, path, {"message": "m0"}))[1]["outcome"] == "invalid"
    assert (await post(api, path, {"message": "m7"}))[0] == 404
    assert (await post(api, path, {"message": "m0", "code": code}))[1]["code"] == "contradiction"
    assert (await post(api, path, {}))[1]["code"] == "contradiction"


async def test_nobody_makes_the_token_of_a_code_that_was_sent_back(api: Api) -> None:
    id, _ = await sent(api)
    for forged in (f"\ue000said:{id}:{'0' * 32}:6\ue001", f"\ue000otp:{id}:1:numeric:6\ue001"):
        assert (await post(api, f"/v2/otp/{id}/check", {"code": forged}))[1]["outcome"] == "invalid"


async def test_what_is_spoken_is_said_twice_and_may_be_sent_again_by_voice(api: Api) -> None:
    voice = {"channel": "voice", "from": "+442079460000"}
    status, found = await post(api, "/v2/otp", {"to": TO, "text": "Your code is $(code).", **voice})
    message = await api.store.message(found["transid"])
    assert status == 202 and message is not None
    assert message.plan[0].text == "Your code is ******. Your code is ******."
    assert message.plan[0].code is not None and len(message.plan[0].code.at) == 2
    api.services["alerts"] = replace(api.services["alerts"], otp=OtpSettings(cooldown=Seconds(0)))
    status, again = await post(api, f"/v2/otp/{found['id']}/resend", {"channel": "voice"})
    message = await api.store.message(again["transid"])
    assert status == 202 and message is not None and message.plan[0].channel == "voice"
    status, again = await post(api, f"/v2/otp/{found['id']}/resend", b"")
    message = await api.store.message(again["transid"])
    assert status == 202 and message is not None and message.plan[0].channel == "sms"
