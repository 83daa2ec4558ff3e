"""The SMSC against smpplib's own client, over loopback."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import smpplib.client
from smpplib import consts, exceptions, smpp

Start = Callable[..., Any]


class Esme:
    """smpplib's client, one PDU at a time."""

    def __init__(self, port: int) -> None:
        self.client = smpplib.client.Client("127.0.0.1", port, timeout=30, allow_unknown_opt_params=True)
        self.client.connect()

    def bind(self, mode: str = "transceiver", system_id: str = "gw", password: str = "secret") -> Any:
        return getattr(self.client, f"bind_{mode}")(system_id=system_id, password=password)

    def submit(self, to: str, text: bytes = b"hello", **fields: object) -> Any:
        parameters = {"source_addr": "12345", "registered_delivery": 1} | fields
        return self.client.send_message(destination_addr=to, short_message=text, **parameters)

    def read(self, command: str) -> Any:
        pdu = self.client.read_pdu()
        assert pdu.command == command
        return pdu

    def answer(self, pdu: Any, status: int = 0) -> None:
        response = smpp.make_pdu(f"{pdu.command}_resp", client=self.client, status=status, sequence=1)
        response.sequence = pdu.sequence
        self.client.send_pdu(response)

    def send_raw(self, octets: bytes) -> None:
        self.client._socket.sendall(octets)

    def close(self) -> None:
        self.client.state = consts.SMPP_CLIENT_STATE_OPEN
        self.client.disconnect()


@pytest.fixture
def smsc(start: Start) -> Iterator[Callable[..., tuple[Any, Callable[..., Esme]]]]:
    """smsc("--receipts", "tlv") gives the simulator and a function that connects (and binds) an ESME."""

    def run(*options: str) -> tuple[Any, Callable[..., Esme]]:
        simulator = start("smsc", "--listen", "127.0.0.1:0", "--account", "gw:secret", *options)
        port = simulator.port()

        def connect(mode: str = "transceiver") -> Esme:
            esme = Esme(port)
            opened.append(esme)
            if mode:
                esme.bind(mode)
            return esme

        return simulator, connect

    opened: list[Esme] = []
    yield run
    for esme in opened:
        esme.close()


def receipt_fields(text: bytes) -> dict[str, str]:
    head, _, rest = text.decode().partition(" text:")
    for name in ("submit date", "done date"):
        head = head.replace(name, name.replace(" ", "_"))
    return dict(item.split(":", 1) for item in head.split()) | {"text": rest}


def test_a_bind_is_answered_with_the_name_of_the_smsc(smsc: Start) -> None:
    simulator, connect = smsc("--name", "north")
    esme = connect("")
    response = esme.bind("transmitter")
    assert response.system_id == b"north"
    assert response.sc_interface_version == 0x34
    assert simulator.wait("bound")["mode"] == "transmitter"


@pytest.mark.parametrize(
    ("system_id", "password", "status"),
    [("nobody", "secret", consts.SMPP_ESME_RBINDFAIL), ("gw", "wrong", consts.SMPP_ESME_RINVPASWD)],
)
def test_a_stranger_is_refused(smsc: Start, system_id: str, password: str, status: int) -> None:
    simulator, connect = smsc()
    with pytest.raises(exceptions.PDUError) as refusal:
        connect("").bind(system_id=system_id, password=password)
    assert refusal.value.args[1] == status
    assert simulator.wait("bind_refused", status=status)["system_id"] == system_id


def test_a_second_bind_on_one_session_is_refused(smsc: Start) -> None:
    _, connect = smsc()
    esme = connect()
    esme.client.state = consts.SMPP_CLIENT_STATE_OPEN
    with pytest.raises(exceptions.PDUError) as refusal:
        esme.bind()
    assert refusal.value.args[1] == consts.SMPP_ESME_RALYBND


