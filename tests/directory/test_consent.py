from __future__ import annotations

from pathlib import Path

from msgspec.structs import asdict

from gateway.directory.consent import Consents
from gateway.store.base import Unit
from gateway.store.sqlite import SqliteStore
from gateway.values.message import Consent, ConsentChange

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
    assert unit.writes == [said(True), ConsentChange(**asdict(said(True)))]


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


def of(channel: str, opted_out: bool) -> Consent:
    return Consent(service="alerts", channel=channel, address=BOB, opted_out=opted_out, reason="so", at=2.0)


def test_a_channel_may_be_refused_by_itself() -> None:
    consents = Consents()
    consents.record(Unit(), of("voice", True))
    assert consents.refusal("alerts", BOB) == ""
    assert consents.refusal("alerts", BOB, "voice") == "the customer has opted out of voice (so)"


def test_a_start_ends_what_was_said_of_single_channels_and_a_stop_of_all_covers_each() -> None:
    consents, unit = Consents(), Unit()
    consents.record(Unit(), of("voice", True))
    consents.record(unit, said(False))
    assert consents.refusal("alerts", BOB, "voice") == ""
    assert [w.channel for w in unit.writes if isinstance(w, Consent)] == ["", "voice"]
    consents.record(Unit(), said(True))
    assert consents.refusal("alerts", BOB, "app")


async def test_the_history_keeps_all_that_was_said(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    consents = Consents()
    for consent in (said(True), of("voice", True), said(False)):
        unit = Unit()
        consents.record(unit, consent)
        await unit.commit(store)
    history = await store.consent_changes("alerts", BOB, limit=9)
    assert [(c.channel, c.opted_out) for c in history] == [("", False), ("voice", True), ("", True)]
    after = Consents()
    await after.load(store)
    assert after.refusal("alerts", BOB, "voice") == ""
    assert [(c.channel, c.opted_out) for c in await store.consents("alerts", BOB)] == [
        ("", False),
        ("voice", False),
    ]
    await store.close()


async def test_who_has_said_yes_is_known_where_that_is_asked_for(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    consents, unit = Consents(), Unit()
    await consents.load(store, ["alerts"])
    assert not consents.opted_in("alerts", BOB)
    consents.record(unit, said(False))
    assert consents.opted_in("alerts", BOB)
    await unit.commit(store)
    refused = Unit()
    consents.record(refused, said(True))
    assert not consents.opted_in("alerts", BOB)
    refused.take_back()
    assert consents.opted_in("alerts", BOB)
    after = Consents()
    await after.load(store)
    assert not after.opted_in("alerts", BOB)
    await after.require(store, ["alerts"])
    assert after.opted_in("alerts", BOB)
    await after.require(store, [])
    assert not after.opted_in("alerts", BOB)
    await store.close()
