"""All that the gateway can say in SMPP, in both roles, as Wireshark's decoder sees it.

A relay keeps the traffic with peers that are octets written by hand; no right to capture is needed.
"""

from __future__ import annotations

import itertools
import shutil
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.capture import MISSING
from tests.peers.hostile import (
    ALERT,
    BIND_RX,
    BIND_TRX,
    BIND_TX,
    CANCEL,
    DATA,
    DELIVER,
    ENQUIRE_LINK,
    GENERIC_NACK,
    OUTBIND,
    QUERY,
    REPLACE,
    RESPONSE,
    SUBMIT,
    SUBMIT_MULTI,
    UNBIND,
    pdu,
    tlv,
)
from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, until
from tests.peers.relay import GATEWAY, PEER, Piece, Relay, dissect, lengths, write_pcap
from tests.peers.settings import account, bind

pytestmark = [pytest.mark.e2e, pytest.mark.peer]

BINDS = (BIND_RX, BIND_TX, BIND_TRX)
PORT = 2775  # in the capture

# name of a bind: its settings.  Each has a shortcode of its own
KINDS = {
    "plain": "",
    "udh16": 'long_messages = "udh16"',
    "sar": 'long_messages = "sar"',
    "payload": 'long_messages = "payload"',
    "packed": 'default_alphabet = "gsm-packed"',
    "latin1": 'default_alphabet = "latin1"',
    "ascii": 'default_alphabet = "ascii"',
    "utf8": 'default_alphabet = "utf8"',
    "national": 'national_languages = ["turkish", "hindi", "portuguese"]',
    "flash": "message_class = 0",
    "group_f": 'message_class = 1\nmessage_class_group = "0xF0"',
    "codings": "data_codings = { default = 0xF1, ucs2 = 0x18 }",
    "vendor": 'tlvs = { "0x1400" = "1101234567", "0x1401" = "hex:00FF", "0x0210" = "hex:01" }\n'
    'registered_delivery = "intermediate"\nvalidity_format = "relative"',
    "strange": 'service_type = "CMT"\nvalidity_format = "absolute"\nsource_addr_ton = 0\ndest_addr_npi = 8\n'
    'system_type = "SMPP"\nregistered_delivery = "failure"',
    "v33": 'interface_version = "3.3"',
    "v50": 'interface_version = "5.0"',
    "asking": 'query_sm = "100ms"',
    "sender": 'mode = "transmitter"',
    "receiver": 'mode = "receiver"',
}
SHORTCODES = {name: str(20_000 + n) for n, name in enumerate(KINDS)}
TEXTS = (
    "hi",
    "price {5} [€]",
    "x" * 500,
    "Ж" * 20,
    "Привет, мир! 😀 " * 20,
    "çok güzel, iyi günler ş ğ İ ı " * 8,
    "नमस्ते दुनिया, आप कैसे हैं? " * 8,
    "café " * 60,
)

# a service indication: ports 2948 and 9200, a WSP push, a WBXML body
PUSH = bytes.fromhex("0605040b8423f0 01060403ae81ea 02056a0045c60c03") + b"example.org\0\1\3Hi\0\1\1"

