from __future__ import annotations

from pathlib import Path

from gateway.directory.consent import Consents
from gateway.store.base import Unit
from gateway.store.sqlite import SqliteStore
from gateway.values.message import Consent

BOB = "+447700900001"


def said(opted_out: bool, service: str = "alerts", reason: str = "texted STOP to 12345") -> Consent:
    return Consent(service=service, address=BOB, opted_out=opted_out, reason=reason, at=1.0)


def test_who_has_said_nothing_may_be_sent_to() -> None:
    assert Consents().refusal("alerts", BOB) == ""


def test_a_stop_holds_at_once_and_for_its_service_only() -> None:
    consents, unit = Consents(), Unit()
    consents.record(unit, said(True))
    assert consents.refusal("alerts", BOB) == "the customer has opted out (texted STOP to 12345)"
    assert consents.refusal("news", BOB) == ""
    assert unit.writes == [said(True)]


def test_a_start_ends_it() -> None:
    consents = Consents()
    consents.record(Unit(), said(True))
    consents.record(Unit(), said(False))
    assert consents.refusal("alerts", BOB) == ""


def test_what_was_not_stored_does_not_hold() -> None:
    consents = Consents()
    refused = Unit()
    consents.record(refused, said(True))
    refused.take_back()
    assert consents.refusal("alerts", BOB) == ""
    consents.record(Unit(), said(True))
    refused = Unit()
    consents.record(refused, said(False))
    refused.take_back()
    assert consents.refusal("alerts", BOB) != ""


def test_taking_back_leaves_what_was_said_since() -> None:
    consents = Consents()
    refused = Unit()
    consents.record(refused, said(True, reason="first"))
    consents.record(Unit(), said(True, reason="second"))
    refused.take_back()
    assert "second" in consents.refusal("alerts", BOB)


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    consents, unit = Consents(), Unit()
    consents.record(unit, said(True))
    consents.record(unit, said(True, service="news"))
    consents.record(unit, said(False, service="news"))
    await unit.commit(store)
    again = Consents()
    await again.load(store)
    assert again.refusal("alerts", BOB) and not again.refusal("news", BOB)
    await store.close()
