"""The way to one call's peer and back: two sockets, its addresses, and the keys of SRTP.

Plain datagram protocols, whose receive path never awaits.
"""

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any, Final, cast

from gateway.protocol.rtp.packet import RtpError
from gateway.protocol.rtp.srtp import Protector, Unprotector
from gateway.protocol.sdp import Negotiated, Srtp
from gateway.values.errors import GatewayError

_RTCP_TYPES: Final = range(192, 224)  # second octet of a packet that shares RTP's port (RFC 5761 section 4)

Address = tuple[Any, ...]  # (host, port) or IPv6's four, as the loop hands it out


class PeerUnreachable(GatewayError):
    """The peer's media address is of the other IP version than ours: refuse with 488, or end the call."""


class MediaPath(asyncio.DatagramProtocol):
    """The RTP socket's protocol; `rtcp` is that of the socket beside it.

    `on_rtp` and `on_rtcp` get the peer's packets in the clear and may raise RtpError for them.
    """

    def __init__(self, on_rtp: Callable[[bytes], None], on_rtcp: Callable[[bytes], None]) -> None:
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._transport: asyncio.DatagramTransport | None = None
        self._signalled: Address = ()
        self._target: Address | None = None
        self._latched = False
        self._on_hold = False
        self._srtp: Srtp | None = None
        self._protector: Protector | None = None
        self._unprotector: Unprotector | None = None
        self.rtcp = _RtcpSocket(self)
        self.local_host = ""
        self.local_port = 0
        self.foreign = 0  # datagrams from elsewhere than the peer
        self.malformed = 0  # no RTP, or forged
        self.congested = False  # the kernel takes no more now, and late audio is worth nothing
        self.errors = 0  # what the system refused to send, or reported about the peer's port (ICMP)
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    @property
    def is_connected(self) -> bool:
        """Whether `connect` has named a peer, and the sockets are still open."""
        return bool(self._signalled) and self._transport is not None

    @property
    def is_encrypted(self) -> bool:
        return self._srtp is not None

    def connect(self, media: Negotiated) -> None:
        """Send to this peer from now on.  Raises PeerUnreachable and changes nothing then."""
        address = ipaddress.ip_address(media.remote_address)
        signalled = (str(address), media.remote_port)
        if (":" in signalled[0]) != (":" in self.local_host):
            raise PeerUnreachable(
                f"the peer's media address {signalled[0]} is not of our socket's IP version"
            )
        if signalled != self._signalled:
            self._signalled, self._target, self._latched = signalled, signalled, False
        self._on_hold = address.is_unspecified  # nobody is there (RFC 2543's way to hold)
        shared = media.remote_rtcp_port == media.remote_port
        self.rtcp.connect(None if shared else (signalled[0], media.remote_rtcp_port))
        self._take_keys(media.srtp)

    def send(self, packet: bytes) -> None:
        """Send an RTP packet."""
        if self._protector is not None:
            packet = self._protector.rtp(packet)
        if self._transport is not None:
            self._transport.sendto(packet, self._target)

    def send_rtcp(self, packet: bytes) -> None:
        """Send an RTCP packet, on the port that was agreed."""
        if self._on_hold:
            return
        data = packet if self._protector is None else self._protector.rtcp(packet)
        if self.rtcp.target is not None:
            self.rtcp.send(data)
        elif self._transport is not None:
            self._transport.sendto(data, self._target)

    def close(self) -> None:
        """Close both sockets; `gone` is done when they are."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self.rtcp.close()

    def receive_rtcp(self, data: bytes, addr: Address) -> bool:
        """Take a datagram as RTCP; False when it is not the peer's."""
        if not self._signalled or addr[0] != self._signalled[0]:
            self.foreign += 1
            return False
        try:
            self._on_rtcp(data if self._unprotector is None else self._unprotector.rtcp(data))
        except RtpError:
            self.malformed += 1
            return False
        return True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # the loops' own classes are not all derived from DatagramTransport, so no isinstance here
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.local_host, self.local_port = transport.get_extra_info("sockname")[:2]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.rtcp.close()
        if not self.gone.done():
            self.gone.set_result(None)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if not self._is_from_peer(addr):
            self.foreign += 1
            return
        if len(data) > 1 and data[1] in _RTCP_TYPES:
            self.receive_rtcp(data, addr)
            return
        try:
            self._on_rtp(data if self._unprotector is None else self._unprotector.rtp(data))
        except RtpError:
            self.malformed += 1
            return
        if not self._latched or addr[1] == self._signalled[1]:
            # Symmetric RTP: answer to the port that the peer really sends from (RFC 4961), once.  Only within
            # the address that SDP named, else anyone could draw the audio to himself; and the port that SDP
            # named wins over any other.
            self._target, self._latched = addr, True

    def error_received(self, exc: Exception) -> None:
        self.errors += 1  # the call itself ends by SIP, not by its media

    def pause_writing(self) -> None:
        self.congested = True

    def resume_writing(self) -> None:
        self.congested = False

    def _is_from_peer(self, addr: Address) -> bool:
        if not self._signalled or addr[0] != self._signalled[0]:
            return False
        return not self._latched or self._target is None or addr[1] in (self._target[1], self._signalled[1])

    def _take_keys(self, srtp: Srtp | None) -> None:
        """A key that stays keeps its state: packets are counted, and none may be repeated."""
        before, self._srtp = self._srtp, srtp
        if srtp is None:
            self._protector = self._unprotector = None
            return
        if before is None or (before.suite, before.local_key) != (srtp.suite, srtp.local_key):
            self._protector = Protector(srtp.suite, srtp.local_key)
        if before is None or (before.suite, before.remote_key) != (srtp.suite, srtp.remote_key):
            self._unprotector = Unprotector(srtp.suite, srtp.remote_key)


class _RtcpSocket(asyncio.DatagramProtocol):
    """The port after RTP's.  `target` is None where the peer has RTCP on RTP's own port."""

    def __init__(self, path: MediaPath) -> None:
        self._path = path
        self._transport: asyncio.DatagramTransport | None = None
        self.target: Address | None = None

    def connect(self, target: Address | None) -> None:
        self.target = target

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(data, self.target)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if self._path.receive_rtcp(data, addr) and self.target is not None:
            self.target = addr  # behind a translator of addresses, as with RTP

    def error_received(self, exc: Exception) -> None:
        pass  # many peers have no RTCP: their systems answer that the port is closed