LISTEN = """
[smpp.listen]
address = "127.0.0.1:{listen}"
bind_timeout = "3s"
"""
SETTINGS = LISTEN + (
    account("acme", "inbound = true", 'enquire_link = "1s"')
    + account("called", "inbound = true", 'outbind = "127.0.0.1:{outbind}"')
)
SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = {list(SHORTCODES.values())}
"""


def message(
    text: bytes = b"hi",
    *,
    source: str = "447700900123",
    to: str,
    esm_class: int = 0,
    validity: bytes = b"",
    schedule: bytes = b"",
    registered: int = 0,
    data_coding: int = 0,
    tlvs: bytes = b"",
) -> bytes:
    """The body of submit_sm and deliver_sm."""
    head = b"\0\1\1" + source.encode() + b"\0\1\1" + to.encode() + b"\0" + bytes((esm_class, 0, 0))
    rest = schedule + b"\0" + validity + b"\0" + bytes((registered, 0, data_coding, 0, len(text)))
    return head + rest + text + tlvs


class Peer:
    """One connection; what the other side asks is granted."""

    def __init__(self, connection: socket.socket, ids: Iterator[int]) -> None:
        self.connection = connection
        self.asked: list[tuple[int, bytes]] = []
        self.answers: dict[int, tuple[int, int, bytes]] = {}  # by sequence_number
        self._ids = ids
        self._news = threading.Condition()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        stream = self.connection.makefile("rb")
        try:
            while head := stream.read(16):
                length, command, status, sequence = struct.unpack(">IIII", head)
                body = stream.read(length - 16)
                with self._news:
                    if command & RESPONSE:
                        self.answers[sequence] = (command, status, body)
                    else:
                        self.asked.append((command, body))
                        self._grant(command, sequence)
                    self._news.notify_all()
        except OSError:
            pass
        finally:
            stream.close()

    def _grant(self, command: int, sequence: int) -> None:
        body = b""
        if command == OUTBIND:
            self.connection.sendall(pdu(BIND_RX, 1, b"called\0right\0\0\x34\0\0\0"))
            return
        if command in BINDS:
            body = b"smsc\0"
        elif command == SUBMIT:
            body = b"%d\0" % next(self._ids)
        elif command == DELIVER:
            body = b"\0"
        elif command == QUERY:
            body = b"%d\0\0\1\0" % next(self._ids)
        self.connection.sendall(pdu(command | RESPONSE, sequence, body))

    def ask(self, request: bytes) -> tuple[int, int, bytes]:
        sequence = int.from_bytes(request[12:16], "big")
        self.connection.sendall(request)
        with self._news:
            assert self._news.wait_for(lambda: sequence in self.answers, 30), request
        return self.answers.pop(sequence)

    def has(self, command: int, count: int = 1) -> bool:
        return sum(asked == command for asked, _ in self.asked) >= count

    def close(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(10)
        self.connection.close()


class Site:
    def __init__(self, folder: Path) -> None:
        self.kept: list[Piece] = []
        self.ids = itertools.count(1000)
        self.sequences = itertools.count(1)
        self.peers: list[Peer] = []
        self.carriers: dict[str, Peer] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        listen = free_port()
        self._relays = [
            Relay(self._listener.getsockname()[1], self.kept, outward=True),
            Relay(listen, self.kept, outward=False),
        ]
        settings = SETTINGS.format(listen=listen, outbind=self._relays[0].port) + "".join(
            bind(
                name,
                self._relays[0].port,
                SHORTCODES[name],
                'password = "secret"',
                'enquire_link = "2s"',
                text,
                system_id=f"gw-{name}",
            )
            for name, text in KINDS.items()
        )
        self.daemon = Daemon(folder / "site", settings, {"shop": SHOP})

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.peers.append(Peer(connection, self.ids))

    def carrier(self, name: str) -> Peer:
        """The carrier's side of that bind."""
        mark = b"gw-%s\0" % name.encode()
        return next(p for p in self.peers if any(c in BINDS and body.startswith(mark) for c, body in p.asked))

    def account(self, command: int = BIND_TRX, body: bytes = b"acme\0right\0\0\x34\0\0\0") -> Peer:
        peer = Peer(socket.create_connection(("127.0.0.1", self._relays[1].port), timeout=30), self.ids)
        peer.connection.settimeout(None)
        self.peers.append(peer)
        if body:
            peer.ask(pdu(command, 1, body))
        return peer

    def close(self) -> None:
        for relay in self._relays:
            relay.close()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(10)
        self._listener.close()
        for peer in self.peers:
            peer.close()


def play(site: Site) -> None:
    """Everything."""
    texts_to_carriers(site)
    carriers_ask(site)
    accounts_ask(site)
    accounts_are_told(site)


def texts_to_carriers(site: Site) -> None:
    sent = []
    for name, shortcode in SHORTCODES.items():
        if name == "receiver":
            continue
        for n, text in enumerate(TEXTS):
            fields = {"until": "delivered", "validity": "1h"} if n % 2 else {}
            to = f"+4477009{len(sent):05}"
            sent.append(site.daemon.send(to=to, sender=shortcode, text=text, **fields))
    for id in sent:
        site.daemon.reaches(id, "sent")


