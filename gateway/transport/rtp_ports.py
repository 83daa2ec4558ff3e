"""The UDP ports of a range, in pairs, for the media of calls."""

import errno
import socket
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack

from gateway.values.errors import GatewayError


class NoPortFree(GatewayError):
    """Every RTP port of the range is taken: refuse the call with 503, a later one may find one."""

    retryable = True


class RtpPorts:
    """The even UDP ports of a range, given out in turn: late packets of an ended call meet no new one."""

    def __init__(self, host: str, ports: Iterable[int]) -> None:
        """`host` is the IP literal to bind; odd `ports` are passed over.  Shuffled, none can be guessed."""
        self.host = host
        self._free = deque(port for port in ports if port % 2 == 0)

    def bind(self) -> tuple[socket.socket, socket.socket]:
        """Two bound, non-blocking sockets: the even port's for RTP, the next one's for RTCP.

        Source: RFC 3550 section 11.  Give the even port back by `release`.  Raises NoPortFree.
        """
        for _ in range(len(self._free)):
            port = self._free.popleft()
            try:
                return self._bind(port)
            except OSError as error:
                self._free.append(port)
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
                # else another program holds it
        raise NoPortFree(f"no RTP port is free on {self.host}")

    def _bind(self, port: int) -> tuple[socket.socket, socket.socket]:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with ExitStack() as opened:
            rtp, rtcp = (opened.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(2))
            for sock, number in ((rtp, port), (rtcp, port + 1)):
                sock.setblocking(False)
                sock.bind((self.host, number))
            opened.pop_all()
        return rtp, rtcp

    def release(self, port: int) -> None:
        """Put a port at the end of the queue again."""
        self._free.append(port)
