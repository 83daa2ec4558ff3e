"""SIP transactions over UDP on trio: RFC 3261 section 17 with the Accepted state of RFC 6026.

One task per transaction keeps its timers; what arrives is handled at once and never awaits, so that a
datagram is answered before the next is read.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import trio

from simulators.sip_message import DEFAULT_PORT, Malformed, Request, Response, parse, split_outside_quotes

Address = tuple[str, int]
BRANCH_COOKIE = "z9hG4bK"
PENDING_RESPONSES = 64


class Emit(Protocol):
    def __call__(self, event: str, /, **fields: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds; RFC 3261 table 4. Timers B, D, F, H, J, L and M are all 64 * T1."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def life(self) -> float:
        return 64 * self.t1


def new_branch() -> str:
    return BRANCH_COOKIE + secrets.token_hex(8)


def new_tag() -> str:
    return secrets.token_hex(6)


class ClientTransaction:
    """A request of ours until its final response. A 2xx that comes again goes to its dialog."""

    def __init__(self, layer: "TransactionLayer", request: Request, peer: Address) -> None:
        self.layer, self.request, self.peer = layer, request, peer
        self.key = (request.via.branch, request.method)
        self._inbox, self._responses = trio.open_memory_channel[Response | None](PENDING_RESPONSES)
        self._heard, self._finished = trio.Event(), trio.Event()

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    async def response(self) -> Response | None:
        """The next response; None when timer B or F has fired or the transaction was given up."""
        return await self._responses.receive()

    async def final(self) -> Response | None:
        """The first response of 200 or more; None as in response()."""
        while (response := await self.response()) is not None and response.status < 200:
            pass
        return response

    def give_up(self) -> None:
        """No final response will be waited for (a CANCELled INVITE whose peer fell silent)."""
        self._deliver(None)
        self._finished.set()

    def receive(self, response: Response) -> None:
        if self.request.method == "INVITE" and response.status >= 300:
            # by the transaction, with the INVITE's own branch, again for each repeat: RFC 3261 17.1.1.3
            self.layer.send(acknowledge_refusal(self.request, response).encode(), self.peer)
        self._heard.set()
        if self._finished.is_set():
            return
        self._deliver(response)
        if response.status >= 200:
            self._finished.set()

    def _deliver(self, response: Response | None) -> None:
        try:
            self._inbox.send_nowait(response)
        except trio.WouldBlock:
            self.layer.emit("error", reason="a flood of provisional responses", peer=show(self.peer))

    async def run(self) -> None:
        timers, datagram = self.layer.timers, self.request.encode()
        invite = self.request.method == "INVITE"
        wait = timers.t1
        with trio.move_on_after(timers.life):
            self.layer.send(datagram, self.peer)
            while not (self._finished.is_set() or (invite and self._heard.is_set())):
                with trio.move_on_after(wait):
                    await (self._heard if invite else self._finished).wait()
                    break
                self.layer.retransmissions += 1
                self.layer.send(datagram, self.peer)
                wait = wait * 2 if invite else min(wait * 2, timers.t2)
        if invite and self._heard.is_set():
            await self._finished.wait()
        if self._finished.is_set():
            await trio.sleep(timers.life if invite else timers.t4)
        else:
            self.give_up()
        self.layer.forget(self)


class ServerTransaction:
    """A request of a peer until nothing more can come of it."""

    def __init__(self, layer: "TransactionLayer", request: Request, source: Address) -> None:
        self.layer, self.request, self.source = layer, request, source
        self.key = server_key(request)
        self.peer = response_address(request, source)
        self.tag = request.to.tag or new_tag()
        self.final: Response | None = None
        self.acked = trio.Event()
        self.silent = False
        self._last: bytes | None = None

    def respond(
        self, status: int, *, headers: list[tuple[str, str]] | None = None, body: bytes = b""
    ) -> Response:
        """Send a response; after a final one only its repeats go out. 100 carries no tag of ours."""
        if self.final is not None:
            return self.final
        tag = self.tag if status > 100 else ""
        response = self.request.reply(status, tag=tag, headers=headers or [], body=body)
        self._last = response.encode()
        self.layer.send(self._last, self.peer)
        if status >= 200:
            self.final = response
            self.layer.nursery.start_soon(self._linger)
        return response

    def repeat(self) -> None:
        """The request came again: so does the latest response. A 2xx repeats by a timer: RFC 6026 7.1."""
        accepted = self.request.method == "INVITE" and self.final is not None and self.final.status < 300
        if self._last is not None and not (accepted or self.acked.is_set()):
            self.layer.send(self._last, self.peer)

    async def _linger(self) -> None:
        """Timers G, H and I for an INVITE, also with a 2xx (RFC 3261 13.3.1.4); J for other requests."""
        timers = self.layer.timers
        if self.request.method != "INVITE":
            await trio.sleep(timers.life)
            self.layer.forget(self)
            return
        wait = timers.t1
        with trio.move_on_after(timers.life):
            while not self.acked.is_set():
                with trio.move_on_after(wait):
                    await self.acked.wait()
                    break
                self.layer.retransmissions += 1
                self.layer.send(self._last or b"", self.peer)
                wait = min(wait * 2, timers.t2)
        if self.acked.is_set():
            # a late repeat of an accepted INVITE must not become a second call, so a 2xx is kept for timer L
            accepted = self.final is not None and self.final.status < 300
            await trio.sleep(timers.life if accepted else timers.t4)
        else:
            status = self.final.status if self.final else 0
            self.layer.emit(
                "error", reason=f"no ACK to {status}", peer=show(self.peer), call_id=self.request.call_id
            )
        self.layer.forget(self)


@dataclass(slots=True)
class TransactionLayer:
    """Sorts what arrives to transactions. `send` puts one datagram on the wire and never blocks."""

    nursery: trio.Nursery
    send: Callable[[bytes, Address], None]
    emit: Emit
    on_request: Callable[[ServerTransaction], None]
    on_ack: Callable[[Request], None]
    on_late_2xx: Callable[[Response, Address], None]
    timers: Timers = field(default_factory=Timers)
    malformed: int = 0
    retransmissions: int = 0
    _clients: dict[tuple[str, str], ClientTransaction] = field(default_factory=dict)
    _servers: dict[tuple[str, str, str], ServerTransaction] = field(default_factory=dict)

    def request(self, request: Request, peer: Address) -> ClientTransaction:
        """Begin a client transaction."""
        transaction = ClientTransaction(self, request, peer)
        self._clients[transaction.key] = transaction
        self.nursery.start_soon(transaction.run)
        return transaction

    def cancelled_by(self, cancel: Request) -> ServerTransaction | None:
        """The INVITE that a CANCEL names by its branch. Source: RFC 3261 section 9.2."""
        branch, sent_by, _ = server_key(cancel)
        return self._servers.get((branch, sent_by, "INVITE"))

    def forget_later(self, transaction: ServerTransaction) -> None:
        """For a request that is never answered: its repeats are swallowed for as long as they may come."""

        async def later() -> None:
            await trio.sleep(self.timers.life)
            self.forget(transaction)

        self.nursery.start_soon(later)

    def forget(self, transaction: ClientTransaction | ServerTransaction) -> None:
        if isinstance(transaction, ClientTransaction):
            self._clients.pop(transaction.key, None)
        else:
            self._servers.pop(transaction.key, None)

    def receive(self, data: bytes, source: Address) -> None:
        """Handle one datagram; a malformed one becomes an `error` event, and a 400 where that can be sent."""
        if not data.strip(b"\r\n\0"):
            return  # a keep-alive: RFC 5626 section 4.4.1
        message: Request | Response | None = None
        try:
            message = parse(data)
            message.check()
        except Malformed as error:
            self._complain(error, data, source)
            if isinstance(message, Request) and message.method != "ACK":
                self._refuse(message, source)
            return
        try:
            if isinstance(message, Request):
                self._receive_request(message, source)
            else:
                self._receive_response(message, source)
        except Malformed as error:
            self._complain(error, data, source)

    def _complain(self, error: Malformed, data: bytes, source: Address) -> None:
        self.malformed += 1
        self.emit("error", reason=f"malformed: {error}", peer=show(source), octets=len(data))

    def _refuse(self, request: Request, source: Address) -> None:
        try:
            response = request.reply(400, tag=new_tag() if request.get("To") else "")
            self.send(response.encode(), response_address(request, source))
        except Malformed:
            return  # without a readable Via there is nowhere to send it

    def _receive_request(self, request: Request, source: Address) -> None:
        _note_source(request, source)
        known = self._servers.get(server_key(request))
        if request.method == "ACK":
            self._receive_ack(request, known, source)
            return
        if known is not None:
            known.repeat()
            return
        transaction = ServerTransaction(self, request, source)
        self._servers[transaction.key] = transaction
        try:
            self.on_request(transaction)
        except Malformed:
            transaction.respond(400)
            raise

    def _receive_ack(self, ack: Request, known: ServerTransaction | None, source: Address) -> None:
        if known is None or known.final is None or known.final.status < 300:
            if known is not None and known.final is not None:
                self.emit("error", reason="the ACK of a 2xx has the INVITE's branch", peer=show(source))
            self.on_ack(ack)
            return
        if ack.to.tag != known.tag:
            self.emit("error", reason="ACK with another To tag than the response", peer=show(source))
        known.acked.set()

    def _receive_response(self, response: Response, source: Address) -> None:
        transaction = self._clients.get((response.via.branch, response.cseq[1]))
        if transaction is None:
            self.emit("error", reason=f"stray response {response.status}", peer=show(source))
            return
        # a 2xx that comes again: only its dialog has the ACK to send again, RFC 3261 13.2.2.4
        repeated = transaction.request.method == "INVITE" and response.status // 100 == 2
        if repeated and transaction.finished:
            self.on_late_2xx(response, source)
            return
        transaction.receive(response)


def server_key(request: Request) -> tuple[str, str, str]:
    """Branch, sent-by and method, with an ACK taken for its INVITE. Source: RFC 3261 section 17.2.3."""
    via = request.via
    method = "INVITE" if request.method == "ACK" else request.method
    if via.branch.startswith(BRANCH_COOKIE):
        return via.branch, via.sent_by, method
    # an RFC 2543 peer has no unique branch
    return f"{request.call_id} {request.from_.tag} {request.cseq[0]}", via.sent_by, method


def response_address(request: Request, source: Address) -> Address:
    """Where a response goes: source address; port by rport, else sent-by. RFC 3261 18.2.2, RFC 3581."""
    via = request.via
    return source[0], source[1] if "rport" in via.params else via.port or DEFAULT_PORT


def _note_source(request: Request, source: Address) -> None:
    """Write `received` and `rport` into the topmost Via. Source: RFC 3261 18.2.1, RFC 3581 4."""
    index = next(i for i, (name, _) in enumerate(request.headers) if name.lower() == "via")
    name, value = request.headers[index]
    top, *others = split_outside_quotes(value, ",")
    sent, *given = split_outside_quotes(top, ";")
    names = [part.partition("=")[0].strip().lower() for part in given]
    kept = [part for part, key in zip(given, names, strict=True) if key not in ("received", "rport")]
    if request.via.host != source[0] or "rport" in names:
        kept.append(f"received={source[0]}")
    if "rport" in names:
        kept.append(f"rport={source[1]}")
    request.headers[index] = (name, ", ".join([";".join([sent, *kept]), *others]))


def acknowledge_refusal(invite: Request, response: Response) -> Request:
    """The ACK to a non-2xx: same branch, To of the response. Source: RFC 3261 section 17.1.1.3."""
    return _sibling(invite, "ACK", to=response.need("To"))


def cancel_of(invite: Request) -> Request:
    """Source: RFC 3261 section 9.1."""
    return _sibling(invite, "CANCEL", to=invite.need("To"))


def _sibling(invite: Request, method: str, *, to: str) -> Request:
    headers = [
        ("Via", invite.need("Via")),
        ("Max-Forwards", "70"),
        ("From", invite.need("From")),
        ("To", to),
        ("Call-ID", invite.call_id),
        ("CSeq", f"{invite.cseq[0]} {method}"),
    ]
    return Request(headers, b"", method, invite.uri)


def show(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
