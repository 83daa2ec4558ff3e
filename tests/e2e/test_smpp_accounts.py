"""What an account submits goes out as it was meant, and each of its ids works later: a peer that writes its
PDUs by hand from the standard on one side, an SMSC of smpplib's on the other."""

from __future__ import annotations

import itertools
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from smpplib import consts, smpp

from tests.peers.hostile import tlv
from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, until
from tests.peers.settings import account, bind
from tests.peers.smpplib_smsc import Smsc

pytestmark = pytest.mark.e2e

CUSTOMERS = (f"4477009{n:05}" for n in itertools.count(70_000))
ROK = consts.SMPP_ESME_ROK
SUBMIT, DATA, MULTI, QUERY, CANCEL, REPLACE = 0x04, 0x103, 0x21, 0x03, 0x08, 0x07
WAP = bytes.fromhex("0605040b8423f0")  # a WAP push: to port 2948, from 9200
WSP = bytes.fromhex("01060403ae81ea02056a0045c60c037777772e6578616d706c652e6f7267000101")
ENROUTE, DELIVERED, DELETED = 1, 2, 4  # message_state
PAYLOAD = 0x0424

SETTINGS = (
    """
[smpp.listen]
address = "127.0.0.1:{listen}"
"""
    + account("whole", "window = 300")
    + account("parts", 'long_messages = "pass-through"')
    + account("inbox", "inbound = true")
    + account("patient", "window = 4")
    + bind("north", "{smsc}", "12345", "sessions = 2", "window = 100")
)

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345"]
"""


class Site:
    def __init__(self, daemon: Daemon, port: int, smsc: Smsc) -> None:
        self.daemon, self.port, self.smsc = daemon, port, smsc

    def sent(self, to: str, count: int = 1) -> list[Submitted]:
        """The first `count` submit_sm to a customer, as octets tell them, in the order of the parts."""
        self.smsc.submit(to, count)
        raw = [octets for octets in list(self.smsc.raw) if b"\0" + b"\1\1" + to.encode() + b"\0" in octets]
        return [submitted(octets) for octets in raw[:count]]

    def delivered(self, to: str, smsc_id: str, stat: str = "DELIVRD") -> None:
        receipt = f"id:{smsc_id} submit date:2601011200 done date:2601011201 stat:{stat} err:000 text:"
        assert self.smsc.deliver(to, "12345", receipt.encode(), esm_class=0x04).status == ROK


class Submitted(NamedTuple):
    """A submit_sm of the gateway's, read by hand (section 4.4.1)."""

    service_type: bytes
    esm_class: int
    protocol_id: int
    priority_flag: int
    data_coding: int
    short_message: bytes
    tlvs: bytes


def submitted(octets: bytes) -> Submitted:
    rest = octets[16:]
    service_type, rest = rest.split(b"\0", 1)
    _, rest = rest[2:].split(b"\0", 1)
    _, rest = rest[2:].split(b"\0", 1)
    esm_class, protocol_id, priority_flag = rest[:3]
    _, _, rest = rest[3:].split(b"\0", 2)
    _, _, data_coding, _, length = rest[:5]
    return Submitted(
        service_type,
        esm_class,
        protocol_id,
        priority_flag,
        data_coding,
        rest[5 : 5 + length],
        rest[5 + length :],
    )