def test_a_submitted_message_reaches_a_handset_and_its_receipt_comes_back(smsc: Start) -> None:
    simulator, connect = smsc("--message-id-start", "4711")
    esme = connect()
    esme.submit("447700900123", b"Your code is 77", source_addr="PIZZA", source_addr_ton=5)
    assert esme.read("submit_sm_resp").message_id == b"4711"
    receipt = esme.read("deliver_sm")
    esme.answer(receipt)
    assert (receipt.esm_class, receipt.source_addr, receipt.destination_addr) == (
        4,
        b"447700900123",
        b"PIZZA",
    )
    assert receipt.dest_addr_ton == 5
    fields = receipt_fields(receipt.short_message)
    assert (fields["id"], fields["stat"], fields["err"]) == ("4711", "DELIVRD", "000")
    assert (fields["sub"], fields["dlvrd"], fields["text"]) == ("001", "001", "Your code is 77")
    submit = simulator.wait("submit")
    assert (submit["from"], submit["to"], submit["id"], submit["status"]) == (
        "PIZZA",
        "447700900123",
        "4711",
        0,
    )
    message = simulator.wait("message")
    assert (message["text"], message["parts"]) == ("Your code is 77", 1)
    assert simulator.wait("receipt_ack")["id"] == "4711"


def test_the_receipt_writes_the_id_in_the_chosen_base(smsc: Start) -> None:
    simulator, connect = smsc("--message-id-start", "4711", "--receipts", "both")
    esme = connect()
    for form, answered, receipted in [
        ("same", "4711", "4711"),
        ("hex", "4712", "1268"),
        ("decimal", "1269", "4713"),
    ]:
        simulator.command("set", receipt_id=form)
        esme.submit("447700900123")
        assert esme.read("submit_sm_resp").message_id.decode() == answered
        receipt = esme.read("deliver_sm")
        assert receipt_fields(receipt.short_message)["id"] == receipted
        assert receipt.receipted_message_id.decode() == receipted
        assert receipt.message_state == consts.SMPP_MESSAGE_STATE_DELIVERED


def test_a_receipt_may_come_as_tlvs_only(smsc: Start) -> None:
    _, connect = smsc("--receipts", "tlv", "--fail", "^4478=UNDELIV:027")
    esme = connect()
    esme.submit("447800900123")
    message_id = esme.read("submit_sm_resp").message_id
    receipt = esme.read("deliver_sm")
    assert not receipt.short_message
    assert receipt.receipted_message_id == message_id
    assert receipt.message_state == consts.SMPP_MESSAGE_STATE_UNDELIVERABLE
    assert receipt.network_error_code == b"\x03\x00\x1b"


def test_a_receipt_may_come_before_the_response(smsc: Start) -> None:
    _, connect = smsc("--receipt-early")
    esme = connect()
    sent = esme.submit("447700900123")
    receipt = esme.read("deliver_sm")
    response = esme.read("submit_sm_resp")
    assert response.sequence == sent.sequence
    assert receipt_fields(receipt.short_message)["id"] == response.message_id.decode()


def test_a_receipt_may_come_on_another_session(smsc: Start) -> None:
    _, connect = smsc("--receipt-other-session")
    first, second = connect(), connect()
    first.submit("447700900123")
    first.read("submit_sm_resp")
    assert second.read("deliver_sm").esm_class == 4
    second.submit("447700900123")
    second.read("submit_sm_resp")
    assert first.read("deliver_sm").esm_class == 4


def test_a_transmitter_gets_its_receipts_on_the_receiver(smsc: Start) -> None:
    simulator, connect = smsc()
    transmitter = connect("transmitter")
    transmitter.submit("447700900123")
    transmitter.read("submit_sm_resp")
    simulator.command("stats")
    assert simulator.wait("stats")["waiting"] == 1
    receiver = connect("receiver")
    assert receiver.read("deliver_sm").esm_class == 4