def carriers_ask(site: Site) -> None:
    plain, receiver = site.carrier("plain"), site.carrier("receiver")
    number = SHORTCODES["plain"]
    part = b"\5\0\3\7\2\1" + b"a" * 20
    for peer in (plain, receiver):
        for body in (
            message(b"hello", to=number),
            message(part, to=number, esm_class=0x40),
            message(b"\x04\x16", to=number, data_coding=8),
            message(b"", to=number, tlvs=tlv(0x424, b"long " * 200)),
            message(b"id:77 stat:DELIVRD err:000", to=number, esm_class=4),
            message(b"x", to=number)[:-1],  # sm_length lies
            b"\0\1\1no end",
        ):
            peer.ask(pdu(DELIVER, next(site.sequences), body))
        data = b"\0\1\x01447700900123\0\1\1" + number.encode() + b"\0\0\0\0"
        peer.ask(pdu(DATA, next(site.sequences), data + tlv(0x424, b"data")))
        peer.ask(pdu(DATA, next(site.sequences), data[:5]))
        peer.ask(pdu(ENQUIRE_LINK, next(site.sequences)))
        peer.ask(pdu(0x77, next(site.sequences), b"?"))
        for wrong in (SUBMIT, QUERY, CANCEL, REPLACE, SUBMIT_MULTI, BIND_TRX):
            peer.ask(pdu(wrong, next(site.sequences), b"id\0\1\0012345\0"))
        peer.connection.sendall(pdu(ALERT, next(site.sequences), b"\1\x01447700900123\0\1\x0120000\0"))
    until(lambda: site.carrier("sar").has(ENQUIRE_LINK), "the gateway asks whether the link lives")
    until(lambda: site.carrier("asking").has(QUERY, 9), "and what became of messages")
    site.carrier("v33").ask(pdu(UNBIND, next(site.sequences)))
    site.carrier("v50").connection.sendall(b"\0\0\0\1" + bytes(12))  # a length that cannot be


def accounts_ask(site: Site) -> None:
    shortcode = SHORTCODES["plain"]
    for command, body in (
        (BIND_TX, b"acme\0right\0\0\x33\0\0\0"),
        (BIND_RX, b"acme\0right\0\0\x50\0\0\0"),
        (BIND_TRX, b"acme\0wrong\0\0\x34\0\0\0"),
        (BIND_TRX, b"nobody\0right\0\0\x34\0\0\0"),
        (BIND_TRX, b"acme"),
        (SUBMIT, message(to="447700900001", source=shortcode)),
    ):
        site.account(command, body).close()
    peer = site.account()

    def ask(command: int, body: bytes = b"") -> tuple[int, int, bytes]:
        return peer.ask(pdu(command, next(site.sequences), body))

    later = message(to="447700900002", source=shortcode, schedule=b"000001000000000R")
    ids = [ask(SUBMIT, later)[2].rstrip(b"\0") for _ in range(3)]
    own = b"\1\1" + shortcode.encode() + b"\0"
    ask(QUERY, ids[0] + b"\0" + own)
    ask(QUERY, b"unknown\0" + own)
    ask(REPLACE, ids[1] + b"\0" + own + b"\0\0\1\0\2ho")
    ask(REPLACE, b"unknown\0" + own + b"\0\0\1\0\2ho")
    ask(CANCEL, b"\0" + ids[2] + b"\0" + own + b"\1\1\0")
    ask(CANCEL, b"\0unknown\0" + own + b"\1\1\0")
    ask(QUERY, ids[2] + b"\0" + own)
    destinations = b"\1\1\x01447700900003\0" + b"\2list\0" + b"\1\1\1+\0"
    multi = b"\0\1\1" + shortcode.encode() + b"\0\3" + destinations + bytes(9) + b"\2hi"
    ask(SUBMIT_MULTI, multi)
    ask(SUBMIT_MULTI, multi.replace(shortcode.encode(), b"99999"))
    data = b"\0\1\1" + shortcode.encode() + b"\0\1\x01447700900004\0\0\0\0" + tlv(0x424, b"data")
    ask(DATA, data)
    ask(DATA, data[:9])
    for body in (
        message(to="447700900005", source="99999"),
        message(to="x" * 30, source=shortcode),
        message(b"", to="447700900005", source=shortcode),
        message(b"abc", to="447700900005", source=shortcode)[:-2],
        message(to="447700900005", source=shortcode, schedule=b"nonsense"),
        message(to="447700900005", source=shortcode, validity=b"nonsense"),
        message(to="447700900005", source=shortcode, tlvs=b"\4\x24\xff\xff"),
        b"",
    ):
        ask(SUBMIT, body)
    ask(DELIVER, message(to=shortcode))
    ask(BIND_TRX, b"acme\0right\0\0\x34\0\0\0")
    ask(0x77, b"?")
    ask(ENQUIRE_LINK)
    ask(UNBIND)
    site.account().connection.sendall(b"\xff\xff\xff\xff" + bytes(12))


