"""The daemon between independent SMPP peers: smpplib's client on one side, an SMSC of smpplib's PDUs on the
other."""

from __future__ import annotations

import itertools
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from smpplib import consts, exceptions
from smpplib.client import Client

from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, until
from tests.peers.settings import account, bind
from tests.peers.smpplib_smsc import Smsc

pytestmark = pytest.mark.e2e

CUSTOMERS = (f"4477009{n:05}" for n in itertools.count())
RECEIPT = 0x04  # esm_class
ROK = consts.SMPP_ESME_ROK

SETTINGS = (
    """
[smpp.listen]
address = "127.0.0.1:{listen}"
"""
    + account("acme")
    + account("inbox", "inbound = true", "window = 2")
    + bind(
        "same", "{same}", "12345", 'password = "secret"', 'reconnect = "100ms"', 'throttle_pause = "100ms"'
    )
    + bind("hex", "{hex}", "23456", 'receipt_id = "hex"')
    + bind("decimal", "{decimal}", "34567", 'receipt_id = "decimal"')
)

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345", "23456", "34567"]

[keywords.HOURS]
number = "12345"
reply = "We bake from 11 to 23."
"""


class Site:
    def __init__(self, daemon: Daemon, port: int, smscs: dict[str, Smsc]) -> None:
        self.daemon = daemon
        self.port = port
        self.smscs = smscs
        self.smsc = smscs["same"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    smscs = {name: Smsc() for name in ("same", "hex", "decimal")}
    port = free_port()
    settings = SETTINGS.format(listen=port, **{name: smsc.port for name, smsc in smscs.items()})
    try:
        with Daemon(tmp_path_factory.mktemp("smpp") / "site", settings, {"shop": SHOP}) as daemon:
            until(lambda: len(daemon.log("bind.up")) == 3, "all three binds are up")
            yield Site(daemon, port, smscs)
    finally:
        for smsc in smscs.values():
            smsc.close()


class Application:
    """smpplib's client, and what came to it."""

    def __init__(self, port: int) -> None:
        self.client = Client("127.0.0.1", port, timeout=30, allow_unknown_opt_params=True)
        self.accepted: list[Any] = []
        self.received: list[Any] = []
        self.client.set_message_sent_handler(lambda pdu: self.accepted.append(pdu))
        self.client.set_message_received_handler(lambda pdu: self.received.append(pdu))

    def submit(self, to: str, text: str, *, registered_delivery: int = 1, **fields: Any) -> str:
        """The message id."""
        before = len(self.accepted)
        self.client.send_message(
            source_addr="12345",
            destination_addr=to,
            short_message=text.encode(),
            registered_delivery=registered_delivery,
            **fields,
        )
        while len(self.accepted) == before:
            self.client.read_once(auto_send_enquire_link=False)
        id: bytes = self.accepted[-1].message_id
        return id.decode()

    def receipt(self) -> Any:
        before = len(self.received)
        while len(self.received) == before:
            self.client.read_once(auto_send_enquire_link=False)
        return self.received[-1]


@contextmanager
def application(site: Site, *, name: str = "acme", password: str = "right") -> Iterator[Application]:
    app = Application(site.port)
    app.client.connect()
    try:
        app.client.bind_transceiver(system_id=name, password=password)
        yield app
        app.client.unbind()
    finally:
        app.client.disconnect()


def receipt_of(message_id: str, stat: str = "DELIVRD") -> bytes:
    text = (
        f"id:{message_id} sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 stat:{stat} err:000"
    )
    return text.encode() + b" text:"


# -- accounts: smpplib's client binds to us -----------------------------------------------------------


def test_an_account_submits_and_gets_the_receipt_of_its_message(site: Site) -> None:
    to = next(CUSTOMERS)
    with application(site) as app:
        id = app.submit(to, "from acme")
        [submit] = site.smsc.submit(to)
        assert submit.short_message == b"from acme"
        story = site.daemon.reaches(id, "sent")
        assert (story["from"], story["to"], story["text"]) == ("12345", f"+{to}", "from acme")
        [segment] = story["segments"]
        assert site.smsc.deliver(to, "12345", receipt_of(segment["smsc_id"]), esm_class=RECEIPT).status == ROK
        receipt = app.receipt()
    assert receipt.esm_class == RECEIPT
    assert (receipt.source_addr, receipt.destination_addr) == (to.encode(), b"12345")
    assert receipt.short_message.startswith(f"id:{id} ".encode())
    assert b"stat:DELIVRD" in receipt.short_message
    assert site.daemon.reaches(id, "delivered")["final"]