def test_receipts_come_as_registered_delivery_wishes(smsc: Start) -> None:
    _, connect = smsc("--fail", "^4478=UNDELIV")
    esme = connect()
    for wish, stats in {0: [], 1: ["UNDELIV", "DELIVRD"], 2: ["UNDELIV"], 3: ["DELIVRD"]}.items():
        for to in ("447800900123", "447700900123"):
            esme.submit(to, registered_delivery=wish)
        esme.client.send_pdu(smpp.make_pdu("enquire_link", client=esme.client))
        received = []
        while (pdu := esme.client.read_pdu()).command != "enquire_link_resp":
            received += [receipt_fields(pdu.short_message)["stat"]] if pdu.command == "deliver_sm" else []
        assert received == stats, wish


def test_an_intermediate_notification_comes_before_the_receipt_to_who_asks_for_it(smsc: Start) -> None:
    _, connect = smsc("--receipt-intermediate")
    esme = connect()
    for registered_delivery, esm_classes in ((0x11, [0x20, 0x04]), (0x10, [0x20]), (0x01, [0x04])):
        esme.submit("447700900123", registered_delivery=registered_delivery)
        esme.read("submit_sm_resp")
        for esm_class in esm_classes:
            told = esme.read("deliver_sm")
            esme.answer(told)
            assert told.esm_class == esm_class
            stat = receipt_fields(told.short_message)["stat"]
            assert stat == ("ENROUTE" if esm_class == 0x20 else "DELIVRD")


def query(esme: Esme, message_id: bytes, source: str = "12345") -> Any:
    pdu = smpp.make_pdu("query_sm", client=esme.client, message_id=message_id.decode(), source_addr=source)
    esme.client.send_pdu(pdu)
    response = esme.client.read_pdu()
    assert response.sequence == pdu.sequence
    return response


def test_what_became_of_a_message_can_be_asked(smsc: Start) -> None:
    simulator, connect = smsc("--receipts", "none", "--fail", "99$=UNDELIV:027", "--lose", "98$")
    esme = connect()
    ids = []
    for to in ("447700900123", "447700900199", "447700900198"):
        esme.submit(to)
        ids.append(esme.read("submit_sm_resp").message_id)
    said = [query(esme, id) for id in ids]
    assert [(pdu.command, pdu.status) for pdu in said] == [("query_sm_resp", 0)] * 3
    assert [pdu.message_id for pdu in said] == ids
    assert [(pdu.message_state, pdu.error_code) for pdu in said] == [(2, 0), (5, 27), (1, 0)]
    assert [len(pdu.final_date or b"") for pdu in said] == [16, 16, 0]
    assert simulator.wait("query", id=ids[1].decode())["stat"] == "UNDELIV"
    assert simulator.command("stats") and simulator.wait("stats")["queries"] == 3


def test_a_message_whose_receipt_is_not_due_is_on_its_way(smsc: Start) -> None:
    _, connect = smsc("--receipt-delay", "100")
    esme = connect()
    esme.submit("447700900123")
    assert query(esme, esme.read("submit_sm_resp").message_id).message_state == 1


def test_a_question_may_be_refused_in_several_ways(smsc: Start) -> None:
    simulator, connect = smsc("--receipts", "none")
    esme = connect()
    esme.submit("447700900123")
    id = esme.read("submit_sm_resp").message_id
    assert query(esme, b"nobody").status == consts.SMPP_ESME_RQUERYFAIL
    assert query(esme, id, source="99999").status == consts.SMPP_ESME_RQUERYFAIL
    simulator.command("set", query="fail")
    assert query(esme, id).status == consts.SMPP_ESME_RQUERYFAIL
    simulator.command("set", query="unknown")
    refused = query(esme, id)
    assert (refused.command, refused.status) == ("generic_nack", consts.SMPP_ESME_RINVCMDID)
    simulator.command("set", query="silent")
    esme.client.send_pdu(smpp.make_pdu("query_sm", client=esme.client, message_id=id.decode()))
    assert simulator.wait("query", status=None)["id"] == id.decode()


def test_answers_and_receipts_can_be_late(smsc: Start) -> None:
    simulator, connect = smsc("--answer-delay", "0.2", "--receipt-delay", "0.3")
    esme = connect()
    esme.submit("447700900123")
    submitted = simulator.wait("submit")["at"]
    esme.read("submit_sm_resp")
    esme.read("deliver_sm")
    assert simulator.wait("receipt_sent")["at"] - submitted >= 0.49


