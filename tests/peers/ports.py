"""Ports for the programs that a test starts, and that nobody else takes before they listen."""

from __future__ import annotations

import functools
import itertools
import socket
from collections.abc import Iterator

# Below those that the system gives to outgoing connections, and below the daemon's own default for RTP.
_FIRST, _LAST = 10_000, 20_000
_BLOCK = 500


def free_port(kind: int = socket.SOCK_STREAM, address: str = "127.0.0.1", *, span: int = 1) -> int:
    """A port that nobody has; of a `span` the first, which is even, and the others follow it.

    A test run has a block to itself, however many run beside each other, and goes through it in order: what
    was given last comes again last.
    """
    _, ports = _block()
    for port in itertools.islice(ports, 2 * _BLOCK):
        if span > 1 and (port % 2 or port % _BLOCK + span > _BLOCK):
            continue
        # where SIP is taken by UDP it is by TCP too; of that a connection of before may be left for a minute
        kinds = {kind, socket.SOCK_STREAM} if span == 1 else {kind}
        if all(_is_free(kind, address, port + n) for kind in kinds for n in range(span)):
            for _ in range(span - 1):
                next(ports)
            return port
    raise RuntimeError(f"no {span} free ports in a row, of {_BLOCK}")


@functools.cache
def _block() -> tuple[socket.socket, Iterator[int]]:
    """The socket whose name says that the block is taken, until this process ends; the ports, for ever."""
    for first in range(_FIRST, _LAST, _BLOCK):
        mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            mark.bind(f"\0trunkline-test-ports-{first}")
        except OSError:
            mark.close()
            continue
        return mark, itertools.cycle(range(first, first + _BLOCK))
    raise RuntimeError(f"more than {(_LAST - _FIRST) // _BLOCK} test runs at once: no ports are left")


def _is_free(kind: int, address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
