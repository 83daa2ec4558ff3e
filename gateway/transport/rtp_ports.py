"""The UDP ports of a range, for the media of calls."""

import errno
import socket
from collections import deque
from collections.abc import Iterable

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

    def bind(self) -> socket.socket:
        """A bound, non-blocking socket; give its port back by `release`.  Raises NoPortFree."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        for _ in range(len(self._free)):
            port = self._free.popleft()
            sock = socket.socket(family, socket.SOCK_DGRAM)
            try:
                sock.bind((self.host, port))
            except OSError as error:
                sock.close()
                self._free.append(port)
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    continue  # another program holds it
                raise
            sock.setblocking(False)
            return sock
        raise NoPortFree(f"no RTP port is free on {self.host}")

    def release(self, port: int) -> None:
        """Put a port at the end of the queue again."""
        self._free.append(port)
