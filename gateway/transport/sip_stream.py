"""SIP over TCP and TLS: connections, ours and theirs, that carry messages cut by their Content-Length.

A connection is found again by where it leads, so that one to a host serves REGISTER, OPTIONS and every call.
What peers may take is bounded: connections in all and of one address, a message that does not end, silence,
and what waits to be written to one that does not read.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from gateway.protocol.sip.address import Address, Transport
from gateway.protocol.sip.framing import PING, PONG, Framer, StreamError
from gateway.transport.tls_port import TlsPort

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 2000
MOST_OF_TRUNK = 200  # from one address
MOST_OF_STRANGER = 5
_MOST_WAITING = 1000  # messages for a connection that is being opened
_MOST_UNREAD = 1 << 20  # octets that a peer may leave unread
_CONNECT_SECONDS = 5.0
_MESSAGE_SECONDS = 10.0  # from the first octet of a message to its last, and to the first message
_IDLE_SECONDS = 900.0  # without a message or keep-alive
_PING_SECONDS = 60.0  # on connections that we opened
_PONG_SECONDS = 10.0  # for peers that are known to answer
_SWEEP_SECONDS = 5.0
_CLOSE_SECONDS = 1.0

Received = Callable[[bytes, Address], None]
# how to reach an address by TLS: the context, and the name that the certificate must show
Secured = Callable[[Address], tuple[ssl.SSLContext, str]]


class Streams:
    """`received` takes each message.  `lost` is told of an address whose connection could not be opened
    (False), or has ended (True).  `known` says whether an address is a trunk's.  `secured` may raise
    OSError."""

    def __init__(
        self,
        *,
        received: Received,
        lost: Callable[[Address, bool], None],
        known: Callable[[str], bool],
        secured: Secured,
    ) -> None:
        self.received = received
        self._lost = lost
        self._known = known
        self._secured = secured
        self._servers: list[asyncio.Server | TlsPort] = []
        self._open: dict[Address, Connection] = {}
        self._opening: dict[Address, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._by_host: Counter[str] = Counter()
        self._sweep: asyncio.TimerHandle | None = None
        self._closing = False

    # --- life

    async def listen(self, address: Address, context: ssl.SSLContext | None) -> int:
        """Accept connections there; `context` is for TLS.  Gives the port, also where 0 was asked
        for.  Raises OSError."""

        def accepted() -> Connection:
            return Connection(self, address.transport, ours=False)

        if address.transport == "tls":
            if context is None:
                raise OSError("TLS needs a certificate of ours")
            port = TlsPort(address.host, address.port, accepted, "sip")
            port.start(context, _MESSAGE_SECONDS)
            self._servers.append(port)
            return port.port
        server = await asyncio.get_running_loop().create_server(accepted, address.host, address.port)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._closing = True
        if self._sweep is not None:
            self._sweep.cancel()
        for server in self._servers:
            server.close()
        for connection in list(self._open.values()):
            connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                for server in self._servers:
                    await server.wait_closed()
        for connection in list(self._open.values()):  # those whose peers do not read
            connection.abort()

    def __len__(self) -> int:
        return len(self._open)

    # --- sending

    def send(self, data: bytes, address: Address, otherwise: Address | None = None) -> bool:
        """Send by the connection to this address, by one to `otherwise`, or by a new one to the latter.

        A new connection is opened unless `otherwise` is missing and the address is a connection of theirs.
        False: that is not to be had now; `lost` tells it of what was left to a connection being opened.
        """
        for place in filter(None, (address, otherwise)):
            connection = self._open.get(place)
            if connection is not None and connection.write(data):
                return True
        place = otherwise or address
        waiting = self._opening.get(place)
        if waiting is None:
            if self._closing or len(self._open) + len(self._opening) >= MOST_CONNECTIONS:
                return False
            self._opening[place] = [data]
            task = asyncio.create_task(self._connect(place))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return True
        if len(waiting) >= _MOST_WAITING:
            return False
        waiting.append(data)
        return True

    async def _connect(self, address: Address) -> None:
        loop = asyncio.get_running_loop()
        connection: Connection | None = None
        try:
            context, name = self._secured(address) if address.transport == "tls" else (None, None)
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: Connection(self, address.transport, ours=True),
                    address.host,
                    address.port,
                    ssl=context,
                    server_hostname=name,
                )
        except (OSError, UnicodeError, ValueError) as error:
            # time-outs and TLS failures are kinds of OSError
            reason = str(error) or type(error).__name__
            log.warning("sip.not_connected", extra={**_fields(address), "reason": reason})
        waiting = self._opening.pop(address)
        if connection is None or not all(map(connection.write, waiting)):
            self._lost(address, connection is not None)

    # --- what connections tell

    def opened(self, connection: Connection) -> bool:
        """Whether it may stay."""
        host = connection.peer.host
        most = MOST_OF_TRUNK if self._known(host) else MOST_OF_STRANGER
        full = len(self._open) >= MOST_CONNECTIONS or self._by_host[host] >= most
        if self._closing or (full and not connection.ours):
            log.warning("sip.connection_refused", extra=_fields(connection.peer))
            return False
        self._open[connection.peer] = connection
        self._by_host[host] += 1
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._look)
        return True

    def closed(self, connection: Connection) -> None:
        if self._open.get(connection.peer) is connection:
            del self._open[connection.peer]
            host = connection.peer.host
            self._by_host[host] -= 1
            if not self._by_host[host]:
                del self._by_host[host]
            if not self._closing and (connection.ours or self._known(host)):
                self._lost(connection.peer, True)

    def _look(self) -> None:
        """See to every connection now and then: one timer for all."""
        self._sweep = None
        now = asyncio.get_running_loop().time()
        for connection in list(self._open.values()):
            connection.look(now)
        if self._open and not self._closing:
            self._sweep = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._look)


class Connection(asyncio.Protocol):
    """One connection; `ours` if we opened it."""

    peer: Address

    def __init__(self, streams: Streams, transport: Transport, *, ours: bool) -> None:
        self.ours = ours
        self._streams = streams
        self._kind = transport
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._heard = 0.0
        self._begun: float | None = None  # when the message that is not complete yet began
        self._pinged: float = 0.0
        self._answers_pings = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        host, port = transport.get_extra_info("peername")[:2]
        self.peer = Address(host, port, self._kind)
        self._heard = self._pinged = self._now()
        self._begun = None if self.ours else self._heard
        if not self._streams.opened(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        framer, due = self._framer, self._framer.pongs_due
        self._heard = self._now()
        try:
            messages = framer.feed(data)
        except StreamError as error:
            log.warning("sip.stream_failed", extra={**_fields(self.peer), "reason": str(error)})
            self.close()
            return
        if framer.pongs_due < due:
            self._answers_pings = True
        for message in messages:
            self._streams.received(message, self.peer)
        if framer.pings:
            framer.pings = 0
            self.write(PONG)
        if not framer.begun:
            self._begun = None
        elif messages or self._begun is None:
            self._begun = self._heard

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._transport = None
            self._streams.closed(self)

    def write(self, data: bytes) -> bool:
        """Whether it could be left to the connection."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > _MOST_UNREAD:
            log.warning("sip.peer_does_not_read", extra=_fields(self.peer))
            transport.abort()
            return False
        transport.write(data)
        return True

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def look(self, now: float) -> None:
        """Close what is stuck or idle, keep alive what is ours."""
        framer = self._framer
        stuck = self._begun is not None and now - self._begun > _MESSAGE_SECONDS
        dead = self._answers_pings and framer.pongs_due and now - self._pinged > _PONG_SECONDS
        if stuck or dead or now - self._heard > _IDLE_SECONDS:
            reason = "a message that does not end" if stuck else "no answer" if dead else "idle"
            log.info("sip.connection_closed", extra={**_fields(self.peer), "reason": reason})
            self.abort()
        elif self.ours and now - self._pinged > _PING_SECONDS:
            self._pinged = now
            framer.pongs_due = 1
            self.write(PING)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _fields(address: Address) -> dict[str, object]:
    return {"peer": address.host, "port": address.port, "transport": address.transport}
