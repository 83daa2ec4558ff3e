"""A TCP relay that keeps what passes, and the packets that would have carried it, for tshark to read.

No right to capture is needed, and who said what is known: the gateway's packets come from GATEWAY.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

GATEWAY, PEER = "10.0.0.1", "10.0.0.2"
_PIECE = 60_000  # octets in a packet: IPv4 counts them in 16 bits
_SYN, _ACK, _PSH = 0x02, 0x10, 0x08


class Piece(NamedTuple):
    connection: int
    from_gateway: bool
    data: bytes


class Relay:
    """Listens on `port`, and connects to `target` for each who comes; `outward` when that is the gateway's
    own connection to a peer."""

    def __init__(self, target: int, kept: list[Piece], *, outward: bool) -> None:
        self._target, self._kept, self._outward = target, kept, outward
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=30)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            number = id(near)
            self._sockets += (near, far)
            for source, sink, from_gateway in ((near, far, self._outward), (far, near, not self._outward)):
                thread = threading.Thread(target=self._pump, args=(source, sink, number, from_gateway))
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, number: int, from_gateway: bool) -> None:
        try:
            while data := source.recv(65536):
                self._kept.append(Piece(number, from_gateway, data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # the other pump finds out too
            pass

    def close(self) -> None:
        for sock in (self._listener, *self._sockets):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(10)
        for sock in (self._listener, *self._sockets):
            sock.close()


def write_pcap(file: Path, pieces: Sequence[Piece], port: int) -> None:
    """Each piece as TCP packets between the gateway and a peer on `port`; a port of its own for each
    connection on the gateway's side."""
    ports: dict[int, int] = {}
    sent: dict[tuple[int, bool], int] = {}
    with file.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101))  # 101: raw IP

        def packet(connection: int, from_gateway: bool, flags: int, data: bytes = b"") -> None:
            near, far = ports[connection], port
            if not from_gateway:
                near, far = far, near
            sequence = sent.get((connection, from_gateway), 0)
            other = sent.get((connection, not from_gateway), 0)
            tcp = struct.pack(">HHIIBBHHH", near, far, sequence, other, 5 << 4, flags, 0xFFFF, 0, 0)
            source, sink = (GATEWAY, PEER) if from_gateway else (PEER, GATEWAY)
            addresses = socket.inet_aton(source) + socket.inet_aton(sink)
            length = 40 + len(data)
            ip = struct.pack(">BBHHHBBH", 0x45, 0, length, 0, 0, 64, socket.IPPROTO_TCP, 0) + addresses
            number = packet.number = getattr(packet, "number", 0) + 1  # type: ignore[attr-defined]
            out.write(struct.pack("<IIII", 1_700_000_000 + number // 1000, number % 1000, length, length))
            out.write(ip + tcp + data)
            sent[connection, from_gateway] = sequence + len(data) + (flags & _SYN != 0)

        for piece in pieces:
            if piece.connection not in ports:
                ports[piece.connection] = 20_000 + len(ports)
                for from_gateway, flags in ((True, _SYN), (False, _SYN | _ACK), (True, _ACK)):
                    packet(piece.connection, from_gateway, flags)
            for at in range(0, len(piece.data), _PIECE):
                data = piece.data[at : at + _PIECE]
                packet(piece.connection, piece.from_gateway, _PSH | _ACK, data)


def dissect(program: str, file: Path, port: int, wanted: str, fields: Sequence[str]) -> list[list[str]]:
    """The fields of each packet that the display filter `wanted` picks, as SMPP on `port`."""
    done = subprocess.run(
        [
            *(program, "-n", "-r", str(file), "-d", f"tcp.port=={port},smpp", "-Y", wanted, "-T", "fields"),
            *(argument for field in fields for argument in ("-e", field)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def lengths(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """(command_id, command_status) of all that the gateway has sent, by walking along command_length."""
    found = []
    for connection in dict.fromkeys(piece.connection for piece in pieces):
        data = b"".join(p.data for p in pieces if p.connection == connection and p.from_gateway)
        while data:
            length, command, status = struct.unpack(">III", data[:12])
            assert 16 <= length <= len(data), "a PDU is cut short"
            found.append((command, status))
            data = data[length:]
    return found
