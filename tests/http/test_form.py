"""`binary`, `message_class` and `flash` in POST /v2/messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.values.message import Form

if TYPE_CHECKING:
    from conftest import Api

TO = {"to": "+447700900123"}
HELLO = TO | {"text": "Hello"}
WAP = bytes.fromhex("0605040b8423f0")


@pytest.mark.parametrize(
    ("body", "text", "beyond", "segments"),
    [
        ({"flash": True, "text": "Hello"}, "Hello", Form(data_coding=0x10), 1),
        ({"message_class": 0, "flash": True, "text": "Hello"}, "Hello", Form(data_coding=0x10), 1),
        ({"message_class": 2, "text": "Hello"}, "Hello", Form(data_coding=0x12), 1),
        ({"binary": {"octets": "01 AE"}}, "01ae", Form(raw=True, octets=b"\x01\xae", data_coding=4), 1),
        (
            {"binary": {"octets": "00" * 134, "udh": WAP.hex(), "data_coding": 0xF5, "protocol_id": 0x7F}},
            "00" * 134,
            Form(raw=True, octets=bytes(134), udh=WAP, data_coding=0xF5, protocol_id=0x7F),
            2,
        ),
        ({"binary": {"udh": "0401028001"}}, "", Form(raw=True, udh=b"\4\1\2\x80\1", data_coding=4), 1),
    ],
)
async def test_a_message_may_be_more_than_text(
    api: Api, body: dict[str, Any], text: str, beyond: Form, segments: int
) -> None:
    status, answer, _ = await api.post("/v2/messages", TO | body)
    assert (status, answer["segments"]) == (202, segments)
    stored = await api.store.message(answer["id"])
    assert stored is not None
    assert (stored.text, stored.plan[0].form) == (text, beyond)


async def test_a_step_says_what_goes_out(api: Api) -> None:
    wap = {"octets": "01ae", "udh": WAP.hex(), "data_coding": 245, "protocol_id": 0}
    found = []
    for body in ({"binary": wap}, {"text": "Hello", "flash": True}, {"text": "Hello"}):
        _, answer, _ = await api.post("/v2/messages", TO | body)
        _, story = await api.get(f"/v2/messages/{answer['id']}")
        found += [(step["binary"], step["message_class"]) for step in story["steps"]]
    assert found == [(wap, None), (None, 0), (None, None)]


@pytest.mark.parametrize(
    ("body", "code", "field", "reason"),
    [
        (HELLO | {"flash": True, "message_class": 1}, "contradiction", "flash", "not 1"),
        (HELLO | {"flash": True, "channel": "voice"}, "contradiction", "flash", "a call has none"),
        (HELLO | {"message_class": 4}, "invalid", "message_class", "<= 3"),
        (HELLO | {"binary": {"octets": "00"}}, "contradiction", "binary", "`text` and `binary`"),
        (TO | {"chain": "alert", "binary": {"octets": "00"}}, "contradiction", "binary", "`chain`"),
        (
            TO | {"binary": {"octets": "00"}, "message_class": 0},
            "contradiction",
            "binary.data_coding",
            "has the class",
        ),
        (TO | {"binary": {}}, "empty", "binary.octets", "needs octets"),
        (TO | {"binary": {"octets": "0"}}, "invalid", "binary.octets", "two hexadecimal digits"),
        (TO | {"binary": {"octets": "00", "udh": "wap"}}, "invalid", "binary.udh", "two hexadecimal"),
        (TO | {"binary": {"octets": "00", "udh": "0605"}}, "invalid", "binary", "UDHL says 6 octets"),
        (TO | {"binary": {"octets": "00", "udh": "020500ff"}}, "invalid", "binary", "4 octets and says 2"),
        (TO | {"binary": {"octets": "00" * 33_916}}, "invalid", "binary", "255 are possible"),
        (TO | {"binary": {"octet": "00"}}, "unknown_field", "binary.octet", "unknown field"),
    ],
)
async def test_what_contradicts_itself_or_is_none_is_refused(
    api: Api, body: dict[str, Any], code: str, field: str, reason: str
) -> None:
    status, answer, _ = await api.post("/v2/messages", body)
    assert (status, answer["code"], answer["field"]) == (400, code, field)
    assert reason in answer["reason"]
