"""An SMSC made of smpplib's PDUs, in threads of its own: an independent peer for the ESME side."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

from smpplib import consts, smpp

SILENCE = -1  # no answer
DROP = -2  # cut the connection instead of answering
THROTTLE_AND_DROP = -3  # answer ESME_RTHROTTLED and cut the connection


class Smsc:
    """Answers binds, enquire_link and unbind; `statuses` says how the submits are answered, then ESME_ROK."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.bind_status = 0
        self.statuses: list[int] = []
        self.seen: list[tuple[int, str, bytes]] = []  # connection, command, short_message
        self.submitted: list[Any] = []  # submit_sm as smpplib reads them
        self.raw: list[bytes] = []  # the same as octets
        self.binds: list[Any] = []
        self.answers: list[Any] = []
        self.asked: list[Any] = []  # requests of other kinds
        self.answers_of: dict[str, dict[str, Any]] = {}  # what is in the responses to them
        self.silent = False  # no answer to them
        self.ids: Iterator[str] = (f"id-{n}" for n in itertools.count(1))
        self.sequences = itertools.count(1000)
        self.connections: list[socket.socket] = []
        self.heard = threading.Condition()
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, len(self.connections) - 1))
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        stream = connection.makefile("rb")
        try:
            while header := stream.read(4):
                data = header + stream.read(struct.unpack(">I", header)[0] - 4)
                if data[4:8] == b"\x00\x00\x00\x04":
                    self.raw.append(data)
                self._request(
                    connection, number, smpp.parse_pdu(data, sequence=0, allow_unknown_opt_params=True)
                )
        except OSError:
            pass
        finally:
            stream.close()
            connection.close()

    def _request(self, connection: socket.socket, number: int, pdu: Any) -> None:
        with self.heard:
            self.seen.append((number, pdu.command, getattr(pdu, "short_message", b"") or b""))
            if pdu.is_response():
                self.answers.append(pdu)
            elif pdu.command == "submit_sm":
                self.submitted.append(pdu)
            elif pdu.command.startswith("bind"):
                self.binds.append(pdu)
            else:
                self.asked.append(pdu)
            self.heard.notify_all()
        if pdu.is_response():
            return
        fields = {}
        status = 0
        if pdu.command.startswith("bind"):
            status, fields = self.bind_status, {"system_id": "smsc"}
        elif pdu.command == "submit_sm":
            status = self.statuses.pop(0) if self.statuses else 0
            if status == DROP:
                connection.shutdown(socket.SHUT_RDWR)
            if status in (DROP, SILENCE):
                return
            fields = {"message_id": next(self.ids)} if status == 0 else {}
        elif pdu.command == "query_sm":
            if self.silent:
                return
            fields = self.answers_of.get(pdu.command, {})
        last = status == THROTTLE_AND_DROP
        status = consts.SMPP_ESME_RTHROTTLED if last else status
        self.send(connection, pdu.command + "_resp", pdu.sequence, status=status, **fields)
        if last:
            connection.shutdown(socket.SHUT_WR)

    def send(self, connection: socket.socket, command: str, sequence: int, **fields: Any) -> None:
        pdu = smpp.make_pdu(command, sequence=sequence, **fields)
        pdu.sequence = sequence
        connection.sendall(pdu.generate())

    def deliver(self, source: str, destination: str, short_message: bytes, **fields: Any) -> Any:
        """Send a deliver_sm by the youngest connection; its response."""
        sequence = next(self.sequences)
        self.send(
            self.connections[-1],
            "deliver_sm",
            sequence,
            source_addr_ton=consts.SMPP_TON_INTL,
            source_addr=source,
            destination_addr=destination,
            short_message=short_message,
            **fields,
        )
        self.wait(lambda: any(answer.sequence == sequence for answer in self.answers))
        return next(answer for answer in self.answers if answer.sequence == sequence)

    def submit(self, destination: str, count: int = 1) -> list[Any]:
        """The first `count` submit_sm to that destination, once they have come."""
        with self.heard:
            found: list[Any] = []

            def come() -> bool:
                found[:] = [p for p in self.submitted if p.destination_addr == destination.encode()]
                return len(found) >= count

            assert self.heard.wait_for(come, 30), f"{len(found)} submit_sm to {destination}"
        return found

    def wait(self, condition: Callable[[], bool]) -> None:
        with self.heard:
            assert self.heard.wait_for(condition, 30)

    def submits(self) -> list[bytes]:
        return [text for _, command, text in self.seen if command == "submit_sm"]

    def hang_up(self) -> None:
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is gone

    def close(self) -> None:
        for sock in (self.listener, *self.connections):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        for thread in self.threads:
            thread.join(10)
