"""Calls to our numbers: each policy, and one call.missed for each call."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config.model import Number, Seconds, Service, Trunk
from gateway.inbound import voice
from gateway.inbound.calls import CallRecords
from gateway.inbound.live import Arrival
from gateway.inbound.voice import InboundCalls
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import Call as SipCall
from gateway.protocol.sip.call import CallCancelled, CallCause, CallState, Direction, IncomingCall
from gateway.store.base import Unit
from gateway.store.sqlite import SqliteStore
from gateway.values.call import Call
from gateway.values.event import Event
from tests.peers.virtual_time import virtual_time

OURS = "+442079460000"
CALLER = "+447700900123"


class FakePhone:
    """SIP: keeps each call's state by the real table, so that nothing illegal passes.  It cannot answer."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def ring(self, call: SipCall) -> None:
        call.step(CallCause.RING)
        self.did.append("ring")

    def reject(self, call: SipCall, status: int, reason: str = "") -> None:
        call.step(CallCause.REJECT)
        self.did.append(f"reject {status}")


class FakeClock:
    at = 1000.0

    def now(self) -> float:
        return self.at + 1_800_000_000

    def monotonic(self) -> float:
        return self.at


class Bench:
    """Inbound calls over one trunk; what they record becomes durable at once, or when `flush` is called."""

    def __init__(self, number: Number, status: str = "live") -> None:
        self.clock, self.phone = FakeClock(), FakePhone()
        self.ids = map(str, itertools.count(1))
        self.durable_at_once = True
        self.units: list[Unit] = []
        self.told: list[tuple[Event, Call]] = []
        self.ended: list[Call] = []
        self.shed: list[str] = []
        self.answered: list[Arrival] = []
        services = {"shop": Service(name="Shop", status=status, numbers={OURS: number})}  # type: ignore[arg-type]
        trunk = Trunk(host="127.0.0.1", numbers=[OURS])
        self.calls = InboundCalls(
            services=services,
            trunks={"east": trunk, "west": Trunk(host="127.0.0.2")},
            phone=self.phone,
            clock=self.clock,
            new_id=lambda: next(self.ids),
            note=CallRecords(
                clock=self.clock,
                record=self._record,
                consequences=lambda unit, event, call: self.told.append((event, call)),
                ended=self.ended.append,
            ).note,
            overloaded=self.shed.append,
            later=asyncio.get_running_loop().call_later,
            answer=self.answered.append,
        )

    def _record(self, unit: Unit) -> None:
        self.units.append(unit)
        if self.durable_at_once:
            self.flush()

    def flush(self) -> None:
        for unit in self.units:
            for act in unit.acts:
                act()
            unit.acts.clear()

    def ring(self, caller: str = CALLER, called: str = OURS, trunk: str = "east") -> SipCall:
        peer = Address("127.0.0.1", 5060)
        call = SipCall("sip", Direction.INBOUND, CallState.INCOMING, caller, called, peer, trunk)
        self.calls.incoming(IncomingCall(call, caller, called, peer, trunk, b""))
        return call

    def cancel(self, call: SipCall, reason: str = "") -> None:
        call.step(CallCause.REMOTE_CANCEL)  # SIP has answered 487 before it tells
        self.calls.cancelled(CallCancelled(call, reason))

    @property
    def records(self) -> list[Call]:
        """The last of each call, in the order in which they came."""
        last = {w.id: w for unit in self.units for w in unit.writes if isinstance(w, Call)}
        return list(last.values())

    @property
    def missed(self) -> list[dict[str, Any]]:
        """The data of each call.missed."""
        return [w.data for unit in self.units for w in unit.writes if isinstance(w, Event)]


@pytest.fixture
def bench() -> Callable[..., Bench]:
    return lambda status="live", **number: Bench(Number(**number), status)


async def test_reject_at_once_never_rings(bench: Any) -> None:
    it = bench(policy="reject-at-once", reject=603)
    it.ring()
    assert it.phone.did == ["reject 603"]
    [record] = it.records
    assert (record.state, record.cause, record.status) == ("ended", "rejected-by-policy", 603)
    assert record.q850 == 21, "as SIP tells the caller in Reason"
    assert (record.caller, record.called, record.service, record.trunk) == (CALLER, OURS, "shop", "east")
    assert it.missed == [
        {
            "from": CALLER,
            "to": OURS,
            "trunk": "east",
            "cause": "rejected-by-policy",
            "status": 603,
            "ring_ms": 0,
        }
    ]
    assert len([w for unit in it.units for w in unit.writes if isinstance(w, Call)]) == 1


async def test_ring_then_reject_rings_for_its_time(bench: Any) -> None:
    it = bench(policy="ring-then-reject", ring=Seconds(20), reject=480)
    with virtual_time():
        it.ring()
        await asyncio.sleep(19.9)
        assert it.phone.did == ["ring"] and it.missed == [] and len(it.calls) == 1
        it.clock.at += 20
        await asyncio.sleep(0.2)
    assert it.phone.did == ["ring", "reject 480"]
    assert [m["ring_ms"] for m in it.missed] == [20_000]
    assert len(it.calls) == 0


