"""How settings are written: what a secret must not tell."""

from __future__ import annotations

import logging

import pytest

from gateway.config.model import Account, Secret


def test_a_secret_does_not_show_in_the_settings_that_hold_it(caplog: pytest.LogCaptureFixture) -> None:
    account = Account(system_id="acme", password=Secret("hunter2"), service="shop")
    assert "hunter2" not in repr(account)
    with caplog.at_level(logging.INFO):
        logging.getLogger().info("bound %s", account)
    assert "hunter2" not in caplog.text


def test_a_secret_is_the_text_where_it_is_needed() -> None:
    assert Secret("hunter2") == "hunter2"
