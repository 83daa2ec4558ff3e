"""Names to addresses, without keeping the loop: looked up in threads, remembered for a while."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohappyeyeballs import AddrInfoType

KNOWN_SECONDS = 30.0
FAILED_SECONDS = 3.0
_NAMES = 1_000  # remembered
_THREADS = 16  # names that nobody answers for hold a thread each, for as long as the system asks around

Found = Sequence[AddrInfoType]
Lookup = Callable[[str, int], Found]


def getaddrinfo(host: str, port: int) -> Found:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


class Addresses:
    def __init__(self, lookup: Lookup = getaddrinfo) -> None:
        self._lookup = lookup
        self._threads: ThreadPoolExecutor | None = None
        self._known: dict[tuple[str, int], tuple[asyncio.Future[Found], float]] = {}

    async def of(self, host: str, port: int) -> Found:
        """In the order in which they should be tried.  Raises OSError or UnicodeError."""
        if literal := _literal(host, port):
            return [literal]
        loop = asyncio.get_running_loop()
        found, until = self._known.get((host, port), (None, 0.0))
        if found is None or (found.done() and loop.time() >= until):
            found = self._ask(loop, host, port)
        return await asyncio.shield(found)  # others wait for it too

    def forget(self, host: str, port: int) -> None:
        """Nobody was met there: the next one asks again."""
        found, _ = self._known.get((host, port), (None, 0.0))
        if found is not None and found.done():
            del self._known[host, port]

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> asyncio.Future[Found]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="names")
        found = loop.run_in_executor(self._threads, self._lookup, host, port)
        self._known.pop((host, port), None)
        if len(self._known) >= _NAMES:
            del self._known[next(iter(self._known))]
        self._known[host, port] = found, 0.0

        def note(done: asyncio.Future[Found]) -> None:
            if not done.cancelled() and self._known.get((host, port), (None,))[0] is done:
                seconds = FAILED_SECONDS if done.exception() else KNOWN_SECONDS
                self._known[host, port] = done, loop.time() + seconds

        found.add_done_callback(note)
        return found


def _literal(host: str, port: int) -> AddrInfoType | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if address.version == 6:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)
