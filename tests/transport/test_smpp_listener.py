"""The server's ports: moved, opened and closed while it runs, and handshakes that come to nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gateway.config.model import Listen, Seconds
from gateway.protocol.smpp.session import SmppSession
from gateway.protocol.smpp.states import Role
from gateway.transport import tls_port
from gateway.transport.smpp_link import SmppLink
from gateway.transport.smpp_listener import Listener

HERE = Path(__file__).parent
TLS = {
    "tls_address": "127.0.0.1:0",
    "tls_certificate": str(HERE / "localhost.crt"),
    "tls_key": str(HERE / "localhost.key"),
}


class Links:
    """Links that do nothing, counted."""

    def __init__(self) -> None:
        self.made: list[SmppLink] = []
        self.listener = Listener(self.link)

    def link(self) -> SmppLink:
        session = SmppSession(Role.SMSC, now=asyncio.get_running_loop().time())
        return SmppLink(session, "x", lambda link, event: None, self.made.append, lambda link: None)

    async def configure(self, **options: Any) -> None:
        await self.listener.configure(
            Listen(**{"address": "127.0.0.1:0", "bind_timeout": Seconds(0.2)} | options)
        )

    async def close(self) -> None:
        self.listener.close()
        for link in self.made:
            link.abort()
            await link.gone.wait()
        await asyncio.wait_for(self.listener.wait_closed(), 30)


@pytest.fixture
async def links() -> AsyncIterator[Links]:
    links = Links()
    yield links
    await links.close()


async def reaches(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.transport.abort()
    return True


async def agree(port: int) -> None:
    """A client whose handshake succeeds."""
    context = ssl.create_default_context(cafile=str(HERE / "localhost.crt"))

    def client() -> None:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as connection,
            context.wrap_socket(connection, server_hostname="localhost") as secure,
        ):
            secure.write(bytes(4))  # no length that can be: the link is there when it answers
            assert secure.read(1) == b"\0"

    await asyncio.to_thread(client)


@contextmanager
def somebody() -> Iterator[str]:
    """An address that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"127.0.0.1:{other.getsockname()[1]}"


async def test_a_port_stays_when_its_address_does(links: Links) -> None:
    await links.configure(**TLS)
    ports = links.listener.port, links.listener.tls_port
    await links.configure(**TLS, tls_minimum="1.3")
    assert (links.listener.port, links.listener.tls_port) == ports
    assert await reaches(ports[0]) and await reaches(ports[1])


async def test_a_port_moves_and_goes(links: Links) -> None:
    await links.configure(**TLS)
    plain, tls = links.listener.port, links.listener.tls_port
    await links.configure(address="localhost:0")
    assert links.listener.port != plain
    assert not await reaches(plain)
    await asyncio.sleep(0)  # the TLS port's own task closes it
    assert not await reaches(tls)
    assert await reaches(links.listener.port)
    await links.configure(address="localhost:0", **TLS)
    assert await reaches(links.listener.tls_port)


@pytest.mark.parametrize("what", ["address", "tls_address"])
async def test_an_address_that_cannot_be_had_changes_nothing(links: Links, what: str) -> None:
    await links.configure(**TLS)
    ports = links.listener.port, links.listener.tls_port
    with somebody() as taken, pytest.raises(OSError, match="in use"):
        await links.configure(**TLS | {"address": "localhost:0"} | {what: taken})
    assert (links.listener.port, links.listener.tls_port) == ports
    assert await reaches(ports[0]) and await reaches(ports[1])


@pytest.mark.parametrize("setting", ["tls_certificate", "tls_client_ca"])
@pytest.mark.parametrize("file", ["nowhere.crt", "test_smpp_listener.py"])
async def test_a_certificate_that_cannot_be_read_changes_nothing(
    links: Links, setting: str, file: str
) -> None:
    await links.configure(**TLS)
    with pytest.raises(OSError, match=f"{setting} .*{file}.*: "):
        await links.configure(**TLS | {setting: str(HERE / file)})
    await agree(links.listener.tls_port)


async def test_a_certificate_is_read_anew(links: Links, tmp_path: Path) -> None:
    renewed = tmp_path / "our.pem"
    renewed.write_text("".join((HERE / f"localhost.{kind}").read_text() for kind in ("key", "crt")))
    options = TLS | {"tls_certificate": str(renewed), "tls_key": ""}
    await links.configure(**options)
    renewed.write_text("no certificate at all")
    with pytest.raises(OSError):
        await links.configure(**options)
    await agree(links.listener.tls_port)


async def test_handshakes_that_end_in_nothing_are_no_links(
    links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await links.configure(**TLS)
    for octets in (b"", b"\x16\x03\x01", b"\0\0\0\x10\0\0\0\x09garbage!", b"GET / HTTP/1.1\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", links.listener.tls_port)
        writer.write(octets)
        assert len(await asyncio.wait_for(reader.read(), 30)) < 20  # an alert at most
        writer.transport.abort()
    assert await reaches(links.listener.tls_port)  # and gone at once
    await agree(links.listener.tls_port)
    assert len(links.made) == 1
    refused = [record.__dict__ for record in caplog.records if record.msg == "smpp.tls_refused"]
    assert len(refused) >= 4
    assert all(fields["peer"] == "127.0.0.1" and fields["reason"] for fields in refused)


async def test_a_flood_of_half_handshakes_keeps_nobody_out(
    links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_port, "HANDSHAKE_LIMIT", 3)
    await _flood(links)


def test_nor_does_it_on_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_port, "HANDSHAKE_LIMIT", 3)

    async def run() -> None:
        links = Links()
        await _flood(links)
        await links.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def _flood(links: Links) -> None:
    await links.configure(**TLS, bind_timeout=Seconds(60))
    halves = [await asyncio.open_connection("127.0.0.1", links.listener.tls_port) for _ in range(6)]
    for reader, _ in halves[:3]:  # the oldest were cut
        with pytest.raises(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 30) == b""
            raise ConnectionError  # a clean end is as good as a reset
    await agree(links.listener.tls_port)
    for _, writer in halves:
        writer.transport.abort()


async def test_closing_cuts_handshakes(links: Links) -> None:
    await links.configure(**TLS, bind_timeout=Seconds(60))
    reader, writer = await asyncio.open_connection("127.0.0.1", links.listener.tls_port)
    await asyncio.sleep(0.05)
    links.listener.close()
    with pytest.raises(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 30) == b""
        raise ConnectionError  # a clean end is as good as a reset
    writer.transport.abort()


def test_it_works_on_uvloop() -> None:
    async def run() -> None:
        links = Links()
        await links.configure(**TLS)
        await agree(links.listener.tls_port)
        silent, half = await asyncio.open_connection("127.0.0.1", links.listener.tls_port)
        assert await asyncio.wait_for(silent.read(), 30) == b""
        assert len(links.made) == 1
        half.transport.abort()
        await links.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