def accounts_are_told(site: Site) -> None:
    """Receipts of all kinds, and texts."""
    shortcode, carrier = SHORTCODES["plain"], site.carrier("plain")
    peer = site.account()
    for n, (registered, said) in enumerate(
        [(1, b"DELIVRD"), (0x11, b"UNDELIV"), (2, b"REJECTD"), (1, b"EXPIRED"), (0x10, b"DELETED")]
    ):
        to = f"4477009900{n:02}"
        before = len(carrier.asked)
        peer.ask(
            pdu(
                SUBMIT,
                next(site.sequences),
                message(b"x" * 100, source=shortcode, to=to, registered=registered),
            )
        )
        until(lambda: carrier.asked[before:], "it has come to the carrier")  # noqa: B023
        until(lambda: _id_of(site, to), "the carrier's answer is known")  # noqa: B023
        for stat in (b"ENROUTE", said):
            text = b"id:%s stat:%s err:011" % (_id_of(site, to).encode(), stat)
            carrier.ask(
                pdu(DELIVER, next(site.sequences), message(text, to=shortcode, source=to, esm_class=4))
            )
    for body in (
        message(b"hello", to=shortcode),
        message(b"\x04\x16", to=shortcode, data_coding=8),
        message(b"", to=shortcode, tlvs=tlv(0x424, b"a long text " * 40)),
        message(b"", to=shortcode, tlvs=tlv(0x424, b"\x04\x16" * 200), data_coding=8),
        message(PUSH, to=shortcode, esm_class=0x40, data_coding=0xF5),
    ):
        carrier.ask(pdu(DELIVER, next(site.sequences), body))
    until(lambda: peer.has(DELIVER, 16), "receipts and texts have come to the account")
    until(lambda: peer.has(ENQUIRE_LINK), "the gateway asks the account whether it lives")
    until(
        lambda: any(called.has(OUTBIND) and called.has(DELIVER, 6) for called in site.peers),
        "an account that it has called has the texts",
    )


def _id_of(site: Site, to: str) -> str:
    rows = site.daemon.rows(
        "SELECT smsc_id FROM segments JOIN messages ON messages.id = message WHERE recipient = ?", f"+{to}"
    )
    return str(rows[0][0]) if rows else ""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Piece]]]:
    """The capture of a run of everything, to its end."""
    folder = tmp_path_factory.mktemp("dissected")
    site = Site(folder)
    try:
        with site.daemon as daemon:
            until(lambda: len(daemon.log("bind.up")) == len(KINDS), "all binds are up")
            play(site)
    finally:
        site.close()
    file = folder / "smpp.pcap"
    write_pcap(file, site.kept, PORT)
    yield file, site.kept


@pytest.fixture(scope="module")
def tshark() -> str:
    program = shutil.which("tshark")
    if program is None:
        pytest.skip(MISSING)
    return program


def test_no_pdu_of_ours_is_malformed(said: tuple[Path, list[Piece]], tshark: str) -> None:
    wrong = f"ip.src == {GATEWAY} and (_ws.malformed or _ws.expert.severity == error)"
    fields = ("frame.number", "smpp.command_id", "smpp.command_status", "_ws.expert.message")
    assert dissect(tshark, said[0], PORT, wrong, fields) == []
    # what peers said wrong is seen to be so
    assert dissect(tshark, said[0], PORT, wrong.replace(GATEWAY, PEER), fields) != []


def test_every_pdu_of_ours_is_seen(said: tuple[Path, list[Piece]], tshark: str) -> None:
    fields = ("smpp.command_id", "smpp.command_status")
    rows = dissect(tshark, said[0], PORT, f"ip.src == {GATEWAY} and smpp", fields)
    seen: Counter[int] = Counter()
    for commands, _ in rows:
        seen.update(int(command, 16) for command in commands.split(","))
    sent = Counter(command for command, _ in lengths(said[1]))
    assert seen == sent
    asked = {*BINDS, SUBMIT, QUERY, DELIVER, UNBIND, ENQUIRE_LINK, OUTBIND}
    answered = {*BINDS, SUBMIT, DELIVER, DATA, QUERY, CANCEL, REPLACE, SUBMIT_MULTI, UNBIND, ENQUIRE_LINK}
    assert asked | {command | RESPONSE for command in answered} | {GENERIC_NACK} <= set(sent)


def test_long_messages_are_put_together_again(said: tuple[Path, list[Piece]], tshark: str) -> None:
    """What Wireshark makes of our headers and SAR parameters."""
    ours = f"ip.src == {GATEWAY}"
    wholes = dissect(tshark, said[0], PORT, f"{ours} and gsm_sms_ud.fragment.count", ("frame.number",))
    assert len(wholes) >= 4 * len(KINDS)
    faults = ("error", "multiple_tails", "overlap.conflicts", "too_long_fragment")
    wrong = " or ".join(f"gsm_sms_ud.fragment.{fault}" for fault in faults)
    assert dissect(tshark, said[0], PORT, f"{ours} and ({wrong})", ("frame.number",)) == []
