"""Web servers that take notifications badly, by a habit of theirs, until they are `cured`."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
RST = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Taken(NamedTuple):
    at: float  # monotonic seconds
    id: str  # X-Hub-Id
    path: str
    body: bytes
    ok: bool  # it was answered 200


Habit = Callable[
    [socket.socket, threading.Event], bool
]  # instead of an answer; whether the connection goes on


class BadReceiver:
    def __init__(self, habit: Habit) -> None:
        self.requests: list[Taken] = []
        self.cured = threading.Event()
        self._habit = habit
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/dlr"
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cured.set()
        for sock in (self._listener, *self._connections):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        for thread in self._threads:
            thread.join(10)

    def taken(self) -> list[Taken]:
        return [request for request in self.requests if request.ok]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            for head, body in _requests(connection):
                ok = self.cured.is_set()
                id = next(line[10:].strip() for line in head if line.lower().startswith("x-hub-id:"))
                self.requests.append(Taken(time.monotonic(), id, head[0].split()[1], body, ok))
                if ok:
                    connection.sendall(OK)
                elif not self._habit(connection, self.cured):
                    break
        except OSError:
            pass  # it has gone, or we have
        finally:
            connection.close()


def _requests(connection: socket.socket) -> Iterator[tuple[list[str], bytes]]:
    stream = connection.makefile("rb")
    with stream:
        while line := stream.readline():
            head = [line.decode("latin-1")]
            while (line := stream.readline()).strip():
                head.append(line.decode("latin-1"))
            length = next(int(line[15:]) for line in head if line.lower().startswith("content-length:"))
            yield head, stream.read(length)


# -- habits ------------------------------------------------------------------------------------------------


def says(answer: bytes, *, goes_on: bool = True) -> Habit:
    def habit(connection: socket.socket, cured: threading.Event) -> bool:
        connection.sendall(answer)
        return goes_on

    return habit


def never_answers(connection: socket.socket, cured: threading.Event) -> bool:
    cured.wait(30)
    return False


def resets(connection: socket.socket, cured: threading.Event) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    return False


def endless(before: bytes, piece: bytes) -> Habit:
    """As much as the peer reads, for as long as it does."""

    def habit(connection: socket.socket, cured: threading.Event) -> bool:
        connection.sendall(before)
        while not cured.is_set():
            connection.sendall(piece)
        return False

    return habit


def drips(connection: socket.socket, cured: threading.Event) -> bool:
    """An octet now and then, as if the answer were about to come."""
    for octet in b"HTTP/1.1 200 OK\r\n" + b"X-Patience: 1\r\n" * 1000:
        if cured.wait(0.2):
            return False
        connection.sendall(bytes((octet,)))
    return False
