"""SIP over UDP: one socket.

Nothing is awaited between a datagram's arrival and its answer: while the loop is busy datagrams wait in the
kernel, which drops them past its limit, and the peer's retransmissions make up for it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from gateway.protocol.sip.address import Address

_SO_MEMINFO = 55  # Linux 4.12; the first of its counts is SK_MEMINFO_RMEM_ALLOC
_MEMINFO = struct.Struct("=9I")
RECEIVE_BUFFER_OCTETS = 4 << 20  # wanted; the kernel gives what net.core.rmem_max allows


class UdpSocket(asyncio.DatagramProtocol):
    """`received` takes each datagram."""

    def __init__(self, received: Callable[[bytes, Address], None]) -> None:
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None
        self._raw: socket.socket | None = None
        self._counted = 0  # octets that the kernel said at the last look
        self._read = 0  # octets that it may still count though they have been read
        self._error: OSError | None = None

    async def bind(self, address: Address) -> tuple[str, int]:
        """Listen; gives the IP address that peers reach and the port.  Raises OSError."""
        raw = await _bound(address)
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=raw)
        self._raw = raw
        host, port = raw.getsockname()[:2]
        return reachable(host), port

    def send(self, data: bytes, address: Address) -> OSError | None:
        """What went wrong, if anything did at once."""
        if self._transport is None:
            return None
        self._error = None
        try:
            self._transport.sendto(data, (address.host, address.port))
        except (OSError, ValueError) as error:
            # ValueError: uvloop for an address that is none
            return error if isinstance(error, OSError) else OSError(str(error))
        return self._error

    def backlog(self) -> int:
        """How many octets wait in the socket, as the kernel counts them; 0 where it does not tell.

        It takes a batch of datagrams at a time and counts all of them until the last is read: on a machine
        that lets us run in fits and starts, what is long answered would look like ever more that waits.
        """
        if self._raw is None or self._raw.fileno() < 0:
            return 0
        try:
            counts = self._raw.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        except OSError:
            return 0
        counted = int(_MEMINFO.unpack(counts)[0])
        if counted < max(self._counted, self._read):
            self._read = 0  # it has counted down
        self._counted = counted
        return counted - self._read

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None
            await asyncio.sleep(0)  # the loop closes the socket in its next turn

    # --- asyncio

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._read += counted_as(len(data))
        self._received(data, Address(addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        # the loop reports a failed send from inside sendto; other errors have no address and tell nothing
        if isinstance(exc, OSError):
            self._error = exc


def counted_as(octets: int) -> int:
    """What the kernel counts for a datagram, or somewhat less: its buffer is a power of two, with 368 octets
    of its own, beside 256 (Linux 6)."""
    return (1 << (octets + 367).bit_length()) + 256


async def _bound(address: Address) -> socket.socket:
    """A socket on the address.  Given only an address, uvloop keeps to itself why it cannot be had."""
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(
        address.host, address.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
    )
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


def reachable(host: str) -> str:
    """An IP address itself, or for a wildcard the one that the default route would use."""
    if host not in ("0.0.0.0", "::"):
        return host
    wide = host == "::"
    beyond, loopback = ("2001:db8::1", "::1") if wide else ("192.0.2.1", "127.0.0.1")
    with socket.socket(socket.AF_INET6 if wide else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((beyond, 9))  # chooses a route, sends nothing
        except OSError:
            return loopback
        return str(probe.getsockname()[0])
