"""Hostile SMPP peers by octets written by hand, and a daemon with an honest account and an honest carrier."""

from __future__ import annotations

import itertools
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from smpplib import consts

from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, until
from tests.peers.settings import account, bind
from tests.peers.smpplib_smsc import Smsc

ROK = consts.SMPP_ESME_ROK
RINVSERTYP, RINVCMDLEN, RINVCMDID, RINVBNDSTS, RALYBND, RSYSERR = 0x15, 2, 3, 4, 5, 8
RINVMSGLEN, RINVSRCADR, RINVDSTADR, RINVOPTPARSTREAM, RX_T_APPN = 0x01, 0x0A, 0x0B, 0xC0, 0x64
GENERIC_NACK, RESPONSE = 0x80000000, 0x80000000
BIND_RX, BIND_TX, QUERY, SUBMIT, DELIVER, UNBIND = 1, 2, 3, 4, 5, 6
REPLACE, CANCEL, BIND_TRX, OUTBIND, ENQUIRE_LINK = 7, 8, 9, 0x0B, 0x15
SUBMIT_MULTI, ALERT, DATA = 0x21, 0x102, 0x103
CAP = 0x10000 + 0x2000
CUSTOMERS = (f"4477008{n:05}".encode() for n in itertools.count())

SETTINGS = (
    """
[smpp.listen]
address = "127.0.0.1:{listen}"
bind_timeout = "3s"
"""
    + account("honest", 'enquire_link = "10m"')  # which it would not answer while another is waited for
    + account("abuser", "sessions = 3", "window = 2000")
    + bind("friend", "{friend}", "12345")
    + bind(
        "foe",
        "{foe}",
        "23456",
        'response_timeout = "3s"',
        'reconnect = "50ms"',
        'reconnect_limit = "50ms"',
        'retry_pause = "50ms"',
        'throttle_pause = "50ms"',
    )
)

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345", "23456"]

[keywords.HOURS]
number = "23456"
reply = "We bake from 11 to 23."
"""


def pdu(
    command: int, sequence: int, body: bytes = b"", *, status: int = 0, length: int | None = None
) -> bytes:
    return (
        struct.pack(">IIII", 16 + len(body) if length is None else length, command, status, sequence) + body
    )


def tlv(tag: int, value: bytes) -> bytes:
    return struct.pack(">HH", tag, len(value)) + value


def short_message(
    text: bytes = b"hi",
    *,
    source: bytes = b"12345",
    to: bytes = b"447700800000",
    service_type: bytes = b"",
    esm_class: int = 0,
    data_coding: int = 0,
    sm_length: int | None = None,
    tlvs: bytes = b"",
) -> bytes:
    """The body of submit_sm and deliver_sm (SMPP 3.4 section 4.4.1)."""
    head = service_type + b"\0\1\1" + source + b"\0\1\1" + to + b"\0" + bytes((esm_class, 0, 0))
    length = len(text) if sm_length is None else sm_length
    return head + b"\0\0\0\0" + bytes((data_coding, 0, length)) + text + tlvs


class Answer(NamedTuple):
    command: int
    status: int
    sequence: int
    body: bytes = b""


class Peer:
    """One connection, either side of it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(30)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def read(self) -> Answer | None:
        """The next PDU; None: the connection has ended."""
        head = self._exactly(16)
        if head is None:
            return None
        length, command, status, sequence = struct.unpack(">IIII", head)
        return Answer(command, status, sequence, self._exactly(length - 16) or b"")

    def _exactly(self, count: int) -> bytes | None:
        data = b""
        while len(data) < count:
            try:
                piece = self.connection.recv(count - len(data))
            except ConnectionError:
                return None
            if not piece:
                return None
            data += piece
        return data

    def answered(self) -> tuple[int, int, int]:
        """command_id, command_status and sequence_number of the next response; requests are granted."""
        while True:
            answer = self.read()
            assert answer is not None, "the connection was closed"
            if answer.command & RESPONSE:
                return answer[:3]
            self.send(pdu(answer.command | RESPONSE, answer.sequence, b"granted\0"))

    def ask(self, request: bytes) -> tuple[int, int, int]:
        self.send(request)
        return self.answered()

    def lives(self, sequence: int = 4711) -> None:
        assert self.ask(pdu(ENQUIRE_LINK, sequence)) == (ENQUIRE_LINK | RESPONSE, ROK, sequence)

    def ended(self) -> bool:
        return self.read() is None


