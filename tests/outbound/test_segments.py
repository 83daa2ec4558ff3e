from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.outbound.segments import EARLY_SECONDS, SegmentBook
from gateway.store.base import Unit
from gateway.values.message import Receipt, Segment
from gateway.values.outcome import Outcome, Result

Gate = Any
BOB, SHORT = "+447700900001", "12345"


def segment(part: int = 1, total: int = 1, **fields: Any) -> Segment:
    given: dict[str, Any] = {
        "message": "m1",
        "step": 0,
        "bind": "north",
        "smsc_id": f"A{part}",
        "state": "accepted",
    } | fields
    return Segment(part=part, total=total, **given)


def receipt(smsc_id: str = "A1", state: str = "delivered", final: bool = True, **fields: Any) -> Receipt:
    given: dict[str, Any] = {"id": f"r-{smsc_id}-{state}", "bind": "north", "received_at": 9.0} | fields
    return Receipt(smsc_id=smsc_id, state=state, final=final, **given)


@pytest.fixture
def book(gate: Gate) -> SegmentBook:
    return SegmentBook(gate.store, limit=3, early_limit=2)


async def test_a_segment_is_found_by_its_bind_and_id(book: SegmentBook) -> None:
    book.accepted(segment())
    assert await book.find("north", "A1") == segment()
    assert await book.find("south", "A1") is None
    assert await book.find("north", "A2") is None


async def test_a_segment_that_memory_has_let_go_is_found_in_the_store(gate: Gate, book: SegmentBook) -> None:
    for n in range(1, 6):
        book.accepted(segment(n, message=f"m{n}"))
        await gate.store.commit([segment(n, message=f"m{n}")])
    assert len(book._by_id) == 3
    assert await book.find("north", "A1") == segment(1, message="m1")


async def test_what_has_its_receipt_makes_room_for_what_waits(gate: Gate) -> None:
    book = SegmentBook(gate.store, limit=100, settled_limit=2)
    waiting = segment(9, message="m9")
    book.accepted(waiting)
    for n in range(1, 6):
        book.accepted(segment(n, message=f"m{n}"))
        unit = Unit()
        assert book.settle(unit, segment(n, message=f"m{n}"), receipt(f"A{n}")) is not None
        await gate.store.commit(unit.writes)
    assert sorted(book._by_id) == [("north", "A4"), ("north", "A5"), ("north", "A9")]
    again = await book.find("north", "A1")
    assert again is not None and book.settled(again)
    assert await book.find("north", "A9") == waiting


async def test_what_is_settled_no_more_stays(book: SegmentBook) -> None:
    book = SegmentBook(book._store, limit=100, settled_limit=1)
    book.accepted(segment())
    unit = Unit()
    assert book.settle(unit, segment(), receipt()) is not None
    unit.take_back()
    for n in (2, 3):
        book.accepted(segment(n, message=f"m{n}", state="delivered"))
    assert sorted(book._by_id) == [("north", "A1"), ("north", "A3")]


@pytest.mark.parametrize(
    ("state", "result", "kept"),
    [
        ("delivered", Result.DELIVERED, "delivered"),
        ("expired", Result.EXPIRED, "failed"),
        ("deleted", Result.UNDELIVERED, "failed"),
        ("undeliverable", Result.UNDELIVERED, "failed"),
        ("rejected", Result.UNDELIVERED, "failed"),
        ("skipped", Result.UNDELIVERED, "failed"),
    ],
)
async def test_a_final_receipt_settles_a_segment(
    book: SegmentBook, state: str, result: Result, kept: str
) -> None:
    book.accepted(segment())
    unit = Unit()
    reason = "" if result is Result.DELIVERED else f"receipt: {state}"
    outcome = book.settle(unit, segment(), receipt(state=state, code="011"))
    assert outcome == Outcome(result, reason, "011", "north")
    assert unit.writes == [segment(state=kept, code="011", receipt={"state": state}, updated_at=9.0)]
    for again in ("delivered", "undeliverable"):
        unit = Unit()
        found = await book.find("north", "A1")
        assert found is not None
        assert book.settle(unit, found, receipt(state=again)) is None and unit.writes == []


@pytest.mark.parametrize(
    ("state", "final"),
    [("enroute", False), ("accepted", False), ("unknown", False), ("scheduled", False), ("delivered", False)],
)
async def test_other_receipts_are_news_without_consequence(
    book: SegmentBook, state: str, final: bool
) -> None:
    book.accepted(segment())
    unit = Unit()
    assert book.settle(unit, segment(), receipt(state=state, final=final)) is None
    assert unit.writes == []
    assert book.settle(unit, segment(), receipt()) is not None


async def test_a_long_message_is_delivered_when_all_its_segments_are(book: SegmentBook) -> None:
    parts = [segment(n, 3) for n in (1, 2, 3)]
    for part in parts:
        book.accepted(part)
    told = [book.settle(Unit(), part, receipt(part.smsc_id)) for part in (parts[2], parts[0], parts[1])]
    assert told == [None, None, Outcome(Result.DELIVERED, carrier="north")]
    assert not book._steps


