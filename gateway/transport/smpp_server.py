"""Our SMPP server: accounts bind to it, submit messages and are sent receipts and inbound messages.

What an account may do is decided here; what becomes of its requests, by `on_request`:

    bind            unknown system_id or wrong password: ESME_RINVPASWD, the same for both so that names are
                    not given away; a system_id that the standard has no room for: ESME_RINVSYSID; address
                    not allowed: ESME_RBINDFAIL; too many sessions: ESME_RALYBND
    submit_sm, submit_multi, data_sm, query_sm, cancel_sm, replace_sm
                    more than `window` of the account without an answer: ESME_RMSGQFUL; more than `throughput`
                    a second (a submit_multi counts for each destination), or the session is on its way out:
                    ESME_RTHROTTLED; `on_request` raised: ESME_RSYSERR
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from functools import partial

from gateway.config.model import Account, Listen
from gateway.protocol.smpp.constants import (
    ESME_RALYBND,
    ESME_RBINDFAIL,
    ESME_RINVPASWD,
    ESME_RINVSYSID,
    ESME_RMSGQFUL,
    ESME_ROK,
    ESME_RSYSERR,
    ESME_RTHROTTLED,
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
from gateway.protocol.smpp.operations import Outbind, SubmitMulti
from gateway.protocol.smpp.pdu import Bind, DataSm, DeliverSm, Request, SubmitSm
from gateway.protocol.smpp.session import NotBound, SmppSession
from gateway.protocol.smpp.states import Role, State
from gateway.transport.smpp_account import Customer, Delivery, NoAnswer, Told
from gateway.transport.smpp_link import Respond, SmppLink
from gateway.transport.smpp_listener import Listener
from gateway.transport.smpp_outbind import OutbindCaller
from gateway.transport.smpp_password import Doorman, hashed, is_hash, matches

log = logging.getLogger(__name__)

UNBOUND_LIMIT = 500  # connections without a bind; the oldest of more are cut
RESPONSE_SECONDS = 10.0  # for deliver_sm_resp, enquire_link_resp, unbind_resp
DISMISS_SECONDS = 5.0  # for the requests of a session that has to leave
UNBIND_SECONDS = 2.0  # for unbind_resp then
SYSTEM_ID_OCTETS = 15  # section 4.1; an account may have a longer one all the same
_SEGMENT_OCTETS = 165  # of optional parameters: 160 septets, the parameter's head, and one more


class SmppServer:
    """`on_request(account, request, respond)` tells command_status and message_id, or a whole response, once
    what it tells is durable.

    `on_state(account, sessions, reason)` tells how many sessions the account has after a bind or its end.
    """

    def __init__(
        self,
        listen: Listen,
        accounts: Mapping[str, Account],
        *,
        on_request: Callable[[str, Request, Respond], None],
        on_state: Callable[[str, int, str], None],
        system_id: str = "trunkline",
    ) -> None:
        """Raises ValueError for an address or network that is none."""
        self._listen = listen
        self._customers = {name: Customer(name, account) for name, account in accounts.items()}
        self._on_request = on_request
        self._on_state = on_state
        self._system_id = system_id.encode()
        self._unbound: dict[SmppLink, None] = {}  # oldest first
        self._links: dict[SmppLink, Customer] = {}
        self._listener = Listener(partial(self._link, self._connected))
        self._caller = OutbindCaller(lambda customer: self._link(partial(self._called, customer)))
        self._doorman = Doorman()
        self._binding: set[asyncio.Task[None]] = set()
        self._dismissing: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._nobodys = "\0"  # the password of a name that nobody has
        self._index()

    @property
    def port(self) -> int:
        """The port listened on, also where the configuration says 0."""
        return self._listener.port

    @property
    def tls_port(self) -> int:
        return self._listener.tls_port

    def sessions(self, account: str) -> int:
        return len(self._customers[account].links)

    async def start(self) -> None:
        """Raises OSError when an address cannot be listened on, or a certificate cannot be read."""
        await self._listener.configure(self._listen)

    async def configure(self, listen: Listen, accounts: Mapping[str, Account]) -> None:
        """Take up changed settings.  Sessions that could bind as they are stay, the others are unbound once
        they have their answers.  Raises OSError as `start` does: then everything is as it was."""
        await self._listener.configure(listen)
        self._listen = listen
        for name in [name for name in self._customers if name not in accounts]:
            self._dismiss(self._customers.pop(name), None, "the account was removed")
        for name, account in accounts.items():
            if (customer := self._customers.get(name)) is None:
                self._customers[name] = Customer(name, account)
            elif customer.config != account:
                self._dismiss(customer, customer.configure(account), "the account was changed")
        self._index()

    def _index(self) -> None:
        self._by_system_id = {customer.system_id: customer for customer in self._customers.values()}
        # a name that nobody has costs the same work as a wrong password: the time of the answer tells nothing
        hashes = any(is_hash(customer.config.password) for customer in self._customers.values())
        if hashes and not is_hash(self._nobodys):
            self._nobodys = hashed(secrets.token_hex())

    def _dismiss(self, customer: Customer, links: list[SmppLink] | None, reason: str) -> None:
        """Show these sessions out, or all and for good."""
        if links is None:
            self._caller.hush(customer.name)
            links = list(customer.links)
        if not links:
            return
        customer.links = [link for link in customer.links if link not in links]
        customer.go_on()  # whoever waits for one of them finds out
        self._tell(customer, reason)
        task = asyncio.create_task(self._farewell(links, DISMISS_SECONDS))
        self._dismissing.add(task)
        task.add_done_callback(self._dismissing.discard)

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, answer what was taken within the grace, unbind, close."""
        self._stopping = True
        self._listener.close()
        await self._caller.stop()
        for task in self._binding:
            task.cancel()
        await self._farewell([*self._links, *self._unbound], grace_seconds)
        await asyncio.gather(*self._binding, *self._dismissing, return_exceptions=True)
        await self._listener.wait_closed()

    async def _farewell(self, links: list[SmppLink], grace_seconds: float) -> None:
        """Unbind and close sessions once their requests are answered or the grace is over."""
        try:
            async with asyncio.timeout(grace_seconds):
                for link in links:
                    await link.finish()
        except TimeoutError:
            log.warning("smpp.grace_over", extra={"links": len(links)})
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

    def deliver(self, account: str, request: DeliverSm | DataSm, told: Told) -> None:
        """Send a receipt or an inbound message by the account's freest receiving session.

        Those that find no room wait for it, in their order.  `told` the command_status of the answer, or
        NotBound without such a session (an account with `outbind` is called then), WindowFull when none has
        had room for ROOM_SECONDS, NoAnswer, EncodeError; never before this has returned.
        """
        customer = self._customers.get(account)
        if customer is None:
            error = NotBound(f"there is no account {account!r}")
            asyncio.get_running_loop().call_soon(told, error)
        else:
            customer.deliver(request, partial(self._delivered, customer, told))

    def _delivered(self, customer: Customer, told: Told, answer: int | Exception) -> None:
        if isinstance(answer, NotBound) and not self._stopping:
            self._caller.call(customer)
        told(answer)

    # one connection

    def _link(self, connected: Callable[[SmppLink], None]) -> SmppLink:
        session = SmppSession(
            Role.SMSC,
            now=asyncio.get_running_loop().time(),
            bind_timeout=self._listen.bind_timeout,
            response_timeout=RESPONSE_SECONDS,
        )
        return SmppLink(session, "unbound", self._event, connected, self._room)

    def _room(self, link: SmppLink) -> None:
        if customer := self._links.get(link):
            customer.go_on()

    def _connected(self, link: SmppLink) -> None:
        self._unbound[link] = None
        if not link.peer_address or self._stopping:  # reset before it was accepted: nobody knows whose it was
            link.abort()
        elif len(self._unbound) > UNBOUND_LIMIT:
            oldest = self._who_may_go(link)
            del self._unbound[oldest]
            oldest.abort()

    def _who_may_go(self, newest: SmppLink) -> SmppLink:
        """The oldest that does not bind, else the oldest of those who keep guessing: who means it has bound
        long before, and a flood of the others keeps nobody out."""
        others = [link for link in self._unbound if link is not newest]
        silent = next((link for link in others if link.session.state is State.OPEN), None)
        return silent or next((link for link in others if self._doorman.slows(link.peer_address)), newest)

    def _called(self, customer: Customer, link: SmppLink) -> None:
        self._connected(link)
        config = customer.config
        system_id = config.outbind_system_id.encode() or self._system_id
        link.session.outbind(Outbind(system_id=system_id, password=config.outbind_password.encode()))

    def _event(self, link: SmppLink, event: Event) -> None:
        match event:
            case Requested(pdu=request):
                self._requested(link, self._links[link], request)
            case Answered(context=Delivery() as delivery, pdu=response):
                delivery.told(response.command_status)
                self._room(link)
            case TimedOut(context=Delivery() as delivery):
                delivery.told(NoAnswer("no deliver_sm_resp in time"))
                self._room(link)
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
        if self._doorman.takes_time(link.peer_address, kept):
            task = asyncio.create_task(self._bind_later(link, request, kept))
            self._binding.add(task)
            task.add_done_callback(self._binding.discard)
        else:
            self._answer_bind(link, customer, request, matches(kept, request.password))

    async def _bind_later(self, link: SmppLink, request: Bind, kept: str) -> None:
        right = await self._doorman.look(link.peer_address, kept, request.password)
        if link.session.state is State.BINDING:  # and not gone meanwhile
            customer = self._by_system_id.get(request.system_id)
            now_kept = str(customer.config.password) if customer else kept
            self._answer_bind(link, customer, request, right and kept == now_kept)
            link.settle()

    def _answer_bind(self, link: SmppLink, customer: Customer | None, request: Bind, right: bool) -> None:
        status, reason = self._judge(customer, link, request, right)
        if status in (ESME_RINVPASWD, ESME_RINVSYSID):
            self._doorman.failed(link.peer_address)
        if status != ESME_ROK or customer is None:
            name = customer.name if customer else ""
            fields = {"account": name, "peer": link.peer, "status": status_text(status), "reason": reason}
            log.warning("smpp.bind_refused", extra=fields)
            link.session.answer_bind(request, status)
            link.session.lost(f"bind refused: {reason}")
            return
        self._doorman.succeeded(link.peer_address)
        link.label = customer.name
        customer.fit(link)
        self._unbound.pop(link, None)
        self._links[link] = customer
        customer.links.append(link)
        link.version = request.interface_version
        link.session.answer_bind(request, ESME_ROK, self._system_id)
        customer.go_on()
        if customer.receives:
            self._caller.hush(customer.name)
        self._tell(customer, f"{request.name} from {link.peer}")

    def _judge(
        self, customer: Customer | None, link: SmppLink, request: Bind, right: bool
    ) -> tuple[int, str]:
        if customer is None:
            possible = 1 <= len(request.system_id) <= SYSTEM_ID_OCTETS
            return ESME_RINVPASWD if possible else ESME_RINVSYSID, "unknown system_id"
        if not right:
            return ESME_RINVPASWD, "wrong password"
        if not customer.allows(link.peer_address):
            return ESME_RBINDFAIL, "address not allowed"
        if self._stopping:
            return ESME_RBINDFAIL, "stopping"
        if len(customer.links) >= customer.config.sessions:
            return ESME_RALYBND, "too many sessions"
        return ESME_ROK, ""

    def _requested(self, link: SmppLink, customer: Customer, request: Request) -> None:
        now = asyncio.get_running_loop().time()
        leaving = self._stopping or link not in customer.links
        if not leaving and customer.pending >= customer.config.window:
            link.session.respond(request, ESME_RMSGQFUL)
            return
        if leaving or not customer.bucket.take(now, _segments(request)):
            link.session.respond(request, ESME_RTHROTTLED)
            return
        customer.pending += 1
        ask = partial(self._on_request, customer.name, request)
        link.ask(request, ask, ESME_RSYSERR, customer.answered)

    def _closed(self, link: SmppLink, event: Closed) -> None:
        for _, context in event.unanswered:
            if isinstance(context, Delivery):
                context.told(NoAnswer(event.reason))
        self._unbound.pop(link, None)
        customer = self._links.pop(link, None)
        if customer and link in customer.links:
            customer.links.remove(link)
            customer.go_on()  # whoever waits finds out that nobody receives
            self._tell(customer, event.reason)
        log.info("smpp.closed", extra={"link": link.label, "peer": link.peer, "reason": event.reason})

    def _tell(self, customer: Customer, reason: str) -> None:
        try:
            self._on_state(customer.name, len(customer.links), reason)
        except Exception:  # the caller's fault must not end the customer's session
            log.exception("smpp.callback_failed", extra={"account": customer.name})


def _segments(request: Request) -> int:
    """What it takes of the account's throughput: one for each destination, more for a long payload."""
    match request:
        case SubmitSm() | DataSm():
            return 1 + len(request.tlv_octets) // _SEGMENT_OCTETS
        case SubmitMulti():
            return max(len(request.destinations), 1) * (1 + len(request.tlv_octets) // _SEGMENT_OCTETS)
    return 1