def test_faults_by_destination(smsc: Start) -> None:
    simulator, connect = smsc(
        "--reject",
        "^4479=ESME_RINVDSTADR",
        "--reject",
        "^4480=0x400",
        "--lose",
        "^4470",
        "--swallow",
        "^4471",
    )
    esme = connect()
    for to in ("447900900123", "448000900123", "447000900123", "447100900123"):
        esme.submit(to)
    esme.client.send_pdu(smpp.make_pdu("enquire_link", client=esme.client))
    assert esme.read("submit_sm_resp").status == consts.SMPP_ESME_RINVDSTADR
    assert esme.read("submit_sm_resp").status == 0x400
    assert esme.read("submit_sm_resp").message_id
    esme.read("enquire_link_resp")  # the fourth was not answered, the third got no receipt
    fates = [simulator.wait("submit")["fate"] for _ in range(4)]
    assert fates == ["refuse", "refuse", "lose", "swallow"]
    simulator.command("stats")
    simulator.wait("stats", submits=4, accepted=1, refused=2, swallowed=1, messages=0, receipts_sent=0)


def test_throttle_refuses_what_comes_too_fast(smsc: Start) -> None:
    simulator, connect = smsc("--throttle", "3", "--receipts", "none")
    esme = connect()
    for _ in range(5):
        esme.submit("447700900123")
    statuses = [esme.read("submit_sm_resp").status for _ in range(5)]
    assert statuses == [0, 0, 0, consts.SMPP_ESME_RTHROTTLED, consts.SMPP_ESME_RTHROTTLED]
    simulator.command("set", throttle=0, queue_full=2)
    for _ in range(2):
        esme.submit("447700900123")
    statuses = [esme.read("submit_sm_resp").status for _ in range(2)]
    assert sorted(statuses) == [0, consts.SMPP_ESME_RMSGQFUL]
    simulator.command("stats")
    simulator.wait("stats", throttled=2, queue_full=1, unique=1)


UDH16 = b"\x06\x08\x04\x01\x02\x02"


SPLIT: list[list[dict[str, Any]]] = [
    [
        {"esm_class": 0x40, "text": b"\x05\x00\x03\x2a\x02\x02e World"},
        {"esm_class": 0x40, "text": b"\x05\x00\x03\x2a\x02\x01Hello \x1b"},
    ],
    [
        {"esm_class": 0x40, "text": UDH16 + b"\x01Hello \x1b"},
        {"esm_class": 0x40, "text": UDH16 + b"\x02e World"},
    ],
    [
        {"sar_msg_ref_num": 7, "sar_total_segments": 2, "sar_segment_seqnum": 2, "text": b"e World"},
        {"sar_msg_ref_num": 7, "sar_total_segments": 2, "sar_segment_seqnum": 1, "text": b"Hello \x1b"},
    ],
    [{"message_payload": b"Hello \x1be World", "text": b""}],
]


def test_a_handset_joins_the_parts_of_a_message(smsc: Start) -> None:
    simulator, connect = smsc("--receipts", "none")
    esme = connect()
    for parts in SPLIT:
        for part in parts:
            esme.submit("447700900123", **part)
            esme.read("submit_sm_resp")
            assert simulator.wait("submit")["total"] == len(parts)
        message = simulator.wait("message")
        assert (message["text"], message["parts"]) == ("Hello € World", len(parts))


def test_a_handset_texts_and_the_response_is_reported(smsc: Start) -> None:
    simulator, connect = smsc()
    esme = connect("receiver")
    done = simulator.command("mo", **{"from": "447700900123", "to": "12345", "text": "PIZZA €"})
    pdu = esme.read("deliver_sm")
    assert (pdu.source_addr, pdu.destination_addr, pdu.esm_class, pdu.data_coding) == (
        b"447700900123",
        b"12345",
        0,
        0,
    )
    assert pdu.short_message == b"PIZZA \x1be"
    esme.answer(pdu)
    acknowledged = simulator.wait("mo_ack", id=done["id"])
    assert (acknowledged["status"], acknowledged["left"], acknowledged["retry"]) == (0, 0, False)


