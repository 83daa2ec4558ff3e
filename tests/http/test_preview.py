"""What POST /v2/messages/preview says, and that it sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.http.openapi import document

if TYPE_CHECKING:
    from conftest import Api

PATH = "/v2/messages/preview"


async def test_a_text_that_fits_the_gsm_alphabet(api: Api) -> None:
    status, body, _ = await api.post(PATH, {"text": "5 € " + "x" * 200})
    assert (status, body) == (
        200,
        {
            "text": "5 € " + "x" * 200,
            "coding": "gsm",
            "segments": 2,
            "units": 205,
            "parts": ["5 € " + "x" * 148, "x" * 52],
            "tables": [],
            "not_gsm": [],
            "transliterated": None,
            "given": None,
        },
    )
    assert api.channel.sent == []


async def test_what_forces_ucs2_is_named_and_what_would_save_it(api: Api) -> None:
    text = "It’s\x07 " + "x" * 70
    _, body, _ = await api.post(PATH, {"text": text})
    assert (body["coding"], body["segments"], body["units"]) == ("ucs2", 2, 76)
    assert body["not_gsm"] == [
        {"character": "’", "name": "RIGHT SINGLE QUOTATION MARK", "at": 3},
        {"character": "\x07", "name": "", "at": 5},
    ]
    plain = "It's\x07 " + "x" * 70
    assert body["transliterated"] == {
        "text": plain,
        "coding": "ucs2",
        "segments": 2,
        "units": 76,
        "parts": [plain[:67], plain[67:]],
        "tables": [],
    }


async def test_a_bind_is_asked_for_its_tables_and_plain_characters(api: Api) -> None:
    _, body, _ = await api.post(PATH, {"text": "“" + "ş" * 60 + "”" + "a" * 10, "bind": "ankara"})
    assert (body["coding"], body["segments"], body["tables"]) == ("gsm", 1, ["turkish"])
    assert body["text"] == '"' + "ş" * 60 + '"' + "a" * 10
    assert (body["given"]["coding"], body["given"]["segments"]) == ("ucs2", 2)
    _, body, _ = await api.post(PATH, {"text": "ş" * 60 + "a" * 12, "bind": "north"})
    assert (body["coding"], body["segments"], body["tables"]) == ("ucs2", 2, [])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "missing_field"),
        ({"text": 5}, 400, "invalid"),
        ({"text": "a", "txt": "b"}, 400, "unknown_field"),
        ({"text": "a" * 65536}, 413, "too_large"),
        ({"text": "a", "bind": "west"}, 400, "unknown_bind"),
    ],
)
async def test_other_bodies_are_refused(api: Api, body: Any, status: int, code: str) -> None:
    answered, problem, _ = await api.post(PATH, body)
    assert (answered, problem["code"]) == (status, code)


async def test_a_key_is_asked_for(api: Api) -> None:
    status, _, _ = await api.post(PATH, {"text": "a"}, key="")
    assert status == 401


async def test_the_answer_has_the_described_fields(api: Api) -> None:
    _, body, _ = await api.post(PATH, {"text": "“" + "ş" * 70, "bind": "ankara"})
    schemas = document()["components"]["schemas"]
    assert set(body) == set(schemas["PreviewOut"]["properties"])
    assert set(body["given"]) == set(schemas["OnAir"]["properties"])
    assert set(body["not_gsm"][0]) == set(schemas["NotGsm"]["properties"])
