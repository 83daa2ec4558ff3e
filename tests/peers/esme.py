"""An ESME of smpplib's PDUs, in a thread of its own: an account of the gateway that binds again for ever."""

from __future__ import annotations

import itertools
import re
import socket
import struct
import threading
from typing import Any, Self

from smpplib import smpp

_RECEIPT = re.compile(rb"id:(\S+) .*stat:(\S+)")


class Esme:
    """A transceiver.  What it submits and is not answered is not submitted again."""

    def __init__(self, port: int, system_id: str, password: str) -> None:
        self.acked: dict[str, str] = {}  # message id -> recipient
        self.refused: list[tuple[str, int]] = []  # recipient, command_status
        self.receipts: list[tuple[int, str, str]] = []  # connection, message id, stat
        self.connections = 0
        self._port, self._system_id, self._password = port, system_id, password
        self._sequences = itertools.count(2)
        self._unanswered: dict[int, str] = {}  # of the present connection: sequence_number -> recipient
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with self._lock:
            if self._connection is not None:
                self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)

    @property
    def is_bound(self) -> bool:
        return self._connection is not None

    def submit(self, sender: str, to: str, text: str) -> bool:
        """Ask for a message and for its receipt.  False: nobody is there to be asked."""
        with self._lock:
            if self._connection is None:
                return False
            sequence = next(self._sequences)
            self._unanswered[sequence] = to
            try:
                self._connection.sendall(
                    _octets(
                        "submit_sm",
                        sequence,
                        source_addr=sender,
                        dest_addr_ton=1,
                        dest_addr_npi=1,
                        destination_addr=to,
                        short_message=text.encode(),
                        registered_delivery=1,
                    )
                )
            except OSError:
                return False
            return True

    def _run(self) -> None:
        while not self._stopped.wait(0.05):
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=30) as connection:
                    self._serve(connection)
            except OSError:  # nobody listens, or it has just been killed
                pass

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_octets("bind_transceiver", 1, system_id=self._system_id, password=self._password))
        connection.settimeout(None)
        stream = connection.makefile("rb")
        try:
            while header := stream.read(4):
                data = header + stream.read(struct.unpack(">I", header)[0] - 4)
                self._heard(connection, smpp.parse_pdu(data, sequence=0, allow_unknown_opt_params=True))
        except (OSError, struct.error):  # cut in the middle
            pass
        finally:
            with self._lock:
                self._connection = None
                self._unanswered.clear()
            stream.close()

    def _heard(self, connection: socket.socket, pdu: Any) -> None:
        match pdu.command:
            case "bind_transceiver_resp" if pdu.status == 0:
                self.connections += 1
                with self._lock:
                    self._connection = connection
            case "submit_sm_resp":
                to = self._unanswered.pop(pdu.sequence)
                if pdu.status:
                    self.refused.append((to, pdu.status))
                else:
                    self.acked[pdu.message_id.decode()] = to
            case "deliver_sm":
                found = _RECEIPT.search(pdu.short_message)
                assert found, pdu.short_message
                self.receipts.append((self.connections, found[1].decode(), found[2].decode()))
                self._answer(connection, pdu)
            case "enquire_link" | "unbind":
                self._answer(connection, pdu)

    def _answer(self, connection: socket.socket, pdu: Any) -> None:
        with self._lock:
            connection.sendall(_octets(pdu.command + "_resp", pdu.sequence))


def _octets(command: str, sequence: int, **fields: Any) -> bytes:
    pdu = smpp.make_pdu(command, sequence=sequence, **fields)
    pdu.sequence = sequence
    octets: bytes = pdu.generate()
    return octets
