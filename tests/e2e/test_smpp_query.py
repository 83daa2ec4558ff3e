"""Carriers whose receipts do not come are asked: the daemon against the SMSC of simulators/."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from smpplib import consts

from gateway.outbound.segments import EARLY_SECONDS
from tests.peers.processes import KEY, Daemon, Simulator, until
from tests.peers.set_clock import set_ahead
from tests.peers.settings import bind
from tests.peers.smpplib_smsc import Smsc

pytestmark = pytest.mark.e2e

CUSTOMERS = (f"447700{n:05}" for n in itertools.count(70_000))  # but for the last digit
SETTINGS = bind(
    "asking", "{port}", "12345", 'password = "secret"', 'receipt_id = "decimal"', 'query_sm = "300ms"'
) + bind("plain", "{port}", "23456", 'password = "secret"')
SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345", "23456"]
"""


class Site(NamedTuple):
    daemon: Daemon
    smsc: Simulator

    def send(self, sender: str = "12345", *, ending: str = "0", **fields: object) -> str:
        """`ending` is the last digit of the customer's number."""
        to = next(CUSTOMERS) + ending
        return self.daemon.send(
            **{"to": f"+{to}", "sender": sender, "text": "hi", "until": "delivered"} | fields
        )

    def smsc_id(self, id: str) -> str:
        """As the carrier wrote it."""
        return str(self.smsc.wait("submit", to=self.daemon.message(id)["to"].lstrip("+"))["id"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Simulator(
        "smsc",
        "--listen=127.0.0.1:0",
        "--account=gw:secret",
        "--receipts=none",
        "--receipt-id=decimal",  # the response has it in hexadecimal
        "--fail=9$=UNDELIV:027",
        "--lose=8$",
    ) as smsc:
        settings = SETTINGS.format(port=smsc.port)
        with Daemon(tmp_path_factory.mktemp("query") / "site", settings, {"shop": SHOP}) as daemon:
            until(lambda: len(daemon.log("bind.up")) == 2, "both binds are up")
            yield Site(daemon, smsc)


def test_a_message_without_a_receipt_is_delivered_by_what_the_carrier_says(site: Site) -> None:
    id = site.send()
    site.daemon.reaches(id, "delivered")
    [asked] = site.smsc.heard("query", id=site.smsc_id(id))
    assert asked["stat"] == "DELIVRD"


def test_a_message_that_was_not_delivered_fails_with_the_carriers_error(site: Site) -> None:
    story = site.daemon.reaches(site.send(ending="9"), "failed")
    assert story["code"] == "27"


def test_each_part_of_a_long_message_is_asked_about(site: Site) -> None:
    before = len(site.smsc.heard("query"))
    id = site.send(text="long " * 100)
    site.daemon.reaches(id, "delivered")
    assert len(site.smsc.heard("query")) == before + 4


def test_after_kill_9_a_message_is_still_asked_about(site: Site) -> None:
    id = site.send(ending="8")
    smsc_id = site.smsc_id(id)
    site.smsc.wait("query", id=smsc_id)
    until(
        lambda: site.daemon.rows("SELECT 1 FROM timers WHERE kind = 'query' AND data LIKE '%0.6%'"),
        "it waits",
    )
    site.daemon.kill9()
    site.daemon.start()
    site.smsc.wait("query", id=smsc_id)
    assert site.daemon.message(id)["status"] == "sent"


def test_a_carrier_that_knows_no_query_sm_is_asked_once(site: Site) -> None:
    site.smsc.tell("set", query="unknown")
    try:
        smsc_id = site.smsc_id(site.send())
        site.smsc.wait("query", id=smsc_id)
        until(
            lambda: (
                not site.daemon.rows(
                    "SELECT 1 FROM timers WHERE kind = 'query' AND data LIKE ?", f"%{smsc_id}%"
                )
            ),
            "the gateway has given it up",
        )
    finally:
        site.smsc.tell("set", query="state")


def test_a_bind_without_the_setting_never_asks(site: Site) -> None:
    smsc_id = site.smsc_id(site.send("23456"))
    site.daemon.reaches(site.send(), "delivered")
    assert site.smsc.heard("query", id=smsc_id) == []


def test_a_receipt_of_an_unknown_message_waits_for_it_and_is_an_orphan_in_the_end(tmp_path: Path) -> None:
    ahead = tmp_path / "ahead"
    set_ahead(ahead, 0)
    smsc = Smsc()
    daemon = Daemon(tmp_path / "orphans", bind("north", smsc.port, "12345"), {})
    daemon.module, daemon.environment = "tests.peers.set_clock", {"CLOCK_AHEAD": str(ahead)}
    counted = 'trunkline_receipts_orphaned_total{bind="north"}'
    try:
        with daemon:
            until(lambda: daemon.log("bind.up"), "the bind is up")
            text = b"id:no-such-message sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
            # taken all the same: its message may be on its way, and nobody gains if it is repeated for ever
            assert smsc.deliver("447700900001", "12345", text, esm_class=0x04).status == consts.SMPP_ESME_ROK
            set_ahead(ahead, EARLY_SECONDS - 60)
            assert daemon.metric("trunkline_receipts_unmatched_total") == 1
            assert daemon.metric(counted) == 0 and not daemon.log("receipt.orphan")
            set_ahead(ahead, EARLY_SECONDS + 60)
            [orphan] = until(lambda: daemon.log("receipt.orphan"), "it is an orphan")
            assert (orphan["bind"], orphan["smsc_id"], orphan["state"]) == (
                "north",
                "no-such-message",
                "delivered",
            )
            assert daemon.metric(counted) == 1
    finally:
        smsc.close()
