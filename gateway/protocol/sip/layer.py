"""The transaction layer: messages in, requests and responses out to its user, each exactly once.

It owns the tables of transactions, bounds them, and answers by itself what needs no user: malformed
requests, requests from strangers (403), and new requests above the limit (503).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from gateway.protocol.sip.address import Address, Transport
from gateway.protocol.sip.digest import Digest
from gateway.protocol.sip.headers import MAGIC_COOKIE, BadHeader, Via
from gateway.protocol.sip.matching import ServerKey, companion, key_of_ack, server_key
from gateway.protocol.sip.message import (
    Request,
    Response,
    SipParseError,
    parse,
    renewed,
    reply_address,
    respond,
    stamp,
)
from gateway.protocol.sip.stateless import Stateless, otherwise
from gateway.protocol.sip.strangers import Strangers, Verdict
from gateway.protocol.sip.timers import Timers
from gateway.protocol.sip.transaction import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    LONGEST_WAIT,
    SERVER,
    AckReceived,
    Act,
    Cause,
    ClientTransaction,
    Datagram,
    LayerEvent,
    RequestReceived,
    ResponseReceived,
    ServerTransaction,
    State,
    StrangerMuted,
    TransactionFailed,
    cause_of,
)

RETRY_AFTER_SECONDS = 5  # of a refusal for want of room
LARGEST_DATAGRAM = 1300  # octets of a request (section 18.1.1)
MOST_CHALLENGES = 4  # to one request: a proxy's, a registrar's, and a stale nonce of each


class Rng(Protocol):
    """The part of random.Random that names branches, tags and calls, and spreads what is tried again."""

    def getrandbits(self, k: int, /) -> int: ...


class TransactionLayer:
    """`host` and `port` stand in our Via, `ports` has the transports that listen on another.  `admit` says
    whether requests of a source IP address are welcome; others get 403, or silence unless `answer_strangers`.
    `stream_for` gives where requests to an address go that are too large for a datagram; None: there too.

    `limit` bounds the server transactions: above it a new INVITE gets 503, above twice as many everything.
    While `overloaded` is not 0 every INVITE of a new call gets 503, with that many seconds of Retry-After.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        rng: Rng,
        ports: Mapping[Transport, int] | None = None,
        admit: Callable[[str], bool] = lambda source: True,
        answer_strangers: bool = True,
        stream_for: Callable[[Address], Address | None] = lambda address: None,
        limit: int = 20_000,
    ) -> None:
        self.host = host
        self.port = port
        self.ports = ports or {}
        self.timers = Timers()
        self.clients: dict[tuple[str, str], ClientTransaction] = {}
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self.malformed = 0
        self.strangers = Strangers()
        self.shed = 0
        self.overloaded = 0
        self._rng = rng
        self._admit = admit
        self._answer_strangers = answer_strangers
        self._stream_for = stream_for
        self._limit = limit
        self._stateless = Stateless(host, rng.getrandbits(64))
        self._events: deque[LayerEvent] = deque()
        self._datagrams: list[Datagram] = []
        self._untold: list[ServerTransaction] = []  # new INVITEs: nothing has been said to them yet

    # --- in and out

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        strangers = self.strangers
        if strangers.muted and strangers.is_muted(source.host, now) and not self._admit(source.host):
            strangers.verdict(source.host, now)
            return
        if datagram.startswith(b"ACK ") and self._acknowledged(datagram, source, now):
            return
        try:
            message = parse(datagram)
        except SipParseError as error:
            self.malformed += 1
            if error.request is not None and error.status is not None and self._admit(source[0]):
                self.reject(error.request, source, error.status, error.reason)
            return
        if isinstance(message, Request):
            self._request_received(message, source, now)
        elif message is not None:
            self._response_received(message, now)

    def tick(self, now: float) -> None:
        self.timers.fire(now)

    def deadline(self) -> float | None:
        return self.timers.deadline()

    def next_event(self) -> LayerEvent | None:
        return self._events.popleft() if self._events else None

    def datagrams(self) -> list[Datagram]:
        """What is to be sent since the last call."""
        for server in self._untold:
            if not server.wire:
                server.wire = bytes(respond(server.request, 100))
                self._send(server)
        self._untold.clear()
        out, self._datagrams = self._datagrams, []
        return out

    def token(self) -> str:
        """A new unguessable name for a branch, a tag or a call."""
        return f"{self._rng.getrandbits(80):020x}"

    def chance(self, n: int) -> int:
        """A number from 0 to n - 1; n is small."""
        return self._rng.getrandbits(32) % n

    # --- client side

    def own_port(self, transport: Transport) -> int:
        """Where we listen for that transport."""
        return self.ports.get(transport, self.port)

    def via(self, transport: Transport = "udp") -> Via:
        parameters: dict[str, str | None] = {"branch": MAGIC_COOKIE + self.token(), "rport": None}
        return Via(transport.upper(), self.host, self.own_port(transport), parameters)

    def request(
        self, request: Request, target: Address, now: float, user: object, digest: Digest | None = None
    ) -> ClientTransaction:
        """Send a request other than ACK; its Via is from `via()` of the target's transport.

        `digest` adds the credentials that are asked for anyway, and meets challenges by `again`.
        """
        if digest is not None:
            digest.authorize(request)
        return self._begin(request, target, now, user, digest)

    def again(
        self, client: ClientTransaction, response: Response, cseq: int, now: float
    ) -> ClientTransaction | None:
        """Repeat a request with the credentials that a 401 or 407 asks for (section 22.2), for the same user.

        None: the challenge cannot be met, or was met in vain.
        """
        if client.digest is None or client.challenges >= MOST_CHALLENGES:
            return None
        request = renewed(client.request, self.via(client.peer.transport), cseq)
        if not client.digest.answer(client.request, response, request):
            return None
        return self._begin(request, client.peer, now, client.user, client.digest, client.challenges + 1)

    def _begin(
        self,
        request: Request,
        target: Address,
        now: float,
        user: object,
        digest: Digest | None,
        challenges: int = 0,
    ) -> ClientTransaction:
        wire, datagram = bytes(request), None
        if len(wire) > LARGEST_DATAGRAM and (stream := self._stream_for(target)) is not None:
            target, datagram = stream, target  # section 18.1.1
            wire = self._by(request, target.transport)
        machine = INVITE_CLIENT if request.method == "INVITE" else CLIENT
        key = request.via.branch, request.method
        client = ClientTransaction(machine, request, target, key, wire, user, digest, challenges, datagram)
        self.clients[key] = client
        self._send(client)
        self._settle_timers(client, now)
        return client

    def _by(self, request: Request, transport: Transport) -> bytes:
        """The request as it goes by another transport than it was made for."""
        request.via.transport = transport.upper()
        request.via.port = self.own_port(transport)
        request.headers.set("Via", str(request.via))
        return bytes(request)

    def cancel(
        self, invite: ClientTransaction, now: float, user: object, reason: tuple[str, str]
    ) -> ClientTransaction:
        """Send the CANCEL of an INVITE (section 9.1): its Via, Request-URI and Route."""
        cancel = companion(invite.request, "CANCEL")
        cancel.headers.add(*reason)
        return self.request(cancel, invite.peer, now, user)

    def abandon(self, client: ClientTransaction) -> None:
        """Forget an INVITE that got a provisional response and no final one (section 9.1, last paragraph)."""
        self._forget(client)

    def send(self, message: Request, target: Address) -> None:
        """Send without a transaction: the ACK to a 2xx."""
        self._datagrams.append(Datagram(bytes(message), target))

    def send_failed(self, client: ClientTransaction, now: float) -> None:
        """The transport could not send what this transaction has to say.  A request that is by TCP only for
        its size is tried as a datagram (section 18.1.1)."""
        if client.datagram is not None and client.state is client.machine.start:
            client.peer, client.datagram = client.datagram, None
            client.wire = self._by(client.request, client.peer.transport)
            self._send(client)
            self._settle_timers(client, now)
        elif client.allows(Cause.TRANSPORT_ERROR):
            self._step(client, Cause.TRANSPORT_ERROR, now)

    def connection_lost(self, address: Address, now: float, *, opened: bool) -> None:
        """The connection to there has ended: what waits for an answer by it will not get one.  Not `opened`:
        there never was one, so that nothing was said."""
        for client in [client for client in self.clients.values() if client.peer == address]:
            if opened:
                client.datagram = None
            self.send_failed(client, now)

    def _response_received(self, response: Response, now: float) -> None:
        client = self.clients.get((response.via.branch, response.cseq_method))
        # a response with a second Via was meant for someone else (section 8.1.3.3)
        if client is None or len(response.headers.values("Via")) > 1:
            return
        cause = cause_of(response.status)
        if client.allows(cause):
            self._step(client, cause, now, response)

    # --- server side

    def respond(self, server: ServerTransaction, response: Response, now: float) -> None:
        """Send a response to a request that was received.  Raises IllegalTransition after the final one.

        A 2xx to an INVITE may be repeated; repeating it until the ACK is the user's affair.
        """
        cause = cause_of(response.status)
        wire = bytes(response)
        if server.allows(cause):
            server.wire = wire
        self._step(server, cause, now)

    def trying(self, server: ServerTransaction) -> None:
        """Send 100 to an INVITE, unless something else is said before the next datagrams leave (17.2.1)."""
        self._untold.append(server)

    def repeat(self, server: ServerTransaction) -> None:
        """Send its latest response again, even if timer L, set by the same clock, has ended it by now."""
        self._send(server)

    def is_ours(self, request: Request) -> bool:
        """Whether a request is one of ours, come back to us as it left (section 8.2.2.2)."""
        lines = request.headers.lines("Via")
        if len(lines) == 1 and "," not in lines[0]:
            return False
        for value in request.headers.values("Via")[1:]:
            try:
                client = self.clients.get((Via.parse(value).branch, request.method))
            except BadHeader:
                continue
            if client is not None and client.request.uri == request.uri:
                return True
        return False

    def invite_of(self, cancel: ServerTransaction) -> ServerTransaction | None:
        """The INVITE that a CANCEL means (section 9.2)."""
        return self.servers.get((*cancel.key[:-1], "INVITE"))

    def reject(self, request: Request, source: Address, status: int, reason: str = "") -> None:
        """Answer without a transaction."""
        wait = self.overloaded or RETRY_AFTER_SECONDS
        self._datagrams.append(self._stateless.answer(request, source, status, reason, wait))

    def _acknowledged(self, datagram: bytes, source: Address, now: float) -> bool:
        """Whether it is the ACK of a refusal, of which nothing but what it belongs to is of any use."""
        key = key_of_ack(datagram)
        known = self.servers.get(key) if key is not None else None
        if known is None or known.state not in _REFUSED or not self._admit(source.host):
            return False
        if known.allows(Cause.ACK):
            self._step(known, Cause.ACK, now)
        return True

    def _request_received(self, request: Request, source: Address, now: float) -> None:
        if not self._admit(source[0]):
            if request.method != "ACK":
                self._stranger(request, source, now)
            return
        key = server_key(request, "INVITE" if request.method == "ACK" else request.method)
        known = self.servers.get(key)
        if known is not None:
            cause = Cause.ACK if request.method == "ACK" else Cause.REQUEST
            if known.allows(cause):
                self._step(known, cause, now, request)
        elif request.method == "ACK":
            self._events.append(AckReceived(request))
        elif self._is_full(request):
            self.shed += 1
            self.reject(request, source, 503)
        else:
            stamp(request, source)
            machine = INVITE_SERVER if request.method == "INVITE" else SERVER
            server = ServerTransaction(machine, request, reply_address(request, source), key, source)
            self.servers[key] = server
            self._events.append(RequestReceived(server, request))

    def _is_full(self, request: Request) -> bool:
        if request.method != "INVITE":
            return len(self.servers) >= 2 * self._limit
        return len(self.servers) >= self._limit or (self.overloaded > 0 and not request.to_tag)

    def _stranger(self, request: Request, source: Address, now: float) -> None:
        verdict = self.strangers.verdict(source.host, now)
        if verdict is Verdict.MUTE:
            self._events.append(StrangerMuted(source))
        elif verdict is Verdict.ANSWER and self._answer_strangers:
            self.reject(request, source, 403)

    # --- both

    def _step(
        self,
        transaction: ClientTransaction | ServerTransaction,
        cause: Cause,
        now: float,
        message: Request | Response | None = None,
    ) -> None:
        """Apply a cause and carry out what the table says."""
        before = transaction.state
        for act in transaction.step(cause):
            if act is Act.SEND:
                self._send(transaction)
            elif act is Act.FAIL:
                self._events.append(TransactionFailed(transaction, cause is Cause.TRANSPORT_ERROR))
            elif isinstance(message, Request):
                self._events.append(AckReceived(message))
            elif isinstance(message, Response) and isinstance(transaction, ClientTransaction):
                if act is Act.ACK:
                    ack = companion(transaction.request, "ACK", message.headers.get("To"))
                    self.send(ack, transaction.peer)
                else:
                    self._events.append(ResponseReceived(transaction, message))
        if transaction.state is not before:
            self._settle_timers(transaction, now)
        if transaction.state is State.TERMINATED:
            self._forget(transaction)

    def _send(self, transaction: ClientTransaction | ServerTransaction) -> None:
        if isinstance(transaction, ClientTransaction):
            self._datagrams.append(Datagram(transaction.wire, transaction.peer, transaction))
        elif transaction.wire:
            other = otherwise(transaction.request, transaction.peer)
            self._datagrams.append(Datagram(transaction.wire, transaction.peer, None, other))

    def _forget(self, transaction: ClientTransaction | ServerTransaction) -> None:
        transaction.state = State.TERMINATED
        for timer in transaction.timers.values():
            self.timers.cancel(timer)
        transaction.timers.clear()
        if isinstance(transaction, ClientTransaction):
            self.clients.pop(transaction.key, None)
        else:
            self.servers.pop(transaction.key, None)
            transaction.user = None  # which knows the transaction: they would be garbage in a cycle

    def _settle_timers(self, transaction: ClientTransaction | ServerTransaction, now: float) -> None:
        """Stop the timers that the state does not have, start those that it has and do not run."""
        wanted = transaction.running
        for cause in [cause for cause in transaction.timers if cause not in wanted]:
            self.timers.cancel(transaction.timers.pop(cause))
        for cause in wanted:
            if cause not in transaction.timers:
                self._start(transaction, cause, now)

    def _start(self, transaction: ClientTransaction | ServerTransaction, cause: Cause, now: float) -> None:
        when = now + transaction.next_wait(cause)
        transaction.timers[cause] = self.timers.start(when, partial(self._expired, transaction, cause))

    def _expired(self, transaction: ClientTransaction | ServerTransaction, cause: Cause, now: float) -> None:
        del transaction.timers[cause]
        self._step(transaction, cause, now)
        if cause in LONGEST_WAIT:  # such a timer leaves the state as it is
            self._start(transaction, cause, now)


_REFUSED = (State.COMPLETED, State.CONFIRMED)