async def test_one_failed_segment_fails_a_long_message(book: SegmentBook) -> None:
    parts = [segment(n, 2) for n in (1, 2)]
    for part in parts:
        book.accepted(part)
    outcome = book.settle(Unit(), parts[0], receipt("A1", "undeliverable"))
    assert outcome is not None and outcome.result is Result.UNDELIVERED
    assert book.settle(Unit(), parts[1], receipt("A2")) is None


async def test_segments_of_another_step_do_not_count(book: SegmentBook) -> None:
    for step in (0, 1):
        for n in (1, 2):
            book.accepted(segment(n, 2, step=step, smsc_id=f"{step}{n}"))
    assert book.settle(Unit(), segment(1, 2, smsc_id="01"), receipt("01")) is None
    assert book.settle(Unit(), segment(2, 2, step=1, smsc_id="12"), receipt("12")) is None


async def test_segments_sent_before_a_restart_count(gate: Gate, book: SegmentBook) -> None:
    await gate.store.commit(
        [segment(1, 2, state="delivered"), segment(2, 2), segment(1, 2, step=1, smsc_id="B")]
    )
    found = await book.find("north", "A2")
    assert found is not None
    await book.prepare(found)
    assert book.settle(Unit(), found, receipt("A2")) == Outcome(Result.DELIVERED, carrier="north")


async def test_what_was_settled_and_not_stored_is_settled_again(book: SegmentBook) -> None:
    book.accepted(segment())
    unit = Unit()
    assert book.settle(unit, segment(), receipt()) is not None
    unit.take_back()
    found = await book.find("north", "A1")
    assert found is not None and book.settle(Unit(), found, receipt()) is not None


async def test_a_receipt_that_is_early_waits_for_its_segment(book: SegmentBook) -> None:
    book.early(Unit(), receipt())
    assert book.accepted(segment(bind="south")) is None
    assert book.accepted(segment()) == receipt()
    assert book.accepted(segment()) is None


async def test_an_early_receipt_that_was_not_stored_is_forgotten(book: SegmentBook) -> None:
    unit = Unit()
    book.early(unit, receipt())
    unit.take_back()
    assert book.accepted(segment()) is None


async def test_of_several_early_receipts_the_final_one_is_kept(book: SegmentBook) -> None:
    for state, final in (("enroute", False), ("delivered", True), ("accepted", False)):
        book.early(Unit(), receipt(state=state, final=final))
    assert book.accepted(segment()) == receipt()


async def test_early_receipts_are_bounded(book: SegmentBook) -> None:
    for n in range(1, 4):
        book.early(Unit(), receipt(f"A{n}"))
    assert [book.accepted(segment(n)) is not None for n in (1, 2, 3)] == [False, True, True]


async def test_addresses_tie_a_receipt_to_the_only_segment_in_doubt_between_them(book: SegmentBook) -> None:
    lost = segment(state="in-doubt", smsc_id="")
    book.in_doubt(lost, BOB, SHORT)
    for others in (
        {"recipient": BOB, "sender": "99999"},
        {"recipient": "+447700900002", "sender": SHORT},
        {},
    ):
        assert await book.find("north", "X", **others) is None
    assert await book.find("south", "X", recipient=BOB, sender=SHORT) is None
    found = await book.find("north", "X", recipient=BOB, sender=SHORT)
    assert found == replace(lost, smsc_id="X")
    # further receipts speak of it by the id, and no other is tied to it
    assert await book.find("north", "X") == found
    assert await book.find("north", "Y", recipient=BOB, sender=SHORT) is None


@pytest.mark.parametrize("accepted", [True, False])
async def test_with_two_segments_in_doubt_addresses_tell_nothing(book: SegmentBook, accepted: bool) -> None:
    book.in_doubt(segment(state="in-doubt", smsc_id=""), BOB, SHORT)
    book.in_doubt(segment(state="in-doubt", smsc_id="", message="m2"), BOB, SHORT)
    assert await book.find("north", "X", recipient=BOB, sender=SHORT) is None
    # the answer to one of them comes after all, so that it can only be the other
    if accepted:
        book.accepted(segment(smsc_id="A1"))
    else:
        book.refused("m1", 0, 1)
    found = await book.find("north", "X", recipient=BOB, sender=SHORT)
    assert found is not None and found.message == "m2"


async def test_segments_in_doubt_are_bounded(book: SegmentBook) -> None:
    for n in range(1, 4):
        book.in_doubt(segment(state="in-doubt", smsc_id="", message=f"m{n}"), f"+44770090000{n}", SHORT)
    assert await book.find("north", "X", recipient="+447700900001", sender=SHORT) is None
    assert await book.find("north", "X", recipient="+447700900003", sender=SHORT) is not None


async def test_an_intermediate_receipt_of_a_segment_in_doubt_makes_its_id_durable(book: SegmentBook) -> None:
    book.in_doubt(segment(state="in-doubt", smsc_id=""), BOB, SHORT)
    found = await book.find("north", "X", recipient=BOB, sender=SHORT)
    assert found is not None
    unit = Unit()
    assert book.settle(unit, found, receipt("X", "enroute", False)) is None
    assert unit.writes == [found]
    assert book.settle(Unit(), found, receipt("X")) == Outcome(Result.DELIVERED, carrier="north")


