"""The ports of our SMPP server: one in the open, one for TLS where it is wanted.

A TLS handshake that does not end is bounded like a connection that does not bind: so many at once, so long
each.  The certificate is read anew at each `configure`; connections that stand keep what they began with.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address

from gateway.config.endpoint import host_port
from gateway.config.model import Listen
from gateway.transport.smpp_link import SmppLink

log = logging.getLogger(__name__)

HANDSHAKE_LIMIT = 200  # at once; the oldest of more are cut
_BACKLOG = 100
_PAUSE_SECONDS = 1.0  # when the system has no descriptor for one more connection


class Listener:
    """`link()` makes the protocol of each new connection."""

    def __init__(self, link: Callable[[], SmppLink]) -> None:
        self._link = link
        self._addresses: dict[str, str] = {}  # as configured, by kind of port: "tcp", "tls"
        self._server: asyncio.Server | None = None
        self._tls: _TlsPort | None = None

    @property
    def port(self) -> int:
        """The port listened on, also where the configuration says 0."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def tls_port(self) -> int:
        assert self._tls is not None
        return int(self._tls.listener.getsockname()[1])

    async def configure(self, listen: Listen) -> None:
        """Listen there and nowhere else.  Raises OSError when an address cannot be listened on or a
        certificate cannot be read: then everything is as it was."""
        context = _context(listen) if listen.tls_address else None
        server, tls = self._server, self._tls
        if listen.address != self._addresses.get("tcp"):
            server = await asyncio.get_running_loop().create_server(self._link, *host_port(listen.address))
        try:
            if listen.tls_address != self._addresses.get("tls", ""):
                tls = _TlsPort(listen.tls_address, self._link) if listen.tls_address else None
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


class _TlsPort:
    """Accepts by itself: asyncio's own server does not tell of handshakes that are under way."""

    def __init__(self, address: str, link: Callable[[], SmppLink]) -> None:
        host, port = host_port(address)
        self.listener = socket.create_server((host, port), family=_family(host), backlog=_BACKLOG)
        self.listener.setblocking(False)
        self._link = link
        self._context: ssl.SSLContext | None = None
        self._seconds = 0.0
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: dict[asyncio.Task[None], None] = {}  # oldest first

    def start(self, context: ssl.SSLContext, handshake_seconds: float) -> None:
        """Handshakes from now on are by this context."""
        self._context, self._seconds = context, handshake_seconds
        if self._accepting is None:
            self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
        for handshake in self._handshakes:
            handshake.cancel()

    async def wait_closed(self) -> None:
        if self._accepting is not None:
            await asyncio.gather(self._accepting, *self._handshakes, return_exceptions=True)

    async def _accept(self) -> None:
        with self.listener:
            while True:
                try:
                    connection, address = await asyncio.get_running_loop().sock_accept(self.listener)
                except OSError as error:
                    log.error("smpp.accept_failed", extra={"reason": str(error)})
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                if len(self._handshakes) >= HANDSHAKE_LIMIT:
                    oldest = next(iter(self._handshakes))
                    del self._handshakes[oldest]
                    oldest.cancel()
                task = asyncio.create_task(self._agree(connection, str(address[0])))
                self._handshakes[task] = None
                task.add_done_callback(lambda task: self._handshakes.pop(task, None))

    async def _agree(self, connection: socket.socket, peer: str) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._link, connection, ssl=self._context, ssl_handshake_timeout=self._seconds
            )
        except OSError as error:  # of which TLS errors and time-outs are kinds
            log.info("smpp.tls_refused", extra={"peer": peer, "reason": str(error) or type(error).__name__})


def _family(host: str) -> socket.AddressFamily:
    try:
        return socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return socket.AF_INET


def _context(listen: Listen) -> ssl.SSLContext:
    """Raises OSError, which names the setting, when a file cannot be read or holds no certificate or key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = (
        ssl.TLSVersion.TLSv1_3 if listen.tls_minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    )
    try:
        context.load_cert_chain(listen.tls_certificate, listen.tls_key or None)
    except OSError as error:
        files = " with ".join(filter(None, (listen.tls_certificate, listen.tls_key)))
        raise OSError(f"tls_certificate {files}: {error}") from error
    if listen.tls_client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(listen.tls_client_ca)
        except OSError as error:
            raise OSError(f"tls_client_ca {listen.tls_client_ca}: {error}") from error
    return context
