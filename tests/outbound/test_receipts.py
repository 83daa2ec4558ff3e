from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.outbound.segments import EARLY_SECONDS
from gateway.store.base import Unit
from gateway.values.errors import StoreError, Throttled
from gateway.values.message import Receipt
from gateway.values.outcome import Result, Status

Gate = Any
Open = Any
BOB, SHORT = "+447700900001", "12345"


def receipt(smsc_id: str = "A1", state: str = "delivered", final: bool = True, **fields: Any) -> Receipt:
    given: dict[str, Any] = {"id": f"r-{smsc_id}-{state}", "bind": "north", "received_at": 9.0} | fields
    return Receipt(smsc_id=smsc_id, state=state, final=final, **given)


async def arrive(
    gate: Gate, what: Receipt, recipient: str = BOB, sender: str = SHORT, other_id: str = "", **details: str
) -> None:
    """What the inbound spine does with a receipt.  Raises what makes it refuse the deliver_sm."""
    unit = Unit()
    await gate.receipts.apply(unit, what, recipient, sender, details, other_id)
    await unit.commit(gate.store)


async def sent(gate: Gate, parts: int = 1, **fields: Any) -> Any:
    """A message whose segments a carrier has accepted, as A1, A2, ..."""
    message = await gate.submit(**fields)
    await gate.begin(message)
    answered(gate, message, parts)
    return message


def answered(gate: Gate, message: Any, parts: int = 1) -> None:
    for n in range(1, parts + 1):
        segment = gate.segment(message, n, parts)
        gate.tell(message, Result.ACCEPTED if n == parts else None, segment)
        gate.receipts.known(segment)


async def test_a_receipt_delivers_its_message(gate: Gate) -> None:
    message = await sent(gate)
    await arrive(gate, receipt(code="000"))
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert gate.statuses == ["sent", "delivered"]
    assert (await gate.store.segments(message.id))[0].state == "delivered"
    [event] = [e for e in await gate.store.events(message.id) if e.type == "receipt"]
    assert event.data == {
        "bind": "north",
        "smsc_id": "A1",
        "state": "delivered",
        "final": True,
        "code": "000",
        "part": 1,
    }
    assert await gate.store.unmatched("north", "A1") == []
    assert (gate.receipts.matched, gate.receipts.unmatched) == (1, 0)


async def test_a_failed_receipt_moves_a_chain_on_in_the_same_commit(gate: Gate) -> None:
    message = await sent(gate, text="", chain="alert")
    await arrive(gate, receipt(state="undeliverable"))
    assert gate.sms.sent[1:] == [(message.id, 1, ())]
    assert (await gate.stored(message)).steps[0].reason == "receipt: undeliverable"


async def test_of_two_ids_the_one_that_is_known_counts_and_of_two_known_ones_the_parameters(
    gate: Gate,
) -> None:
    doubtful = await gate.submit()
    await gate.begin(doubtful)
    lost = replace(gate.segment(doubtful), smsc_id="", state="in-doubt")
    gate.tell(doubtful, Result.IN_DOUBT, lost)
    gate.book.in_doubt(lost, BOB, SHORT)
    one = await sent(gate)
    await arrive(gate, receipt("unheard-of"), other_id="A1")
    assert (await gate.stored(one)).status is Status.DELIVERED
    assert (await gate.stored(doubtful)).status is Status.IN_DOUBT  # addresses count last
    two = await sent(gate, parts=2)
    await arrive(gate, receipt("A2", "undeliverable"), other_id="A1")
    states = {segment.smsc_id: segment.state for segment in await gate.store.segments(two.id)}
    assert states == {"A1": "accepted", "A2": "failed"}


async def test_a_duplicate_is_ignored(gate: Gate) -> None:
    message = await sent(gate)
    for n in range(3):
        await arrive(gate, receipt(id=f"r{n}"))
    await arrive(gate, receipt(state="undeliverable"))
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert gate.statuses == ["sent", "delivered"]


async def test_a_long_message_is_delivered_when_all_its_segments_are(gate: Gate) -> None:
    message = await sent(gate, parts=3)
    for n in (3, 1):
        await arrive(gate, receipt(f"A{n}"))
    assert gate.statuses == ["sent"]
    await asyncio.gather(*[arrive(gate, receipt("A2", id=f"r{n}")) for n in range(3)])
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert gate.statuses == ["sent", "delivered"]


