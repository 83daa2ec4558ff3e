"""SIP over UDP: the socket and the one timer that drive `protocol.sip.agent.UserAgent`.

Nothing is awaited between a datagram's arrival and its answer: while the loop is busy datagrams wait in the
kernel, which drops them past its limit, and the peer's retransmissions make up for it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Callable

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.agent import UserAgent
from gateway.protocol.sip.call import Call, Probe, SipEvent
from gateway.protocol.sip.layer import Rng
from gateway.protocol.sip.transaction import ClientTransaction

log = logging.getLogger(__name__)

RECEIVE_BUFFER_OCTETS = 4 << 20  # wanted; the kernel gives what net.core.rmem_max allows


class SipEndpoint:
    """One UDP socket with its user agent.

    `address` is "udp:HOST:PORT" (port 0: any), `advertise` the IP address in Via, Contact and From, empty for
    the bound one.  `admit` names the trunk of a source IP address, or None for a stranger, whose requests get
    403.  `on_event` is called in the event loop and must not block; it may call the endpoint's methods.
    `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        *,
        address: str,
        admit: Callable[[str], str | None],
        on_event: Callable[[SipEvent], None],
        advertise: str = "",
        clock: Callable[[], float] = time.monotonic,
        rng: Rng | None = None,
        user_agent: str = "trunkline",
        max_calls: int = 10_000,
    ) -> None:
        self._address = parse_listen(address)
        self._admit = admit
        self._on_event = on_event
        self._advertise = advertise
        self._clock = clock
        self._rng: Rng = rng or secrets.SystemRandom()
        self._user_agent = user_agent
        self._max_calls = max_calls
        self._agent: UserAgent | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = 0.0
        self._settling = False
        self._drained = asyncio.Event()
        self._send_error: OSError | None = None

    # --- life

    async def start(self) -> None:
        """Bind and listen.  Raises OSError when the address cannot be had."""
        raw = await _bound(self._address)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Protocol(self), sock=raw)
        host, port = raw.getsockname()[:2]
        self._agent = UserAgent(
            self._advertise or _reachable(host, raw.family),
            port,
            admit=self._admit,
            rng=self._rng,
            user_agent=self._user_agent,
            max_calls=self._max_calls,
        )
        log.info("sip.listening", extra={"host": host, "port": port, "advertise": self.host})

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, end the others, and wait until every BYE is answered or the time is over."""
        if self._transport is None:
            return
        agent = self._user()
        agent.drain(self._clock())
        self._settle()
        try:
            await asyncio.wait_for(self._drained.wait(), grace_seconds)
        except TimeoutError:
            log.warning("sip.stopped_early", extra={"calls": len(agent.calls)})
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self._transport.close()
        self._transport = None
        await asyncio.sleep(0)  # the loop closes the socket in its next turn

    @property
    def host(self) -> str:
        """The IP address that peers are told."""
        return self._user().layer.host

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._user().layer.port

    @property
    def calls(self) -> frozenset[Call]:
        return self._user().calls

    def tables(self) -> dict[str, int]:
        """For metrics: what the user agent remembers of calls and requests."""
        return self._user().tables()

    # --- calls; each raises IllegalTransition in a state that does not have it

    def ring(self, call: Call) -> None:
        """180 to an inbound call."""
        self._user().ring(call, self._clock())
        self._settle()

    def reject(self, call: Call, status: int, reason: str = "") -> None:
        """A final refusal, 300 to 699; no event follows."""
        self._user().reject(call, status, self._clock(), reason)
        self._settle()

    def answer(self, call: Call, sdp: bytes) -> None:
        """200 to an inbound call; CallAnswered or CallEnded follows."""
        self._user().answer(call, sdp, self._clock())
        self._settle()

    def hang_up(self, call: Call) -> None:
        """480, CANCEL or BYE as the state demands; nothing for a call that is over."""
        self._user().hang_up(call, self._clock())
        self._settle()

    def invite(self, *, target: Address, to_number: str, from_number: str, sdp: bytes) -> Call:
        """Call a number by the trunk at this IP address and port.  It rings until `hang_up`."""
        call = self._user().invite(target, to_number, from_number, sdp, self._clock())
        self._settle()
        return call

    def options(self, target: Address) -> Probe:
        """Ask a peer whether it is there; OptionsAnswered follows."""
        probe = self._user().options(target, self._clock())
        self._settle()
        return probe

    # --- the socket's side

    def datagram_received(self, data: bytes, source: Address) -> None:
        try:
            self._user().receive(data, source, self._clock())
        except Exception:
            # the core answers what is malformed; whatever it overlooked must not stop the listener
            log.exception("sip.datagram_failed", extra={"peer": source.host})
        self._settle()

    def send_error(self, error: OSError) -> None:
        # the loop reports a failed send from inside sendto; other errors have no address and tell nothing
        self._send_error = error

    def _user(self) -> UserAgent:
        if self._agent is None:
            raise RuntimeError("the endpoint is not started")
        return self._agent

    def _settle(self) -> None:
        """Send, hand out events, and set the timer, until nothing is left to do."""
        if self._settling:  # called by on_event: the outer call goes on with it
            return
        self._settling = True
        try:
            self._exchange(self._user())
        finally:
            self._settling = False
        self._set_wake()
        if self._user().draining and self._user().idle:
            self._drained.set()

    def _exchange(self, agent: UserAgent) -> None:
        while True:
            for data, address, transaction, _ in agent.datagrams():
                self._send(data, address, transaction)
            event = agent.next_event()
            if event is None:
                return
            try:
                self._on_event(event)
            except Exception:
                # one call's trouble must not stop the others
                log.exception("sip.event_failed", extra={"event_type": type(event).__name__})

    def _send(self, data: bytes, address: Address, transaction: ClientTransaction | None) -> None:
        if self._transport is None:
            return
        self._send_error = None
        try:
            self._transport.sendto(data, (address.host, address.port))
        except (OSError, ValueError) as error:
            # ValueError: uvloop for an address that is none
            self._send_error = error if isinstance(error, OSError) else OSError(str(error))
        if self._send_error is not None:
            log.warning("sip.send_failed", extra={"peer": address.host, "error": str(self._send_error)})
            if transaction is not None:
                self._user().send_failed(transaction, self._clock())

    def _set_wake(self) -> None:
        """One timer for the earliest deadline; an early one is left to fire for nothing."""
        deadline = self._user().deadline()
        if deadline is None or self._transport is None:
            return
        if self._wake is not None:
            if self._wake_at <= deadline:
                return
            self._wake.cancel()
        self._wake_at = deadline
        delay = max(0.0, deadline - self._clock())
        self._wake = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._wake = None
        self._user().tick(self._clock())
        self._settle()


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, endpoint: SipEndpoint) -> None:
        self._endpoint = endpoint

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._endpoint.datagram_received(data, Address(addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, OSError):
            self._endpoint.send_error(exc)


def parse_listen(text: str) -> Address:
    """`udp:HOST:PORT`, an IPv6 host in brackets.  Raises ValueError."""
    scheme, _, place = text.partition(":")
    host, colon, port = place.rpartition(":")
    if scheme != "udp" or not colon or not host or not (port.isascii() and port.isdigit()):
        raise ValueError(f"{text!r} is not udp:HOST:PORT")
    return Address(host.strip("[]"), int(port))


async def _bound(address: Address) -> socket.socket:
    """A socket on the address.  Given only an address, uvloop keeps to itself why it cannot be had."""
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(*address[:2], type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, place = infos[0]
    raw = socket.socket(family, kind, protocol)
    try:
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)
        raw.bind(place)
    except OSError as error:
        raw.close()
        raise OSError(error.errno, f"udp:{address.host}:{address.port}: {error.strerror}") from error
    return raw


def _reachable(host: str, family: int) -> str:
    """The address itself, or for a wildcard the one that the default route would use."""
    if host not in ("0.0.0.0", "::"):
        return host
    beyond, loopback = ("2001:db8::1", "::1") if family == socket.AF_INET6 else ("192.0.2.1", "127.0.0.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((beyond, 9))  # chooses a route, sends nothing
        except OSError:
            return loopback
        return str(probe.getsockname()[0])