class Site:
    def __init__(self, daemon: Daemon, port: int, foe: int, friend: Smsc, honest: Peer) -> None:
        self.daemon = daemon
        self.port = port
        self.foe = foe
        self.friend = friend
        self.honest = honest

    @contextmanager
    def connection(self) -> Iterator[Peer]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            yield Peer(connection)

    @contextmanager
    def abuser(self, command: int = BIND_TRX) -> Iterator[Peer]:
        with self.connection() as peer:
            assert peer.ask(pdu(command, 1, ABUSER))[:2] == (command | RESPONSE, ROK)
            yield peer

    @contextmanager
    def listener(self) -> Iterator[socket.socket]:
        """The foe's port, as long as the test wants it: else the daemon's connections are refused."""
        with socket.create_server(("127.0.0.1", self.foe)) as listener:
            listener.settimeout(30)
            yield listener

    @contextmanager
    def carrier(self) -> Iterator[Peer]:
        """An SMSC to which the daemon has bound."""
        with self.listener() as listener, accepted(listener) as peer:
            bind = asked(peer, BIND_TRX)
            before = len(self.daemon.log("bind.up"))
            peer.send(pdu(BIND_TRX | RESPONSE, bind.sequence, b"foe\0"))
            until(lambda: len(self.daemon.log("bind.up")) > before, "the daemon is bound to the foe")
            yield peer

    def send(self, **fields: object) -> str:
        return self.daemon.send(
            **{"to": f"+{next(CUSTOMERS).decode()}", "sender": "23456", "text": "hi"} | fields
        )


ABUSER = b"abuser\0right\0\0\x34\0\0\0"

BODIES = {  # of requests
    SUBMIT: short_message(b"\5\0\3\1\2\1hello", esm_class=0x40),
    QUERY: b"id\0\1\00112345\0",
    REPLACE: b"id\0\1\00112345\0\0\0\0\0\2hi",
    CANCEL: b"\0id\0\1\00112345\0\1\1447700800000\0",
    SUBMIT_MULTI: b"\0\1\00112345\0\2\1\1\1447700800000\0\2list\0" + bytes(9) + b"\2hi",
    DATA: b"\0\1\00112345\0\1\1447700800000\0\0\0\0" + tlv(0x424, b"hi"),
}


def damaged(good: bytes, count: int) -> Iterator[bytes]:
    """Bodies with some octets changed, same-id."""
    rng = random.Random(len(good))
    for _ in range(count):
        body = bytearray(good)
        for _ in range(rng.randrange(1, 5)):
            body[rng.randrange(len(body))] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        yield bytes(body)


@contextmanager
def accepted(listener: socket.socket) -> Iterator[Peer]:
    connection, _ = listener.accept()
    with connection:
        yield Peer(connection)


def asked(peer: Peer, command: int) -> Answer:
    """The next request of that kind; enquire_link is answered."""
    while True:
        request = peer.read()
        assert request is not None, "the connection was closed"
        if request.command == command:
            return request
        if request.command == ENQUIRE_LINK:
            peer.send(pdu(ENQUIRE_LINK | RESPONSE, request.sequence))


@contextmanager
def hostile_site(folder: Path, settings: str = SETTINGS) -> Iterator[Site]:
    """The daemon, the honest two, and ports for the others."""
    friend, port, foe = Smsc(), free_port(), free_port()
    filled = settings.format(listen=port, friend=friend.port, foe=foe)
    try:
        with Daemon(folder, filled, {"shop": SHOP}) as daemon:
            until(lambda: daemon.log("bind.up"), "the friend's bind is up")
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                honest = Peer(connection)
                assert honest.ask(pdu(BIND_TRX, 1, b"honest\0right\0\0\x34\0\0\0"))[1] == ROK
                yield Site(daemon, port, foe, friend, honest)
    finally:
        friend.close()


@contextmanager
def unharmed(site: Site) -> Iterator[Site]:
    """After what happens within, the daemon lives, the honest two go on, and no traceback is in the log."""
    logged = len(site.daemon.log_file.read_text())
    yield site
    to = next(CUSTOMERS)
    assert site.daemon.is_up
    assert site.honest.ask(pdu(SUBMIT, 2, short_message(to=to))) == (SUBMIT | RESPONSE, ROK, 2)
    assert len(site.friend.submit(to.decode())) == 1
    assert len(site.friend.connections) == 1, "the friend's session has ended"
    said = site.daemon.log_file.read_text()[logged:].splitlines()
    assert not [line for line in said if "Traceback" in line or '"level":"critical"' in line]
