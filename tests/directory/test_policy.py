from __future__ import annotations

from datetime import UTC, datetime

from gateway.config.model import Service
from gateway.directory.policy import AWAKE_SECONDS, DAY_SECONDS, WEEK_SECONDS, Policy, explicit
from gateway.store.base import Unit

LONDON, NEW_YORK, BERLIN = "+447700900123", "+12125550123", "+4915112345678"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def marketing(**more: object) -> Policy:
    return Policy({"s": Service(name="S", traffic="marketing", **more)})  # type: ignore[arg-type]


def test_quiet_hours_count_where_the_customer_is() -> None:
    policy = marketing(quiet_hours="21:00-08:00")
    evening = at("2026-12-01T20:30")
    assert policy.opens("s", LONDON, evening) == 0
    assert policy.opens("s", BERLIN, evening) == at("2026-12-02T07:00")
    assert policy.opens("s", NEW_YORK, evening) == 0
    assert policy.opens("s", NEW_YORK, at("2026-12-02T02:00")) == at("2026-12-02T13:00")
    assert policy.quiet("s", BERLIN, evening) == (
        "quiet hours of s (21:00-08:00) until 08:00 where the customer is (Europe/Berlin)"
    )


def test_so_many_a_day_and_a_week() -> None:
    policy = marketing(per_day=2, per_week=3)
    for now in (0.0, 1.0):
        assert policy.cap("s", LONDON, now) == ""
        policy.count(Unit(), "s", LONDON, now)
    assert policy.cap("s", LONDON, 2.0) == (
        "the customer has had 2 messages of s in 24 hours, and 2 is the most"
    )
    assert policy.cap("s", BERLIN, 2.0) == ""
    later = DAY_SECONDS + 1.0
    assert policy.cap("s", LONDON, later) == ""
    policy.count(Unit(), "s", LONDON, later)
    assert "3 messages of s in 7 days" in policy.cap("s", LONDON, later + DAY_SECONDS)
    assert policy.cap("s", LONDON, WEEK_SECONDS + 0.5) == ""


def test_what_was_not_stored_does_not_count() -> None:
    policy, unit = marketing(per_day=1), Unit()
    policy.count(unit, "s", LONDON, 1.0)
    unit.take_back()
    assert policy.cap("s", LONDON, 2.0) == ""


def test_who_has_written_is_awake_for_a_while() -> None:
    policy = marketing(per_day=1)
    policy.heard("s", LONDON, 100.0)
    assert policy.awake("s", LONDON, 100.0 + AWAKE_SECONDS - 1)
    assert not policy.awake("s", LONDON, 100.0 + AWAKE_SECONDS)
    assert not policy.awake("s", BERLIN, 100.0)


def test_a_transactional_service_is_not_governed() -> None:
    policy = Policy({"s": Service(name="S", quiet_hours="00:00-23:59", per_day=1)})
    assert not policy.governs("s")
    assert policy.quiet("s", LONDON, 0.0) == policy.cap("s", LONDON, 0.0) == ""
    policy.heard("s", LONDON, 1.0)
    policy.count(Unit(), "s", LONDON, 1.0)


def test_who_has_not_opted_in_wants_nothing_unasked() -> None:
    services = {"s": Service(name="S", consent="opt-in", quiet_hours="00:00-23:59"), "t": Service(name="T")}
    policy = Policy(services, lambda service, address: address == BERLIN)
    assert policy.unasked("s", LONDON) == "the customer has not opted in to s"
    assert policy.unasked("s", BERLIN) == policy.unasked("t", LONDON) == ""
    assert policy.opens("s", LONDON, 0.0) == 0  # it is transactional
    assert explicit(services) == ["s"]