@pytest.mark.parametrize("policy", ["ring-then-reject", "ring-until-cancel"])
async def test_a_caller_who_hangs_up_has_missed_us(bench: Any, policy: str) -> None:
    it = bench(policy=policy)
    call = it.ring()
    it.clock.at += 3.2
    it.cancel(call)
    assert it.phone.did == ["ring"], "SIP answers the CANCEL itself"
    [missed] = it.missed
    assert (missed["from"], missed["to"], missed["cause"], missed["ring_ms"]) == (
        CALLER,
        OURS,
        "caller-cancelled",
        3200,
    )
    [record] = it.records
    assert (record.status, record.ended_by, record.billable_seconds) == (487, "caller", 0)
    assert len(it.calls) == 0


async def test_a_call_that_somebody_else_has_answered_is_no_news(bench: Any) -> None:
    it = bench(policy="ring-until-cancel")
    call = it.ring()
    it.calls.cancelled(CallCancelled(call, 'SIP;cause=200;text="Call completed elsewhere"'))
    assert it.missed == []
    [record] = it.records
    assert (record.uncounted, record.reason) == ("answered-elsewhere", "Call completed elsewhere")


async def test_a_call_has_its_record_while_it_rings(bench: Any) -> None:
    it = bench(policy="ring-until-cancel")
    call = it.ring()
    [ringing] = it.records
    assert (ringing.state, ringing.rung_at, ringing.ended_at) == ("ringing", it.clock.now(), 0.0)
    assert it.missed == [] and it.ended == []
    it.cancel(call, 'Q.850;cause=16;text="Terminated"')
    [record] = it.records
    assert (record.id, record.state) == (ringing.id, "ended")
    assert (record.q850, record.reason) == (16, "Terminated")


async def test_180_is_repeated_while_a_call_rings_for_minutes(bench: Any) -> None:
    it = bench(policy="ring-then-reject", ring=Seconds(150))
    with virtual_time():
        it.ring()
        await asyncio.sleep(151)
    assert it.phone.did == ["ring", "ring", "ring", "reject 486"]


async def test_too_many_records_that_wait_for_the_store_turn_calls_away(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "WAITING_LIMIT", 2)
    it = bench(policy="reject-at-once", duplicates=Seconds(0))
    it.durable_at_once = False
    for _ in range(3):
        it.ring()
    assert it.phone.did == ["reject 503"] and it.shed == ["east"]
    assert len(it.records) == it.calls.waiting == 2
    it.flush()
    assert it.calls.waiting == 0
    it.ring()
    assert len(it.records) == 3


async def test_a_caller_above_the_hourly_limit_is_recorded_but_no_news(bench: Any) -> None:
    it = bench(policy="reject-at-once", duplicates=Seconds(0), caller_limit=2)
    for _ in range(3):
        it.ring()
    it.ring(caller="")
    it.ring(caller="+447700900999")
    it.clock.at += 3600
    it.ring()
    assert [record.uncounted for record in it.records] == ["", "", "caller-limit", "", "", ""]


