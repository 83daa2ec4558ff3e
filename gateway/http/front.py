"""The short way of the most frequent requests: POST /v2/messages and /v2/messages/batch.

Every connection begins here.  As long as its requests are plain (http.head), each is read, accepted and
answered without a task, a router or a stream, in a quarter of aiohttp's time.  The first request that is
anything else goes to aiohttp, with all that follows on the connection: it knows the whole of HTTP, and what
is wrong it answers by the book.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import formatdate
from functools import cache
from http import HTTPStatus
from typing import cast

from gateway.http import submission
from gateway.http.auth import Keys
from gateway.http.deps import Deps
from gateway.http.head import END, MAX_OCTETS, Head, may_become_plain, plain
from gateway.http.problem import JSON, SERVER, Problem, encode, problem_of

IDLE_SECONDS = 3_630.0  # as aiohttp: longer than a reverse proxy keeps a connection
REQUEST_SECONDS = 300.0  # from the first octet of a request to its last, or for an answer to be taken
AHEAD_OCTETS = 64 * 1024  # of what a client may send before its last request is answered
_AT_ONCE = 20  # requests of one connection that need no commit, before others have their turn
_SWEEP_SECONDS = 10.0
_MAX_HEADS = 4_000  # some clients times some lengths
_MAX_HEAD_OCTETS = 1_024  # of a head that is worth remembering

_SUBMIT = {"/v2/messages": submission.one, "/v2/messages/batch": submission.batch}


class Front:
    """What the connections have in common.  Called by the listener for each of them.

    `aiohttp` makes the protocol that takes over a connection.
    """

    def __init__(self, deps: Deps, keys: Keys, aiohttp: Callable[[], asyncio.Protocol]) -> None:
        self.deps, self.aiohttp = deps, aiohttp
        self.connections: set[Connection] = set()
        self.stopping = False
        self._keys = keys
        self._heads: dict[bytes, Head] = {}  # a client's requests have few different ones
        self._sweeping: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._date, self._second = "", 0

    def __call__(self) -> Connection:
        return Connection(self)

    def start(self) -> None:
        """Begin to look after connections, now and every few seconds."""
        loop = asyncio.get_running_loop()
        self.sweep(loop.time())
        self._sweeping = loop.call_later(_SWEEP_SECONDS, self.start)

    async def stop(self, wait_seconds: float) -> None:
        """Finish the requests under way, for so long, and close every connection."""
        self.stopping = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self.connections):
            connection.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                while self.connections:
                    self._empty.clear()
                    await self._empty.wait()
        for connection in list(self.connections):
            connection.abort()

    def gone(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    def sweep(self, now: float) -> None:
        """Close what has been idle, or in the middle of a request, for too long (`now` is the loop's)."""
        for connection in list(self.connections):
            connection.check(now)

    def head(self, octets: bytes) -> tuple[Head, str] | None:
        """A plain head and the service that its key belongs to; None for all others."""
        known = self._heads.get(octets)
        head = known or plain(octets)
        service = self._keys.service(head.key) if head else None
        if head is None or service is None:
            return None
        if known is None and len(octets) <= _MAX_HEAD_OCTETS:
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            self._heads[octets] = head
        return head, service

    def date(self) -> str:
        """The value of the header Date (RFC 9110 section 5.6.7)."""
        second = int(time.time())
        if second != self._second:
            self._date, self._second = formatdate(second, usegmt=True), second
        return self._date


class Connection(asyncio.Protocol):
    """One request at a time; what comes meanwhile is held back, and past AHEAD_OCTETS left to the client."""

    __slots__ = (
        "_busy",
        "_choked",
        "_ended",
        "_front",
        "_head",
        "_held",
        "_loop",
        "_over",
        "_paused",
        "_resting",
        "_service",
        "_serving",
        "_since",
        "_transport",
    )

    def __init__(self, front: Front) -> None:
        self._front = front
        self._held = bytearray()  # received, not looked at yet
        self._head: Head | None = None  # of the request being read or under way
        self._service = ""
        self._busy = False  # a request is under way
        self._choked = False  # the client does not take its answers
        self._paused = False  # it has sent too much ahead
        self._ended = False  # it will send no more
        self._over = False  # closed, or aiohttp's
        self._serving = False
        self._resting = False  # until the loop's next turn
        self._since = 0.0  # the request being read began; none: the last one did

    # -- what the transport reports ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        if (sock := transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._front.connections.add(self)
        if self._front.stopping:  # it was in the listener's queue
            self._close()

    def data_received(self, data: bytes) -> None:
        if not self._held:
            self._since = self._loop.time()
        self._held += data
        self._serve()

    def eof_received(self) -> bool:
        self._ended = True
        self._serve()
        return not self._over  # stays open for the answers that are still to come

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._held.clear()
        self._front.gone(self)

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        self._serve()

    # -- what the front wants ----------------------------------------------------------------------

    def finish(self) -> None:
        """Close after the request under way, at once if there is none."""
        if not (self._busy or self._held or self._head):
            self._close()

    def abort(self) -> None:
        self._over = True
        self._transport.abort()

    def check(self, now: float) -> None:
        if self._busy or self._over:
            return
        late = now - self._since
        if self._choked:
            if late > REQUEST_SECONDS:
                self.abort()
        elif self._held or self._head:
            if late > REQUEST_SECONDS:
                reason = f"the request was not complete after {REQUEST_SECONDS:.0f} seconds"
                problem = Problem(408, "timeout", reason)
                method, path = ("POST", self._head.path) if self._head else ("other", "none")
                self._front.deps.metrics.request(method, path, problem.status)
                self._write(problem.status, encode(problem.body), {}, last=True)
                self._close()
        elif late > IDLE_SECONDS:
            self._close()

    # -- requests ----------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Begin the next request, if it is here and its turn has come."""
        if self._serving:
            return
        self._serving = True
        held, begun = self._held, 0
        while held and not (self._busy or self._choked or self._resting or self._over):
            head = self._head or self._read_head()
            if head is None or len(held) < head.length:
                break
            octets = bytes(held[: head.length])
            del held[: head.length]
            self._busy = True
            try:
                _SUBMIT[head.path](octets, self._service, self._front.deps, self._answered)
            except Exception as error:
                self._answered(error)
            begun += 1
            if begun == _AT_ONCE and not self._busy:
                self._resting = True
                self._loop.call_soon(self._rested)
        self._serving = False
        if self._over or self._transport.is_closing():
            return
        waits = self._busy or self._choked or self._resting
        if self._ended and not waits:
            self._close()
            return
        full = waits and len(held) > AHEAD_OCTETS
        if full != self._paused:
            self._paused = full
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _rested(self) -> None:
        self._resting = False
        self._serve()

    def _read_head(self) -> Head | None:
        """Take a plain head off what is held; None: it is not complete, or the connection is aiohttp's."""
        end = self._held.find(END, 0, MAX_OCTETS)
        if end < 0 and may_become_plain(self._held):
            return None
        octets = bytes(self._held[: end + len(END)])
        found = self._front.head(octets) if end >= 0 else None
        if found is None:
            self._hand_over()
            return None
        self._head, self._service = found
        del self._held[: len(octets)]
        return self._head

    def _hand_over(self) -> None:
        if self._ended or self._front.stopping or self._transport.is_closing():
            self._close()
            return
        transport, octets = self._transport, bytes(self._held)
        self._over = True
        self._front.gone(self)
        if self._paused:
            transport.resume_reading()
        handler = self._front.aiohttp()
        transport.set_protocol(handler)
        handler.connection_made(transport)
        handler.data_received(octets)

    def _answered(self, answer: submission.Answer) -> None:
        assert self._head is not None
        headers: Mapping[str, str] = {}
        if isinstance(answer, BaseException):
            problem = problem_of(answer)
            status, body, headers = problem.status, encode(problem.body), problem.headers
        else:
            status, body = answer
        self._front.deps.metrics.request("POST", self._head.path, status)
        self._head, self._busy = None, False
        if self._over or self._transport.is_closing():  # the client is gone
            self._over = True
            return
        last = self._front.stopping
        self._write(status, body, headers, last=last)
        if last:
            self._close()
        elif self._held or self._paused or self._ended:
            self._since = self._loop.time()
            self._serve()

    def _write(self, status: int, body: bytes, headers: Mapping[str, str], *, last: bool) -> None:
        more = "".join([f"{name}: {value}\r\n" for name, value in headers.items()]) if headers else ""
        if last:
            more += "Connection: close\r\n"
        head = (
            f"HTTP/1.1 {_status(status)}\r\n{more}Content-Type: {JSON}\r\nServer: {SERVER}\r\n"
            f"Content-Length: {len(body)}\r\nDate: {self._front.date()}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)

    def _close(self) -> None:
        """After what has been written."""
        self._over = True
        self._held.clear()
        self._transport.close()


@cache
def _status(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"
