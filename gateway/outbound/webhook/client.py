"""The client: connections by origin, kept open between requests, and one clock for all their time-outs.

How many requests are under way at once is the caller's choice: each has a connection of its own, there is no
pipelining.  Redirects are not followed; cookies are not kept.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

import aiohappyeyeballs

from gateway.outbound.webhook.addresses import Addresses
from gateway.outbound.webhook.connection import Connection, Done, Exchange
from gateway.outbound.webhook.target import Origin, Target

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0  # from the request to its answer, with making the connection
IDLE_SECONDS = 15.0  # a connection without a request is kept so long
_STAGGER_SECONDS = 0.25  # between the addresses of a name (RFC 8305 section 5)
_TICKS = 20  # looks at the clock in TIMEOUT_SECONDS


def verifying() -> ssl.SSLContext:
    """For servers whose certificates the system's authorities vouch for, in the name they are asked by."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Client:
    """`tls` makes the context for https, when the first such connection is made."""

    def __init__(
        self,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        addresses: Addresses | None = None,
        tls: Callable[[], ssl.SSLContext] = verifying,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._idle_seconds = idle_seconds
        self._late = f"no answer within {timeout_seconds:g} s"
        self._addresses = addresses or Addresses()
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._origins: dict[Origin, _Pool] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._clock: asyncio.TimerHandle | None = None
        self._closed = False

    def send(self, to: Target, request: bytes, done: Done) -> None:
        """`done` is called once, never before this has returned, and never after `close`."""
        loop = asyncio.get_running_loop()
        exchange = Exchange(request, done, loop.time() + self._timeout_seconds)
        pool = self._origins.get(to.origin)
        if pool is None:
            pool = self._origins[to.origin] = _Pool(self, to.origin)
        while pool.idle:
            connection = pool.idle.pop()  # the one that was used last
            if connection.usable:
                connection.ask(exchange)
                return
        self.connect(pool, exchange)

    def connect(self, pool: _Pool, exchange: Exchange) -> None:
        """Carry out an exchange on a connection of its own."""
        if self._closed:
            return
        pool.connecting += 1
        task = asyncio.create_task(self._connect(pool, exchange))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    @property
    def connections(self) -> int:
        return sum(len(pool.connections) for pool in self._origins.values())

    async def close(self) -> None:
        """Close all connections; what is under way learns nothing."""
        self._closed = True
        if self._clock is not None:
            self._clock.cancel()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for pool in list(self._origins.values()):
            for connection in list(pool.connections):
                connection.close()
        self._addresses.close()
        await asyncio.sleep(0)  # the transports close in the next turn of the loop

    async def _connect(self, pool: _Pool, exchange: Exchange) -> None:
        fault = ""
        try:
            async with asyncio.timeout_at(exchange.deadline):
                connection = await self._open(pool)
        except TimeoutError:
            fault = self._late
        except (OSError, ValueError) as error:  # ValueError: a name that no name can be
            origin = pool.origin
            self._addresses.forget(origin.host, origin.port)
            fault = f"cannot connect to {origin.host}:{origin.port}: {error}"
        except Exception as error:  # somebody waits for the outcome
            log.exception("webhook.connect_failed", extra={"host": pool.origin.host})
            fault = f"{type(error).__name__}: {error}"
        finally:
            pool.connecting -= 1
        if fault:
            pool.tidy()
            exchange.done(0, fault)
            return
        if self._clock is None:
            self._tick()
        connection.ask(exchange)

    async def _open(self, pool: _Pool) -> Connection:
        loop = asyncio.get_running_loop()
        tls, host, port = pool.origin
        if tls and self._tls is None:
            self._tls = self._make_tls()
        found = await self._addresses.of(host, port)
        peer = await aiohappyeyeballs.start_connection(
            found, happy_eyeballs_delay=_STAGGER_SECONDS, interleave=1, loop=loop
        )
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _, connection = await loop.create_connection(
            lambda: Connection(pool),
            sock=peer,
            ssl=self._tls if tls else None,
            server_hostname=host if tls else None,
        )
        if not connection.usable:
            raise ConnectionResetError("closed at once")
        pool.connections.add(connection)
        return connection

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for pool in list(self._origins.values()):
            for connection in list(pool.connections):
                connection.expire(now, self._idle_seconds, self._late)
        more = any(pool.connections for pool in self._origins.values())
        self._clock = loop.call_later(self._timeout_seconds / _TICKS, self._tick) if more else None

    def forget(self, origin: Origin) -> None:
        self._origins.pop(origin, None)


class _Pool:
    """Connections to one origin."""

    __slots__ = ("_client", "connecting", "connections", "idle", "origin")

    def __init__(self, client: Client, origin: Origin) -> None:
        self._client = client
        self.origin = origin
        self.connections: set[Connection] = set()
        self.connecting = 0
        self.idle: list[Connection] = []

    def free(self, connection: Connection) -> None:
        self.idle.append(connection)

    def lost(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        self.tidy()

    def repeat(self, exchange: Exchange) -> None:
        self._client.connect(self, exchange)

    def tidy(self) -> None:
        if not self.connections and not self.connecting:
            self._client.forget(self.origin)
