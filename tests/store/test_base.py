"""The contract of store.base: every backend of conftest.BACKENDS keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store.base import TABLES, CallQuery, Delete, MessageQuery, Progress, Record, Store, Unit, Write
from gateway.values.dial import DialEntry, DialList
from gateway.values.errors import StoreError, Throttled
from gateway.values.ids import uuid7
from gateway.values.link import LinkCounts
from gateway.values.message import Form, StepPlan, StepRecord, StepState
from gateway.values.outcome import Result, Status
from gateway.values.work import Effect, Timer

Records = Any


async def test_a_message_comes_back_as_it_was_written(store: Store, records: Records) -> None:
    message = records.message(
        text='Grüße 🍕 "quoted" \x00 end',
        status=Status.SENT,
        plan=(
            StepPlan(
                channel="sms",
                text="x",
                until=Result.DELIVERED,
                within_seconds=60.0,
                form=Form(raw=True, octets=bytes(range(256)), service_type="WAP"),
            ),
        ),
        part_receipts=b"\x00\x01",
        steps=(StepRecord(state=StepState.TRYING, started_at=1792419911.123456),),
        step=0,
        incomplete=True,
        created_at=1792419911.123456,
    )
    await store.commit([message])
    found = await store.message("m1")
    assert found == message
    assert found is not None and found.status is Status.SENT and found.incomplete is True
    assert await store.message("m2") is None


async def test_every_type_of_record_comes_back_as_it_was_written(store: Store, records: Records) -> None:
    segment = records.segment(smsc_id="A1", state="accepted", updated_at=3.25)
    part = records.part(octets=bytes(range(256)), wide=True)
    receipt = records.receipt(final=False)
    consent = records.consent(reason="texted STOP to 12345")
    offence = records.offence(count=3)
    otp = records.otp(state="used", format="alphanumeric")
    link = records.link(clicks=2)
    call = records.call(flood=True, status=487, ended_at=9.75)
    event = records.event(data={"from": {"a": [1, 2.5, None, True]}})
    effect = records.effect(data={"x": "y"})
    timer = records.timer(data={"node": "ask"})
    notification = records.notification(body=b"\x00{}\xff")
    version = records.flow_version(definition={"start": "ask", "nodes": {"ask": {"type": "end"}}})
    run = records.run(data={"size.text": "L"}, inbox=({"text": "1"}, {"text": "2"}), result=102)
    await store.commit(
        [
            segment,
            part,
            receipt,
            consent,
            offence,
            otp,
            link,
            call,
            event,
            effect,
            timer,
            notification,
            version,
            run,
        ]
    )
    assert await store.segments("m1") == [segment]
    assert await store.parts() == [part]
    assert await store.unmatched("north", "A1") == [receipt]
    assert await store.opted_out() == [consent]
    assert await store.otps() == [otp]
    assert await store.link("abcdefgh") == link
    assert await store.offences("alerts") == [offence]
    assert await store.call("c1") == call
    assert await store.events("m1") == [event]
    assert await store.effects() == [effect]
    assert await store.timers() == [timer]
    assert await store.notifications(due_before=1.0, limit=9) == [notification]
    assert await store.flow_version("alerts", "order", "abc") == version
    assert await store.run("s1") == run


async def test_links_are_counted_by_name(store: Store, records: Records) -> None:
    assert await store.last_link() == 0
    made = [
        records.link("a", number=1, created_at=1.0),
        records.link("b", number=2, created_at=5.0, clicks=2, previews=1),
        records.link("c", number=3, created_at=6.0),
        records.link("d", number=4, created_at=6.0, name="terms"),
        records.link("e", number=5, created_at=6.0, service="pizza"),
    ]
    await store.commit(made)
    assert await store.last_link() == 5
    assert await store.link_counts("alerts", 5.0) == [
        LinkCounts("offer", 2, 1, 2, 1),
        LinkCounts("terms", 1, 0, 0, 0),
    ]
    assert await store.link("z") is None


async def test_unknown_ids_give_nothing(store: Store) -> None:
    assert await store.call("c9") is None
    assert await store.run("s9") is None
    assert await store.flow_version("a", "b", "c") is None
    assert await store.segments_of("north", "A1") == []
    assert await store.events("m9") == []
    assert await store.segments("m9") == []


async def test_a_record_replaces_the_one_with_its_key(store: Store, records: Records) -> None:
    await store.commit([records.message(text="one", reason="because"), records.segment(code="a")])
    await store.commit([records.message(text="two"), records.segment(code="b"), records.segment(part=2)])
    assert await store.message("m1") == records.message(text="two")
    assert await store.segments("m1") == [records.segment(code="b"), records.segment(part=2)]


async def test_of_two_writes_to_one_key_in_one_group_the_later_wins(store: Store, records: Records) -> None:
    await store.commit([records.message(text="one"), records.event(), records.message(text="two")])
    assert await store.message("m1") == records.message(text="two")


@pytest.mark.parametrize(
    "make, key",
    [
        ("effect", ("m1/0",)),
        ("timer", ("step", "m1")),
        ("notification", ("n1",)),
        ("part", ("p1",)),
    ],
)
async def test_delete_removes_the_row_and_no_other(
    store: Store, records: Records, make: str, key: tuple[str, ...]
) -> None:
    async def rows() -> list[Record]:
        return [
            *await store.effects(),
            *await store.timers(),
            *await store.notifications(due_before=9.0, limit=9),
            *await store.parts(),
        ]

    others = [records.effect("x/0"), records.timer("x"), records.notification("x"), records.part("x")]
    record = getattr(records, make)()
    await store.commit([*others, record])
    await store.commit([Delete(type(record), key)])
    assert await rows() == others
    await store.commit([Delete(type(record), key)])  # none there: no error
    assert await rows() == others


async def test_delete_and_write_of_one_key_take_effect_in_their_order(store: Store, records: Records) -> None:
    await store.commit([records.effect("a"), Delete(Effect, ("a",)), records.effect("b")])
    await store.commit([Delete(Effect, ("b",)), records.effect("b", state="begun")])
    assert await store.effects() == [records.effect("b", state="begun")]


async def test_groups_take_effect_in_the_order_of_the_calls(store: Store, records: Records) -> None:
    pending = [
        store.commit([records.message(text=str(n)), records.event("r1", at=float(n))]) for n in range(300)
    ]
    await asyncio.gather(*pending)
    assert (await store.message("m1")) == records.message(text="299")
    assert [event.at for event in await store.events("r1")] == [float(n) for n in range(300)]


async def test_a_group_that_cannot_be_written_leaves_nothing_of_itself(
    store: Store, records: Records
) -> None:
    bad = [records.message("m1"), records.event("m1"), records.call("c1", started_at=float("nan"))]
    with pytest.raises(StoreError):
        await store.commit(bad)
    assert await store.message("m1") is None
    assert await store.events("m1") == []
    await store.commit([records.message("m1")])
    assert await store.message("m1") is not None


@pytest.mark.parametrize("data", [{"x": object()}, {"x": {1: 2, (): 3}}, {"x": "\ud800"}])
async def test_data_without_json_form_is_refused(
    store: Store, records: Records, data: dict[str, Any]
) -> None:
    with pytest.raises(StoreError):
        await store.commit([records.effect(data=data)])
    assert await store.effects() == []


async def test_a_delete_with_a_key_of_the_wrong_shape_is_refused(store: Store, records: Records) -> None:
    await store.commit([records.timer()])
    with pytest.raises(StoreError):
        await store.commit([Delete(Timer, ("m1",))])
    assert await store.timers() == [records.timer()]


async def test_an_empty_group_is_done_at_once(store: Store) -> None:
    await store.commit([])
    assert store.queued == 0


async def test_later_changes_to_a_dict_do_not_reach_the_store(store: Store, records: Records) -> None:
    data = {"state": "as decided"}
    done = store.commit([records.effect(data=data)])
    data["state"] = "changed"
    await done
    assert (await store.effects())[0].data == {"state": "as decided"}


async def test_everything_is_there_after_close_and_open(
    backend: Callable[[], Store], records: Records
) -> None:
    first = backend()
    await first.open()
    done = [first.commit([records.message(f"m{n}")]) for n in range(50)]
    await first.close()
    assert all(future.done() and future.exception() is None for future in done)
    second = backend()
    await second.open()
    assert (await second.counts())["messages"] == 50
    await second.close()


async def test_a_closed_store_refuses(backend: Callable[[], Store], records: Records) -> None:
    store = backend()
    with pytest.raises(StoreError):
        await store.commit([records.message()])
    await store.open()
    await store.close()
    with pytest.raises(StoreError):
        await store.commit([records.message()])
    with pytest.raises(StoreError):
        await store.message("m1")


async def test_queued_counts_writes_until_they_are_durable(store: Store, records: Records) -> None:
    done = store.commit([records.message(), records.event()])
    assert store.queued == 2
    await done
    assert store.queued == 0


async def test_a_caller_that_was_cancelled_disturbs_nobody(store: Store, records: Records) -> None:
    gone, other = store.commit([records.message("m1")]), store.commit([records.message("m2")])
    gone.cancel()
    await other
    assert await store.message("m2") is not None
    assert store.queued == 0


# Searches


async def ids(store: Store, **query: Any) -> list[str]:
    return [message.id for message in await store.messages(MessageQuery(**query))]


async def test_search_by_each_filter_gives_the_newest_first(store: Store, records: Records) -> None:
    await store.commit(
        [
            records.message("m1", service="a", correlationid="order-7"),
            records.message("m2", service="b", recipient="+447700900002", status=Status.FAILED),
            records.message("m3", service="a", direction="mo", sender="+447700900002", recipient="12345"),
            records.message("m4", service="b", correlationid="order-7", status=Status.FAILED),
        ]
    )
    assert await ids(store) == ["m4", "m3", "m2", "m1"]
    assert await ids(store, service="a") == ["m3", "m1"]
    assert await ids(store, direction="mo") == ["m3"]
    assert await ids(store, status="failed") == ["m4", "m2"]
    assert await ids(store, address="+447700900002") == ["m3", "m2"]
    assert await ids(store, correlationid="order-7") == ["m4", "m1"]
    assert await ids(store, limit=1) == ["m4"]
    assert await ids(store, service="c") == []


async def test_search_by_filters_together_gives_what_matches_all(store: Store, records: Records) -> None:
    fields = [
        {"service": s, "direction": d, "status": t, "sender": a, "recipient": b, "correlationid": c}
        for s in ("a", "b")
        for d in ("mo", "mt")
        for t in (Status.SENT, Status.FAILED)
        for a, b in (("1", "2"), ("2", "1"), ("1", "1"), ("3", "4"))
        for c in ("", "x", "y")
    ]
    messages = [records.message(f"m{n:03}", **each) for n, each in enumerate(fields)]
    await store.commit(messages)
    for service in ("", "a"):
        for direction in ("", "mo"):
            for status in ("", "failed"):
                for address in ("", "1"):
                    for correlationid in ("", "x"):
                        for before in ("", "m050"):
                            expected = [
                                m.id
                                for m in reversed(messages)
                                if service in ("", m.service)
                                and direction in ("", m.direction)
                                and status in ("", m.status)
                                and address in ("", m.sender, m.recipient)
                                and correlationid in ("", m.correlationid)
                                and (not before or m.id < before)
                            ][:20]
                            found = await ids(
                                store,
                                service=service,
                                direction=direction,
                                status=status,
                                address=address,
                                correlationid=correlationid,
                                before=before,
                                limit=20,
                            )
                            assert found == expected


@pytest.mark.parametrize("query", [{}, {"service": "alerts"}, {"address": "12345"}, {"status": "queued"}])
async def test_paging_shows_every_message_once(store: Store, records: Records, query: dict[str, str]) -> None:
    await store.commit([records.message(f"m{n:02}") for n in range(23)])
    seen: list[str] = []
    while page := await ids(store, **query, limit=5, before=seen[-1] if seen else ""):
        seen += page
    assert seen == [f"m{n:02}" for n in reversed(range(23))]


async def test_unhandled_gives_the_received_mo_oldest_first(store: Store, records: Records) -> None:
    received = {"direction": "mo", "status": Status.RECEIVED}
    await store.commit(
        [
            records.message("m1", **received),
            records.message("m2", **received),
            records.message("m3", direction="mo", status=Status.HANDLED),
            records.message("m4"),
            records.message("m5", **received),
        ]
    )
    assert [message.id for message in await store.unhandled(9)] == ["m1", "m2", "m5"]
    assert [message.id for message in await store.unhandled(2)] == ["m1", "m2"]


async def test_segments_of_an_id_come_youngest_first_near_ones_among_them(
    store: Store, records: Records
) -> None:
    await store.commit(
        [
            records.segment("m1", smsc_id="A1"),
            records.segment("m2", smsc_id="A1"),
            records.segment("m2", 1, smsc_id="A1"),
            records.segment("m3", smsc_id="A1", bind="south"),
            records.segment("m4", smsc_id=""),
        ]
    )
    await store.commit([records.segment("m0", smsc_id="00a1"), records.segment("m5", smsc_id="A10")])
    assert await store.segments_of("south", "A1") == [records.segment("m3", smsc_id="A1", bind="south")]
    known = [
        records.segment("m2", 1, smsc_id="A1"),
        records.segment("m2", smsc_id="A1"),
        records.segment("m1", smsc_id="A1"),
        records.segment("m0", smsc_id="00a1"),
    ]
    for written in ("A1", "a1", "0A1"):
        assert await store.segments_of("north", written) == known
    assert await store.segments_of("north", "") == []


async def test_of_segments_with_one_id_that_of_a_recipient_is_found(store: Store, records: Records) -> None:
    one, other = "+447700900001", "+447700900002"
    await store.commit([records.message(f"m{n}", recipient=other if n == 3 else one) for n in range(6)])
    await store.commit(
        [
            *[records.segment(f"m{n}", smsc_id="A1") for n in range(4)],
            records.segment("m4", smsc_id="a1"),
            records.segment("m5", smsc_id="A1", bind="south"),
        ]
    )
    assert await store.segment_to(one, "north", "A1") == records.segment("m2", smsc_id="A1")
    assert await store.segment_to(other, "north", "A1") == records.segment("m3", smsc_id="A1")
    assert await store.segment_to("+447700900003", "north", "A1") is None


async def test_of_an_id_that_a_carrier_always_gives_the_youngest_are_found(
    store: Store, records: Records
) -> None:
    await store.commit([records.segment(f"m{n:02}", smsc_id="0") for n in range(40)])
    assert [s.message for s in await store.segments_of("north", "0")] == [
        f"m{n:02}" for n in range(39, 7, -1)
    ]


async def test_segments_come_in_the_order_of_sending(store: Store, records: Records) -> None:
    await store.commit([records.segment(step=step, part=part) for step in (1, 0) for part in (10, 2, 1)])
    assert [(s.step, s.part) for s in await store.segments("m1")] == [
        (0, 1), (0, 2), (0, 10), (1, 1), (1, 2), (1, 10),
    ]  # fmt: skip


async def test_a_receipt_that_was_matched_is_no_longer_unmatched(store: Store, records: Records) -> None:
    late, early = records.receipt("r1", received_at=2.0), records.receipt("r2", received_at=1.0)
    await store.commit([late, early, records.receipt("r3", bind="south"), records.receipt("r4", smsc_id="B")])
    assert await store.unmatched("north", "A1") == [early, late]
    await store.commit([records.receipt("r2", message="m1")])
    assert await store.unmatched("north", "A1") == [late]


async def test_receipts_that_nobody_claimed_are_found_again_by_their_time(
    store: Store, records: Records
) -> None:
    late, early = (
        records.receipt("r1", received_at=12.0),
        records.receipt("r2", received_at=11.0, bind="south"),
    )
    old, matched = (
        records.receipt("r3", received_at=9.9),
        records.receipt("r4", received_at=13.0, message="m1"),
    )
    await store.commit([late, early, old, matched])
    assert await store.unmatched_since(10.0) == [early, late]


async def test_segments_in_doubt_are_found_again_by_the_age_of_their_message(
    store: Store, records: Records
) -> None:
    old, young = uuid7(9_900, 0), uuid7(10_000, 0)
    doubtful = [records.segment(young, part=part, state="in-doubt") for part in (1, 3)]
    await store.commit([*doubtful, records.segment(young, part=2, state="accepted")])
    await store.commit([records.segment(old, state="in-doubt")])
    assert await store.segments_in_doubt(10.0) == doubtful
    await store.commit([records.segment(young, part=1, state="delivered")])
    assert await store.segments_in_doubt(10.0) == doubtful[1:]


async def test_parts_come_oldest_first(store: Store, records: Records) -> None:
    await store.commit([records.part("a", received_at=2.0), records.part("b", received_at=1.0)])
    assert [part.id for part in await store.parts()] == ["b", "a"]


async def test_who_opted_in_again_is_not_opted_out(store: Store, records: Records) -> None:
    await store.commit([records.consent("+447700900001"), records.consent("+447700900002")])
    await store.commit([records.consent("+447700900001", opted_out=False)])
    assert await store.opted_out() == [records.consent("+447700900002")]


async def test_calls_come_newest_first_and_by_state(store: Store, records: Records) -> None:
    await store.commit(
        [
            records.call("c1", started_at=3.0, state="ended"),
            records.call("c2", started_at=1.0),
            records.call("c3", started_at=2.0, state="answered"),
            records.call("c4", started_at=4.0),
        ]
    )

    async def found(**filters: Any) -> list[str]:
        return [call.id for call in await store.calls(CallQuery(**filters))]

    assert await found() == ["c4", "c1", "c3", "c2"]
    assert await found(limit=2) == ["c4", "c1"]
    assert await found(state="ringing") == ["c4", "c2"]
    assert await found(state="ended") == ["c1"]
    assert [call.id for call in await store.open_calls()] == ["c2", "c3", "c4"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"caller": "+447700900001"}, ["c4", "c2", "c1"]),
        ({"caller": ""}, ["c3"]),
        ({"caller": "+447700900001", "trunk": "west"}, ["c2"]),
        ({"caller": "+447700900001", "state": "ringing"}, ["c4"]),
        ({"called": "+442079460009"}, ["c2"]),
        ({"trunk": "west"}, ["c2"]),
        ({"direction": "out"}, ["c4"]),
        ({"cause": "busy"}, ["c2"]),
        ({"sip_call_id": "7@east"}, ["c2"]),
        ({"service": "shop"}, ["c3"]),
        ({"since": 2.0}, ["c4", "c3", "c2"]),
        ({"until": 2.0}, ["c1"]),
        ({"since": 2.0, "until": 3.0}, ["c3", "c2"]),
        ({"before": "c3"}, ["c2", "c1"]),
        ({"before": "c4", "limit": 2}, ["c3", "c2"]),
        ({"before": "c1"}, []),
    ],
)
async def test_calls_are_searched(
    store: Store, records: Records, filters: dict[str, Any], found: list[str]
) -> None:
    ended = {"state": "ended", "ended_at": 9.0}
    await store.commit(
        [
            records.call("c1", started_at=1.0, **ended),
            records.call(
                "c2",
                started_at=2.0,
                called="+442079460009",
                trunk="west",
                cause="busy",
                sip_call_id="7@east",
                **ended,
            ),
            records.call("c3", started_at=2.0, caller="", service="shop", **ended),
            records.call("c4", started_at=3.0, direction="out"),
        ]
    )
    assert [call.id for call in await store.calls(CallQuery(**filters))] == found


async def test_a_call_that_goes_on_is_one_row(store: Store, records: Records) -> None:
    await store.commit([records.call("c1", rung_at=1.5)])
    over = records.call(
        "c1",
        state="ended",
        cause="caller-cancelled",
        status=487,
        q850=16,
        reason="gone",
        ended_by="caller",
        rung_at=1.5,
        ended_at=2.0,
        flood=True,
        codec="PCMA",
        jitter_ms=0.25,
    )
    await store.commit([over])
    assert await store.calls(CallQuery()) == [over]


async def test_effects_come_by_key(store: Store, records: Records) -> None:
    await store.commit([records.effect(key) for key in "cadb"])
    assert [effect.key for effect in await store.effects()] == ["a", "b", "c", "d"]
    assert [effect.key for effect in await store.effects(after="b", limit=1)] == ["c"]


async def test_messages_that_wait_for_a_carrier_come_by_age(store: Store, records: Records) -> None:
    assert await store.carriers_owed() == []
    await store.commit([records.message(id, waits="north") for id in ("m3", "m1", "m2")])
    await store.commit([records.message("m4", waits="south"), records.message("m5")])
    assert await store.carriers_owed() == ["north", "south"]
    assert [message.id for message in await store.waiting("north", limit=9)] == ["m1", "m2", "m3"]
    assert [message.id for message in await store.waiting("north", after="m1", limit=1)] == ["m2"]
    await store.commit([records.message(id, waits="") for id in ("m1", "m4")])
    assert await store.carriers_owed() == ["north"]
    assert [message.id for message in await store.waiting("north", limit=9)] == ["m2", "m3"]
    assert await store.waiting("", limit=9) == []


FURTHER = {
    "status": Status.FAILED,
    "reason": "no such number",
    "code": "ESME_RINVDSTADR",
    "carrier": "north",
    "steps": (StepRecord(state=StepState.FAILED, reason="no such number", ended_at=4.0),),
    "step": 0,
    "updated_at": 4.0,
}


async def test_progress_changes_what_a_message_has_come_to_and_nothing_else(
    store: Store, records: Records
) -> None:
    await store.commit([records.message("m1", waits="north"), records.message("m2", waits="north")])
    later = records.message("m1", text="another", sender="another", **FURTHER)
    await store.commit([Progress(later)])
    assert await store.message("m1") == records.message("m1", **FURTHER)
    assert await store.message("m2") == records.message("m2", waits="north")


async def test_progress_of_a_message_that_is_not_there_is_none(store: Store, records: Records) -> None:
    await store.commit([Progress(records.message("m1", **FURTHER))])
    assert await store.message("m1") is None


async def test_progress_may_share_a_transaction_with_what_it_changes(store: Store, records: Records) -> None:
    await store.commit([records.message("m0")])
    groups = [
        [Progress(records.message("m0", step=0))],
        [records.message("m1", waits="north")],
        [Progress(records.message("m1", **FURTHER))],
        [records.message("m2"), Progress(records.message("m2", step=1))],
        [Progress(records.message("m0", step=1)), Progress(records.message("m0", step=2))],
        [records.message("m0", text="all of it is new")],
    ]
    await asyncio.gather(*(store.commit(group) for group in groups))
    assert await store.message("m0") == records.message("m0", text="all of it is new")
    assert await store.message("m1") == records.message("m1", **FURTHER)
    assert await store.message("m2") == records.message("m2", step=1)


async def test_many_messages_come_further_at_once(store: Store, records: Records) -> None:
    ids = [f"m{n:03}" for n in range(200)]
    await store.commit([records.message(id) for id in ids])
    await asyncio.gather(*(store.commit([Progress(records.message(id, **FURTHER))]) for id in ids[:150]))
    counts = await store.counts()
    assert (counts["messages.failed"], counts["messages"]) == (150, 200)


async def test_timers_come_by_when_they_are_due(store: Store, records: Records) -> None:
    await store.commit([records.timer("a", due=2.0), records.timer("b", due=1.0)])
    await store.commit([records.timer("a", due=0.5)])
    assert [timer.ref for timer in await store.timers()] == ["a", "b"]


async def test_notifications_come_when_due_the_oldest_due_first(store: Store, records: Records) -> None:
    await store.commit(
        [
            records.notification("n1", due=3.0),
            records.notification("n2", due=1.0),
            records.notification("n3", due=2.0, state="dead"),
            records.notification("n4", due=2.0),
        ]
    )
    due = await store.notifications(due_before=2.0, limit=9)
    assert [notification.id for notification in due] == ["n2", "n4"]
    assert [n.id for n in await store.notifications(due_before=9.0, limit=2)] == ["n2", "n4"]
    assert [n.id for n in await store.notifications(state="dead", due_before=9.0, limit=9)] == ["n3"]


async def test_notifications_are_read_by_receiver(store: Store, records: Records) -> None:
    await store.commit(
        [
            records.notification("n1", ref="m1", receiver="http:b", due=3.0),
            records.notification("n2", ref="m2", receiver="http:a", due=4.0),
            records.notification("n3", ref="m3", receiver="http:b", due=2.0),
            records.notification("n4", ref="m4", receiver="http:b", due=1.0, state="dead"),
            records.notification("n5", ref="m1", receiver="http:b", due=3.0),
        ]
    )
    of_b = await store.notifications(receiver="http:b", due_before=3.0, limit=9)
    assert [notification.id for notification in of_b] == ["n3", "n1", "n5"]
    assert [n.id for n in await store.notifications(receiver="http:b", due_before=2.5, limit=9)] == ["n3"]
    assert [n.id for n in await store.notifications(receiver="http:b", due_before=9.0, limit=1)] == ["n3"]
    assert [n.id for n in await store.notifications(due_before=9.0, limit=9)] == ["n2", "n3", "n1", "n5"]
    assert await store.notification_receivers() == [("http:a", 4.0), ("http:b", 2.0)]
    assert await store.notification_refs(limit=3) == [
        ("http:a", "m2", 4.0),
        ("http:b", "m3", 2.0),
        ("http:b", "m1", 3.0),
    ]
    assert await store.notification_dues("http:b", limit=2) == [("n3", 2.0), ("n1", 3.0)]


async def test_open_runs_are_those_that_have_not_ended_oldest_first(store: Store, records: Records) -> None:
    await store.commit(
        [
            records.run("s1", created_at=2.0, state="waiting"),
            records.run("s2", created_at=1.0),
            records.run("s3", created_at=3.0, state="ended"),
        ]
    )
    assert [run.id for run in await store.open_runs()] == ["s2", "s1"]


async def test_counts_are_by_table_and_messages_by_status(store: Store, records: Records) -> None:
    await store.commit(
        [records.message("m1"), records.message("m2", status=Status.FAILED), records.event(), records.event()]
    )
    counts = await store.counts()
    assert {name for name in counts if "." not in name} == {name for name, _ in TABLES.values()}
    assert (counts["messages"], counts["events"], counts["runs"]) == (2, 2, 0)
    assert (counts["messages.queued"], counts["messages.failed"]) == (1, 1)


# Any sequence of groups, against a dict


@st.composite
def groups(draw: st.DrawFn) -> list[list[Write]]:
    """Few keys, so that writes, deletes and writes again meet; one group in some is bad."""
    keys, texts = st.sampled_from("abc"), st.text(max_size=5)
    write = st.one_of(
        st.builds(Effect, key=keys, kind=texts, ref=texts, created_at=st.floats(0, 1e10)),
        st.builds(Timer, kind=keys, ref=keys, due=st.floats(0, 1e10), data=st.dictionaries(texts, texts)),
        st.builds(lambda key: Delete(Effect, (key,)), keys),
        st.builds(lambda kind, ref: Delete(Timer, (kind, ref)), keys, keys),
        st.just(Timer(kind="bad", ref="bad", due=float("nan"))),
    )
    return draw(st.lists(st.lists(write, min_size=1, max_size=6), max_size=12))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(groups())
def test_any_sequence_of_groups_does_what_a_dict_does(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Write]]
) -> None:
    from gateway.store.sqlite import SqliteStore

    model: dict[tuple[str, ...], Record] = {}
    good = [not any(isinstance(w, Timer) and w.kind == "bad" for w in group) for group in groups]
    for group in (group for group, fine in zip(groups, good, strict=True) if fine):
        for write in group:
            match write:
                case Delete(record, key):
                    model.pop((record.__name__, *key), None)
                case Effect():
                    model["Effect", write.key] = write
                case Timer():
                    model["Timer", write.kind, write.ref] = write

    async def run() -> None:
        store = SqliteStore(tmp_path_factory.mktemp("any") / "gateway.db")
        await store.open()
        done = await asyncio.gather(*[store.commit(group) for group in groups], return_exceptions=True)
        found = {("Effect", effect.key): effect for effect in await store.effects()}
        timers = {("Timer", timer.kind, timer.ref): timer for timer in await store.timers()}
        await store.close()
        assert [outcome is None for outcome in done] == good
        assert found | timers == model

    asyncio.run(run())


# Unit


def unit_of(log: list[str], *writes: Write) -> Unit:
    unit = Unit()
    unit.writes.extend(writes)
    for name in ("one", "two"):
        unit.acts.append(partial(log.append, f"act {name}"))
        unit.undo.append(partial(log.append, f"undo {name}"))
    return unit


async def test_a_unit_acts_once_its_writes_are_durable(store: Store, records: Records) -> None:
    log: list[str] = []
    unit = unit_of(log, records.message())
    committing = asyncio.ensure_future(unit.commit(store))
    await asyncio.sleep(0)
    assert log == []
    await committing
    assert log == ["act one", "act two"] and await store.message("m1") == records.message()


async def test_a_unit_without_writes_acts_at_once(store: Store) -> None:
    log: list[str] = []
    await unit_of(log).commit(store)
    assert log == ["act one", "act two"]


async def test_a_unit_that_cannot_be_written_is_forgotten_before_its_caller_goes_on(
    store: Store, records: Records
) -> None:
    log: list[str] = []
    with pytest.raises(StoreError):
        await unit_of(log, records.message(text="\ud800")).commit(store)
    assert log == ["undo two", "undo one"]
    log.clear()
    with pytest.raises(StoreError):  # refused before the writer has seen it
        await unit_of(log, records.event(data={"x": object()})).commit(store)
    assert log == ["undo two", "undo one"]


class FullStore:
    def write(self, writes: object, done: object) -> None:
        raise Throttled("full")


async def test_a_unit_that_finds_the_queue_full_is_forgotten(records: Records) -> None:
    log: list[str] = []
    with pytest.raises(Throttled):
        await unit_of(log, records.message()).commit(cast(Store, FullStore()))
    assert log == ["undo two", "undo one"]


async def test_a_cancelled_caller_does_not_keep_a_unit_from_acting(store: Store, records: Records) -> None:
    log: list[str] = []
    unit = unit_of(log, records.message())
    committing = asyncio.ensure_future(unit.commit(store))
    await asyncio.sleep(0)
    acted = asyncio.Event()
    unit.acts.append(acted.set)
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    await acted.wait()
    assert log == ["act one", "act two"]


async def test_an_act_that_fails_does_not_stop_the_others(
    store: Store, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    unit = unit_of(log, records.message())
    unit.acts.insert(0, partial(log.remove, "what is not there"))
    await unit.commit(store)
    assert log == ["act one", "act two"]
    assert [record.message for record in caplog.records] == ["unit.act_failed"]


async def test_call_lists_and_their_entries(store: Store) -> None:
    def listed(id: str, **fields: Any) -> DialList:
        plain = {"service": "clinic", "name": "reminder", "state": "running"}
        return DialList(id=id, **plain | fields, created_at=1.0, updated_at=1.0)

    def entry(position: int, **fields: Any) -> DialEntry:
        return DialEntry(list="l2", position=position, number="+447700900401", updated_at=1.0, **fields)

    one = entry(1, due=5.0, variables={"name": "Anne"}, tries={"busy": 1})
    others = [entry(2, due=3.0), entry(3, due=9.0), entry(4, state="answered", run="r1")]
    await store.commit([listed("l1"), listed("l2"), listed("l3", name="other"), one, *others])
    assert [each.id for each in await store.dial_lists(service="clinic", name="reminder")] == ["l2", "l1"]
    assert [each.id for each in await store.dial_lists(limit=1)] == ["l3"]
    assert await store.dial_due("l2", 5.0, 10) == [others[0], one]
    assert await store.dial_due("l1", 5.0, 10) == []
    assert (await store.dial_next("l2"), await store.dial_next("l1")) == (3.0, None)
    assert await store.dial_counts("l2") == {"waiting": 3, "answered": 1}
    assert await store.dial_entries("l2", after=2, limit=10) == others[1:]
    assert await store.dial_entries("l2", state="answered", limit=10) == others[2:]