def test_a_long_text_comes_in_parts_in_the_order_wished(smsc: Start) -> None:
    simulator, connect = smsc()
    esme = connect()
    text = "x" * 152 + "€" + "y" * 200
    simulator.command(
        "mo",
        **{
            "from": "447700900123",
            "to": "12345",
            "text": text,
            "id": "a",
            "order": [3, 1, 2],
            "drop_parts": [1],
        },
    )
    third, second = esme.read("deliver_sm"), esme.read("deliver_sm")
    esme.answer(third)
    esme.answer(second)
    assert third.esm_class == second.esm_class == 0x40
    assert (third.short_message[:3], third.short_message[4:6]) == (b"\x05\x00\x03", b"\x03\x03")
    assert second.short_message[4:8] == b"\x03\x02\x1be"  # the escape was not left behind in part 1
    assert [simulator.wait("mo_ack", id="a")["left"] for _ in range(2)] == [1, 0]


def test_ucs2_parts_keep_surrogate_pairs_whole(smsc: Start) -> None:
    simulator, connect = smsc()
    esme = connect()
    text = "я" * 66 + "🍕" * 20
    simulator.command("mo", **{"from": "447700900123", "to": "12345", "text": text})
    parts = [esme.read("deliver_sm") for _ in range(2)]
    assert [part.data_coding for part in parts] == [8, 8]
    assert [part.short_message[6:].decode("utf-16-be") for part in parts] == ["я" * 66, "🍕" * 20]


def test_data_sm_carries_texts_both_ways(smsc: Start) -> None:
    simulator, connect = smsc("--receipts", "none")
    esme = connect()
    simulator.command("mo", **{"from": "447700900123", "to": "12345", "text": "hi", "as": "data_sm"})
    pdu = esme.read("data_sm")
    assert pdu.message_payload == b"hi"
    esme.answer(pdu)
    assert simulator.wait("mo_ack")["status"] == 0
    esme.client.send_pdu(
        smpp.make_pdu(
            "data_sm", client=esme.client, source_addr="1", destination_addr="2", message_payload=b"yo"
        )
    )
    assert esme.read("data_sm_resp").message_id
    assert simulator.wait("message")["text"] == "yo"


def test_a_delivery_refused_for_the_moment_is_repeated(smsc: Start) -> None:
    simulator, connect = smsc("--retry", "0.05")
    esme = connect()
    simulator.command("mo", **{"from": "447700900123", "to": "12345", "text": "hi"})
    esme.answer(esme.read("deliver_sm"), status=consts.SMPP_ESME_RTHROTTLED)
    assert simulator.wait("mo_ack")["retry"] is True
    esme.answer(esme.read("deliver_sm"), status=consts.SMPP_ESME_RX_P_APPN)
    final = simulator.wait("mo_ack")
    assert (final["retry"], final["status"], final["left"]) == (False, consts.SMPP_ESME_RX_P_APPN, 0)


def test_a_delivery_without_response_goes_to_the_next_session(smsc: Start) -> None:
    simulator, connect = smsc()
    first = connect()
    simulator.command("mo", **{"from": "447700900123", "to": "12345", "text": "hi"})
    first.read("deliver_sm")
    first.close()
    assert simulator.wait("closed")["reason"] == "closed by the peer"
    second = connect()
    assert second.read("deliver_sm").short_message == b"hi"
    assert simulator.wait("mo_sent", attempt=2)


def test_the_window_holds_deliveries_back(smsc: Start) -> None:
    simulator, connect = smsc("--window", "1")
    esme = connect()
    for text in ("one", "two"):
        simulator.command("mo", **{"from": "447700900123", "to": "12345", "text": text})
    simulator.command("stats")
    simulator.wait("stats", waiting=1, unanswered=1)
    pdu = esme.read("deliver_sm")
    esme.answer(pdu)
    assert (pdu.short_message, esme.read("deliver_sm").short_message) == (b"one", b"two")


