"""One connection to a receiver: a request at a time, kept open for the next as long as both sides like.

Of an answer the status counts.  Its body is thrown away; when it does not end soon, or is long, the
connection is given up instead of being read on, and the status counts all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

import httptools

ANSWER_OCTETS = 65_536  # of one answer, interim answers and the body included
BODY_SECONDS = 1.0  # from the head of an answer to its end

Done = Callable[[int, str], None]  # the status, or 0 and why there is none


class Exchange:
    """A request and who waits for what becomes of it."""

    __slots__ = ("deadline", "done", "repeatable", "request")

    def __init__(self, request: bytes, done: Done, deadline: float) -> None:
        self.request = request
        self.done = done
        self.deadline = deadline  # loop time
        self.repeatable = True  # once, when a connection that was kept open turns out to be dead


class Owner(Protocol):
    """Who keeps connections."""

    def free(self, connection: Connection) -> None:
        """It may be asked the next thing."""
        ...

    def lost(self, connection: Connection) -> None:
        """It is no more."""
        ...

    def repeat(self, exchange: Exchange) -> None:
        """A request met a connection that had died meanwhile: it goes out again on a new one."""
        ...


class Connection(asyncio.Protocol):
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._status = 0  # of the answer under way, once its head is complete
        self._octets = 0  # of the answer under way
        self._ended = False  # the answer under way is complete
        self._keep = True
        self._used = False  # it has answered before
        self.deadline = 0.0  # loop time: of the answer, of the rest of its body
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing() and self._exchange is None

    def ask(self, exchange: Exchange) -> None:
        """Send a request; its `done` is called later, once."""
        assert self._transport is not None and self._exchange is None
        self._exchange = exchange
        self.deadline = exchange.deadline
        self._status, self._octets, self._ended = 0, 0, False
        self._transport.write(exchange.request)

    def expire(self, now: float, idle_seconds: float, reason: str) -> None:
        """Give up what has taken too long: an answer, the rest of one, or the wait for the next request."""
        if self._exchange is None:
            if now - self.idle_since >= idle_seconds:
                self.close()
        elif now >= self.deadline:
            self._settle(reason, keep=False)

    def close(self) -> None:
        """Close at once; a request under way learns nothing."""
        self._exchange = None
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.idle_since = self._loop.time()

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            self.close()  # it speaks without having been asked: say, 408 for having waited too long
            return
        self._octets += len(data)
        fault = ""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            fault = "the answer leaves HTTP"
        except httptools.HttpParserError as error:
            fault = f"the answer is no HTTP: {error}"
        if self._ended or fault:
            self._settle(fault, keep=self._keep and not fault)
        elif self._octets > ANSWER_OCTETS:
            self._settle(f"the answer's head is longer than {ANSWER_OCTETS} octets", keep=False)
        elif self._status:
            self.deadline = min(self.deadline, self._loop.time() + BODY_SECONDS)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        exchange = self._exchange
        if exchange is not None and self._used and not self._octets and exchange.repeatable:
            # it had been closed before the request came: nobody has read that
            self._exchange = None
            exchange.repeatable = False
            self._owner.repeat(exchange)
        elif exchange is not None:
            why = f": {error}" if error is not None and str(error) else ""
            self._settle(f"the connection was closed before an answer{why}", keep=False)
        self._owner.lost(self)

    # httptools

    def on_message_begin(self) -> None:
        if self._ended:
            self._keep = False  # more than was asked for

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and not self._ended:  # not an interim answer (RFC 9110 section 15.2)
            self._status = status

    def on_message_complete(self) -> None:
        if self._status:
            self._ended = True
            self._keep = self._keep and self._parser.should_keep_alive()

    def _settle(self, fault: str, *, keep: bool) -> None:
        """The exchange is over.  `fault` counts as long as there is no status."""
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        transport = self._transport
        if transport is not None:
            # an answer to a request that has not left completely: the rest would be taken for the next one
            if keep and not transport.get_write_buffer_size():
                self._used = True
                self.idle_since = self._loop.time()
                self._owner.free(self)
            else:
                transport.abort()
        exchange.done(self._status, "" if self._status else fault)
