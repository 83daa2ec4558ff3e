"""A port for TLS.  A handshake that does not end is bounded like a connection that says nothing: so many at
once, so long each."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address

log = logging.getLogger(__name__)

HANDSHAKE_LIMIT = 200  # at once; the oldest of more are cut
_BACKLOG = 100
_PAUSE_SECONDS = 1.0  # when the system has no descriptor for one more connection


class TlsPort:
    """Accepts by itself: asyncio's own server does not tell of handshakes that are under way.

    `link()` makes the protocol of each new connection.  `kind` is "smpp" or "sip", for the log.  Raises
    OSError when the address cannot be listened on.
    """

    def __init__(self, host: str, port: int, link: Callable[[], asyncio.Protocol], kind: str) -> None:
        self.listener = socket.create_server((host, port), family=_family(host), backlog=_BACKLOG)
        self.listener.setblocking(False)
        self._link = link
        self._kind = kind
        self._context: ssl.SSLContext | None = None
        self._seconds = 0.0
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: dict[asyncio.Task[None], None] = {}  # oldest first

    @property
    def port(self) -> int:
        """The port listened on, also where 0 was asked for."""
        return int(self.listener.getsockname()[1])

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
                    log.error(f"{self._kind}.accept_failed", extra={"reason": str(error)})
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
            reason = str(error) or type(error).__name__
            log.info(f"{self._kind}.tls_refused", extra={"peer": peer, "reason": reason})


def own_context(certificate: str, key: str, minimum: ssl.TLSVersion) -> ssl.SSLContext:
    """For a server that shows these PEM files (`key` empty: in `certificate`).  Raises OSError, which names
    the setting, when one cannot be read or holds no certificate or key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = minimum
    load_own(context, certificate, key)
    return context


def load_own(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        context.load_cert_chain(certificate, key or None)
    except OSError as error:
        files = " with ".join(filter(None, (certificate, key)))
        raise OSError(f"tls_certificate {files}: {error}") from error


def _family(host: str) -> socket.AddressFamily:
    try:
        return socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return socket.AF_INET
