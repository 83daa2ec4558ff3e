from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

import msgspec
import pytest

if TYPE_CHECKING:
    from conftest import Api


async def exchange(port: int, octets: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await writer.wait_closed()
    return answer


HEAD = b"POST /v2/messages HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"nonsense\r\n\r\n", "method"),
        (b"GET /healthz HTTP/1.1\n\n", "Expected CRLF"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", "'Host'"),
        (b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", "HTTP version"),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "Content-Length"),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "Content-Length"),
        (HEAD + b"Content-Length: -5\r\n\r\n", "Content-Length"),
        (HEAD + b"Content-Length : 5\r\n\r\n", "header"),
        (HEAD + b"X: a\0b\r\n\r\n", "header"),
        (HEAD + b"X: %s\r\n\r\n" % (b"x" * 9000), "more than 8190"),
        (HEAD + b"X: y\r\n" * 200 + b"\r\n", "header"),
    ],
)
async def test_what_is_no_http_is_400_and_says_why(octets: bytes, reason: str, api: Api) -> None:
    head, _, body = (await exchange(api.server.port, octets)).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] in ("HTTP/1.0 400 Bad Request", "HTTP/1.1 400 Bad Request")
    assert "Server: trunkline" in lines and "Content-Type: application/json" in lines
    problem = msgspec.json.decode(body)
    assert problem["code"] == "malformed"
    assert reason.lower() in problem["reason"].lower()
    assert "b'" not in problem["reason"]
    assert api.channel.sent == []


@pytest.mark.parametrize(
    "octets",
    [b"\x00\x00\x00\x10\x00\x00\x00\x15\x00\x00\x00\x00\x00\x00\x00\x01\r\n\r\n", b"nonsense\r\n\r\n"],
)
async def test_peer_that_speaks_no_http_is_one_line_with_its_address(
    octets: bytes, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = await exchange(api.server.port, octets)
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert b"<html" not in answer.lower()
    assert not [record for record in caplog.records if record.exc_info]
    for record in caplog.records:
        assert (record.msg, record.levelno) == ("http.malformed", logging.INFO)
        assert record.__dict__["peer"] == "127.0.0.1"


async def test_client_that_is_gone_before_it_is_told_to_continue_is_one_line(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /v2/messages HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
    with caplog.at_level(logging.INFO):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", api.server.port)) as client:
                client.send(head)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close with RST
        assert (await exchange(api.server.port, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.")
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    ("header", "pieces"),
    [
        (b"Content-Encoding: gzip\r\nContent-Length: 3", [b"abc"]),
        (b"Transfer-Encoding: chunked", [b"2\r\n{ \r\n", b"zz\r\nno chunk\r\n"]),
    ],
)
async def test_body_that_is_not_what_its_headers_say_is_answered_at_once_and_is_one_line(
    header: bytes, pieces: list[bytes], api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /v2/messages HTTP/1.1\r\nHost: x\r\nkey: alerts-key\r\nContent-Type: application/json\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.server.port)
    with caplog.at_level(logging.INFO):
        writer.write(head + header + b"\r\n\r\n")
        for piece in pieces:
            await asyncio.sleep(0.05)  # what comes later is of a request that waits for it
            writer.write(piece)
        answer = await asyncio.wait_for(reader.readuntil(b"}"), 5)
        assert answer.startswith(b"HTTP/1.1 400") and b"bad_body" in answer
        assert await asyncio.wait_for(reader.read(), 5) is not None
    writer.close()
    assert not [record for record in caplog.records if record.exc_info]
    assert "http.malformed" in [record.msg for record in caplog.records]
