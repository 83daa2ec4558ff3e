"""The typed settings: what they must not tell, and what one says of another."""

from __future__ import annotations

import logging

import pytest

from gateway.config.model import Account, Bind, Secret, receipts_about


def test_a_secret_does_not_show_in_the_settings_that_hold_it(caplog: pytest.LogCaptureFixture) -> None:
    account = Account(system_id="acme", password=Secret("hunter2"), service="shop")
    assert "hunter2" not in repr(account)
    with caplog.at_level(logging.INFO):
        logging.getLogger().info("bound %s", account)
    assert "hunter2" not in caplog.text


def test_a_secret_is_the_text_where_it_is_needed() -> None:
    assert Secret("hunter2") == "hunter2"


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