@pytest.mark.parametrize(
    ("told", "asked"), [("1234", "00001234"), ("00001234", "1234"), ("0A7", "00a7"), ("ab-7", "AB-7")]
)
async def test_an_id_may_differ_in_padding_and_case(book: SegmentBook, told: str, asked: str) -> None:
    book.accepted(segment(smsc_id=told))
    assert await book.find("north", asked) == segment(smsc_id=told)
    assert await book.find("south", asked) is None


@pytest.mark.parametrize(("one", "two", "asked"), [("0A7", "a7", "00A7"), ("0a7", "0A7", "00a7")])
async def test_the_exact_id_counts_first_and_two_near_ones_for_nothing(
    book: SegmentBook, one: str, two: str, asked: str
) -> None:
    book.accepted(segment(message="m1", smsc_id=one))
    book.accepted(segment(message="m2", smsc_id=two))
    assert await book.find("north", one) == segment(message="m1", smsc_id=one)
    assert await book.find("north", two) == segment(message="m2", smsc_id=two)
    assert await book.find("north", asked) is None


@pytest.mark.parametrize(
    ("stored", "found"), [(["0A7"], True), (["0A7", "a7"], False), (["0A7", "0A7"], True)]
)
async def test_a_near_id_is_found_in_the_store_if_it_is_the_only_one(
    gate: Gate, book: SegmentBook, stored: list[str], found: bool
) -> None:
    known = [segment(message=f"m{n}", smsc_id=id) for n, id in enumerate(stored)]
    await gate.store.commit(known)
    assert await book.find("north", "00a7") == (known[-1] if found else None)
    assert await book.find("south", "00a7") is None


async def test_a_near_id_in_memory_and_another_in_the_store_count_for_nothing(
    gate: Gate, book: SegmentBook
) -> None:
    await gate.store.commit([segment(message="m1", smsc_id="0A7")])
    book.accepted(segment(message="m2", smsc_id="0a7"))
    assert await book.find("north", "00a7") is None
    assert await book.find("north", "0A7") == segment(message="m1", smsc_id="0A7")


async def test_segments_of_one_id_are_remembered_each_as_it_is_now(gate: Gate, book: SegmentBook) -> None:
    for n in range(3):
        book.accepted(segment(message=f"m{n}"))
    assert await book.find("north", "A1") == segment(message="m2")
    assert book.settle(Unit(), segment(message="m1"), receipt(), {}) is not None
    assert book.settled(segment(message="m1")) and not book.settled(segment(message="m2"))
    assert [(s.message, s.state) for s in book.others(segment(message="m2"))] == [
        ("m1", "delivered"),
        ("m0", "accepted"),
    ]
    assert await book.find("north", "A1") == segment(message="m2")


async def test_segments_of_one_id_are_bounded(book: SegmentBook) -> None:
    for n in range(50):
        book.accepted(segment(message=f"m{n:02}"))
    assert len(book._same_id["north", "A1"]) == 32
    for n in range(9):
        book.accepted(segment(message="m98", smsc_id=f"B{n}"))
        book.accepted(segment(message="m99", smsc_id=f"B{n}"))
    assert len(book._same_id) <= 2


async def test_memory_of_near_ids_is_bounded(book: SegmentBook) -> None:
    for n in range(10, 20):
        book.accepted(segment(message=f"m{n}", smsc_id=f"00{n}"))
    assert len(book._loose) == len(book._by_id) == 3


async def test_an_early_receipt_finds_its_segment_by_a_near_id(book: SegmentBook) -> None:
    book.early(Unit(), receipt("12"))
    assert book.accepted(segment(smsc_id="0012")) == receipt("12")


async def test_early_receipts_do_not_wait_for_ever(book: SegmentBook) -> None:
    book.early(Unit(), receipt("A1", received_at=100.0))
    book.early(Unit(), receipt("A2", received_at=200.0))
    assert book.overdue(100.0 + EARLY_SECONDS - 1) == []
    assert book.overdue(100.0 + EARLY_SECONDS) == [receipt("A1", received_at=100.0)]
    assert book.accepted(segment(1)) is None and book.accepted(segment(2)) is not None


async def test_an_early_receipt_that_makes_room_for_another_is_given_back(book: SegmentBook) -> None:
    given_back = [book.early(Unit(), receipt(f"A{n}")) for n in range(1, 4)]
    assert given_back == [None, None, receipt("A1")]


async def test_after_a_start_early_receipts_are_known_again(gate: Gate, book: SegmentBook) -> None:
    now = 10_000.0
    await gate.store.commit(
        [
            receipt("A1", received_at=now - EARLY_SECONDS - 1),
            receipt("A2", received_at=now - 5),
            receipt("A3", received_at=now - 5, message="m3"),
        ]
    )
    await book.load(now)
    assert [book.accepted(segment(n)) is not None for n in (1, 2, 3)] == [False, True, False]
