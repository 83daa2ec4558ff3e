"""What the settings of a bind do, and what happens when one is down or ill, with SMSCs of smpplib's PDUs."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from smpplib import consts

from tests.peers.processes import KEY, Daemon, Json, until
from tests.peers.settings import bind
from tests.peers.smpplib_smsc import Smsc

pytestmark = pytest.mark.e2e

CUSTOMERS = (f"4477009{n:05}" for n in itertools.count(50_000))
RECEIPT, INTERMEDIATE = 0x04, 0x20  # esm_class
ROK = consts.SMPP_ESME_ROK

SETTINGS = (
    bind(
        "own",
        "{own}",
        "12345",
        """
interface_version = "3.3"
service_type = "CMT"
source_addr_ton = 0
dest_addr_npi = 8
validity_format = "relative"
registered_delivery = "intermediate"
tlvs = {{ "0x1400" = "1101234567" }}
status_map = {{ "0x0400" = "retry", ESME_RINVDSTADR = "throttle", ESME_RSYSERR = "fail" }}
stat_map = {{ "0" = "delivered", DND_REJECTED = "rejected" }}
receipt_zone = "+05:30"
retry_pause = "50ms"
throttle_pause = "50ms"
""",
    )
    + bind(
        "first",
        "{first}",
        "23456",
        'reconnect = "100ms"',
        'reconnect_limit = "200ms"',
        'retry_pause = "100ms"',
    )
    + bind("second", "{second}", "23456", 'reconnect = "100ms"', 'reconnect_limit = "200ms"')
)

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345", "23456"]
routes = ["own", "first", "second"]

[chains.alert]
[[chains.alert.steps]]
channel = "sms"
from = "23456"
via = "first"
text = "by first"
within = "1s"
[[chains.alert.steps]]
channel = "sms"
from = "23456"
via = "second"
text = "by second"
"""


