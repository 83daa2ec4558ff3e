"""Parts in memory and in the store: they agree whatever the store does."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.inbound import sms
from gateway.inbound.reassembly import Reassembly, Source, Whole
from gateway.protocol.sms.coding import Coding
from gateway.store.base import Delete, Unit
from gateway.values.errors import Throttled
from gateway.values.message import Part

LONG = "0123456789" * 40  # three parts


class Bench:
    """A Reassembly, and what a store would hold."""

    def __init__(self) -> None:
        self.rows: dict[str, Part] = {}
        self.ids = map(str, itertools.count(1))
        self.reassembly = Reassembly({"north": Source(60.0, Coding.GSM)}, lambda: next(self.ids))

    def add(self, pdu: Any, now: float = 0.0) -> tuple[Unit, list[Whole]]:
        """The unit is open: `stored` or `refused` ends it."""
        unit = Unit()
        return unit, self.reassembly.add(unit, "north", sms.read(pdu), now)[1]

    def id(self, pdu: Any, registered_delivery: int = 0) -> str:
        """That of a part which is durable."""
        unit = Unit()
        id, _ = self.reassembly.add(unit, "north", sms.read(pdu), 0.0, registered_delivery)
        self.stored(unit)
        return id

    def take(self, pdu: Any, now: float = 0.0) -> list[Whole]:
        unit, wholes = self.add(pdu, now)
        self.stored(unit)
        return wholes

    def stored(self, unit: Unit) -> None:
        for write in unit.writes:
            if isinstance(write, Part):
                self.rows[write.id] = write
            elif isinstance(write, Delete):
                self.rows.pop(write.key[0], None)
        for act in unit.acts:
            act()

    def refused(self, unit: Unit) -> None:
        unit.take_back()

    async def parts(self) -> list[Part]:
        return list(self.rows.values())


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_last_part_gives_the_whole_and_removes_the_rows(bench: Bench, mo: Any) -> None:
    first, second, third = mo(LONG)
    assert bench.take(third) == [] and bench.take(first) == []
    assert len(bench.rows) == 2
    [whole] = bench.take(second)
    assert (whole.bind, whole.sender, whole.recipient) == ("north", "+447700900123", "12345")
    assert (whole.text, whole.incomplete, whole.as_is) == (LONG, False, None)
    assert bench.rows == {} and bench.reassembly.deadline() is None


def test_the_parts_of_a_message_share_the_base_of_their_ids(bench: Bench, mo: Any) -> None:
    first, _, third = mo(LONG)
    ids = [bench.id(pdu, wanted) for pdu, wanted in ((third, 1), (first, 0))]
    assert ids == ["1-3", "1-1"] and list(bench.rows) == ids
    assert [bench.reassembly.waits(bind, "1-3") for bind in ("north", "south")] == [True, False]
    assert bench.id(third) == "1-3"  # a copy
    assert bench.id(mo("abcdefghij" * 40)[0]) == "2-1"  # the reference came round again


def test_a_whole_knows_which_receipts_are_wanted_of_its_parts(bench: Bench, mo: Any) -> None:
    first, second, third = mo(LONG)
    bench.id(third, 1)
    bench.id(first, 2)
    [whole] = bench.take(second)
    assert (whole.id, whole.part_receipts) == ("1", bytes((2, 0, 1)))
    assert not bench.reassembly.waits("north", "1-1")


def test_a_whole_may_be_more_than_text(bench: Bench, mo: Any) -> None:
    ports = bytes.fromhex("0b05040b8423f00003070201"), bytes.fromhex("0b05040b8423f00003070202")
    octets = [header + bytes(100) for header in ports]
    first, second = (replace(mo("a")[0], esm_class=0x40, data_coding=4, short_message=o) for o in octets)
    bench.take(first)
    [whole] = bench.take(second)
    assert whole.as_is == sms.AsIs(bytes(200), bytes.fromhex("0605040b8423f0"), 4)


def test_parts_may_have_headers_of_their_own(bench: Bench, mo: Any) -> None:
    octets = b"\x07\0\3\7\2\1\x70\0one", b"\5\0\3\7\2\2two"
    first, second = (replace(mo("a")[0], esm_class=0x40, data_coding=0xF6, short_message=o) for o in octets)
    bench.take(first)
    [whole] = bench.take(second)
    sim = b"\2\x70\0"
    assert whole.as_is == sms.AsIs(b"onetwo", sim, 0xF6, ((sim, b"one"), (b"", b"two")))


def test_octets_that_could_not_be_read_are_kept_unless_a_part_is_missing(bench: Bench, mo: Any) -> None:
    latin = [replace(pdu, short_message=pdu.short_message[:6] + b"\xe9" * 9) for pdu in mo(LONG)]
    bench.take(latin[0])
    bench.take(latin[1])
    [whole] = bench.take(latin[2])
    assert whole.as_is == sms.AsIs(b"\xe9" * 27, b"", 0)
    bench.take(latin[0], 100.0)
    bench.take(replace(latin[1], short_message=latin[1].short_message + b"more"), 100.0)
    [rest] = bench.reassembly.expire(Unit(), 161.0)
    assert rest.incomplete and rest.as_is is None


def test_a_copy_of_a_durable_part_is_nothing_new(bench: Bench, mo: Any) -> None:
    part = mo(LONG)[0]
    bench.take(part)
    unit, wholes = bench.add(part)
    assert (unit.writes, wholes) == ([], [])


def test_a_copy_of_a_part_that_is_being_written_must_come_again(bench: Bench, mo: Any) -> None:
    """It was acknowledged although the store might still refuse the first."""
    part = mo(LONG)[0]
    unit, _ = bench.add(part)
    with pytest.raises(Throttled):
        bench.add(part)
    bench.refused(unit)
    bench.take(part)
    assert len(bench.rows) == 1


def test_parts_in_flight_together_make_one_whole(bench: Bench, mo: Any) -> None:
    units = []
    for pdu in mo(LONG):
        unit, wholes = bench.add(pdu)
        units.append(unit)
    assert [w.text for w in wholes] == [LONG]
    for unit in units:
        bench.stored(unit)
    assert bench.rows == {}


def test_a_whole_that_was_refused_with_a_part_of_it_is_made_when_both_come_again(
    bench: Bench, mo: Any
) -> None:
    first, second, third = mo(LONG)
    bench.take(first)
    before, _ = bench.add(second)
    last, wholes = bench.add(third)
    assert len(wholes) == 1
    bench.refused(before)
    bench.refused(last)
    assert bench.take(third) == [], "the second part is known to be missing"
    assert [w.text for w in bench.take(second)] == [LONG]
    assert bench.rows == {}


def test_a_whole_refused_at_once_waits_for_its_last_part_only(bench: Bench, mo: Any) -> None:
    first, second, third = mo(LONG)
    bench.take(first)
    before, _ = bench.add(second)
    last, _ = bench.add(third)
    bench.refused(last)
    bench.stored(before)
    assert [w.text for w in bench.take(third)] == [LONG]
    assert bench.rows == {}


def test_a_whole_whose_part_alone_was_refused_is_whole(bench: Bench, mo: Any) -> None:
    first, second, third = mo(LONG)
    bench.take(first)
    before, _ = bench.add(second)
    last, wholes = bench.add(third)
    bench.refused(before)
    assert [w.text for w in wholes] == [LONG]
    bench.stored(last)
    bench.take(second)  # the carrier brings it again: part of a message that was completed
    unit = Unit()
    assert bench.reassembly.expire(unit, 60.0) == []


def test_a_reused_reference_gives_up_the_old_message_or_neither(bench: Bench, mo: Any) -> None:
    bench.take(mo(LONG)[0])
    other = mo("abcdefghij" * 40)[0]
    unit, wholes = bench.add(other, 1.0)
    assert [w.incomplete for w in wholes] == [True]
    bench.refused(unit)
    assert len(bench.rows) == 1
    unit, wholes = bench.add(other, 1.0)
    bench.stored(unit)
    assert [w.incomplete for w in wholes] == [True]
    assert [row.octets[:3] for row in bench.rows.values()] == [b"abc"]


def test_what_is_given_up_after_its_time_comes_again_if_it_was_refused(bench: Bench, mo: Any) -> None:
    bench.take(mo(LONG)[0], now=5.0)
    assert bench.reassembly.deadline() == 65.0
    unit = Unit()
    assert len(bench.reassembly.expire(unit, 65.0)) == 1
    bench.refused(unit)
    assert bench.reassembly.deadline() == 125.0
    unit = Unit()
    assert len(bench.reassembly.expire(unit, 125.0)) == 1
    bench.stored(unit)
    assert bench.rows == {}


async def test_parts_of_before_a_restart_are_taken_up_and_those_of_a_peer_that_is_gone_are_not(
    bench: Bench, mo: Any
) -> None:
    first, second, third = mo(LONG)
    bench.take(first)
    bench.take(second)
    other = Reassembly({"south": Source(60.0, Coding.GSM)}, lambda: next(bench.ids))
    await other.start(bench)  # type: ignore[arg-type]
    assert other.deadline() is None
    bench.reassembly = Reassembly({"north": Source(60.0, Coding.GSM)}, lambda: next(bench.ids))
    await bench.reassembly.start(bench)  # type: ignore[arg-type]
    assert [w.text for w in bench.take(third)] == [LONG]


async def test_national_language_tables_of_a_part_survive_a_restart(bench: Bench, mo: Any) -> None:
    [plain] = mo("x")
    one = bytes.fromhex("0b 0003070201 250101 240101 40 1b")  # the escape's code is in the next part
    two = bytes.fromhex("0b 0003070202 250101 240101 73 1d")
    first, second = (replace(plain, esm_class=0x40, short_message=part) for part in (one, two))
    bench.take(first)
    bench.reassembly = Reassembly({"north": Source(60.0, Coding.GSM)}, lambda: next(bench.ids))
    await bench.reassembly.start(bench)  # type: ignore[arg-type]
    assert [w.text for w in bench.take(second)] == ["İşş"]


def test_peers_of_the_same_reference_do_not_mix(bench: Bench, mo: Any) -> None:
    bench.reassembly.configure({"south": Source(60.0, Coding.GSM)})
    first, second, third = mo(LONG)
    bench.take(first)
    bench.take(second)
    unit = Unit()
    assert bench.reassembly.add(unit, "south", sms.read(third), 0.0)[1] == []


def test_parts_are_waited_for_as_long_wherever_the_wall_clock_is_set_to(mo: Any) -> None:
    ahead = 0.0
    reassembly = Reassembly({"north": Source(60.0, Coding.GSM)}, lambda: "1", lambda at: at - ahead)
    first, second, third = map(sms.read, mo(LONG))
    reassembly.add(Unit(), "north", first, 0.0)
    ahead = 3600.0
    _, wholes = reassembly.add(Unit(), "north", second, 3601.0)
    assert wholes == [] and reassembly.expire(Unit(), 3602.0) == []
    ahead = -3600.0
    _, [whole] = reassembly.add(Unit(), "north", third, -3597.0)
    assert (whole.text, whole.incomplete) == (LONG, False)
