"""The way to one call's peer and back: two sockets, its addresses, and the keys of SRTP."""

import ipaddress
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.protocol.rtp.packet import RtpError
from gateway.protocol.rtp.srtp import Protector, Unprotector
from gateway.protocol.sdp import Negotiated, Srtp
from gateway.transport.rtp_socket import Address, MediaSocket
from gateway.values.errors import GatewayError

_RTCP_TYPES: Final = range(192, 224)  # second octet of a packet that shares RTP's port (RFC 5761 section 4)


class PeerUnreachable(GatewayError):
    """The peer's media address is of the other IP version than ours: refuse with 488, or end the call."""


def _nobody(data: bytes, at: float) -> None:
    """Takes what comes after the end."""


class MediaPath:
    """The RTP socket and the one of RTCP beside it.

    `on_rtp` and `on_rtcp` get the peer's packets in the clear with their monotonic seconds, and may raise
    RtpError for them.
    """

    def __init__(
        self,
        rtp: socket.socket,
        rtcp: socket.socket,
        on_rtp: Callable[[bytes, float], None],
        on_rtcp: Callable[[bytes, float], None],
    ) -> None:
        """`rtp` and `rtcp` are the path's from now on."""
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._socket = MediaSocket(rtp)
        self._rtcp = MediaSocket(rtcp)
        self._rtcp_target: Address | None = None  # None = the peer has it on RTP's own port
        self._signalled: Address = ()
        self._target: Address = ()
        self._latched = False
        self._on_hold = False
        self._srtp: Srtp | None = None
        self._protector: Protector | None = None
        self._unprotector: Unprotector | None = None
        name = rtp.getsockname()
        self.local_host: str = name[0]
        self.local_port: int = name[1]
        self.foreign = 0  # datagrams from elsewhere than the peer
        self.malformed = 0  # no RTP, or forged
        self.errors = 0  # what the system refused to send: late audio is worth nothing, so it is not kept

    @property
    def is_open(self) -> bool:
        return self._socket.is_open

    @property
    def is_connected(self) -> bool:
        """Whether `connect` has named a peer, and the sockets are still open."""
        return bool(self._signalled) and self._socket.is_open

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
        self._rtcp_target = None if shared else (signalled[0], media.remote_rtcp_port)
        self._take_keys(media.srtp)

    def send(self, packet: bytes) -> None:
        """Send an RTP packet."""
        if self._protector is not None:
            packet = self._protector.rtp(packet)
        try:
            self._socket.send(packet, self._target)
        except OSError:  # the call itself ends by SIP, not by its media
            self.errors += 1

    def send_rtcp(self, packet: bytes) -> None:
        """Send an RTCP packet, on the port that was agreed."""
        if self._on_hold:
            return
        data = packet if self._protector is None else self._protector.rtcp(packet)
        with suppress(OSError):
            if self._rtcp_target is not None:
                self._rtcp.send(data, self._rtcp_target)
            else:
                self._socket.send(data, self._target)

    def close(self) -> None:
        """Close both sockets."""
        self._socket.close()
        self._rtcp.close()
        # whoever made the path has it, too: without the circle, all of a call goes when it is over, and not
        # when Python looks for such garbage, which it does not do as long as there is another call
        self._on_rtp = self._on_rtcp = _nobody

    def read(self, now: float, since_epoch: float) -> None:
        """Take what has come on RTP's port; Unix time is `since_epoch` ahead of the monotonic `now`."""
        for data, source, at in self._socket.read(now, since_epoch):
            self._receive(data, source, at)

    def read_rtcp(self, now: float, since_epoch: float) -> None:
        """Take what has come on RTCP's own port."""
        for data, source, at in self._rtcp.read(now, since_epoch):
            if self._receive_rtcp(data, source, at) and self._rtcp_target is not None:
                self._rtcp_target = source  # behind a translator of addresses, as with RTP

    def _receive_rtcp(self, data: bytes, source: Address, at: float) -> bool:
        """False when it is not the peer's."""
        if not self._signalled or source[0] != self._signalled[0]:
            self.foreign += 1
            return False
        try:
            self._on_rtcp(data if self._unprotector is None else self._unprotector.rtcp(data), at)
        except RtpError:
            self.malformed += 1
            return False
        return True

    def _receive(self, data: bytes, source: Address, at: float) -> None:
        settled = source == self._target and self._latched  # nearly every packet
        if not settled and not self._is_from_peer(source):
            self.foreign += 1
            return
        if len(data) > 1 and data[1] in _RTCP_TYPES:
            self._receive_rtcp(data, source, at)
            return
        try:
            self._on_rtp(data if self._unprotector is None else self._unprotector.rtp(data), at)
        except RtpError:
            self.malformed += 1
            return
        if not settled and (not self._latched or source[1] == self._signalled[1]):
            # Symmetric RTP: answer to the port that the peer really sends from (RFC 4961), once.  Only within
            # the address that SDP named, else anyone could draw the audio to himself; and the port that SDP
            # named wins over any other.
            self._target, self._latched = source, True

    def _is_from_peer(self, source: Address) -> bool:
        if not self._signalled or source[0] != self._signalled[0]:
            return False
        return not self._latched or source[1] in (self._target[1], self._signalled[1])

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