class Site:
    def __init__(self, daemon: Daemon, smscs: dict[str, Smsc]) -> None:
        self.daemon = daemon
        self.own, self.first, self.second = smscs.values()

    def sent(self, **fields: object) -> tuple[str, str, str]:
        """A message that `own` has taken: customer, its id, the SMSC's id."""
        to = next(CUSTOMERS)
        id = self.daemon.send(**{"to": f"+{to}", "sender": "12345", "text": "hi"} | fields)
        [segment] = self.daemon.reaches(id, "sent")["segments"]
        return to, id, segment["smsc_id"]

    def receipt(self, to: str, text: str, esm_class: int = RECEIPT) -> None:
        assert self.own.deliver(to, "12345", text.encode(), esm_class=esm_class).status == ROK

    def receipts(self, id: str) -> list[Json]:
        return [event.data for event in self.daemon.events([id])[id] if event.type == "receipt"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    smscs = {name: Smsc() for name in ("own", "first", "second")}
    settings = SETTINGS.format(**{name: smsc.port for name, smsc in smscs.items()})
    try:
        with Daemon(tmp_path_factory.mktemp("binds") / "site", settings, {"shop": SHOP}) as daemon:
            until(lambda: len(daemon.log("bind.up")) == 3, "all three binds are up")
            yield Site(daemon, smscs)
    finally:
        for smsc in smscs.values():
            smsc.close()


def test_submit_sm_is_as_the_bind_wants_it(site: Site) -> None:
    to = next(CUSTOMERS)
    site.daemon.send(to=f"+{to}", sender="12345", text="hi", until="delivered", validity="1h")
    [submit] = site.own.submit(to)
    assert site.own.binds[0].interface_version == 0x33
    assert submit.service_type == b"CMT" and submit.registered_delivery == 0x11
    assert (submit.source_addr_ton, submit.source_addr_npi) == (0, 0)
    assert (submit.dest_addr_ton, submit.dest_addr_npi) == (1, 8)
    assert submit.validity_period in (b"000000005959000R", b"000000010000000R")
    assert b"\x14\x00\x00\x0a1101234567" in site.own.raw[-1]


@pytest.mark.parametrize(
    ("answers", "status", "submits"),
    [
        ([0x400, 0x400], "sent", 3),
        ([consts.SMPP_ESME_RINVDSTADR], "sent", 2),
        ([consts.SMPP_ESME_RX_T_APPN], "sent", 2),
        ([consts.SMPP_ESME_RSYSERR], "failed", 1),
        ([0x401], "failed", 1),
    ],
)
def test_the_carriers_status_means_what_the_bind_says(
    site: Site, answers: list[int], status: str, submits: int
) -> None:
    to = next(CUSTOMERS)
    site.own.statuses[:] = answers
    id = site.daemon.send(to=f"+{to}", sender="12345", text="hi")
    site.daemon.reaches(id, status)
    assert len(site.own.submit(to, submits)) == submits and not site.own.statuses


def test_retries_end_with_the_steps_time_and_the_chain_moves_on(site: Site) -> None:
    to = next(CUSTOMERS)
    site.first.statuses[:] = [consts.SMPP_ESME_RSYSERR] * 1000
    id = site.daemon.send(to=f"+{to}", chain="alert")
    story = site.daemon.reaches(id, "sent")
    site.first.statuses.clear()
    assert story["carrier"] == "second" and len(site.second.submit(to)) == 1
    assert 2 <= len(site.first.submit(to)) <= 10  # paced, not a storm


def test_a_step_that_ran_out_of_time_while_throttled_is_not_sent_when_that_ends(site: Site) -> None:
    to = next(CUSTOMERS)
    site.first.statuses[:] = [consts.SMPP_ESME_RTHROTTLED] * 1000
    id = site.daemon.send(to=f"+{to}", chain="alert")
    assert site.daemon.reaches(id, "sent")["carrier"] == "second"
    tried = len(site.first.submit(to))
    site.first.statuses.clear()
    for _ in range(2):  # by the first: what it rests for goes before them
        other = site.daemon.send(to=f"+{next(CUSTOMERS)}", sender="23456", text="hi")
        site.daemon.reaches(other, "sent")
    assert len(site.first.submit(to)) == tried and len(site.second.submit(to)) == 1


@pytest.mark.parametrize(
    ("stat", "status"), [("0", "delivered"), ("DND_REJECTED", "failed"), ("REJECTD", "failed")]
)
def test_a_vendors_words_are_read_by_the_map(site: Site, stat: str, status: str) -> None:
    to, id, smsc_id = site.sent(until="delivered")
    site.receipt(to, f"id:{smsc_id} done date:2311142213 stat:{stat} err:00A")
    site.daemon.reaches(id, status)
    [data] = site.receipts(id)
    assert (data["code"], data["stat"], data["done_date"]) == ("00A", stat, "2023-11-14T16:43:00.000Z")


def test_a_word_that_nobody_knows_and_news_on_the_way_are_not_final(site: Site) -> None:
    to, id, smsc_id = site.sent()
    site.receipt(to, f"id:{smsc_id} stat:7")
    site.receipt(to, f"id:{smsc_id} stat:WHATEVER")
    site.receipt(to, f"id:{smsc_id} stat:DELIVRD", INTERMEDIATE)
    until(lambda: len(site.receipts(id)) == 3, "three receipts in the log")
    assert site.daemon.message(id)["status"] == "sent"
    site.receipt(to, f"id:{smsc_id} stat:DELIVRD")
    site.daemon.reaches(id, "delivered")


def test_the_first_final_state_wins_and_duplicates_are_counted(site: Site) -> None:
    to, id, smsc_id = site.sent()
    before = site.daemon.metric("trunkline_receipts_duplicate_total")
    site.receipt(to, f"id:{smsc_id} stat:DELIVRD")
    site.daemon.reaches(id, "delivered")
    site.receipt(to, f"id:{smsc_id} stat:DELIVRD")
    site.receipt(to, f"id:{smsc_id} stat:UNDELIV")
    assert site.daemon.message(id)["status"] == "delivered"
    assert site.daemon.metric("trunkline_receipts_duplicate_total") == before + 2
    assert len(site.receipts(id)) == 1


def test_an_id_is_found_by_its_text_and_then_without_padding_and_case(site: Site) -> None:
    site.own.ids = itertools.chain(["00AB7", "ab8"], site.own.ids)
    to, id, _ = site.sent()
    other_to, other, _ = site.sent()
    site.receipt(to, "id:ab7 stat:DELIVRD")
    site.receipt(other_to, "id:0000AB8 stat:UNDELIV")
    site.daemon.reaches(id, "delivered")
    site.daemon.reaches(other, "failed")


def test_of_messages_to_which_a_carrier_gives_one_id_the_recipient_tells_which_is_meant(site: Site) -> None:
    site.own.ids = itertools.chain(itertools.repeat("0", 4), site.own.ids)
    sent = [site.sent() for _ in range(4)]
    for (to, _, _), stat in zip(sent[:3], ("DELIVRD", "UNDELIV", "DELIVRD"), strict=True):
        site.receipt(to, f"id:0 stat:{stat}")
    for (_, id, _), status in zip(sent, ("delivered", "failed", "delivered", "sent"), strict=True):
        site.daemon.reaches(id, status)


def test_after_a_restart_an_id_is_still_found_without_padding_and_case(site: Site) -> None:
    site.own.ids = itertools.chain(["00CD9"], site.own.ids)
    to, id, _ = site.sent()
    site.daemon.terminate()
    ups = len(site.daemon.log("bind.up"))
    site.daemon.start()
    until(lambda: len(site.daemon.log("bind.up")) >= ups + 3, "all three binds are up again")
    site.receipt(to, "id:cd9 stat:DELIVRD")
    site.daemon.reaches(id, "delivered")


PAIR = """
[smpp.binds.{mode}]
host = "127.0.0.1"
port = {port}
system_id = "gw"
mode = "{mode}"
addresses = ["12345"]
"""


def test_the_receipts_of_a_transmitter_come_to_the_receiver(tmp_path: Path) -> None:
    smsc = Smsc()
    shop = f'name = "Shop"\nkey = "{KEY}"\nassets = ["12345"]\n'
    settings = "".join(PAIR.format(mode=mode, port=smsc.port) for mode in ("transmitter", "receiver"))
    try:
        with Daemon(tmp_path / "pair", settings, {"shop": shop}) as daemon:
            until(lambda: len(daemon.log("bind.up")) == 2, "both are up")
            [receiver] = [number for number, command, _ in smsc.seen if command == "bind_receiver"]
            smsc.connections.append(smsc.connections.pop(receiver))  # `deliver` takes the last one
            to = next(CUSTOMERS)
            id = daemon.send(to=f"+{to}", sender="12345", text="hi")
            [segment] = daemon.reaches(id, "sent")["segments"]
            receipt = f"id:{segment['smsc_id']} stat:DELIVRD err:000".encode()
            assert smsc.deliver(to, "12345", receipt, esm_class=RECEIPT).status == ROK
            daemon.reaches(id, "delivered")
    finally:
        smsc.close()


def test_what_waits_for_a_carrier_that_is_down_goes_by_another_once(site: Site) -> None:
    refused = consts.SMPP_ESME_RBINDFAIL
    for smsc in (site.first, site.second):
        smsc.bind_status = refused
        smsc.hang_up()
    until(lambda: len(site.daemon.log("bind.down")) >= 2, "both binds are down")
    customers = [next(CUSTOMERS) for _ in range(20)]
    ids = [site.daemon.send(to=f"+{to}", sender="23456", text="hi") for to in customers]
    assert {site.daemon.message(id)["status"] for id in ids} == {"queued"}
    site.second.bind_status = ROK
    for id in ids:
        assert site.daemon.reaches(id, "sent", timeout=20)["carrier"] == "second"
    ups = len(site.daemon.log("bind.up"))
    site.first.bind_status = ROK
    until(lambda: len(site.daemon.log("bind.up")) > ups, "the first bind is back")
    last = next(CUSTOMERS)
    site.daemon.reaches(site.daemon.send(to=f"+{last}", sender="23456", text="hi"), "sent")
    assert len(site.first.submit(last)) == 1
    assert not [pdu for pdu in site.first.submitted if pdu.destination_addr.decode() in customers]
    assert [len(site.second.submit(to)) for to in customers] == [1] * 20


def test_a_bind_that_is_throttled_or_ill_delays_no_other(site: Site) -> None:
    site.own.statuses[:] = [consts.SMPP_ESME_RTHROTTLED, 0x400] * 500
    stuck = [site.daemon.send(to=f"+{next(CUSTOMERS)}", sender="12345", text="hi") for _ in range(20)]
    for _ in range(20):
        site.daemon.reaches(site.daemon.send(to=f"+{next(CUSTOMERS)}", sender="23456", text="hi"), "sent")
    assert {site.daemon.message(id)["status"] for id in stuck} == {"queued"}
    site.own.statuses.clear()
    for id in stuck:
        site.daemon.reaches(id, "sent")


def test_a_receipt_may_come_in_data_sm_by_its_parameters_alone(site: Site) -> None:
    to, id, smsc_id = site.sent()
    body = b"\x00" + b"\x01\x01" + to.encode() + b"\x00" + b"\x00\x00" + b"12345\x00"
    body += b"\x00\x00\x00"  # esm_class, registered_delivery, data_coding
    body += b"\x00\x1e" + struct.pack(">H", len(smsc_id) + 1) + smsc_id.encode() + b"\x00"
    body += b"\x04\x27\x00\x01\x05"  # message_state: UNDELIVERABLE
    body += b"\x04\x23\x00\x03\x03\x00\x0b"  # network_error_code: GSM, 11
    pdu = struct.pack(">IIII", 16 + len(body), 0x00000103, 0, 77) + body
    for octet in pdu:  # as slowly as it gets
        site.own.connections[-1].sendall(bytes((octet,)))
    story = site.daemon.reaches(id, "failed")
    assert (story["reason"], story["code"]) == ("receipt: undeliverable", "11")
