from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

import pytest

from gateway.http.app import HttpServer

if TYPE_CHECKING:
    from conftest import Api

HELLO = {"to": "+447700900123", "text": "Hello"}


async def exchange(port: int, octets: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_each_server_has_a_port_of_its_own(api: Api) -> None:
    assert api.server.port > 0


async def test_taken_port_is_an_error_at_the_start(api: Api) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = HttpServer(f"127.0.0.1:{other.getsockname()[1]}", api.deps)
        with pytest.raises(OSError, match="address already in use"):
            await server.start()
        await server.stop()


async def test_listens_on_ipv6(api: Api) -> None:
    server = HttpServer("[::1]:0", api.deps)
    await server.start()
    _, writer = await asyncio.open_connection("::1", server.port)
    writer.close()
    await writer.wait_closed()
    await server.stop()


@pytest.mark.parametrize("listen", ["8080", "localhost", "127.0.0.1:http", "127.0.0.1:"])
def test_address_without_host_and_port_is_refused(listen: str, api: Api) -> None:
    with pytest.raises(ValueError, match="ADDRESS:PORT"):
        HttpServer(listen, api.deps)


async def test_body_that_breaks_its_own_encoding_is_400(api: Api) -> None:
    head = b"POST /v2/messages HTTP/1.1\r\nHost: x\r\nkey: alerts-key\r\nContent-Type: application/json\r\n"
    answer = await exchange(api.server.port, head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert b"<html" not in answer.lower()


async def test_client_that_leaves_early_loses_nothing_that_was_committed(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"to": "+447700900123", "text": "Hi"}'
    _, writer = await asyncio.open_connection("127.0.0.1", api.server.port)
    writer.write(
        b"POST /v2/messages HTTP/1.1\r\nHost: x\r\nkey: alerts-key\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    await writer.drain()
    writer.transport.abort()
    async with asyncio.timeout(30):
        while not api.channel.sent:  # noqa: ASYNC110 - the channel is no awaitable
            await asyncio.sleep(0.001)
    [id] = api.channel.sent
    assert await api.store.message(id) is not None
    assert [record.msg for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_stop_lets_a_request_under_way_finish(api: Api) -> None:
    request = asyncio.create_task(api.post("/v2/messages", HELLO))
    async with asyncio.timeout(30):
        while not api.store.commits:  # noqa: ASYNC110 - the store is no awaitable
            await asyncio.sleep(0)
    await api.server.stop()
    status, body, _ = await request
    assert (status, api.channel.sent) == (202, [body["id"]])
