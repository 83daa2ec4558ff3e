"""An account as our SMPP server knows it: its sessions, what it may do, and the deliveries to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from gateway.config.endpoint import allowed, network
from gateway.config.model import Account
from gateway.protocol.smpp.constants import INTERFACE_VERSION
from gateway.protocol.smpp.fields import EncodeError
from gateway.protocol.smpp.pacing import TokenBucket
from gateway.protocol.smpp.pdu import DataSm, DeliverSm
from gateway.protocol.smpp.session import NotBound, WindowFull
from gateway.protocol.smpp.states import State
from gateway.transport.smpp_link import SmppLink

ROOM_SECONDS = 30.0  # for an account to answer what it has, so that it can be sent more
_RECEIVING = frozenset({State.BOUND_RX, State.BOUND_TRX})


# Told the command_status of a delivery's answer, or why there is none
Told: TypeAlias = Callable[[int | Exception], None]


class NoAnswer(Exception):
    """The account's session ended or kept silent: nobody knows whether it has the message."""


class Delivery(NamedTuple):
    """What an account is sent, and who is told what it answers."""

    request: DeliverSm | DataSm
    told: Told


class Customer:
    """An account and its sessions.  Raises ValueError for a network that is none."""

    def __init__(self, name: str, config: Account) -> None:
        self.name = name
        self.config = config
        self.links: list[SmppLink] = []  # oldest first; without those that are being shown out
        self.pending = 0  # submit_sm without an answer, over all sessions
        self.bucket = TokenBucket(config.throughput, 0.0)
        self._networks = [network(text) for text in config.allow]
        self._waiting: deque[Delivery] = deque()  # for room, in the order in which they were asked for
        self._patience: asyncio.TimerHandle | None = None  # of the first of them

    @property
    def system_id(self) -> bytes:
        return self.config.system_id.encode()

    @property
    def receives(self) -> bool:
        return bool(self._receivers())

    def allows(self, address: str) -> bool:
        return allowed(address, self._networks)

    def configure(self, config: Account) -> list[SmppLink]:
        """Take up changed settings.  Gives the sessions that could not bind any more as they are."""
        old, self.config = self.config, config
        self._networks = [network(text) for text in config.allow]
        if config.throughput != old.throughput:
            self.bucket = TokenBucket(config.throughput, 0.0)
        if (config.system_id, config.password) != (old.system_id, old.password):
            return list(self.links)
        stay = [link for link in self.links if self.allows(link.peer_address)][: config.sessions]
        for link in stay:
            self.fit(link)
            link.settle()
        self.go_on()
        return [link for link in self.links if link not in stay]

    def fit(self, link: SmppLink) -> None:
        """Give a session the account's settings."""
        link.session.window = self.config.window
        link.session.enquire_link = self.config.enquire_link

    def answered(self) -> None:
        """One of its submit_sm has its answer."""
        self.pending -= 1

    def deliver(self, request: DeliverSm | DataSm, told: Told) -> None:
        """See SmppServer.deliver."""
        self._waiting.append(Delivery(request, told))
        self.go_on()

    def go_on(self) -> None:
        """Send what waits as far as there is room.  Call it when there may be more, or no session at all."""
        while self._waiting:
            link = max(self._receivers(), key=_room, default=None)
            if link is None:
                self._refuse(NotBound(f"{self.name} has no session that receives"))
            elif _room(link):
                self._send(link, self._next())
            else:
                if self._patience is None:
                    loop = asyncio.get_running_loop()
                    self._patience = loop.call_later(ROOM_SECONDS, self._give_up)
                return

    def _send(self, link: SmppLink, delivery: Delivery) -> None:
        request, loop = delivery.request, asyncio.get_running_loop()
        if link.version < INTERFACE_VERSION and request.tlv_octets:  # a peer of version 3.3 knows no TLVs
            request = replace(request, tlv_octets=b"")
        try:
            link.session.send(request, loop.time(), delivery)
        except EncodeError as error:
            loop.call_soon(delivery.told, error)
        else:
            link.settle_soon()

    def _give_up(self) -> None:
        """The first has waited for too long; the next begins to wait."""
        self._refuse(WindowFull(f"{self.name} does not answer what it has"))
        self.go_on()

    def _refuse(self, error: Exception) -> None:
        asyncio.get_running_loop().call_soon(self._next().told, error)

    def _next(self) -> Delivery:
        """The first of those that wait, which does so no more."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        return self._waiting.popleft()

    def _receivers(self) -> Sequence[SmppLink]:
        return [link for link in self.links if link.session.state in _RECEIVING]


def _room(link: SmppLink) -> int:
    return link.session.room if link.writable else 0
