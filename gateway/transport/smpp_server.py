"""Our SMPP server: accounts bind to it, submit messages and are sent receipts and inbound messages.

What an account may do is decided here; what becomes of its requests, by `on_request`:

    bind            unknown system_id or wrong password: ESME_RINVPASWD, the same for both so that names are
                    not given away; address not allowed: ESME_RBINDFAIL; too many sessions: ESME_RALYBND
    submit_sm, submit_multi, data_sm, query_sm, cancel_sm, replace_sm
                    more than `window` of the account without an answer, more than `throughput` a second (a
                    submit_multi counts for each destination), or the server is stopping: ESME_RTHROTTLED;
                    `on_request` raised: ESME_RSYSERR
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv6Address, ip_address, ip_network

from msgspec.structs import replace

from gateway.config.model import Account, Listen
from gateway.protocol.smpp.constants import (
    ESME_RALYBND,
    ESME_RBINDFAIL,
    ESME_RINVPASWD,
    ESME_ROK,
    ESME_RSYSERR,
    ESME_RTHROTTLED,
    INTERFACE_VERSION,
    status_text,
)
from gateway.protocol.smpp.events import (
    Answered,
    BindRequested,
    Bound,
    Closed,
    Event,
    Requested,
    StrayResponse,
    TimedOut,
)
from gateway.protocol.smpp.operations import SubmitMulti
from gateway.protocol.smpp.pacing import TokenBucket
from gateway.protocol.smpp.pdu import Bind, DataSm, DeliverSm, Request, Response
from gateway.protocol.smpp.session import NotBound, SmppSession, WindowFull
from gateway.protocol.smpp.states import Role, State
from gateway.transport.smpp_link import Answer, SmppLink
from gateway.transport.smpp_password import Patience, hashed, is_hash, matches

log = logging.getLogger(__name__)

UNBOUND_LIMIT = 1000  # connections without a bind; further ones are cut at once
RESPONSE_SECONDS = 10.0  # for deliver_sm_resp, enquire_link_resp, unbind_resp
ROOM_SECONDS = 30.0  # for an account to answer what it has, so that it can be sent more
UNBIND_SECONDS = 2.0  # for unbind_resp when stopping
HASHING = 2  # passwords that are compared with a hash at the same time
_RECEIVING = frozenset({State.BOUND_RX, State.BOUND_TRX})


class NoAnswer(Exception):
    """The account's session ended or kept silent: nobody knows whether it has the message."""


class _Customer:
    """An account and its sessions."""

    def __init__(self, name: str, config: Account) -> None:
        self.name = name
        self.config = config
        self.system_id = config.system_id.encode()
        self.networks = [ip_network(text, strict=False) for text in config.allow]
        self.links: list[SmppLink] = []
        self.turn = asyncio.Lock()  # deliveries begin in the order in which they were asked for
        self.room = asyncio.Event()  # set when one of its sessions may have room for a delivery
        self.pending = 0  # submit_sm without an answer, over all sessions
        self.bucket = TokenBucket(config.throughput, 0.0)

    def allows(self, address: str) -> bool:
        ip = ip_address(address)
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        return any(ip in network for network in self.networks)


