"""The store's engine in a process of its own, which shares no lock with the event loop.

The groups of a transaction and the verdict on it go over a socket pair, each as its length in four octets
and MessagePack.  The process
holds the lock beside the file too (store.lock): whoever starts after a kill waits until its last transaction
is done.  It ends when the socket does.

    python -m gateway.store.process PATH        with the socket as standard input
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from gateway.store.engine import IDLE_SECONDS, Engine, Verdict, connect, set_up

_log = logging.getLogger(__name__)

_LENGTH = struct.Struct(">I")
_START_SECONDS = 30.0
_END_SECONDS = 10.0

_encode = msgspec.msgpack.Encoder().encode
_groups = msgspec.msgpack.Decoder(list[bytes]).decode
_verdict = msgspec.msgpack.Decoder(Verdict).decode


class ProcessHand(asyncio.Protocol):
    """engine.Hand."""

    def __init__(self, path: Path, lock: int) -> None:
        """`lock` is the descriptor of the lock that the process is to hold as well."""
        self._path, self._lock = path, lock
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._read = bytearray()
        self._ready: asyncio.Future[Verdict] | None = None
        self._ending = False

    async def start(
        self,
        replied: Callable[[Verdict], None],
        noted: Callable[[str], None],
        ended: Callable[[str], None],
    ) -> None:
        self._replied, self._noted, self._ended = replied, noted, ended
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        ours = await asyncio.to_thread(self._spawn)
        await loop.create_unix_connection(lambda: self, sock=ours)
        verdict = await asyncio.wait_for(self._ready, _START_SECONDS)
        if verdict.trouble:
            raise sqlite3.OperationalError(verdict.trouble)

    def _spawn(self) -> socket.socket:
        """Our end of the socket."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(self._path)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                pass_fds=(self._lock,) if self._lock >= 0 else (),
            )
        ours.setblocking(False)
        return ours

    def give(self, groups: list[bytes]) -> None:
        octets = _encode(groups)
        if self._transport is not None:  # else it has ended, and `ended` is being told
            self._transport.writelines((_LENGTH.pack(len(octets)), octets))

    def end(self) -> None:
        self._ending = True
        if self._transport is not None:
            self._transport.write_eof()

    @property
    def alive(self) -> bool:
        return self._transport is not None

    def join(self) -> None:
        if self._process is not None:
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while len(self._read) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._read)[0]
            if len(self._read) < end:
                return
            verdict = _verdict(self._read[_LENGTH.size : end])
            del self._read[:end]
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(verdict)
            elif verdict.note:
                self._noted(verdict.note)
            else:
                self._replied(verdict)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        reason = "" if self._ending else "the store's writing process has ended; restart the gateway"
        if reason:
            _log.error("store.writer_died", extra={"path": str(self._path)})
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(Verdict(trouble=reason))
        self._ended(reason)


def main() -> None:
    """Write what comes until the socket ends."""
    # signals are for the gateway: it says when there is nothing more to write
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    path = Path(sys.argv[1])
    with socket.socket(fileno=0) as sock:
        try:
            engine = Engine(connect(path, "rw"), path)
            set_up(engine.connection)
        except sqlite3.Error as error:
            _say(sock, Verdict(trouble=str(error)))
            return
        _say(sock, Verdict())
        try:
            while _turn(sock, engine):
                pass
        except (BrokenPipeError, ConnectionResetError):  # nobody is there to be told
            pass
        finally:
            engine.connection.close()


def _turn(sock: socket.socket, engine: Engine) -> bool:
    """One transaction and what follows it; False when there will be no more."""
    sock.settimeout(IDLE_SECONDS if engine.unchecked else None)
    try:
        head = sock.recv(_LENGTH.size, socket.MSG_WAITALL)
    except TimeoutError:
        wrong = engine.checkpoint()
    else:
        sock.settimeout(None)
        octets = sock.recv(_LENGTH.unpack(head)[0], socket.MSG_WAITALL) if len(head) == _LENGTH.size else b""
        if not octets or len(octets) != _LENGTH.unpack(head)[0]:
            return False
        _say(sock, engine.execute(_groups(octets)))
        wrong = engine.after()
    if wrong:
        _say(sock, Verdict(note=wrong))
    return True


def _say(sock: socket.socket, verdict: Verdict) -> None:
    octets = _encode(verdict)
    sock.sendall(_LENGTH.pack(len(octets)) + octets)


if __name__ == "__main__":
    main()
