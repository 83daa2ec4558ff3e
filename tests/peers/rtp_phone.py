"""A far end for media on loopback, and a pump to talk to it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import cast

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.packet import RtpPacket, parse
from gateway.protocol.sdp import Direction, Negotiated, Srtp
from gateway.transport.recordings import Recordings
from gateway.transport.rtp_ports import RtpPorts
from gateway.transport.rtp_stream import MediaStream
from gateway.transport.rtp_udp import MediaPump

LOOPBACK = "127.0.0.1"


class Phone(asyncio.DatagramProtocol):
    """The far end: collects what it gets and can be awaited for a number of packets."""

    def __init__(self) -> None:
        self.heard: list[RtpPacket] = []
        self.arrived = asyncio.Event()
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(parse(data))
        self.arrived.set()

    def send(self, stream: MediaStream, data: bytes) -> None:
        self.transport.sendto(data, (LOOPBACK, stream.local_port))

    async def hear(self, count: int) -> list[RtpPacket]:
        while len(self.heard) < count:
            self.arrived.clear()
            await self.arrived.wait()
        return self.heard


@asynccontextmanager
async def a_phone(host: str = LOOPBACK) -> AsyncIterator[Phone]:
    transport, phone = await asyncio.get_running_loop().create_datagram_endpoint(Phone, local_addr=(host, 0))
    try:
        yield phone
    finally:
        transport.close()
        await asyncio.sleep(0)


def free_even_ports(count: int) -> list[int]:
    """Even ports that were free a moment ago, from wherever the system has them."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = probe.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as neighbour, suppress(OSError):
                neighbour.bind((LOOPBACK, port + 1))
                if port % 2 == 0 and port not in found:
                    found.append(port)
    return found


@asynccontextmanager
async def a_pump(ports: int = 4, folder: Path = Path("/nonexistent")) -> AsyncIterator[MediaPump]:
    pump = MediaPump(
        RtpPorts(LOOPBACK, free_even_ports(ports)), chance=Random(1), recordings=Recordings(folder)
    )
    try:
        yield pump
    finally:
        await pump.close()


def media_to(
    port: int,
    *,
    codec: Codec = Codec.PCMA,
    dtmf: int | None = 96,
    direction: Direction = Direction.SENDRECV,
    address: str = LOOPBACK,
    rtcp_port: int = 9,  # discard
    srtp: Srtp | None = None,
) -> Negotiated:
    return Negotiated(codec, codec.static_payload_type, dtmf, address, port, direction, 0, rtcp_port, srtp)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it is so; the test's own time-out is the limit."""
    while not condition():  # noqa: ASYNC110  the product has no event for a counter
        await asyncio.sleep(0.001)
