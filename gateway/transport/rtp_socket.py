"""One UDP port of a call's media, read when its call's turn comes.

An event loop's callback for each packet costs more than the packet.  Here nobody is woken: the pump looks in
each 20 ms, and each packet comes with the time at which the kernel got it, so that its wait is not taken for
jitter.
"""

import socket
from collections.abc import Iterator
from struct import Struct
from typing import Any, Final

from gateway.protocol.rtp.stream import FRAME_SECONDS

Address = tuple[Any, ...]  # (host, port) or IPv6's four, as the kernel tells it

_SO_TIMESTAMPNS: Final = 35  # asm-generic/socket.h; Python has no name for it
_STAMP = Struct("@ll")  # seconds, nanoseconds
_STAMP_SPACE: Final = socket.CMSG_SPACE(_STAMP.size)
_LIMIT_OCTETS: Final = 4096  # no telephone sends more in one packet
_LIMIT_DATAGRAMS: Final = 16  # in one turn: who sends more than 800 a second fills only its own queue


class MediaSocket:
    """A datagram is its octets, its source, and when it came in monotonic seconds."""

    def __init__(self, sock: socket.socket) -> None:
        """`sock` is bound, does not block, and is this object's from now on."""
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket = sock
        self.is_open = True

    def read(self, now: float, since_epoch: float) -> Iterator[tuple[bytes, Address, float]]:
        """What has come; `since_epoch` is how far Unix time is ahead of the monotonic `now`.

        A packet that came within the last 20 ms is taken for the last one: to ask whether there is another
        would cost as much as a packet, and if there is, the next turn finds it.
        """
        fresh = now - FRAME_SECONDS
        for _ in range(_LIMIT_DATAGRAMS):
            try:
                data, ancillary, _, source = self._socket.recvmsg(_LIMIT_OCTETS, _STAMP_SPACE)
            except OSError:  # nothing there, mostly
                return
            seconds, nanoseconds = _STAMP.unpack(ancillary[0][2])
            at = seconds - since_epoch + nanoseconds * 1e-9
            yield data, source, at
            if at > fresh:
                return

    def send(self, data: bytes, target: Address) -> None:
        """Raises OSError; what the kernel has no room for now is not kept, late audio is worth nothing."""
        self._socket.sendto(data, target)

    def close(self) -> None:
        self.is_open = False
        self._socket.close()