def test_texts_go_round_robin_to_those_who_can_receive(smsc: Start) -> None:
    simulator, connect = smsc()
    connect("transmitter")
    receivers = [connect("receiver"), connect("transceiver")]
    for _ in range(4):
        simulator.command("mo", **{"from": "447700900123", "to": "12345", "text": "hi"})
    for receiver in receivers:
        assert [receiver.read("deliver_sm").command for _ in range(2)]
    assert sorted(simulator.wait("mo_sent")["session"] for _ in range(4)) == [2, 2, 3, 3]


def test_pause_answers_nothing_until_resume(smsc: Start) -> None:
    simulator, connect = smsc("--receipts", "none")
    esme = connect()
    simulator.command("pause")
    esme.submit("447700900123")
    esme.client._socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        esme.client.read_pdu()
    esme.client._socket.settimeout(30)
    simulator.command("resume")
    assert esme.read("submit_sm_resp").status == 0


def test_drop_and_unbind_end_sessions(smsc: Start) -> None:
    simulator, connect = smsc()
    first, second = connect(), connect()
    simulator.command("drop", session=1)
    with pytest.raises(exceptions.ConnectionError):
        first.client.read_pdu()
    assert simulator.wait("closed")["reason"] == "dropped by us"
    simulator.command("unbind")
    second.answer(second.read("unbind"))
    with pytest.raises(exceptions.ConnectionError):
        second.client.read_pdu()
    closed = simulator.wait("closed")
    assert (closed["session"], closed["reason"]) == (2, "unbound by us")


def test_the_peer_may_unbind(smsc: Start) -> None:
    simulator, connect = smsc()
    assert connect().client.unbind().command == "unbind_resp"
    assert simulator.wait("unbound")["by"] == "peer"
    assert simulator.wait("closed")["reason"] == "unbound by the peer"


def test_a_peer_that_ignores_enquire_link_is_cut(smsc: Start) -> None:
    simulator, connect = smsc("--enquire-link", "0.1")
    esme = connect()
    esme.answer(esme.read("enquire_link"))
    esme.read("enquire_link")
    assert simulator.wait("closed")["reason"] == "enquire_link without response"


def header(length: int, command_id: int, sequence: int = 9) -> bytes:
    return struct.pack(">LLLL", length, command_id, 0, sequence)


MALFORMED = {
    "unknown command_id": (header(16, 0x0000F00D), 0x80000000, consts.SMPP_ESME_RINVCMDID),
    "cancel_sm, which is not served": (header(16, 8), 0x80000000, consts.SMPP_ESME_RINVCMDID),
    "query_sm without a body": (header(16, 3), 0x80000003, consts.SMPP_ESME_RINVCMDLEN),
    "short body": (header(17, 4) + b"x", 0x80000004, consts.SMPP_ESME_RINVCMDLEN),
    "string without NUL": (header(40, 4) + b"x" * 24, 0x80000004, consts.SMPP_ESME_RINVCMDLEN),
    "sm_length lies": (header(34, 4) + bytes(16) + b"\x09x", 0x80000004, consts.SMPP_ESME_RINVMSGLEN),
    "half a TLV header": (
        header(36, 4) + bytes(17) + b"\x14\x00\x00",
        0x80000004,
        consts.SMPP_ESME_RINVOPTPARSTREAM,
    ),
    "TLV too long": (
        header(37, 4) + bytes(17) + b"\x14\x00\x00\x05",
        0x80000004,
        consts.SMPP_ESME_RINVOPTPARSTREAM,
    ),
}


def test_a_malformed_request_gets_its_status_and_the_session_stays(smsc: Start) -> None:
    simulator, connect = smsc()
    esme = connect()
    for what, (octets, command_id, status) in MALFORMED.items():
        esme.send_raw(octets)
        assert struct.unpack(">LLLL", esme.client._recv_exact(16)) == (16, command_id, status, 9), what
        simulator.wait("malformed", session=1)
    esme.submit("447700900123")
    assert esme.read("submit_sm_resp").status == 0