def test_a_wrong_password_is_refused(site: Site) -> None:
    with pytest.raises(exceptions.PDUError) as caught, application(site, password="wrong"):
        pass
    assert caught.value.args[1] == consts.SMPP_ESME_RINVPASWD


def test_a_receipt_waits_for_an_account_that_is_away(site: Site) -> None:
    to = next(CUSTOMERS)
    with application(site) as app:
        id = app.submit(to, "will be back")
    [segment] = site.daemon.reaches(id, "sent")["segments"]
    site.smsc.deliver(to, "12345", receipt_of(segment["smsc_id"]), esm_class=RECEIPT)
    site.daemon.reaches(id, "delivered")
    with application(site) as app:
        assert app.receipt().short_message.startswith(f"id:{id} ".encode())


def header(command: int, sequence: int, body: bytes = b"", *, length: int | None = None) -> bytes:
    return struct.pack(">IIII", 16 + len(body) if length is None else length, command, 0, sequence) + body


def answer(connection: socket.socket) -> tuple[int, int, int]:
    """command_id, command_status, sequence_number of the next PDU."""
    head = connection.recv(16, socket.MSG_WAITALL)
    assert len(head) == 16, "the connection was closed"
    length, command, status, sequence = struct.unpack(">IIII", head)
    if length > 16:
        connection.recv(length - 16, socket.MSG_WAITALL)
    return command, status, sequence


BIND = header(0x00000009, 1, b"acme\0right\0\0\x34\0\0\0")