class Session:
    """An account's session: PDUs written by hand, deliver_sm answered and kept as smpplib reads them."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.sequences = itertools.count(2)
        self.delivered: list[Any] = []
        self.raw: list[bytes] = []
        self.says = 0  # the command_status of its answers to deliver_sm
        self.holds = False  # those back, for:
        self._held: list[int] = []

    def ask(self, command: int, *bodies: bytes) -> list[tuple[int, bytes]]:
        """(command_status, body) of the answers to requests that go out at once, in their order."""
        sequences = [next(self.sequences) for _ in bodies]
        requests = zip(sequences, bodies, strict=True)
        self.connection.sendall(
            b"".join(struct.pack(">IIII", 16 + len(b), command, 0, s) + b for s, b in requests)
        )
        answers: dict[int, tuple[int, bytes]] = {}
        while len(answers) < len(sequences):
            got, status, sequence, body = self.read()
            if got == command | 0x80000000:
                answers[sequence] = (status, body)
        return [answers[sequence] for sequence in sequences]

    def submit(self, *bodies: bytes) -> list[str]:
        """The message ids."""
        answers = self.ask(SUBMIT, *bodies)
        assert {status for status, _ in answers} == {ROK}
        return [body.rstrip(b"\0").decode() for _, body in answers]

    def status(self, body: bytes, command: int = SUBMIT) -> int:
        [(status, _)] = self.ask(command, body)
        return status

    def state(self, id: str) -> int:
        """message_state, by query_sm (section 4.8.2)."""
        [(status, body)] = self.ask(QUERY, id.encode() + b"\0\3\0" + b"12345\0")
        assert status == ROK and body.startswith(id.encode() + b"\0")
        return body[-2]

    def receipts(self, count: int) -> list[tuple[str, str, str]]:
        """(id, stat, source_addr) of the first receipts."""
        while len(self.delivered) < count:
            self.read()
        found = []
        for pdu in self.delivered[:count]:
            told = re.search(rb"id:(\S+) .*stat:(\S+)", pdu.short_message)
            assert told and pdu.esm_class == 0x04
            found.append((told[1].decode(), told[2].decode(), pdu.source_addr.decode()))
        return found

    def read(self) -> tuple[int, int, int, bytes]:
        head = self.connection.recv(16, socket.MSG_WAITALL)
        assert len(head) == 16, "the connection was closed"
        length, command, status, sequence = struct.unpack(">IIII", head)
        body = self.connection.recv(length - 16, socket.MSG_WAITALL) if length > 16 else b""
        if command == 0x05:
            self.raw.append(head + body)
            self.delivered.append(smpp.parse_pdu(head + body, sequence=0, allow_unknown_opt_params=True))
            self._held.append(sequence)
            if not self.holds:
                self.answer()
        return command, status, sequence, body

    def answer(self) -> None:
        """Every deliver_sm that has no answer yet, and from now on each at once."""
        self.holds = False
        for sequence in self._held:
            self.connection.sendall(struct.pack(">IIII", 17, 0x80000005, self.says, sequence) + b"\0")
        self._held.clear()


@contextmanager
def bound(site: Site, account: str = "whole", command: int = 0x09) -> Iterator[Session]:
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        session = Session(connection)
        bind = account.encode() + b"\0right\0\0\x34\0\0\0"
        connection.sendall(struct.pack(">IIII", 16 + len(bind), command, 0, 1) + bind)
        assert session.read()[:3] == (command | 0x80000000, ROK, 1)
        yield session


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    smsc, port = Smsc(), free_port()
    settings = SETTINGS.format(listen=port, smsc=smsc.port)
    try:
        with Daemon(tmp_path_factory.mktemp("accounts") / "site", settings, {"shop": SHOP}) as daemon:
            until(lambda: daemon.log("bind.up"), "the bind is up")
            yield Site(daemon, port, smsc)
    finally:
        smsc.close()


def submit_sm(
    to: str,
    short_message: bytes = b"",
    *,
    service_type: bytes = b"",
    esm_class: int = 0,
    protocol_id: int = 0,
    priority_flag: int = 0,
    schedule: bytes = b"",
    registered_delivery: int = 0,
    replace_if_present_flag: int = 0,
    data_coding: int = 0,
    sm_default_msg_id: int = 0,
    tlvs: bytes = b"",
    source: tuple[int, int, bytes] = (3, 0, b"12345"),
    dest: tuple[int, int] = (1, 1),
) -> bytes:
    """Section 4.4.1."""
    return b"".join(
        (
            service_type + b"\0",
            bytes(source[:2]) + source[2] + b"\0",
            bytes(dest) + to.encode() + b"\0",
            bytes((esm_class, protocol_id, priority_flag)),
            schedule + b"\0" + b"\0",
            bytes((registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id)),
            bytes((len(short_message),)) + short_message,
            tlvs,
        )
    )


def parts(text: bytes, *, wide: bool = False, count: int = 3) -> list[bytes]:
    """Concatenated short messages with their headers (TS 23.040 section 9.2.3.24.1, .8)."""
    size = -(-len(text) // count)
    head = bytes.fromhex("0608041234") if wide else bytes.fromhex("05000317")
    return [
        head + bytes((count, part)) + text[(part - 1) * size : part * size] for part in range(1, count + 1)
    ]


LATER = b"000000010000000R"  # in an hour

# -- octets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"data_coding": 0x04, "short_message": bytes(range(140))},
        {"data_coding": 0xF5, "short_message": WAP + WSP, "esm_class": 0x40},
        {"data_coding": 0x04, "short_message": WAP + WSP, "esm_class": 0x40, "service_type": b"WAP"},
        {"data_coding": 0xF6, "protocol_id": 0x7F, "short_message": b"\x02\x70\x00\x00\x0e"},  # to the SIM
        {"data_coding": 0x00, "short_message": WAP + b"a text to a port", "esm_class": 0x40},
        {"data_coding": 0xC8, "short_message": b""},  # a voicemail waits
        {"data_coding": 0x00, "short_message": b"caf\xe9, which is no GSM text"},
        {"esm_class": 0x40, "short_message": b"\x90 is too long for a header"},
        {"data_coding": 0x10, "short_message": b"flash"},
        {"data_coding": 0xF0, "short_message": b"flash"},
        {"data_coding": 0x18, "short_message": "молния".encode("utf-16-be")},
        {"short_message": b"flash", "tlvs": tlv(0x0005, b"\1")},  # dest_addr_subunit: the display
        {"data_coding": 4, "short_message": WSP, "tlvs": tlv(0x020A, b"\x23\xf0") + tlv(0x020B, b"\x0b\x84")},
        {"short_message": b"hi", "tlvs": tlv(0x1400, b"1101234567") + tlv(0x1401, b"\0\1")},
        {"short_message": b"answer me", "esm_class": 0x80, "priority_flag": 2},
    ],
)
def test_what_is_submitted_goes_out_as_it_was(site: Site, fields: dict[str, Any]) -> None:
    to = next(CUSTOMERS)
    with bound(site) as session:
        session.submit(submit_sm(to, **fields))
    usual = dict.fromkeys(("esm_class", "protocol_id", "priority_flag", "data_coding"), 0)
    usual |= {"service_type": b"", "tlvs": b""}
    assert site.sent(to) == [Submitted(**usual | fields)]


def test_the_parts_of_a_long_push_keep_their_ports(site: Site) -> None:
    to, octets = next(CUSTOMERS), bytes(range(256)) + WSP
    cut = [bytes.fromhex("0b05040b8423f000033302") + octets[:128], bytes.fromhex("0b05040b8423f000033302")]
    first = cut[0][:11] + b"\1" + octets[:128]
    second = cut[1][:11] + b"\2" + octets[128:250]
    with bound(site) as session:
        session.submit(*(submit_sm(to, part, esm_class=0x40, data_coding=4) for part in (second, first)))
    sent = site.sent(to, 2)
    assert {(s.esm_class, s.data_coding, s.short_message[0]) for s in sent} == {(0x40, 4, 11)}
    assert all(bytes.fromhex("05040b8423f0") in s.short_message[:12] for s in sent)
    assert b"".join(s.short_message[12:] for s in sent) == octets[:250]


def test_a_command_packet_for_a_sim_keeps_its_header_in_its_first_part(site: Site) -> None:
    to = next(CUSTOMERS)
    packet = b"\x07\0\3\x21\2\1\x70\0" + bytes(132), b"\5\0\3\x21\2\2" + bytes(range(60))
    with bound(site) as session:
        session.submit(
            *(submit_sm(to, part, esm_class=0x40, data_coding=0xF6, protocol_id=0x7F) for part in packet)
        )
    sent = site.sent(to, 2)
    assert {(s.esm_class, s.data_coding, s.protocol_id) for s in sent} == {(0x40, 0xF6, 0x7F)}
    # the reference is the gateway's
    assert [s.short_message[:3] + s.short_message[4:] for s in sent] == [p[:3] + p[4:] for p in packet]


# -- receipts -----------------------------------------------------------------------------------------


def test_receipts_come_as_registered_delivery_asks_for_them(site: Site) -> None:
    """Section 5.2.17, of 3 SMPP 5.0 section 4.7.21: none, all, failures, successes; 0x10 intermediate too."""
    wishes = (0x00, 0x01, 0x02, 0x03, 0x10, 0x11)
    expected, told = set(), set()
    with bound(site) as session:
        for stat, status, failed in (("DELIVRD", "delivered", False), ("UNDELIV", "failed", True)):
            customers = [next(CUSTOMERS) for _ in wishes]
            ids = session.submit(
                *(
                    submit_sm(to, b"hi", registered_delivery=wanted)
                    for to, wanted in zip(customers, wishes, strict=True)
                )
            )
            for to, id, wanted in zip(customers, ids, wishes, strict=True):
                [segment] = site.daemon.reaches(id, "sent")["segments"]
                site.delivered(to, segment["smsc_id"], stat)
                site.daemon.reaches(id, status)
                if wanted & 0x10:
                    expected.add((id, 0x20, "ENROUTE"))
                if wanted & 0x03 == 1 or wanted & 0x03 == (2 if failed else 3):
                    expected.add((id, 0x04, stat))
        last = next(CUSTOMERS)  # whatever else was owed has come before its receipt
        [end] = session.submit(submit_sm(last, b"end", registered_delivery=1))
        [segment] = site.daemon.reaches(end, "sent")["segments"]
        site.delivered(last, segment["smsc_id"])
        expected.add((end, 0x04, "DELIVRD"))
        while (end, 0x04, "DELIVRD") not in told:
            session.read()
            for pdu in session.delivered:
                found = re.search(rb"id:(\S+) .*stat:(\S+)", pdu.short_message)
                assert found
                told.add((found[1].decode(), pdu.esm_class, found[2].decode()))
    assert told == expected and len(session.delivered) == len(expected)


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (consts.SMPP_ESME_RX_T_APPN, "notify.failed"),
        (consts.SMPP_ESME_RX_P_APPN, "notify.dead"),
        (consts.SMPP_ESME_RX_R_APPN, "notify.dead"),
    ],
    ids=["temporary", "permanent", "rejected"],
)
def test_a_receipt_that_is_refused_for_good_does_not_come_again(site: Site, status: int, event: str) -> None:
    to = next(CUSTOMERS)
    with bound(site) as session:
        session.says = status
        [id] = session.submit(submit_sm(to, b"hi", registered_delivery=1))
        [segment] = site.daemon.reaches(id, "sent")["segments"]
        site.delivered(to, segment["smsc_id"])
        while not session.delivered:
            session.read()
        until(
            lambda: event in [told["type"] for told in site.daemon.message(id)["events"]],
            f"{event} is in the transaction log",
        )
        session.says = ROK
        if event == "notify.failed":  # it comes again, a second later
            while len(session.delivered) < 2:
                session.read()
            assert session.delivered[1].short_message == session.delivered[0].short_message


def test_more_receipts_than_a_page_wait_and_come_in_order_never_more_than_the_window(site: Site) -> None:
    numbers = [next(CUSTOMERS) for _ in range(5 * 254)]
    with bound(site, "patient", 0x02) as transmitter:  # which is owed what it cannot be sent
        for at in range(0, len(numbers), 254):
            [(status, body)] = transmitter.ask(MULTI, submit_multi(numbers[at : at + 254], b"x", LATER))
            assert status == ROK and body.endswith(b"\0\0")
            assert transmitter.status(b"\0" + body[:-1] + b"\0\0\0\0\0\0", CANCEL) == ROK
        assert transmitter.delivered == []
    with bound(site, "patient", 0x01) as receiver:
        receiver.holds = True
        for _ in range(4):
            receiver.read()
        receiver.connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            receiver.read()
        receiver.connection.settimeout(30)
        receiver.answer()
        told = receiver.receipts(len(numbers))
    assert [(stat, to) for _, stat, to in told] == [("DELETED", number) for number in numbers]


# -- segments -----------------------------------------------------------------------------------------


def test_each_segment_has_an_id_that_works_later(site: Site) -> None:
    to, text = next(CUSTOMERS), b"0123456789" * 40
    wishes = (1, 0, 1)
    with bound(site) as session:
        pdus = [
            submit_sm(to, part, esm_class=0x40, registered_delivery=wanted)
            for part, wanted in zip(parts(text), wishes, strict=True)
        ]
        early = session.submit(*pdus[:2])
        assert [session.state(id) for id in early] == [ENROUTE, ENROUTE]
        ids = early + session.submit(pdus[2])
        assert len(set(ids)) == 3
        sent = site.sent(to, 3)
        assert b"".join(s.short_message[6:] for s in sent) == text
        transid = site.daemon.get(f"/v2/messages?to=%2B{to}")[1]["messages"][0]["id"]
        for segment in site.daemon.reaches(transid, "sent")["segments"]:
            site.delivered(to, segment["smsc_id"])
        assert sorted(session.receipts(2)) == sorted((id, "DELIVRD", to) for id in (ids[0], ids[2]))
        assert [session.state(id) for id in ids] == [DELIVERED] * 3
        assert session.status(f"{transid}-4".encode() + b"\0\3\0" + b"12345\0", QUERY) != ROK


def test_a_waiting_message_is_replaced_and_cancelled_by_the_ids_of_its_segments(site: Site) -> None:
    to = next(CUSTOMERS)
    with bound(site) as session:
        pdus = (
            submit_sm(to, part, esm_class=0x40, schedule=LATER, registered_delivery=1)
            for part in parts(b"draft " * 60)
        )
        ids = session.submit(*pdus)
        body = ids[0].encode() + b"\0\3\0" + b"12345\0\0\0\1\0\5final"  # replace_sm, section 4.10.1
        assert session.status(body, REPLACE) == ROK
        [found] = site.daemon.get(f"/v2/messages?to=%2B{to}")[1]["messages"]
        assert (found["text"], found["status"]) == ("final", "queued")
        body = b"\0" + ids[2].encode() + b"\0\3\0" + b"12345\0\1\1" + to.encode() + b"\0"  # section 4.9.1
        assert session.status(body, CANCEL) == ROK
        assert [session.state(id) for id in ids] == [DELETED] * 3
        assert sorted(session.receipts(3)) == sorted((id, "DELETED", to) for id in ids)


@pytest.mark.parametrize(
    "form",
    ["8 bit", "16 bit", "sar", "payload"],
)
def test_where_segments_pass_through_each_is_a_message(site: Site, form: str) -> None:
    to, text = next(CUSTOMERS), "0123456789 жёлтый ".encode("utf-16-be") * 12
    usual: dict[str, Any] = {"data_coding": 8, "registered_delivery": 1}
    match form:
        case "sar":
            total = [text[:120], text[120:240], text[240:]]
            fields = [
                {
                    "short_message": part,
                    "tlvs": tlv(0x020C, b"\1\7") + tlv(0x020E, b"\3") + tlv(0x020F, bytes((n,))),
                }
                for n, part in enumerate(total, 1)
            ]
        case "payload":
            fields = [{"tlvs": tlv(PAYLOAD, text)}]
        case _:
            headed = parts(text, wide=form == "16 bit")
            fields = [{"short_message": part, "esm_class": 0x40} for part in headed]
    with bound(site, "parts") as session:
        ids = session.submit(*(submit_sm(to, **usual | one) for one in fields))
        sent = site.sent(to, len(fields))
        assert [(s.esm_class, s.data_coding, s.short_message, s.tlvs) for s in sent] == [
            (one.get("esm_class", 0), 8, one.get("short_message", b""), one.get("tlvs", b""))
            for one in fields
        ]
        assert len(set(ids)) == len(fields)
        for id in ids:
            [segment] = site.daemon.reaches(id, "sent")["segments"]
            site.delivered(to, segment["smsc_id"])
        assert sorted(session.receipts(len(ids))) == sorted((id, "DELIVRD", to) for id in ids)
        assert [session.state(id) for id in ids] == [DELIVERED] * len(ids)


# -- what cannot be done is said at once --------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"short_message": b"x", "priority_flag": 4}, consts.SMPP_ESME_RINVPRTFLG),
        ({"short_message": b"id:1 stat:DELIVRD", "esm_class": 4}, consts.SMPP_ESME_RINVESMCLASS),
        ({"short_message": b"x", "esm_class": 0x0C}, consts.SMPP_ESME_RINVESMCLASS),
        ({"short_message": b"x", "source": (7, 0, b"12345")}, consts.SMPP_ESME_RINVSRCTON),
        ({"short_message": b"x", "source": (3, 255, b"12345")}, consts.SMPP_ESME_RINVSRCNPI),
        ({"short_message": b"x", "source": (0, 0, b"9")}, consts.SMPP_ESME_RINVSRCADR),
        ({"short_message": b"x", "source": (5, 0, b"Not an asset")}, consts.SMPP_ESME_RINVSRCADR),
        ({"short_message": b"x", "dest": (255, 1)}, consts.SMPP_ESME_RINVDSTTON),
        ({"short_message": b"x", "dest": (1, 19)}, consts.SMPP_ESME_RINVDSTNPI),
        ({"short_message": b"x", "tlvs": tlv(0x0381, b"\1\1\1")}, consts.SMPP_ESME_RINVPARLEN),
        ({"tlvs": tlv(PAYLOAD, b"x" * 40_000)}, consts.SMPP_ESME_RINVMSGLEN),
        ({"tlvs": tlv(PAYLOAD, bytes(40_000)), "data_coding": 4}, consts.SMPP_ESME_RINVMSGLEN),
        ({"short_message": b"x", "tlvs": tlv(PAYLOAD, b"x")}, consts.SMPP_ESME_RINVOPTPARAMVAL),
        ({"sm_default_msg_id": 7}, consts.SMPP_ESME_RINVDFTMSGID),
        ({"short_message": b"its own text", "sm_default_msg_id": 7}, ROK),
        ({"short_message": b"x", "priority_flag": 3}, ROK),
    ],
)
def test_a_message_that_cannot_go_out_is_refused(site: Site, fields: dict[str, Any], status: int) -> None:
    with bound(site) as session:
        assert session.status(submit_sm(next(CUSTOMERS), **fields)) == status


@pytest.mark.parametrize("tag", [0x0005, 0x0204, 0x020C, 0x0426], ids=hex)
@pytest.mark.parametrize("value", [b"", b"\0\1\2"], ids=["empty", "long"])
def test_a_standard_parameter_of_a_wrong_length_is_refused_in_any_request(
    site: Site, tag: int, value: bytes
) -> None:
    to = next(CUSTOMERS)
    wrong, vendors = tlv(tag, value), tlv(0x1400, value)
    data_sm = b"\0\3\0" + b"12345\0\1\1" + to.encode() + b"\0" + bytes(3) + tlv(PAYLOAD, b"x")
    with bound(site) as session:
        for command_id, body in (
            (SUBMIT, submit_sm(to, b"x")),
            (DATA, data_sm),
            (MULTI, submit_multi([to, next(CUSTOMERS)], b"x")),
        ):
            assert session.status(body + vendors + wrong, command_id) == consts.SMPP_ESME_RINVPARLEN
            assert session.status(body + vendors, command_id) == ROK
        assert [one.tlvs for one in site.sent(to, 3)] == [vendors] * 3


# -- service_type -------------------------------------------------------------------------------------


def test_a_message_is_replaced_only_by_one_of_its_service_type(site: Site) -> None:
    to = next(CUSTOMERS)
    with bound(site) as session:
        first = submit_sm(to, b"one", service_type=b"NEWS", schedule=LATER)
        [id] = session.submit(first)
        for service_type, same in ((b"", False), (b"ADS", False), (b"NEWS", True)):
            pdu = submit_sm(to, b"two", service_type=service_type, schedule=LATER, replace_if_present_flag=1)
            assert (session.submit(pdu) == [id]) is same
        found = site.daemon.get(f"/v2/messages?to=%2B{to}")[1]["messages"]
        assert [message["text"] for message in found] == ["two", "two", "two"]


def test_a_group_of_one_service_type_is_cancelled(site: Site) -> None:
    to = next(CUSTOMERS)
    with bound(site) as session:
        news, ads, none = session.submit(
            *(submit_sm(to, b"x", service_type=s, schedule=LATER) for s in (b"NEWS", b"ADS", b""))
        )
        group = b"\0\3\0" + b"12345\0\1\1" + to.encode() + b"\0"
        assert session.status(b"NEWS\0" + group, CANCEL) == ROK
        assert [session.state(id) for id in (news, ads, none)] == [DELETED, ENROUTE, ENROUTE]
        assert session.status(b"\0" + group, CANCEL) == ROK
        assert [session.state(id) for id in (ads, none)] == [DELETED, DELETED]


# -- submit_multi -------------------------------------------------------------------------------------


def submit_multi(numbers: list[str], text: bytes, schedule: bytes = b"") -> bytes:
    """Section 4.5.1."""
    destinations = b"".join(b"\1\1\1" + number.encode() + b"\0" for number in numbers)
    head = b"\0\3\0" + b"12345\0" + bytes((len(numbers),)) + destinations
    return head + bytes(3) + schedule + bytes(2) + b"\1\0\0\0" + bytes((len(text),)) + text


def test_a_submit_multi_has_one_id_and_a_receipt_for_each_destination(site: Site) -> None:
    first, second = next(CUSTOMERS), next(CUSTOMERS)
    with bound(site) as session:
        [(status, body)] = session.ask(MULTI, submit_multi([first, "12", second], b"to both"))
        id, rest = body.split(b"\0", 1)
        assert status == ROK
        assert rest == b"\1\1\1" + b"12\0" + struct.pack(">I", consts.SMPP_ESME_RINVDSTADR)
        for to in (first, second):
            assert site.sent(to)[0].short_message == b"to both"
            [found] = site.daemon.get(f"/v2/messages?to=%2B{to}")[1]["messages"]
            [segment] = site.daemon.reaches(found["id"], "sent")["segments"]
            site.delivered(to, segment["smsc_id"])
        told = [(id.decode(), "DELIVRD", to) for to in (first, second)]
        assert sorted(session.receipts(2)) == sorted(told)


def test_what_a_submit_multi_brought_is_replaced_and_cancelled_by_its_id(site: Site) -> None:
    first, second, third = numbers = [next(CUSTOMERS) for _ in range(3)]
    with bound(site) as session:
        [(status, body)] = session.ask(MULTI, submit_multi(numbers, b"draft", LATER))
        assert status == ROK and body.endswith(b"\0\0")
        named = body[:-1] + b"\3\0" + b"12345\0"
        assert session.status(named + b"\0\0\1\0\5final", REPLACE) == ROK
        to_second = b"\1\1" + second.encode() + b"\0"
        assert session.status(b"\0" + named + to_second, CANCEL) == ROK
        assert session.receipts(1) == [(body[:-2].decode(), "DELETED", second)]
        assert session.status(b"\0" + named + b"\0\0\0", CANCEL) == ROK
        assert {to for _, _, to in session.receipts(3)} == set(numbers)
        for to in (first, third):
            [found] = site.daemon.get(f"/v2/messages?to=%2B{to}")[1]["messages"]
            assert (found["text"], found["status"]) == ("final", "failed")
        assert session.status(b"\0" + named + b"\0\0\0", CANCEL) == consts.SMPP_ESME_RCANCELFAIL


def test_254_destinations_are_no_too_many(site: Site) -> None:
    numbers = [next(CUSTOMERS) for _ in range(254)]
    with bound(site) as session:
        [(status, body)] = session.ask(MULTI, submit_multi(numbers, b"to all"))
    assert status == ROK and body.endswith(b"\0\0")
    assert all(site.sent(number) for number in numbers)


# -- inbound ------------------------------------------------------------------------------------------


def test_octets_from_a_customer_reach_the_account_and_the_service_as_they_came(site: Site) -> None:
    customer = next(CUSTOMERS)
    with bound(site, "inbox") as session:
        site.smsc.deliver(customer, "12345", WAP + WSP, esm_class=0x40, data_coding=0xF5)
        while not session.delivered:
            session.read()
        [pdu] = session.delivered
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message) == (0x40, 0xF5, WAP + WSP)
    [found] = site.daemon.get("/v2/messages?to=12345&direction=mo&limit=500")[1]["messages"]
    events = {event["type"]: event["data"] for event in site.daemon.message(found["id"])["events"]}
    assert events["sms.octets"] == {
        "octets": WSP.hex(),
        "data_coding": 0xF5,
        "udh": WAP.hex(),
        "ports": {"destination": 2948, "source": 9200},
    }


def test_a_long_push_from_a_customer_keeps_its_ports_in_each_part(site: Site) -> None:
    customer, octets = next(CUSTOMERS), bytes(range(200))
    head = bytes.fromhex("0b05040b8423f00003210200")[:-1]
    with bound(site, "inbox") as session:
        for part, cut in ((2, octets[100:]), (1, octets[:100])):
            site.smsc.deliver(customer, "12345", head + bytes((part,)) + cut, esm_class=0x40, data_coding=4)
        while len(session.delivered) < 2:
            session.read()
    headers = [pdu.short_message[:12] for pdu in session.delivered]
    assert all(header[0] == 11 and bytes.fromhex("05040b8423f0") in header for header in headers)
    assert b"".join(pdu.short_message[12:] for pdu in session.delivered) == octets


# -- HTTP ---------------------------------------------------------------------------------------------


def test_octets_and_classes_by_http_go_out_as_asked(site: Site) -> None:
    to = next(CUSTOMERS)
    site.daemon.send(
        to=f"+{to}",
        sender="12345",
        binary={"octets": WSP.hex(), "udh": WAP.hex(), "data_coding": 0xF5, "protocol_id": 1},
    )
    assert site.sent(to) == [Submitted(b"", 0x40, 1, 0, 0xF5, WAP + WSP, b"")]
    to = next(CUSTOMERS)
    site.daemon.send(to=f"+{to}", sender="12345", text="молния", flash=True)
    assert site.sent(to) == [Submitted(b"", 0, 0, 0, 0x18, "молния".encode("utf-16-be"), b"")]