def test_an_unknown_tlv_is_no_reason_to_refuse(smsc: Start) -> None:
    simulator, connect = smsc()
    esme = connect()
    tlvs = struct.pack(">HH2s", 0x1400, 2, b"ok") + struct.pack(">HHB", 0x0427, 1, 2)
    body = b"\0" * 16 + b"\0" + tlvs
    esme.send_raw(header(16 + len(body), 4) + body)
    assert esme.read("submit_sm_resp").status == 0
    assert simulator.wait("submit")["tlvs"] == {"0x1400": "6f6b", "message_state": "02"}


def test_what_is_not_smpp_is_answered_and_closed(smsc: Start) -> None:
    simulator, connect = smsc()
    for octets in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", header(15, 4), header(2**31, 4)):
        esme = connect("")
        esme.send_raw(octets)
        answer = struct.unpack(">LLLL", esme.client._recv_exact(16))
        assert answer[1:3] == (0x80000000, consts.SMPP_ESME_RINVCMDLEN), octets
        assert simulator.wait("closed")["reason"].startswith("not SMPP")


def test_pdus_are_found_however_the_octets_arrive(smsc: Start) -> None:
    _, connect = smsc()
    esme = connect()
    esme.client._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in header(16, 0x15, 1):
        esme.send_raw(bytes([octet]))
    esme.send_raw(header(16, 0x15, 2) + header(16, 0x15, 3))
    assert [esme.read("enquire_link_resp").sequence for _ in range(3)] == [1, 2, 3]


def test_submit_needs_a_bind_that_may_transmit(smsc: Start) -> None:
    _, connect = smsc()
    for mode in ("", "receiver"):
        esme = connect(mode)
        esme.client.state = consts.SMPP_CLIENT_STATE_BOUND_TRX
        esme.submit("447700900123")
        assert esme.read("submit_sm_resp").status == consts.SMPP_ESME_RINVBNDSTS


def test_a_bad_command_changes_nothing_and_says_why(smsc: Start) -> None:
    simulator, connect = smsc()
    for line, reason in [
        (b"nonsense", "not JSON"),
        (b'{"cmd": "set", "throttle": 5, "receipts": "maybe"}', "'maybe' is none of"),
        (b'{"cmd": "set", "recipts": "tlv"}', "no option 'recipts'"),
        (b'{"cmd": "set", "reject": ["(=1"]}', "not a regular expression"),
        (b'{"cmd": "mo", "from": "1", "to": "2"}', 'needs "text"'),
        (b'{"cmd": "mo", "from": "1", "to": "2", "text": "\\u044f", "coding": "gsm"}', "GSM alphabet"),
        (b'{"cmd": "drop", "session": 12}', "no session 12"),
        (b'{"cmd": "dance"}', "there are mo, set"),
    ]:
        simulator.write(line + b"\n")
        assert reason in simulator.wait("error")["reason"]
    esme = connect()
    for _ in range(7):  # throttle stayed off: `set` is all or none
        esme.submit("447700900123", registered_delivery=0)
    assert {esme.read("submit_sm_resp").status for _ in range(7)} == {0}


def test_quiet_prints_totals_only_and_is_fast(smsc: Start) -> None:
    simulator, connect = smsc("--quiet", "--receipts", "none")
    esme = connect()
    esme.submit("447700900123", b"x" * 100)
    esme.read("submit_sm_resp")
    one = smpp.make_pdu(
        "submit_sm", client=esme.client, destination_addr="1", short_message=b"x" * 100
    ).generate()
    began = time.monotonic()
    esme.send_raw(one * 2000)
    esme.client._recv_exact(2000 * 27)
    assert time.monotonic() - began < 20
    assert simulator.end() == 0
    assert [event["event"] for event in simulator.events] == ["closing", "stats"]
    assert simulator.events[-1]["submits"] == 2001


def test_a_taken_port_is_reported(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        simulator = start("smsc", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        assert "cannot listen" in simulator.wait("error")["reason"]
        assert simulator.end() == 1
