"""Where SIP comes in and goes out: a user agent with its sockets and its one timer.

One UDP socket, one port for TCP and one for TLS serve everything that is said to anybody: REGISTER, OPTIONS
and calls have one address.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from functools import partial

from gateway.config.endpoint import transport_host_port
from gateway.protocol.sip.address import Address, Transport
from gateway.protocol.sip.agent import UserAgent
from gateway.protocol.sip.call import Call, Probe, SipEvent
from gateway.protocol.sip.digest import Digest
from gateway.protocol.sip.layer import Rng
from gateway.protocol.sip.manner import PLAIN, Binding, Manner
from gateway.protocol.sip.overload import Overload
from gateway.protocol.sip.reason import NORMAL_CLEARING
from gateway.protocol.sip.transaction import ClientTransaction
from gateway.transport.sip_stream import Secured, Streams
from gateway.transport.sip_udp import UdpSocket, reachable

log = logging.getLogger(__name__)

_MEASURED_EVERY = 8  # datagrams
_TICK_SECONDS = 0.01  # between two ticks: what comes due meanwhile is done together


def _no_tls(address: Address) -> tuple[ssl.SSLContext, str]:
    raise OSError("TLS to there is not configured")


class SipEndpoint:
    """`listen` has at most one "udp:HOST:PORT", "tcp:HOST:PORT" and "tls:HOST:PORT" (port 0: any).
    `advertise` is the IP address in Via, Contact and From, empty for that of the first.  `admit` names the
    trunk of a source IP address, or None for a stranger, whose requests get 403, or silence unless
    `answer_strangers`.  `on_event` is called in the event loop and must not block; it may call the endpoint's
    methods.  `tls` makes what "tls:" shows to clients, `secured` how to connect to an address by TLS.
    `stream_for` gives where requests too large for a datagram go.  `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        *,
        listen: Sequence[str],
        admit: Callable[[str], str | None],
        on_event: Callable[[SipEvent], None],
        digest_of: Callable[[str], Digest | None] = lambda trunk: None,
        stream_for: Callable[[Address], Address | None] = lambda address: None,
        secured: Secured = _no_tls,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        answer_strangers: bool = True,
        advertise: str = "",
        clock: Callable[[], float] = time.monotonic,
        rng: Rng | None = None,
        user_agent: str = "trunkline",
        max_calls: int = 30_000,
    ) -> None:
        self._listen = [_address(written) for written in listen]
        self._tls = tls
        self._on_event = on_event
        self._advertise = advertise
        self._clock = clock
        self._make_agent = partial(
            UserAgent,
            admit=admit,
            digest_of=digest_of,
            stream_for=stream_for,
            answer_strangers=answer_strangers,
            rng=rng or secrets.SystemRandom(),
            user_agent=user_agent,
            max_calls=max_calls,
        )
        self._udp = UdpSocket(self.received)
        self._streams = Streams(
            received=self.received,
            lost=self._connection_lost,
            known=lambda host: admit(host) is not None,
            secured=secured,
        )
        self._overload = Overload()
        self._unmeasured = 0  # datagrams since the last look at what waits behind them
        self._agent: UserAgent | None = None
        self._open = False
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = 0.0
        self._ticked_at = -math.inf
        self._settling = False
        self._drained = asyncio.Event()

    # --- life

    async def start(self) -> None:
        """Bind and listen.  Raises OSError when an address cannot be had."""
        bound: dict[Transport, tuple[str, int]] = {}
        try:
            for address in self._listen:
                if address.transport == "udp":
                    bound["udp"] = await self._udp.bind(address)
                else:
                    context = self._tls() if address.transport == "tls" else None
                    port = await self._streams.listen(address, context)
                    bound[address.transport] = reachable(address.host), port
        except OSError:
            await self._close()
            raise
        host, port = next(iter(bound.values()))
        ports = {transport: own for transport, (_, own) in bound.items()}
        self._agent = self._make_agent(self._advertise or host, port, ports=ports)
        self._open = True
        for transport, own in ports.items():
            fields = {"transport": transport, "host": host, "port": own, "advertise": self.host}
            log.info("sip.listening", extra=fields)

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, end the others, and wait until every BYE is answered or the time is over."""
        if not self._open:
            return
        agent = self._user()
        agent.drain(self._clock())
        self._settle()
        try:
            await asyncio.wait_for(self._drained.wait(), grace_seconds)
        except TimeoutError:
            log.warning("sip.stopped_early", extra={"calls": len(agent.calls)})
        self._open = False
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        await self._close()

    async def _close(self) -> None:
        await self._streams.close()
        await self._udp.close()

    @property
    def host(self) -> str:
        """The IP address that peers are told."""
        return self._user().layer.host

    @property
    def port(self) -> int:
        """The port that is listened on; of several, that of the first in `listen`."""
        return self._user().layer.port

    def port_of(self, transport: Transport) -> int:
        return self._user().layer.own_port(transport)

    @property
    def calls(self) -> frozenset[Call]:
        return self._user().calls

    def tables(self) -> dict[str, int]:
        """For metrics: what the user agent remembers of calls and requests."""
        return self._user().tables()

    def token(self) -> str:
        """An unguessable word."""
        return self._user().layer.token()

    def counts(self) -> dict[str, float]:
        """For metrics: what was turned away, by whom."""
        layer = self._user().layer
        return {
            "sip_malformed_total": layer.malformed,
            "sip_strangers_total": layer.strangers.requests,
            "sip_strangers_muted": layer.strangers.muted,
            "sip_shed_total": layer.shed,
            "sip_connections": len(self._streams),
        }

    # --- calls; each raises IllegalTransition in a state that does not have it

    def ring(self, call: Call, sdp: bytes = b"", status: int = 180) -> None:
        """180 to an inbound call, or another provisional status, with what may be heard already."""
        self._user().ring(call, self._clock(), sdp, status)
        self._settle()

    def reject(self, call: Call, status: int, reason: str = "") -> None:
        """A final refusal, 300 to 699; no event follows."""
        self._user().reject(call, status, self._clock(), reason)
        self._settle()

    def answer(self, call: Call, sdp: bytes) -> None:
        """200 to an inbound call; CallAnswered or CallEnded follows."""
        self._user().answer(call, sdp, self._clock())
        self._settle()

    def accept_offer(self, call: Call, sdp: bytes) -> None:
        """The answer to an OfferReceived, or our offer when it asked for one."""
        self._user().accept_offer(call, sdp, self._clock())
        self._settle()

    def refuse_offer(self, call: Call, status: int = 488) -> None:
        """Leave the session as it is after an OfferReceived."""
        self._user().refuse_offer(call, self._clock(), status)
        self._settle()

    def refer(self, call: Call, uri: str) -> None:
        """Blind transfer of a call that stands; ReferProgress follows."""
        self._user().refer(call, uri, self._clock())
        self._settle()

    def hang_up(self, call: Call, why: int = NORMAL_CLEARING) -> None:
        """480, CANCEL or BYE as the state demands, with a cause of Q.850; nothing for a call that is over."""
        self._user().hang_up(call, self._clock(), why)
        self._settle()

    def invite(
        self, *, target: Address, to_number: str, from_number: str, sdp: bytes, manner: Manner = PLAIN
    ) -> Call:
        """Call a number by the trunk at this address.  It rings until `hang_up`."""
        call = self._user().invite(target, to_number, from_number, sdp, self._clock(), manner)
        self._settle()
        return call

    def options(self, target: Address, manner: Manner = PLAIN) -> Probe:
        """Ask a peer whether it is there; OptionsAnswered follows."""
        probe = self._user().options(target, self._clock(), manner)
        self._settle()
        return probe

    def register(self, binding: Binding, target: Address, expires: int) -> None:
        """Ask a registrar to send our calls here, 0: no longer; RegisterAnswered follows."""
        self._user().register(binding, target, expires, self._clock())
        self._settle()

    def be_seen_at(self, trunk: str, place: tuple[str, int] | None) -> None:
        """Where the peers of a trunk see us, behind NAT; None: at our own address."""
        self._user().be_seen_at(trunk, place)

    # --- the sockets' side

    def received(self, data: bytes, source: Address) -> None:
        """A datagram, or a message that was cut from a stream."""
        if self._agent is None:  # nothing is promised before all ports are there
            return
        self._unmeasured += 1
        if self._unmeasured >= _MEASURED_EVERY or self._overload.retry_after:
            self._measure(self._agent)
        try:
            self._agent.receive(data, source, self._clock())
        except Exception:
            # the core answers what is malformed; whatever it overlooked must not stop the listener
            log.exception("sip.datagram_failed", extra={"peer": source.host})
        self._settle()

    def _measure(self, agent: UserAgent) -> None:
        """Datagrams that come faster than they are worked off wait in the kernel, where only it sees them."""
        self._unmeasured = 0
        was = self._overload.retry_after
        agent.overloaded = self._overload.waiting(self._udp.backlog(), self._clock())
        if agent.overloaded and not was:
            log.warning("sip.overloaded")

    def _connection_lost(self, address: Address, opened: bool) -> None:
        if self._agent is not None:
            self._agent.connection_lost(address, self._clock(), opened=opened)
            self._settle()

    def _user(self) -> UserAgent:
        if self._agent is None:
            raise RuntimeError("the endpoint is not started")
        return self._agent

    def _settle(self) -> None:
        """Send, hand out events, and set the timer, until nothing is left to do."""
        if self._settling:  # called by on_event: the outer call goes on with it
            return
        self._settling = True
        agent = self._user()
        try:
            self._exchange(agent)
        finally:
            self._settling = False
        self._set_wake(agent)
        if agent.draining and agent.idle:
            self._drained.set()

    def _exchange(self, agent: UserAgent) -> None:
        """Events first: a call that is decided on at once needs no 100."""
        while True:
            while (event := agent.next_event()) is not None:
                try:
                    self._on_event(event)
                except Exception:
                    # one call's trouble must not stop the others
                    log.exception("sip.event_failed", extra={"event_type": type(event).__name__})
            datagrams = agent.datagrams()
            if not datagrams:
                return
            for data, address, transaction, otherwise in datagrams:
                self._send(data, address, transaction, otherwise)

    def _send(
        self, data: bytes, address: Address, transaction: ClientTransaction | None, otherwise: Address | None
    ) -> None:
        if not self._open:
            return
        if address.transport == "udp":
            error = self._udp.send(data, address)
        else:
            error = None if self._streams.send(data, address, otherwise) else OSError("no connection")
        if error is not None:
            log.warning("sip.send_failed", extra={"peer": address.host, "error": str(error)})
            if transaction is not None:
                self._user().send_failed(transaction, self._clock())

    def _set_wake(self, agent: UserAgent) -> None:
        """One timer for the earliest deadline; an early one is left to fire for nothing."""
        deadline = agent.deadline()
        if deadline is None or not self._open:
            return
        deadline = max(deadline, self._ticked_at + _TICK_SECONDS)
        if self._wake is not None:
            if self._wake_at <= deadline:
                return
            self._wake.cancel()
        self._wake_at = deadline
        delay = max(0.0, deadline - self._clock())
        self._wake = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._wake = None
        self._ticked_at = self._clock()
        self._user().tick(self._ticked_at)
        self._settle()


def _address(written: str) -> Address:
    transport, host, port = transport_host_port(written)
    return Address(host, port, transport)
