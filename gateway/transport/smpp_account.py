"""An account as our SMPP server knows it: its sessions, what it may do, and the deliveries to it."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from gateway.config.endpoint import allowed, network
from gateway.config.model import Account
from gateway.protocol.smpp.constants import INTERFACE_VERSION
from gateway.protocol.smpp.pacing import TokenBucket
from gateway.protocol.smpp.pdu import DataSm, DeliverSm
from gateway.protocol.smpp.session import NotBound, WindowFull
from gateway.protocol.smpp.states import State
from gateway.transport.smpp_link import SmppLink

ROOM_SECONDS = 30.0  # for an account to answer what it has, so that it can be sent more
_RECEIVING = frozenset({State.BOUND_RX, State.BOUND_TRX})


class NoAnswer(Exception):
    """The account's session ended or kept silent: nobody knows whether it has the message."""


class Customer:
    """An account and its sessions.  Raises ValueError for a network that is none."""

    def __init__(self, name: str, config: Account) -> None:
        self.name = name
        self.config = config
        self.links: list[SmppLink] = []  # oldest first; without those that are being shown out
        self.turn = asyncio.Lock()  # deliveries begin in the order in which they were asked for
        self.room = asyncio.Event()  # set when one of its sessions may have room for a delivery
        self.pending = 0  # submit_sm without an answer, over all sessions
        self.bucket = TokenBucket(config.throughput, 0.0)
        self._networks = [network(text) for text in config.allow]

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
        self.room.set()
        return [link for link in self.links if link not in stay]

    def fit(self, link: SmppLink) -> None:
        """Give a session the account's settings."""
        link.session.window = self.config.window
        link.session.enquire_link = self.config.enquire_link

    async def deliver(self, request: DeliverSm | DataSm) -> int:
        """See SmppServer.deliver."""
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with self.turn:
            link = await self._receiver()
            if link.version < INTERFACE_VERSION:  # a peer of version 3.3 knows no TLVs
                request = replace(request, tlv_octets=b"")
            link.session.send(request, asyncio.get_running_loop().time(), answer)
            link.settle_soon()
        return await answer

    def _receivers(self) -> list[SmppLink]:
        return [link for link in self.links if link.session.state in _RECEIVING]

    async def _receiver(self) -> SmppLink:
        """The session that has most room, once one has any."""
        try:
            async with asyncio.timeout(ROOM_SECONDS):
                while True:
                    if not (receivers := self._receivers()):
                        raise NotBound(f"{self.name} has no session that receives")
                    link = max(receivers, key=_room)
                    if _room(link):
                        return link
                    self.room.clear()
                    await self.room.wait()
        except TimeoutError:
            raise WindowFull(f"{self.name} does not answer what it has") from None


def _room(link: SmppLink) -> int:
    return link.session.room if link.writable else 0