async def test_one_failed_segment_fails_the_message(gate: Gate) -> None:
    message = await sent(gate, parts=2)
    await arrive(gate, receipt("A2", "undeliverable", code="011"))
    await arrive(gate, receipt("A1"))
    stored = await gate.stored(message)
    assert (stored.status, stored.code) == (Status.FAILED, "011")


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("receipts", [1, 3])
async def test_where_all_segments_have_one_id_a_receipt_is_about_all_of_them(
    open_gate: Open, receipts: int, restart: bool
) -> None:
    gate = await open_gate()
    message = await gate.submit()
    await gate.begin(message)
    for n in (1, 2, 3):
        segment = gate.segment(message, n, 3, smsc_id="A")
        gate.tell(message, Result.ACCEPTED if n == 3 else None, segment)
        gate.receipts.known(segment)
    if restart:
        await gate.quiet()
        gate = await open_gate()
    for n in range(receipts):
        await arrive(gate, receipt("A", id=f"r{n}"))
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert [segment.state for segment in await gate.store.segments(message.id)] == ["delivered"] * 3
    assert gate.receipts.duplicates == receipts - 1


async def test_a_segment_that_gets_the_id_of_a_settled_one_waits_for_the_next_receipt(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    first, second = (gate.segment(message, n, 2, smsc_id="A") for n in (1, 2))
    gate.tell(message, None, first)
    gate.receipts.known(first)
    await arrive(gate, receipt("A", id="r1"))
    gate.tell(message, Result.ACCEPTED, second)
    gate.receipts.known(second)
    assert (await gate.stored(message)).status is Status.SENT
    await arrive(gate, receipt("A", id="r2"))
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_a_receipt_that_comes_before_the_response_is_kept_and_applied(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    await arrive(gate, receipt())
    assert await gate.store.unmatched("north", "A1") == [receipt()]
    assert gate.receipts.unmatched == 1 and gate.statuses == []
    answered(gate, message)
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert gate.statuses == ["sent", "delivered"]
    assert await gate.store.unmatched("north", "A1") == []


@pytest.mark.parametrize(
    ("named", "other_id", "told"),
    [
        ("00AB7", "", "ab7"),
        ("ab7", "", "00AB7"),
        ("1d305b4c", "0489708364", "489708364"),
        ("1D305B4C", "489708364", "1d305b4c"),
        ("1d305b4c", "489708364", "489708364"),
    ],
)
async def test_a_receipt_that_comes_before_the_response_may_write_its_id_otherwise(
    gate: Gate, named: str, other_id: str, told: str
) -> None:
    message = await gate.submit()
    await gate.begin(message)
    await arrive(gate, receipt(named), other_id=other_id)
    segment = gate.segment(message, smsc_id=told)
    gate.tell(message, Result.ACCEPTED, segment)
    gate.receipts.known(segment)
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert not (gate.book._early or gate.book._early_names or gate.book._early_named)


async def test_of_two_receipts_that_differ_in_padding_alone_neither_is_for_a_third_form(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    await arrive(gate, receipt("0007"))
    await arrive(gate, receipt("007", "undeliverable"))
    segment = gate.segment(message, smsc_id="7")
    gate.tell(message, Result.ACCEPTED, segment)
    gate.receipts.known(segment)
    assert (await gate.stored(message)).status is Status.SENT


async def test_the_response_may_come_while_the_receipt_is_being_written(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    arriving = asyncio.ensure_future(arrive(gate, receipt()))
    await gate.until(lambda: gate.receipts.unmatched)  # it has looked for its segment, and is being written
    answered(gate, message)
    await arriving
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_the_response_may_come_while_the_segment_is_looked_for(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    arriving = asyncio.ensure_future(arrive(gate, receipt()))
    await asyncio.sleep(0)  # the store is being asked
    assert gate.receipts.unmatched == 0
    answered(gate, message)
    await arriving
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_early_receipts_of_a_long_message(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    for n in (2, 1):
        await arrive(gate, receipt(f"A{n}"))
    answered(gate, message, 2)
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert gate.statuses == ["sent", "delivered"]


async def test_an_intermediate_receipt_is_only_noted(gate: Gate) -> None:
    message = await sent(gate)
    await arrive(gate, receipt(state="enroute", final=False))
    assert gate.statuses == ["sent"] and "receipt" in await gate.log(message)
    await arrive(gate, receipt())
    assert gate.statuses == ["sent", "delivered"]


async def test_a_receipt_after_a_restart_finds_its_message(open_gate: Open) -> None:
    gate = await open_gate()
    message = await sent(gate, parts=2)
    await arrive(gate, receipt("A1"))
    await gate.quiet()
    gate = await open_gate()
    await gate.pipeline.recover(lambda channel, carrier: False)
    await arrive(gate, receipt("A2"))
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_a_receipt_settles_what_was_in_doubt_after_a_crash(open_gate: Open) -> None:
    gate = await open_gate()
    message = await gate.submit()
    await gate.begin(message)
    gate = await open_gate()
    await gate.pipeline.recover(lambda channel, carrier: False)
    await arrive(gate, receipt("X", "enroute", False))
    await arrive(gate, receipt("X"))
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert gate.statuses == ["in-doubt", "delivered"]


async def test_a_long_message_in_doubt_after_a_crash_is_delivered_when_all_its_parts_are(
    open_gate: Open,
) -> None:
    gate = await open_gate()
    message = await gate.submit(text="x" * 400)
    await gate.begin(message)
    gate.tell(message, None, gate.segment(message, part=2, total=3, smsc_id="A2"))
    gate = await open_gate()
    await gate.pipeline.recover(lambda channel, carrier: False)
    segments = await gate.store.segments(message.id)
    assert [(s.part, s.total, s.state) for s in segments] == [
        (1, 3, "in-doubt"),
        (2, 3, "accepted"),
        (3, 3, "in-doubt"),
    ]
    for id in ("X", "A2"):
        await arrive(gate, receipt(id))
        assert (await gate.stored(message)).status is Status.IN_DOUBT
    await arrive(gate, receipt("Y"))
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_where_a_carrier_gave_no_id_the_addresses_tell_which_is_meant(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    segment = gate.segment(message, smsc_id="")
    gate.tell(message, Result.ACCEPTED, segment)
    gate.book.in_doubt(segment, BOB, SHORT)
    await arrive(gate, receipt("unheard-of", "enroute", False))
    await arrive(gate, receipt("unheard-of"))
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert gate.statuses == ["sent", "delivered"]


@pytest.mark.parametrize("early", [False, True])
async def test_a_receipt_may_come_by_another_bind_than_its_message_went(gate: Gate, early: bool) -> None:
    gate.receipts._about = lambda bind: ("south", "north") if bind == "in" else (bind,)
    message = await gate.submit()
    await gate.begin(message)
    segment = gate.segment(message, bind="south" if early else "north")
    if not early:
        gate.tell(message, Result.ACCEPTED, segment)
        gate.receipts.known(segment)
    await arrive(gate, receipt(bind="in"))
    if early:
        gate.tell(message, Result.ACCEPTED, segment)
        gate.receipts.known(segment)
    assert (await gate.stored(message)).status is Status.DELIVERED
    await arrive(gate, receipt("A2", bind="east"))
    assert gate.receipts.unmatched == 1 + early


async def test_a_receipt_of_nobody_is_kept(gate: Gate) -> None:
    await arrive(gate, receipt("Z"))
    assert await gate.store.unmatched("north", "Z") == [receipt("Z")]


@pytest.mark.parametrize(("how", "error"), [("at once", Throttled), ("later", StoreError)])
@pytest.mark.parametrize("doubtful", [False, True])
async def test_a_receipt_that_could_not_be_stored_is_applied_when_it_comes_again(
    gate: Gate, how: str, error: type[Exception], doubtful: bool
) -> None:
    if doubtful:
        message = await gate.submit()
        gate.tell(message, Result.IN_DOUBT)
        gate.book.in_doubt(gate.segment(message, smsc_id="", state="in-doubt"), BOB, SHORT)
    else:
        message = await sent(gate)
    await gate.quiet()
    gate.store.refuses = how
    with pytest.raises(error):
        await arrive(gate, receipt())
    gate.store.refuses = ""
    assert (await gate.stored(message)).status is not Status.DELIVERED
    await arrive(gate, receipt())
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_an_early_receipt_that_could_not_be_stored_comes_again(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    gate.store.refuses = "later"
    with pytest.raises(StoreError):
        await arrive(gate, receipt())
    gate.store.refuses = ""
    answered(gate, message)
    assert (await gate.stored(message)).status is Status.SENT
    await arrive(gate, receipt())
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_receipts_wait_while_older_outcomes_cannot_be_recorded(gate: Gate) -> None:
    message = await gate.submit()
    gate.store.refuses = "at once"
    answered(gate, message)
    gate.store.refuses = ""
    with pytest.raises(StoreError):
        await arrive(gate, receipt())
    await gate.quiet()
    await arrive(gate, receipt())
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_a_message_that_cannot_be_read_leaves_its_receipt_to_come_again(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.outbound.memory._RECENT", 0)
    message = await sent(gate)
    await gate.quiet()
    gate.store.unreadable = True
    with pytest.raises(StoreError):
        await arrive(gate, receipt())
    gate.store.unreadable = False
    await arrive(gate, receipt())
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_a_receipt_of_a_message_that_retention_has_deleted_is_recorded(gate: Gate) -> None:
    message = await gate.submit()
    gate.book.accepted(replace(gate.segment(message), message="gone"))
    await arrive(gate, receipt())
    assert (await gate.store.segments("gone"))[0].state == "delivered"


@pytest.mark.parametrize("restart", [False, True])
async def test_of_messages_with_one_id_the_recipient_tells_which_is_meant(
    open_gate: Open, restart: bool
) -> None:
    gate = await open_gate()
    customers = [f"+44770090000{n}" for n in range(1, 4)]
    messages = [await sent(gate, to=to) for to in customers]  # each has the id A1
    if restart:
        await gate.quiet()
        gate = await open_gate()
    await arrive(gate, receipt(id="r1"), customers[1])
    await arrive(gate, receipt(id="r2", state="undeliverable"), customers[0])
    await arrive(gate, receipt(id="r3", state="undeliverable"), customers[1])  # a duplicate of the first
    statuses = [(await gate.stored(message)).status for message in messages]
    assert statuses == [Status.FAILED, Status.DELIVERED, Status.SENT]
    assert gate.receipts.duplicates == 1
    await arrive(gate, receipt(id="r4"), customers[2])
    assert (await gate.stored(messages[2])).status is Status.DELIVERED


async def test_of_any_number_of_messages_with_one_id_the_recipient_tells_which_is_meant(gate: Gate) -> None:
    messages = [await sent(gate, to=f"+4477009001{n:02}") for n in range(40)]
    await gate.quiet()
    await arrive(gate, receipt(), "+447700900100")
    statuses = [(await gate.stored(message)).status for message in messages]
    assert statuses == [Status.DELIVERED, *[Status.SENT] * 39]


@pytest.mark.parametrize(("recipient", "sender"), [("07700900001", SHORT), (SHORT, BOB), ("", "")])
async def test_addresses_that_tell_nothing_leave_the_id_to_say_which_is_meant(
    gate: Gate, recipient: str, sender: str
) -> None:
    older, younger = await sent(gate), await sent(gate)
    await arrive(gate, receipt(), recipient, sender)
    assert (await gate.stored(younger)).status is Status.DELIVERED
    assert (await gate.stored(older)).status is Status.SENT


@pytest.mark.parametrize("state", ["delivered", "undeliverable"])
async def test_after_a_restart_an_id_may_differ_in_padding_and_case(open_gate: Open, state: str) -> None:
    gate = await open_gate()
    message = await gate.submit()
    await gate.begin(message)
    gate.tell(message, Result.ACCEPTED, gate.segment(message, smsc_id="00AB7"))
    await gate.quiet()
    gate = await open_gate()
    await arrive(gate, receipt("0ab7", state=state))
    assert (await gate.stored(message)).status is not Status.SENT


async def test_duplicates_are_counted_and_leave_no_trace(gate: Gate) -> None:
    message = await sent(gate)
    for state in (
        "delivered",
        "delivered",
        "undeliverable",
    ):  # the last contradicts: the first final one counts
        await arrive(gate, receipt(state=state))
    assert (gate.receipts.matched, gate.receipts.duplicates) == (3, 2)
    assert gate.statuses == ["sent", "delivered"] and gate.seen == [("north", "delivered")]
    assert len([e for e in await gate.store.events(message.id) if e.type == "receipt"]) == 1


async def test_what_else_a_receipt_tells_is_in_the_log_of_its_message(gate: Gate) -> None:
    message = await sent(gate)
    await arrive(gate, receipt(), stat="DELIVRD", done_date="2023-11-14T22:13:00.000Z")
    [event] = [e for e in await gate.store.events(message.id) if e.type == "receipt"]
    assert (event.data["stat"], event.data["done_date"]) == ("DELIVRD", "2023-11-14T22:13:00.000Z")


def in_doubt(gate: Gate, message: Any, part: int = 1, total: int = 1, to: str = BOB) -> None:
    segment = replace(gate.segment(message, part, total), smsc_id="", state="in-doubt")
    gate.receipts.doubted(segment, to, SHORT)
    gate.tell(message, Result.IN_DOUBT if part == 1 else None, segment)


@pytest.mark.parametrize("state", ["delivered", "undeliverable"])
async def test_a_receipt_that_came_before_its_segment_was_in_doubt_settles_it(gate: Gate, state: str) -> None:
    message = await gate.submit()
    await gate.begin(message)
    await arrive(gate, receipt("never-told", state))
    in_doubt(gate, message)
    await gate.quiet()
    [segment] = await gate.store.segments(message.id)
    reached = {"delivered": ("delivered", Status.DELIVERED), "undeliverable": ("failed", Status.FAILED)}
    assert segment.smsc_id == "never-told"
    assert (segment.state, (await gate.stored(message)).status) == reached[state]
    assert await gate.store.unmatched("north", "never-told") == []
    await arrive(gate, receipt("never-told", state, id="again"))
    assert gate.receipts.duplicates == 1


async def test_receipts_that_came_before_settle_each_a_part_in_doubt(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    for n in (1, 2):
        await arrive(gate, receipt(f"X{n}"))
    for n in (1, 2):
        in_doubt(gate, message, n, 2)
    await gate.quiet()
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_a_receipt_that_came_before_is_not_guessed_about(gate: Gate) -> None:
    message, other = await gate.submit(), await gate.submit()
    await gate.begin(message)
    await gate.begin(other)
    await arrive(gate, receipt("X1"))
    await arrive(gate, receipt("X2"))  # one of them may be about a message that is still to be answered
    in_doubt(gate, message)
    in_doubt(gate, other, to="+447700900002")
    await gate.quiet()
    assert (await gate.stored(message)).status is Status.IN_DOUBT
    assert len(await gate.store.unmatched("north", "X1")) == 1


async def test_a_receipt_of_nobody_becomes_an_orphan_in_time(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    await arrive(gate, receipt("Z", received_at=100.0), stat="DELIVRD")
    gate.receipts.expire(100.0 + EARLY_SECONDS - 1)
    assert gate.orphaned == []
    gate.receipts.expire(100.0 + EARLY_SECONDS)
    assert gate.orphaned == ["north"] and gate.receipts._details == {}
    [record] = [r for r in caplog.records if r.message == "receipt.orphan"]
    assert (record.bind, record.smsc_id, record.state) == ("north", "Z", "delivered")
    gate.receipts.expire(1e9)
    assert gate.orphaned == ["north"]


async def test_after_a_restart_a_receipt_still_settles_a_segment_in_doubt(open_gate: Open) -> None:
    first = await open_gate()
    message = await first.submit()
    await first.begin(message)
    first.tell(message, Result.IN_DOUBT, replace(first.segment(message), smsc_id="", state="in-doubt"))
    await first.stored(message)
    second = await open_gate()
    await second.book.load(second.clock.now())
    await arrive(second, receipt("unheard-of"))
    assert (await second.stored(message)).status is Status.DELIVERED