async def test_many_callers_of_one_range_are_a_flood_which_is_said_once(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    it = bench(policy="reject-at-once", flood=3)
    for n in range(5):
        it.ring(caller=f"+44770090{n:04}")
        it.ring(caller=f"+4179{n}550102")
    assert [record.flood for record in it.records[::2]] == [False, False, True, True, True]
    assert not any(record.flood for record in it.records[1::2])
    [warning] = [record for record in caplog.records if record.msg == "calls.flood"]
    assert (warning.__dict__["range"], warning.__dict__["trunk"]) == ("+44770090****", "east")
    assert len(it.missed) == 10, "rules may look at call.flood"


async def test_a_refusal_waits_for_its_record(bench: Any) -> None:
    it = bench(policy="reject-at-once")
    it.durable_at_once = False
    call = it.ring()
    assert it.phone.did == [] and call.state is CallState.INCOMING
    it.flush()
    assert it.phone.did == ["reject 486"]


async def test_a_cancel_while_the_refusal_is_being_recorded_misses_once(bench: Any) -> None:
    it = bench(policy="reject-at-once")
    it.durable_at_once = False
    it.cancel(it.ring())
    it.flush()
    assert it.phone.did == []
    assert len(it.missed) == 1 and len(it.records) == 1


async def test_a_time_that_runs_out_after_the_cancel_does_nothing(bench: Any) -> None:
    it = bench(policy="ring-then-reject", ring=Seconds(20))
    with virtual_time():
        it.cancel(it.ring())
        await asyncio.sleep(21)
    assert it.phone.did == ["ring"] and len(it.missed) == 1


async def test_the_same_caller_within_the_window_is_recorded_but_no_news(bench: Any) -> None:
    it = bench(policy="reject-at-once", duplicates=Seconds(60))
    it.ring()
    it.clock.at += 59
    it.ring()
    it.ring(caller="+447700900999")
    it.clock.at += 1
    it.ring()
    assert [record.uncounted for record in it.records] == ["", "duplicate", "", ""]
    assert len(it.missed) == len(it.told) == 3
    assert len(it.ended) == 4


async def test_who_rang_before_a_restart_is_known_after_it(bench: Any, tmp_path: Path) -> None:
    before = bench(policy="reject-at-once", duplicates=Seconds(60), caller_limit=3)
    before.ring()
    before.ring()
    before.ring(caller="")
    before.clock.at += 30
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    await store.commit(before.records)
    after = bench(policy="reject-at-once", duplicates=Seconds(60), caller_limit=3)
    after.clock.at = before.clock.at
    await after.calls.load(store)
    await store.close()
    after.ring()
    after.ring(caller="+447700900999")
    after.clock.at += 31
    after.ring()
    after.clock.at += 61
    after.ring()
    after.clock.at += 61
    after.ring()
    assert [record.uncounted for record in after.records] == ["duplicate", "", "", "", "caller-limit"]


async def test_no_window_counts_every_call(bench: Any) -> None:
    it = bench(policy="reject-at-once", duplicates=Seconds(0))
    it.ring()
    it.ring()
    assert len(it.missed) == 2


@pytest.mark.parametrize("caller", ["", "anonymous", "Restricted", "unavailable", "\ufffd"])
async def test_withheld_callers_have_no_number_and_are_not_one_person(bench: Any, caller: str) -> None:
    """ "anonymous" passed for a sender ID: all such callers were one, and within the window no news."""
    it = bench(policy="reject-at-once")
    it.ring(caller=caller)
    it.ring(caller=caller)
    assert [m["from"] for m in it.missed] == ["", ""]


@pytest.mark.parametrize(
    ("called", "trunk"),
    [("+442079460001", "east"), (OURS, "west"), (OURS, "nobody"), ("", "east"), ("shop", "east")],
)
async def test_a_number_that_the_trunk_does_not_bring_is_not_found(
    bench: Any, called: str, trunk: str
) -> None:
    it = bench(policy="ring-then-reject")
    it.ring(called=called, trunk=trunk)
    assert it.phone.did == ["reject 404"]
    assert it.records == [] and len(it.calls) == 0


async def test_a_suspended_services_number_is_not_found(bench: Any) -> None:
    it = bench(status="suspended")
    it.ring()
    assert it.phone.did == ["reject 404"]


async def test_numbers_are_compared_in_one_form(bench: Any) -> None:
    it = bench(policy="reject-at-once")
    it.ring(caller="00447700900123", called="442079460000")
    assert [(m["from"], m["to"]) for m in it.missed] == [(CALLER, OURS)]


async def test_a_changed_configuration_holds_for_the_next_call(bench: Any) -> None:
    it = bench(policy="reject-at-once")
    other = "+442079460009"
    services = {"shop": Service(name="Shop", numbers={other: Number(policy="reject-at-once", reject=603)})}
    it.calls.configure(services, {"west": Trunk(host="127.0.0.2", numbers=[other])})
    it.ring()
    it.ring(called=other, trunk="west")
    assert it.phone.did == ["reject 404", "reject 603"]


async def test_stopping_refuses_what_rings_and_counts_it(bench: Any) -> None:
    it = bench(policy="ring-until-cancel")
    it.ring()
    it.ring(caller="+447700900999")
    it.durable_at_once = False
    stopping = asyncio.ensure_future(it.calls.stop(10))
    await asyncio.sleep(0)
    assert it.phone.did == ["ring", "ring"] and not stopping.done()
    it.flush()
    await stopping
    assert it.phone.did == ["ring", "ring", "reject 480", "reject 480"]
    assert [missed["cause"] for missed in it.missed] == ["gateway-stopped"] * 2 and len(it.calls) == 0


async def test_stopping_does_not_wait_for_ever_for_a_store_that_refuses(bench: Any) -> None:
    it = bench(policy="ring-until-cancel")
    it.ring()
    it.durable_at_once = False
    await it.calls.stop(0.01)
    assert it.phone.did == ["ring"] and len(it.calls) == 0


async def test_a_call_that_a_flow_may_answer_is_left_to_it(bench: Any) -> None:
    it = bench(policy="answer", flow="ivr")
    call = it.ring()
    assert it.phone.did == [] and len(it.calls) == 0
    [arrival] = it.answered
    assert (arrival.event.call, arrival.number.flow) == (call, "ivr")
    assert (arrival.record.caller, arrival.record.called, arrival.record.service) == (CALLER, OURS, "shop")
