"""Settings of binds: what one says of another."""

from __future__ import annotations

import pytest

from gateway.config.model import Bind, receipts_about

BINDS = {
    "tx": Bind(host="smsc", system_id="gw", mode="transmitter"),
    "trx": Bind(host="smsc", system_id="gw"),
    "other": Bind(host="smsc", system_id="us"),
    "rx": Bind(host="smsc", system_id="gw", mode="receiver"),
    "alone": Bind(host="away", system_id="gw", mode="receiver"),
    "named": Bind(host="away", system_id="gw", mode="receiver", receipts_of=["other"]),
    "both": Bind(host="far", system_id="gw", receipts_of=["tx"]),
}


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("trx", ["trx"]),
        ("rx", ["tx", "trx"]),  # who sends to that host by that name
        ("alone", []),
        ("named", ["other"]),
        ("both", ["both", "tx"]),
    ],
)
def test_receipts_that_come_by_a_bind_may_be_about_messages_of_others(name: str, about: list[str]) -> None:
    assert receipts_about(name, BINDS) == about
