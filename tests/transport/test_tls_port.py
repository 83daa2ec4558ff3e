"""A port for TLS; what it does with handshakes that do not end is in test_smpp_listener."""

import asyncio
import ssl
from pathlib import Path

import pytest

from gateway.transport.tls_port import TlsPort, own_context

HERE = Path(__file__).parent
CERTIFICATE, KEY = str(HERE / "localhost.crt"), str(HERE / "localhost.key")


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()


async def test_a_client_that_trusts_us_is_served() -> None:
    port = TlsPort("127.0.0.1", 0, Echo, "sip")
    port.start(own_context(CERTIFICATE, KEY, ssl.TLSVersion.TLSv1_2), 5)
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port.port, ssl=trusting, server_hostname="localhost"
    )
    writer.write(b"hello")
    assert await reader.read() == b"hello"
    writer.close()
    await writer.wait_closed()
    port.close()
    await port.wait_closed()


@pytest.mark.parametrize(("certificate", "key"), [("nowhere.crt", ""), (CERTIFICATE, ""), (KEY, KEY)])
def test_files_that_hold_no_certificate_or_key_are_named(certificate: str, key: str) -> None:
    with pytest.raises(OSError, match=f"tls_certificate {certificate}"):
        own_context(certificate, key, ssl.TLSVersion.TLSv1_2)