class SmppServer:
    """`on_request(account, request)` gives command_status and message_id, or a whole response, once what it
    tells is durable.

    `on_state(account, sessions, reason)` tells how many sessions the account has after a bind or its end.
    """

    def __init__(
        self,
        listen: Listen,
        accounts: Mapping[str, Account],
        *,
        on_request: Callable[[str, Request], Awaitable[tuple[int, str] | Response]],
        on_state: Callable[[str, int, str], None],
        system_id: str = "trunkline",
    ) -> None:
        """Raises ValueError for an address or network that is none."""
        host, _, port = listen.address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._bind_timeout = listen.bind_timeout
        self._customers = {name: _Customer(name, account) for name, account in accounts.items()}
        self._by_system_id = {customer.system_id: customer for customer in self._customers.values()}
        self._on_request = on_request
        self._on_state = on_state
        self._system_id = system_id.encode()
        self._unbound: set[SmppLink] = set()
        self._links: dict[SmppLink, _Customer] = {}
        self._listen = listen
        self._patience = Patience()
        # a name that nobody has costs the same work as a wrong password: the time of the answer tells nothing
        hashes = any(is_hash(account.password) for account in accounts.values())
        self._nobodys = hashed(secrets.token_hex()) if hashes else "\0"
        self._hashing = asyncio.Semaphore(HASHING)
        self._binding: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._tls_server: asyncio.Server | None = None
        self._stopping = False

    @property
    def port(self) -> int:
        """The port listened on, also where the configuration says 0."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def tls_port(self) -> int:
        assert self._tls_server is not None
        return int(self._tls_server.sockets[0].getsockname()[1])

    def sessions(self, account: str) -> int:
        return len(self._customers[account].links)

    async def start(self) -> None:
        """Raises OSError when an address cannot be listened on, or a certificate cannot be read."""
        loop = asyncio.get_running_loop()
        if self._listen.tls_address:
            host, _, port = self._listen.tls_address.rpartition(":")
            self._tls_server = await loop.create_server(
                self._link,
                host.strip("[]") or None,
                int(port),
                ssl=_tls(self._listen),
                ssl_handshake_timeout=self._bind_timeout,
            )
        self._server = await loop.create_server(self._link, self._host or None, self._port)

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, answer what was taken within the grace, unbind, close."""
        self._stopping = True
        servers = [server for server in (self._server, self._tls_server) if server]
        for server in servers:
            server.close()
        for task in self._binding:
            task.cancel()
        links = [*self._links, *self._unbound]
        try:
            async with asyncio.timeout(grace_seconds):
                for link in links:
                    await link.finish()
        except TimeoutError:
            pending = sum(customer.pending for customer in self._customers.values())
            log.warning("smpp.grace_over", extra={"pending": pending})
        for link in links:
            link.session.unbind(asyncio.get_running_loop().time())
            link.settle()
        try:
            async with asyncio.timeout(UNBIND_SECONDS):
                for link in links:
                    await link.gone.wait()
        except TimeoutError:
            for link in links:
                link.abort()
                await link.gone.wait()
        await asyncio.gather(*self._binding, return_exceptions=True)
        for server in servers:
            await server.wait_closed()

    async def deliver(self, account: str, request: DeliverSm | DataSm) -> int:
        """Send a receipt or an inbound message by the account's freest receiving session; its command_status.

        Those that find no room wait for it, in their order.  Raises NotBound without such a session,
        WindowFull when none has had room for ROOM_SECONDS, NoAnswer.
        """
        customer = self._customers[account]
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with customer.turn:
            link = await self._receiving(customer)
            if link.version < INTERFACE_VERSION:  # a peer of version 3.3 knows no TLVs
                request = replace(request, tlv_octets=b"")
            link.session.send(request, asyncio.get_running_loop().time(), answer)
            link.settle_soon()
        return await answer

    async def _receiving(self, customer: _Customer) -> SmppLink:
        """The session of the account that has most room, once one has any."""
        try:
            async with asyncio.timeout(ROOM_SECONDS):
                while True:
                    receiving = [link for link in customer.links if link.session.state in _RECEIVING]
                    if not receiving:
                        raise NotBound(f"{customer.name} has no session that receives")
                    link = max(receiving, key=_room)
                    if _room(link):
                        return link
                    customer.room.clear()
                    await customer.room.wait()
        except TimeoutError:
            raise WindowFull(f"{customer.name} does not answer what it has") from None

    # one connection

    def _link(self) -> SmppLink:
        now = asyncio.get_running_loop().time()
        session = SmppSession(
            Role.SMSC, now=now, bind_timeout=self._bind_timeout, response_timeout=RESPONSE_SECONDS
        )
        return SmppLink(session, "unbound", self._event, self._connected, self._room)

    def _room(self, link: SmppLink) -> None:
        if customer := self._links.get(link):
            customer.room.set()

    def _connected(self, link: SmppLink) -> None:
        self._unbound.add(link)
        gone = not link.peer_address  # reset before it was accepted: nobody knows whose it was
        if gone or len(self._unbound) > UNBOUND_LIMIT or self._stopping:
            link.abort()

    def _event(self, link: SmppLink, event: Event) -> None:
        match event:
            case Requested(pdu=request):
                self._requested(link, self._links[link], request)
            case Answered(context=asyncio.Future() as answer, pdu=response):
                self._room(link)
                if not answer.done():
                    answer.set_result(response.command_status)
            case TimedOut(context=asyncio.Future() as answer):
                self._room(link)
                _unknown(answer, "no deliver_sm_resp in time")
            case BindRequested(pdu=request):
                self._bind(link, request)
            case Bound(state=state):
                fields = {"account": self._links[link].name, "peer": link.peer, "state": state.name}
                log.info("smpp.bound", extra=fields)
            case Closed():
                self._closed(link, event)
            case StrayResponse(pdu=response):
                link.log_unexpected(response)

    def _bind(self, link: SmppLink, request: Bind) -> None:
        """Judge a bind, at once if that takes no time."""
        if link.session.state is not State.BINDING:  # what came right behind it has ended the session
            return
        customer = self._by_system_id.get(request.system_id)
        kept = str(customer.config.password) if customer else self._nobodys
        wait = self._patience.wait(link.peer_address, asyncio.get_running_loop().time())
        if wait or is_hash(kept):
            task = asyncio.create_task(self._bind_later(link, customer, request, kept, wait))
            self._binding.add(task)
            task.add_done_callback(self._binding.discard)
        else:
            self._answer_bind(link, customer, request, matches(kept, request.password))

    async def _bind_later(
        self, link: SmppLink, customer: _Customer | None, request: Bind, kept: str, wait: float
    ) -> None:
        await asyncio.sleep(wait)
        async with self._hashing:
            right = await asyncio.to_thread(matches, kept, request.password)
        if link.session.state is State.BINDING:  # and not gone meanwhile
            self._answer_bind(link, customer, request, right)
            link.settle()

    def _answer_bind(self, link: SmppLink, customer: _Customer | None, request: Bind, right: bool) -> None:
        status, reason = self._judge(customer, link, right)
        if status == ESME_RINVPASWD:
            self._patience.failed(link.peer_address, asyncio.get_running_loop().time())
        if status != ESME_ROK or customer is None:
            name = customer.name if customer else ""
            fields = {"account": name, "peer": link.peer, "status": status_text(status), "reason": reason}
            log.warning("smpp.bind_refused", extra=fields)
            link.session.answer_bind(request, status)
            link.session.lost(f"bind refused: {reason}")
            return
        self._patience.succeeded(link.peer_address)
        link.label = customer.name
        link.session.window = customer.config.window
        link.session.enquire_link = customer.config.enquire_link
        self._unbound.discard(link)
        self._links[link] = customer
        customer.links.append(link)
        link.version = request.interface_version
        link.session.answer_bind(request, ESME_ROK, self._system_id)
        customer.room.set()
        self._tell(customer, f"{request.name} from {link.peer}")

    def _judge(self, customer: _Customer | None, link: SmppLink, right: bool) -> tuple[int, str]:
        if customer is None:
            return ESME_RINVPASWD, "unknown system_id"
        if not right:
            return ESME_RINVPASWD, "wrong password"
        if not customer.allows(link.peer_address):
            return ESME_RBINDFAIL, "address not allowed"
        if self._stopping:
            return ESME_RBINDFAIL, "stopping"
        if len(customer.links) >= customer.config.sessions:
            return ESME_RALYBND, "too many sessions"
        return ESME_ROK, ""

    def _requested(self, link: SmppLink, customer: _Customer, request: Request) -> None:
        now = asyncio.get_running_loop().time()
        count = max(len(request.destinations), 1) if isinstance(request, SubmitMulti) else 1
        if (
            self._stopping
            or customer.pending >= customer.config.window
            or not customer.bucket.take(now, count)
        ):
            link.session.respond(request, ESME_RTHROTTLED)
            return
        customer.pending += 1
        link.answer_later(request, self._ask(customer, request), ESME_RSYSERR)

    async def _ask(self, customer: _Customer, request: Request) -> Answer:
        try:
            answer = await self._on_request(customer.name, request)
        finally:
            customer.pending -= 1
        return answer if isinstance(answer, Response) else (answer[0], answer[1].encode())

    def _closed(self, link: SmppLink, event: Closed) -> None:
        for _, answer in event.unanswered:
            if isinstance(answer, asyncio.Future):
                _unknown(answer, event.reason)
        self._unbound.discard(link)
        customer = self._links.pop(link, None)
        if customer:
            customer.links.remove(link)
            customer.room.set()  # whoever waits finds out that nobody receives
            self._tell(customer, event.reason)
        log.info("smpp.closed", extra={"link": link.label, "peer": link.peer, "reason": event.reason})

    def _tell(self, customer: _Customer, reason: str) -> None:
        try:
            self._on_state(customer.name, len(customer.links), reason)
        except Exception:  # the caller's fault must not end the customer's session
            log.exception("smpp.callback_failed", extra={"account": customer.name})


def _tls(listen: Listen) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = (
        ssl.TLSVersion.TLSv1_3 if listen.tls_minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    )
    context.load_cert_chain(listen.tls_certificate, listen.tls_key or None)
    if listen.tls_client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(listen.tls_client_ca)
    return context


def _room(link: SmppLink) -> int:
    return link.session.room if link.writable else 0


def _unknown(answer: asyncio.Future[int], reason: str) -> None:
    if not answer.done():
        answer.set_exception(NoAnswer(reason))
