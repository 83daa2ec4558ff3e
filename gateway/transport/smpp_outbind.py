"""outbind, both ways: an SMSC connects to an ESME and asks it to bind (SMPP 3.4 sections 2.2.1, 4.1.7).

OutbindCaller       we are the SMSC: an account that is owed something and has no session that receives
OutbindListener     we are the ESME: a carrier connects to us when it has something for us
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from functools import partial

from gateway.config.endpoint import allowed, host_port, network
from gateway.config.model import Bind
from gateway.protocol.smpp.events import Closed, Event, Notified, StrayResponse
from gateway.protocol.smpp.operations import Outbind
from gateway.protocol.smpp.pacing import Backoff
from gateway.protocol.smpp.session import SmppSession
from gateway.protocol.smpp.states import Role, State
from gateway.transport.smpp_account import Customer
from gateway.transport.smpp_link import SmppLink
from gateway.transport.smpp_password import Doorman, matches

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
FIRST_SECONDS = 5.0  # from one call to the next; doubles
LONGEST_SECONDS = 300.0
CALLS = 12  # in a row; after them the next thing that is owed begins anew

OUTBIND_SECONDS = 10.0  # for the SMSC to say outbind
WAITING_LIMIT = 100  # connections without an outbind that we believe; the oldest of more are cut
LISTEN_SECONDS = 1.0  # until an address that is taken is tried again; doubles up to LONGEST_SECONDS


class OutbindCaller:
    """Calls accounts.  `link(customer)` makes the protocol of a connection that begins with our outbind; from
    there on it is like one that the account has made."""

    def __init__(self, link: Callable[[Customer], SmppLink]) -> None:
        self._link = link
        self._calling: dict[str, asyncio.Task[None]] = {}
        self._connecting: set[str] = set()
        self._hushed: set[str] = set()

    def call(self, customer: Customer) -> None:
        """Call until it has a session that receives.  Does nothing if that is under way."""
        if customer.config.outbind and customer.name not in self._calling:
            task = asyncio.create_task(self._call(customer))
            self._calling[customer.name] = task
            task.add_done_callback(lambda _: self._ended(customer.name))

    def hush(self, name: str) -> None:
        """No further call: it is there, or there is no such account any more."""
        if name in self._connecting:  # it may be quicker than our task: to cancel that would cut its link
            self._hushed.add(name)
        elif task := self._calling.get(name):
            task.cancel()

    async def stop(self) -> None:
        tasks = list(self._calling.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, name: str) -> None:
        self._calling.pop(name, None)
        self._connecting.discard(name)
        self._hushed.discard(name)

    async def _call(self, customer: Customer) -> None:
        backoff = Backoff(FIRST_SECONDS, LONGEST_SECONDS)
        for _ in range(CALLS):
            if not customer.config.outbind:
                return
            self._connecting.add(customer.name)
            link = await self._connect(customer)
            self._connecting.discard(customer.name)
            if customer.name in self._hushed:
                return
            if link is not None:
                await link.gone.wait()
            await asyncio.sleep(backoff.wait(random.random()))

    async def _connect(self, customer: Customer) -> SmppLink | None:
        address = customer.config.outbind
        link = self._link(customer)
        fields = {"account": customer.name, "address": address}
        try:
            host, port = host_port(address)
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().create_connection(partial(_same, link), host, port)
        except (OSError, UnicodeError) as error:  # also time-outs, and names no DNS can hold
            log.warning("smpp.outbind_failed", extra=fields | {"reason": str(error) or "no answer"})
            return None
        log.info("smpp.outbind_sent", extra=fields)
        return link


def _same(link: SmppLink) -> SmppLink:
    return link


class OutbindListener:
    """Where the carrier of the bind `name` connects to.  `take(link)` is given a connection whose outbind is
    right and binds on it; it gives the reason if it cannot."""

    def __init__(
        self,
        name: str,
        config: Bind,
        *,
        take: Callable[[SmppLink], str],
        writable_again: Callable[[SmppLink], None],
    ) -> None:
        self._name = name
        self._config = config
        self._take = take
        self._writable_again = writable_again
        self._networks = [network(text) for text in config.outbind_allow]
        self._doorman = Doorman()
        self._waiting: dict[SmppLink, None] = {}  # oldest first
        self._judging: dict[SmppLink, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._stopping = False

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self) -> None:
        """Listen, as soon as the address is free."""
        backoff = Backoff(LISTEN_SECONDS, LONGEST_SECONDS)
        while self._server is None:
            try:
                self._server = await asyncio.get_running_loop().create_server(
                    self._link, *host_port(self._config.outbind)
                )
            except OSError as error:
                wait = backoff.wait(random.random())
                fields = {"bind": self._name, "address": self._config.outbind, "retry_seconds": wait}
                log.error("smpp.outbind_unheard", extra=fields | {"reason": str(error)})
                await asyncio.sleep(wait)

    async def close(self) -> None:
        """Take no more connections, and cut those that nobody has taken."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        tasks = list(self._judging.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in list(self._waiting):
            link.abort()
            await link.gone.wait()

    def _link(self) -> SmppLink:
        config = self._config
        session = SmppSession(
            Role.ESME,
            now=asyncio.get_running_loop().time(),
            window=config.window,
            response_timeout=config.response_timeout,
            enquire_link=config.enquire_link,
            bind_timeout=OUTBIND_SECONDS,
        )
        return SmppLink(session, f"{self._name}/outbind", self._event, self._connected, self._writable_again)

    def _connected(self, link: SmppLink) -> None:
        self._waiting[link] = None
        if len(self._waiting) > WAITING_LIMIT:
            oldest = next((link for link in self._waiting if link not in self._judging), link)
            del self._waiting[oldest]
            oldest.abort()
        if not link.peer_address or self._stopping:
            link.abort()
        elif self._networks and not allowed(link.peer_address, self._networks):
            self._refuse(link, "address not allowed")

    def _event(self, link: SmppLink, event: Event) -> None:
        match event:
            case Notified(pdu=Outbind() as request):
                self._asked(link, request)
            case Closed():
                self._waiting.pop(link, None)
                log.info("smpp.closed", extra={"link": link.label, "peer": link.peer, "reason": event.reason})
            case StrayResponse(pdu=response):
                link.log_unexpected(response)

    def _asked(self, link: SmppLink, request: Outbind) -> None:
        if link in self._judging or link.session.closed:
            return
        kept = str(self._config.outbind_password)
        if not kept:
            self._judge(link, request, right=True)
        elif self._doorman.takes_time(link.peer_address, kept):
            task = asyncio.create_task(self._judge_later(link, request, kept))
            self._judging[link] = task
            task.add_done_callback(lambda _: self._judging.pop(link))
        else:
            self._judge(link, request, matches(kept, request.password))

    async def _judge_later(self, link: SmppLink, request: Outbind, kept: str) -> None:
        right = await self._doorman.look(link.peer_address, kept, request.password)
        self._judge(link, request, right)
        link.settle()

    def _judge(self, link: SmppLink, request: Outbind, right: bool) -> None:
        if link.session.state is not State.OPEN:  # gone meanwhile
            return
        wanted = self._config.outbind_system_id.encode()
        if (wanted and request.system_id != wanted) or not right:
            self._doorman.failed(link.peer_address)
            self._refuse(link, "wrong system_id or password")
            return
        self._doorman.succeeded(link.peer_address)
        if reason := self._take(link):
            self._refuse(link, reason)
        else:
            self._waiting.pop(link, None)

    def _refuse(self, link: SmppLink, reason: str) -> None:
        fields = {"bind": self._name, "peer": link.peer, "reason": reason}
        log.warning("smpp.outbind_refused", extra=fields)
        link.session.lost(f"outbind refused: {reason}")
