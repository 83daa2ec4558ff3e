from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.body import decode
from gateway.http.models import MessageIn
from gateway.values.errors import BadInput

if TYPE_CHECKING:
    from conftest import Api


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    items: list[Inner] = []


@pytest.mark.parametrize(
    ("octets", "field", "code", "reason"),
    [
        (b'{"item": []}', "item", "unknown_field", 'unknown field "item"; did you mean "items"?'),
        (b'{"x": []}', "x", "unknown_field", 'unknown field "x"; known are items'),
        (b'{"items": [{"name": "a", "x": 1}]}', "items[0].x", "unknown_field", 'unknown field "x"'),
        (b'{"items": [{}]}', "items[0].name", "missing_field", "the field is missing"),
        (b'{"items": [{"name": null}]}', "items[0].name", "invalid", "expected a string, got null"),
        (b'{"items": 1}', "items", "invalid", "expected array, got int"),
        (b"1", "", "invalid", "expected an object, got int"),
    ],
)
def test_fault_names_field_and_remedy(octets: bytes, field: str, code: str, reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        decode(octets, Outer)
    assert (caught.value.field, caught.value.code, caught.value.reason) == (field, code, reason)


@given(st.binary(max_size=200) | st.from_regex(rb'\{"to": ?.{0,40}\}'))
def test_any_octets_give_a_body_or_bad_input(octets: bytes) -> None:
    try:
        assert isinstance(decode(octets, MessageIn), MessageIn)
    except BadInput as error:
        assert error.reason


async def test_a_body_that_never_ends_is_given_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.http.body.READ_SECONDS", 0.05)
    head = b"PATCH /v2/customers/+447700900123 HTTP/1.1\r\nHost: x\r\nkey: alerts-key\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.server.port)
    writer.write(head + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 5)
    assert answer.startswith(b"HTTP/1.1 408") and b"not complete" in answer
    writer.close()
