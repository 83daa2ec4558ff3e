"""The ports of our SMPP server: one in the open, one for TLS where it is wanted.

The certificate is read anew at each `configure`; connections that stand keep what they began with.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from gateway.config.endpoint import host_port
from gateway.config.model import Listen
from gateway.transport.smpp_link import SmppLink
from gateway.transport.tls_port import TlsPort, own_context


class Listener:
    """`link()` makes the protocol of each new connection."""

    def __init__(self, link: Callable[[], SmppLink]) -> None:
        self._link = link
        self._addresses: dict[str, str] = {}  # as configured, by kind of port: "tcp", "tls"
        self._server: asyncio.Server | None = None
        self._tls: TlsPort | None = None

    @property
    def port(self) -> int:
        """The port listened on, also where the configuration says 0."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def tls_port(self) -> int:
        assert self._tls is not None
        return self._tls.port

    async def configure(self, listen: Listen) -> None:
        """Listen there and nowhere else.  Raises OSError when an address cannot be listened on or a
        certificate cannot be read: then everything is as it was."""
        context = _context(listen) if listen.tls_address else None
        server, tls = self._server, self._tls
        if listen.address != self._addresses.get("tcp"):
            server = await asyncio.get_running_loop().create_server(self._link, *host_port(listen.address))
        try:
            if listen.tls_address != self._addresses.get("tls", ""):
                tls = (
                    TlsPort(*host_port(listen.tls_address), self._link, "smpp")
                    if listen.tls_address
                    else None
                )
        except OSError:
            if server is not None and server is not self._server:
                server.close()
            raise
        if self._server is not None and server is not self._server:
            self._server.close()
        if self._tls is not None and tls is not self._tls:
            self._tls.close()
        self._server, self._tls = server, tls
        self._addresses = {"tcp": listen.address, "tls": listen.tls_address}
        if tls is not None and context is not None:
            tls.start(context, float(listen.bind_timeout))

    def close(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()
        if self._tls is not None:
            self._tls.close()

    async def wait_closed(self) -> None:
        """Until nothing is left of it; for when all connections have ended."""
        if self._server is not None:
            await self._server.wait_closed()
        if self._tls is not None:
            await self._tls.wait_closed()


def _context(listen: Listen) -> ssl.SSLContext:
    """Raises OSError, which names the setting, when a file cannot be read or holds no certificate or key."""
    minimum = ssl.TLSVersion.TLSv1_3 if listen.tls_minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    context = own_context(listen.tls_certificate, listen.tls_key, minimum)
    if listen.tls_client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(listen.tls_client_ca)
        except OSError as error:
            raise OSError(f"tls_client_ca {listen.tls_client_ca}: {error}") from error
    return context
