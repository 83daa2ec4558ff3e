"""One connection that drives one SMPP session: the shell that client and server share.

Every read is parsed whole before anything is written, answers of one turn of the loop leave in one write, and
one timer per link follows the session's deadline.  A peer that does not read is not read from either; a peer
that asks faster than we can answer is not read from until half of its requests are done.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import TypeAlias, cast

from msgspec.structs import replace

from gateway.protocol.smpp.events import Bound, Closed, Event, Malformed
from gateway.protocol.smpp.pdu import Request, Response
from gateway.protocol.smpp.session import SmppSession

log = logging.getLogger(__name__)

PENDING_LIMIT = 1000  # requests of one peer that may wait for our answer before we stop reading
CLOSE_SECONDS = 5.0  # for the last octets to leave
GRACE_SECONDS = 1.0  # after reading again, before the answers that queued up meanwhile count as missing

# command_status alone, with a message_id, or a whole response (its sequence_number is set here)
Answer: TypeAlias = int | tuple[int, str] | Response
# Told the answer to a request, or why there is none: once, within the call that it was given to or later
Respond: TypeAlias = Callable[[Answer | BaseException], None]


class SmppLink(asyncio.Protocol):
    """`handle` gets each event of the session, in order; the last is `Closed`.

    `connected` is called once the connection stands, `writable_again` when it takes octets again.
    `label` names the link in logs: bind or account, and session.
    """

    def __init__(
        self,
        session: SmppSession,
        label: str,
        handle: Callable[[SmppLink, Event], None],
        connected: Callable[[SmppLink], None],
        writable_again: Callable[[SmppLink], None],
        *,
        pending_limit: int = PENDING_LIMIT,
    ) -> None:
        self.session = session
        self.label = label
        self.peer = ""
        self.peer_address = ""
        self.version = 0x34  # interface_version of a peer that has bound to us
        self.writable = False
        self.gone = asyncio.Event()  # set when the connection is no more
        self.reason = ""  # why it ended
        self.was_bound = False
        self.handle = handle  # may change hands while the link lives
        self._connected = connected
        self._writable_again = writable_again
        self._pending_limit = pending_limit
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._tls = False
        self._unanswered = 0
        self._all_answered = asyncio.Event()  # set when the last of them is; cleared by those who wait
        self._reading = True
        self._overloaded = False
        self._tick_from = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._settling = False
        self._settle_due = False
        self._malformed = 0
        self._unexpected = 0

    # the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._tls = transport.get_extra_info("sslcontext") is not None
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = transport.get_extra_info("peername") or ("", 0)
        self.peer_address = str(address[0])
        self.peer = f"{address[0]}:{address[1]}"
        self.writable = True
        self._connected(self)
        self.settle()

    def data_received(self, data: bytes) -> None:
        self.session.receive(data, self._loop.time())
        self.settle()

    def eof_received(self) -> bool:
        """The peer has shut down its side and may still read: what it asked is answered first.  TLS has no
        such half, the connection is closed as it was."""
        self.session.finished()
        self.settle()
        return not self.session.closed and not self._tls

    def connection_lost(self, exc: Exception | None) -> None:
        self.writable = False
        self.session.lost(f"connection lost: {exc}" if exc else "connection closed by the peer")
        self.settle()
        self._stop_timer()
        self.gone.set()

    def pause_writing(self) -> None:
        self.writable = False
        self._set_reading()

    def resume_writing(self) -> None:
        self.writable = True
        self._set_reading()
        self._writable_again(self)

    # the session

    def settle(self) -> None:
        """Hand out events, write, follow the deadline.  Call it after any use of the session."""
        if self._settling:  # a handler's own call: the loop below goes on until nothing is left
            return
        self._settling = True
        try:
            while events := self.session.events():
                for event in events:
                    if isinstance(event, Malformed):
                        self._log_malformed(event)
                    elif isinstance(event, Bound):
                        self.was_bound = True
                    elif isinstance(event, Closed):
                        self.reason = event.reason
                    self.handle(self, event)
        finally:
            self._settling = False
        data = self.session.data_to_send()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if data:
            transport.write(data)
        if self.session.closed:
            transport.close()
            self._stop_timer()
            self._arm(self._loop.time() + CLOSE_SECONDS)
        elif (deadline := self.session.deadline()) is not None and not self._overloaded:
            self._arm(max(deadline, self._tick_from))

    def settle_soon(self) -> None:
        """`settle` once in this turn of the loop, however often asked: many answers, one write."""
        if not self._settle_due:
            self._settle_due = True
            self._loop.call_soon(self._settle_now)

    def ask(
        self,
        request: Request,
        ask: Callable[[Respond], None],
        failure: int,
        answered: Callable[[], None] | None = None,
    ) -> None:
        """Answer the request with what `ask` tells, now or later; with the status `failure` if it raises, or
        tells an exception.  `answered` is called then, also when the link is gone."""
        pending = _Pending(self, request, failure, answered)
        self._unanswered += 1
        try:
            ask(pending)
        except Exception as error:
            pending(error)
        if self._unanswered >= self._pending_limit and not self._overloaded:
            self._overloaded = True
            self._set_reading()
            self._stop_timer()  # no deadline counts against a peer that we do not read

    def _settle_now(self) -> None:
        self._settle_due = False
        self.settle()

    async def finish(self) -> None:
        """Wait until no request of the peer is being worked on."""
        while self._unanswered:
            self._all_answered.clear()
            await self._all_answered.wait()

    def abort(self) -> None:
        """Cut the connection without ceremony."""
        if self._transport:
            self._transport.abort()

    def answered(self, request: Request, answer: Answer | BaseException, failure: int) -> None:
        """What `ask` has led to, once for each request."""
        self._unanswered -= 1
        try:
            if isinstance(answer, BaseException):
                raise answer
            if isinstance(answer, int):
                self.session.respond(request, answer)
            elif isinstance(answer, tuple):
                self.session.respond(request, answer[0], answer[1].encode())
            else:
                self.session.answer(replace(answer, sequence_number=request.sequence_number))
        except Exception:
            fields = {"link": self.label, "peer": self.peer, "pdu": request.name}
            log.exception("smpp.request_failed", extra=fields)
            self.session.respond(request, failure)
        if not self._unanswered:
            self._all_answered.set()
        if self._overloaded and self._unanswered <= self._pending_limit // 2:
            self._overloaded = False
            self._tick_from = self._loop.time() + GRACE_SECONDS
            self._set_reading()
        if not self._settling:  # else the answer leaves with what is being settled
            self.settle_soon()

    def _set_reading(self) -> None:
        reading = self.writable and not self._overloaded
        if self._transport is None or self._transport.is_closing() or reading == self._reading:
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _arm(self, at: float) -> None:
        """Wake no later than `at`; an earlier timer stays and finds out for itself."""
        if self._timer is None or at < self._timer_at:
            self._stop_timer()
            self._timer_at = at
            self._timer = self._loop.call_at(at, self._wake)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self._timer = None
        if self.session.closed:
            self.abort()  # its last octets had CLOSE_SECONDS to leave
            return
        self.session.tick(self._loop.time())
        self.settle()

    def log_unexpected(self, pdu: Request | Response) -> None:
        """Note what the peer sends for no reason of ours."""
        self._unexpected += 1
        if _is_noted(self._unexpected):
            fields = {"link": self.label, "peer": self.peer, "pdu": pdu.name, "count": self._unexpected}
            log.info("smpp.unexpected", extra=fields)

    def _log_malformed(self, event: Malformed) -> None:
        self._malformed += 1
        if _is_noted(self._malformed):
            fields = {
                "link": self.label,
                "peer": self.peer,
                "fault": event.error.reason,
                "count": self._malformed,
            }
            log.warning("smpp.malformed", extra=fields)


class _Pending:
    """A request of the peer that has no answer yet, as the `Respond` of its answer."""

    __slots__ = ("_answered", "_failure", "_link", "_request")

    def __init__(
        self, link: SmppLink, request: Request, failure: int, answered: Callable[[], None] | None
    ) -> None:
        self._link: SmppLink | None = link
        self._request = request
        self._failure = failure
        self._answered = answered

    def __call__(self, answer: Answer | BaseException) -> None:
        link, self._link = self._link, None
        if link is not None:
            if self._answered is not None:
                self._answered()
            link.answered(self._request, answer, self._failure)
        else:  # the peer has its answer; a second would be about another request of its
            fault = answer if isinstance(answer, BaseException) else None
            log.error("smpp.answered_twice", exc_info=fault, extra={"pdu": self._request.name})


def _is_noted(count: int) -> bool:
    """The 1st, 2nd, 4th, 8th ...: a bad peer fills no disk."""
    return count & (count - 1) == 0
