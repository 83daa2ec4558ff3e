"""A peer that sends what it likes, over asyncio: PDUs as our codec knows them."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Self

from gateway.protocol.smpp.codec import Framer, decode
from gateway.protocol.smpp.pdu import Pdu


class Raw:
    """One connection, either side of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.framer = Framer()
        self.pdus: list[Pdu] = []

    @classmethod
    async def connect(cls, port: int, *first: Pdu) -> Self:
        raw = cls(*await asyncio.open_connection("127.0.0.1", port))
        await raw.send(*first)
        return raw

    async def send(self, *pdus: Pdu) -> None:
        self.writer.write(b"".join(pdu.encode(pdu.sequence_number) for pdu in pdus))
        await self.writer.drain()

    def hang_up(self) -> None:
        self.writer.transport.abort()

    def reset(self) -> None:
        """Be gone without a word: no half of the connection stays open."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.hang_up()

    async def next(self) -> Pdu | None:
        """The next PDU; None at the end of the stream."""
        while not self.pdus:
            data = await asyncio.wait_for(self.reader.read(65536), 30)
            if not data:
                return None
            self.pdus += [decode(frame) for frame in self.framer.feed(data)]
        return self.pdus.pop(0)


class RawServer:
    """Where peers connect to; each connection is a `Raw`, in the order in which they came."""

    def __init__(self) -> None:
        self.peers: asyncio.Queue[Raw] = asyncio.Queue()
        self._all: list[Raw] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        return self

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._all.append(Raw(reader, writer))
        self.peers.put_nowait(self._all[-1])

    async def next(self) -> Raw:
        return await asyncio.wait_for(self.peers.get(), 30)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for peer in self._all:
            peer.hang_up()
        await self._server.wait_closed()