@contextmanager
def by_hand(site: Site, command: int = 0x00000009) -> Iterator[socket.socket]:
    """A session of bind_transceiver, or of another command."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        connection.sendall(header(command, 1, BIND[16:]))
        assert answer(connection) == (0x80000000 | command, ROK, 1)
        yield connection


def test_an_unknown_command_gets_generic_nack_and_the_session_goes_on(site: Site) -> None:
    with by_hand(site) as connection:
        connection.sendall(header(0x00000777, 7))
        assert answer(connection) == (0x80000000, consts.SMPP_ESME_RINVCMDID, 7)
        connection.sendall(header(0x00000015, 8))
        assert answer(connection) == (0x80000015, ROK, 8)


def test_a_submit_sm_with_a_broken_body_gets_its_error_and_the_session_goes_on(site: Site) -> None:
    with by_hand(site) as connection:
        connection.sendall(header(0x00000004, 5, b"\xff" * 30))
        command, status, sequence = answer(connection)
        assert (command, sequence) == (0x80000004, 5) and status != ROK
        connection.sendall(header(0x00000015, 6))
        assert answer(connection) == (0x80000015, ROK, 6)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", header(0x15, 1, length=0xFFFFFFFF), header(0x15, 1, length=3)],
    ids=["http", "too long", "too short"],
)
def test_garbage_closes_its_own_connection_only(site: Site, garbage: bytes) -> None:
    to = next(CUSTOMERS)
    with application(site) as app, by_hand(site) as connection:
        connection.sendall(garbage)
        while connection.recv(4096):
            pass
        assert app.submit(to, "not affected")
        site.smsc.submit(to)


def test_a_question_about_a_message_that_nobody_knows_is_answered(site: Site) -> None:
    with by_hand(site) as connection:
        query_sm = header(0x00000003, 9, b"id\0\0\0\0")
        connection.sendall(query_sm)
        command, status, sequence = answer(connection)
        assert (command, sequence) == (0x80000003, 9) and status != ROK


def test_an_account_asks_about_its_messages(site: Site) -> None:
    to = next(CUSTOMERS)
    with application(site) as app:
        id = app.submit(to, "where is it")
        [segment] = site.daemon.reaches(id, "sent")["segments"]
        answers = []
        for message_id in (id, "no-such-id"):
            app.client.query_message(message_id=message_id, source_addr="12345")
            answers.append(app.client.read_pdu())
        site.smsc.deliver(to, "12345", receipt_of(segment["smsc_id"]), esm_class=RECEIPT)
        app.receipt()
        app.client.query_message(message_id=id, source_addr="12345")
        answers.append(app.client.read_pdu())
    assert [answer.command for answer in answers] == ["query_sm_resp"] * 3
    assert [answer.status for answer in answers] == [ROK, consts.SMPP_ESME_RINVMSGID, ROK]
    assert answers[0].message_state == consts.SMPP_MESSAGE_STATE_ENROUTE
    assert answers[2].message_state == consts.SMPP_MESSAGE_STATE_DELIVERED
    assert answers[2].message_id == id.encode() and len(answers[2].final_date) == 16


def test_a_scheduled_message_is_replaced_and_another_is_cancelled(site: Site) -> None:
    first, second = next(CUSTOMERS), next(CUSTOMERS)
    with application(site) as app:
        ids = [app.submit(to, "draft", schedule_delivery_time="000000000002000R") for to in (first, second)]
    # cancel_sm (section 4.9.1) and replace_sm (section 4.10.1), which smpplib does not write
    cancel = b"\0" + ids[0].encode() + b"\0\3\0" + b"12345\0\1\1" + first.encode() + b"\0"
    replace = ids[1].encode() + b"\0\3\0" + b"12345\0\0\0\1\0\5final"
    with by_hand(site, 0x00000002) as connection:
        connection.sendall(header(0x00000008, 2, cancel) + header(0x00000007, 3, replace))
        answers = {answer(connection), answer(connection)}
        assert answers == {(0x80000008, ROK, 2), (0x80000007, ROK, 3)}
        connection.sendall(header(0x00000008, 4, cancel))
        assert answer(connection) == (0x80000008, consts.SMPP_ESME_RCANCELFAIL, 4)
    [submit] = site.smsc.submit(second)
    assert submit.short_message == b"final"
    assert site.daemon.reaches(ids[0], "failed")["code"] == "cancelled"
    with application(site) as app:
        assert b"stat:DELETED" in app.receipt().short_message


def test_submit_multi_and_data_sm_bring_messages(site: Site) -> None:
    first, second, third = (next(CUSTOMERS) for _ in range(3))
    destinations = b"".join(b"\1\1\1" + to.encode() + b"\0" for to in (first, "12", second))
    multi = b"\0\3\0" + b"12345\0\3" + destinations + bytes(9) + b"\5hello"  # section 4.5.1
    payload = b"a text " * 40
    data = b"\0\3\0" + b"12345\0\1\1" + third.encode() + b"\0\0\0\0"  # section 4.7.1
    data += struct.pack(">HH", 0x0424, len(payload)) + payload
    with by_hand(site) as connection:
        connection.sendall(header(0x00000021, 2, multi))
        head = connection.recv(16, socket.MSG_WAITALL)
        length, command, status, sequence = struct.unpack(">IIII", head)
        assert (command, status, sequence) == (0x80000021, ROK, 2)
        id, _, refused = connection.recv(length - 16, socket.MSG_WAITALL).partition(b"\0")
        assert refused == b"\1" + b"\1\1" + b"12\0" + struct.pack(">I", consts.SMPP_ESME_RINVDSTADR)
        connection.sendall(header(0x00000103, 3, data))
        assert answer(connection) == (0x80000103, ROK, 3)
    assert [site.smsc.submit(to)[0].short_message for to in (first, second)] == [b"hello"] * 2
    assert site.daemon.reaches(id.decode(), "sent")["to"] == f"+{first}"
    assert b"".join(part.short_message[6:] for part in site.smsc.submit(third, 2)) == payload


def test_an_intermediate_notification_comes_before_the_receipt(site: Site) -> None:
    to = next(CUSTOMERS)
    with application(site) as app:
        id = app.submit(to, "step by step", registered_delivery=0x11)
        on_the_way = app.receipt()
        [segment] = site.daemon.reaches(id, "sent")["segments"]
        site.smsc.deliver(to, "12345", receipt_of(segment["smsc_id"]), esm_class=RECEIPT)
        final = app.receipt()
    assert (on_the_way.esm_class, final.esm_class) == (0x20, RECEIPT)
    assert b"stat:ENROUTE" in on_the_way.short_message and b"stat:DELIVRD" in final.short_message
    assert on_the_way.receipted_message_id.rstrip(b"\0") == id.encode()
    assert (on_the_way.message_state, final.message_state) == (1, 2)


def test_who_asks_for_failures_only_hears_of_no_success(site: Site) -> None:
    good, bad = next(CUSTOMERS), next(CUSTOMERS)
    with application(site) as app:
        ids = [app.submit(to, "hm", registered_delivery=2) for to in (good, bad)]
        for id, to, stat in zip(ids, (good, bad), ("DELIVRD", "UNDELIV"), strict=True):
            [segment] = site.daemon.reaches(id, "sent")["segments"]
            site.smsc.deliver(to, "12345", receipt_of(segment["smsc_id"], stat), esm_class=RECEIPT)
            site.daemon.reaches(id, "delivered", "failed")
        assert app.receipt().short_message.startswith(f"id:{ids[1]} ".encode())
        assert len(app.received) == 1


def test_receipts_of_an_account_that_is_away_come_when_it_binds(site: Site) -> None:
    numbers = [next(CUSTOMERS) for _ in range(25)]
    with application(site, name="inbox") as app:
        ids = [app.submit(to, "many") for to in numbers]
    for id, to in zip(ids, numbers, strict=True):
        [segment] = site.daemon.reaches(id, "sent")["segments"]
        site.smsc.deliver(to, "12345", receipt_of(segment["smsc_id"]), esm_class=RECEIPT)
    for id in ids:
        site.daemon.reaches(id, "delivered")
    began = time.monotonic()
    with application(site, name="inbox") as app:  # whose window is 2
        got = [app.receipt().receipted_message_id.rstrip(b"\0").decode() for _ in ids]
    assert got == ids
    assert time.monotonic() - began < 9


def test_texts_come_to_an_account_that_asks_for_them(site: Site) -> None:
    customer, words = next(CUSTOMERS), "Двадцать пицц. " * 10
    with application(site, name="inbox") as app:
        site.smsc.deliver(customer, "12345", b"hello shop")
        text = app.receipt()
    assert (text.source_addr, text.destination_addr) == (customer.encode(), b"12345")
    assert (text.esm_class, text.short_message) == (0, b"hello shop")
    site.smsc.deliver(customer, "12345", words[:50].encode("utf-16-be"), data_coding=8)
    with application(site, name="inbox") as app:  # it was away
        assert app.receipt().short_message.decode("utf-16-be") == words[:50]


# -- carriers: we bind to an SMSC of smpplib's PDUs ---------------------------------------------------


def test_a_message_has_the_fields_a_carrier_expects(site: Site) -> None:
    to = next(CUSTOMERS)
    id = site.daemon.send(to=f"+{to}", sender="12345", text="Grüße @ 5€", correlationid="c-1")
    [submit] = site.smsc.submit(to)
    assert (submit.source_addr_ton, submit.source_addr_npi, submit.source_addr) == (3, 0, b"12345")
    assert (submit.dest_addr_ton, submit.dest_addr_npi) == (1, 1)
    assert (submit.esm_class, submit.data_coding, submit.registered_delivery) == (0, 0, 1)
    assert submit.short_message == b"Gr\x7e\x1ee \x00 5\x1b\x65"  # 3GPP TS 23.038
    assert site.daemon.reaches(id, "sent")["correlationid"] == "c-1"


@pytest.mark.parametrize("until", ["accepted", "delivered"])
def test_a_validity_that_an_application_gives_reaches_the_carrier(site: Site, until: str) -> None:
    to = next(CUSTOMERS)
    site.daemon.send(to=f"+{to}", sender="12345", text="soon", until=until, validity="10m")
    [submit] = site.smsc.submit(to)
    assert submit.validity_period in (b"000000001000000R", b"000000000959000R")


@pytest.mark.parametrize("absolute", [False, True])
def test_a_validity_that_an_account_gives_reaches_the_carrier(site: Site, absolute: bool) -> None:
    to = next(CUSTOMERS)
    at = time.strftime("%y%m%d%H%M%S000+", time.gmtime(time.time() + 601))
    with application(site) as app:
        app.submit(to, "soon", validity_period=at if absolute else "000000001000000R")
    [submit] = site.smsc.submit(to)
    assert submit.validity_period in (b"000000001001000R", b"000000001000000R", b"000000000959000R")


def test_without_a_validity_the_carrier_tries_as_long_as_it_likes(site: Site) -> None:
    to = next(CUSTOMERS)
    site.daemon.send(to=f"+{to}", sender="12345", text="any time", until="delivered")
    [submit] = site.smsc.submit(to)
    assert not submit.validity_period


def test_accepted_messages_are_counted_by_who_has_sent_them(site: Site) -> None:
    counted = {
        by: f'trunkline_messages_accepted_total{{by="{by}",service="shop"}}'
        for by in ("http", "smpp", "rule")
    }
    before = {by: site.daemon.metric(line) for by, line in counted.items()}
    site.daemon.send(to=next(CUSTOMERS), sender="12345", text="one")
    with application(site) as app:
        for _ in range(2):
            app.submit(next(CUSTOMERS), "two")
    customer = next(CUSTOMERS)
    site.smsc.deliver(customer, "12345", b"hours")
    site.smsc.submit(customer)
    assert {by: site.daemon.metric(line) - before[by] for by, line in counted.items()} == {
        "http": 1,
        "smpp": 2,
        "rule": 1,
    }


def test_text_beyond_gsm_goes_as_ucs2(site: Site) -> None:
    to = next(CUSTOMERS)
    site.daemon.send(to=f"+{to}", sender="12345", text="Пицца 🍕")
    [submit] = site.smsc.submit(to)
    assert submit.data_coding == 8
    assert submit.short_message.decode("utf-16-be") == "Пицца 🍕"


def test_a_long_message_goes_in_parts(site: Site) -> None:
    to, text = next(CUSTOMERS), "0123456789" * 40
    id = site.daemon.send(to=f"+{to}", sender="12345", text=text)
    parts = sorted(site.smsc.submit(to, 3), key=lambda pdu: pdu.short_message[5])
    assert len(parts) == 3
    assert {part.esm_class for part in parts} == {0x40}
    heads = [part.short_message[:6] for part in parts]
    reference = heads[0][3]
    assert heads == [bytes((5, 0, 3, reference, 3, number)) for number in (1, 2, 3)]
    assert b"".join(part.short_message[6:] for part in parts).decode() == text
    story = site.daemon.reaches(id, "sent")
    for segment in story["segments"]:
        assert site.daemon.message(id)["status"] == "sent"
        site.smsc.deliver(to, "12345", receipt_of(segment["smsc_id"]), esm_class=RECEIPT)
    site.daemon.reaches(id, "delivered")


def test_a_keyword_gets_its_reply(site: Site) -> None:
    customer = next(CUSTOMERS)
    assert site.smsc.deliver(customer, "12345", b"hours").status == ROK
    [reply] = site.smsc.submit(customer)
    assert reply.short_message == b"We bake from 11 to 23."
    assert reply.source_addr == b"12345"


@pytest.mark.parametrize(
    ("bind", "sender", "response", "receipt"),
    [
        ("same", "12345", "0A.b-7@x", "0A.b-7@x"),
        ("decimal", "34567", "1f00ABCDEF12", "34087742861074"),
        ("hex", "23456", "0034087742861075", "1F00ABCDEF13"),
    ],
)
def test_a_receipt_finds_its_message_in_the_form_that_its_carrier_writes(
    site: Site, bind: str, sender: str, response: str, receipt: str
) -> None:
    smsc, to = site.smscs[bind], next(CUSTOMERS)
    smsc.ids = itertools.chain([response], smsc.ids)
    id = site.daemon.send(to=to, sender=sender, text="hi")
    smsc.submit(to)
    site.daemon.reaches(id, "sent")
    assert smsc.deliver(to, sender, receipt_of(receipt), esm_class=RECEIPT).status == ROK
    assert site.daemon.reaches(id, "delivered")["carrier"] == bind


def test_a_receipt_that_says_no_fails_the_message(site: Site) -> None:
    to = next(CUSTOMERS)
    id = site.daemon.send(to=to, sender="12345", text="hi", until="delivered")
    [segment] = site.daemon.reaches(id, "sent")["segments"]
    site.smsc.deliver(to, "12345", receipt_of(segment["smsc_id"], "UNDELIV"), esm_class=RECEIPT)
    assert site.daemon.reaches(id, "failed")["reason"] == "receipt: undeliverable"


def test_a_throttled_message_goes_out_once_the_carrier_takes_it(site: Site) -> None:
    to = next(CUSTOMERS)
    site.smsc.statuses[:] = [consts.SMPP_ESME_RTHROTTLED, consts.SMPP_ESME_RMSGQFUL]
    counted = 'trunkline_segments_total{bind="same",result="throttled"}'
    before = site.daemon.metric(counted)
    id = site.daemon.send(to=to, sender="12345", text="patience")
    site.daemon.reaches(id, "sent")
    assert len(site.smsc.submit(to, 3)) == 3
    assert site.daemon.metric(counted) == before + 2
    assert not site.smsc.statuses


def test_a_rejected_message_has_failed_with_the_carriers_status(site: Site) -> None:
    to = next(CUSTOMERS)
    site.smsc.statuses[:] = [consts.SMPP_ESME_RINVDSTADR]
    id = site.daemon.send(to=to, sender="12345", text="nobody")
    story = site.daemon.reaches(id, "failed", "sent")
    assert (story["status"], story["code"]) == ("failed", "ESME_RINVDSTADR")
    assert len(site.smsc.submit(to)) == 1
