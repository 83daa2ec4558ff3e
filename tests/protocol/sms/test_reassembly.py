"""Parts in any order, twice, mixed up, late, never: what comes out, and that memory stays bounded."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.protocol.sms.coding import ALPHABETS, Binary, Coding, Text
from gateway.protocol.sms.reassembly import (
    Assembler,
    Complete,
    Incomplete,
    Key,
    Payload,
    Sar,
    UserData,
    join,
    user_data,
)
from gateway.protocol.sms.segments import LongMethod, Segment, split
from gateway.protocol.sms.udh import Concat, Ports

SMILE = "\U0001f600"
PART = b"\x05\x00\x03\x07\x02\x01"
PORTS = b"\x06\x05\x04\x15\x8a\x00\x00"


def key(
    total: int = 3, reference: int = 7, *, source: str = "a", wide: bool = False, sar: bool = False
) -> Key:
    return Key(source, "b", reference, total, wide, sar)


def payload(octets: bytes, token: object = None, data_coding: int = 0) -> Payload:
    return Payload(octets, data_coding, token)


def test_the_last_part_completes_the_message_whatever_the_order() -> None:
    parts = Assembler(60)
    assert parts.add(key(), 3, payload(b"c", "t3"), 0) is None
    assert parts.add(key(), 1, payload(b"a", "t1"), 1) is None
    assert len(parts) == 1
    complete = parts.add(key(), 2, payload(b"b", "t2"), 2)
    assert complete is not None
    assert complete.decode() == Text("abc")
    assert complete.tokens == ("t1", "t2", "t3")
    assert len(parts) == 0
    assert parts.deadline() is None


def test_a_message_of_one_part_is_complete_at_once() -> None:
    assert Assembler(60).add(key(1), 1, payload(b"a"), 0) == Complete(key(1), (payload(b"a"),))


def test_a_part_that_is_taken_back_is_as_if_it_had_never_come() -> None:
    parts = Assembler(60, limit_octets=2)
    parts.add(key(), 1, payload(b"a", "t1"), 0)
    assert not parts.take_back(key(), 1, "other")
    assert not parts.take_back(key(), 2, "t1")
    assert parts.take_back(key(), 1, "t1")
    assert (len(parts), parts.deadline()) == (0, None)
    parts.add(key(), 1, payload(b"xy", "t2"), 0)  # its octets are free again
    assert len(parts) == 1


def test_a_reopened_message_waits_for_what_was_lost_of_it() -> None:
    parts = Assembler(60)
    for part, token in enumerate(("t1", "t2", "t3"), 1):
        complete = parts.add(key(), part, payload(token.encode(), token), 0)
    assert complete is not None
    parts.reopen(complete, {"t3"}, 5)
    assert parts.deadline() == 65
    again = parts.add(key(), 3, payload(b"t3", "t4"), 6)
    assert again is not None and again.tokens == ("t1", "t2", "t4")


def test_a_reopened_message_that_times_out_is_no_repeat_of_itself() -> None:
    parts = Assembler(60)
    parts.add(key(2), 1, payload(b"a", "t1"), 0)
    complete = parts.add(key(2), 2, payload(b"b", "t2"), 0)
    assert complete is not None
    parts.reopen(complete, {"t2"}, 0)
    [incomplete] = parts.expire(60)
    assert (incomplete.missing, incomplete.repeat) == ((2,), False)
    parts.reopen(incomplete, (), 60)
    assert parts.expire(120) == [incomplete]


def test_nothing_is_reopened_when_all_parts_are_lost() -> None:
    parts = Assembler(60)
    complete = parts.add(key(1), 1, payload(b"a", "t1"), 0)
    assert complete is not None
    parts.reopen(complete, {"t1"}, 0)
    assert len(parts) == 0


def test_copies_are_ignored_and_the_first_token_counts() -> None:
    parts = Assembler(60)
    parts.add(key(2), 1, payload(b"a", "first"), 0)
    assert parts.held(key(2), 1, payload(b"a", "again")) is not None
    assert parts.held(key(2), 2, payload(b"a")) is None
    assert parts.held(key(2), 1, payload(b"x")) is None
    assert parts.add(key(2), 1, payload(b"a", "again"), 1) is None
    complete = parts.add(key(2), 2, payload(b"b", "second"), 2)
    assert complete is not None
    assert complete.tokens == ("first", "second")


@pytest.mark.parametrize(
    "other",
    [
        key(2, source="z"),
        Key("a", "z", 7, 2, False, False),
        key(2, 8),
        key(3),
        key(2, wide=True),
        key(2, wide=True, sar=True),
    ],
)
def test_messages_that_differ_anywhere_in_their_key_do_not_mix(other: Key) -> None:
    parts = Assembler(60)
    parts.add(key(2), 1, payload(b"a"), 0)
    assert parts.add(other, 2, payload(b"z"), 0) is None
    complete = parts.add(key(2), 2, payload(b"b"), 0)
    assert complete is not None
    assert complete.decode() == Text("ab")


@pytest.mark.parametrize("part", [0, 4, -1])
def test_a_part_outside_its_total_is_the_callers_error(part: int) -> None:
    with pytest.raises(ValueError, match="of 3"):
        Assembler(60).add(key(3), part, payload(b"a"), 0)


def test_what_came_is_delivered_in_order_when_time_is_over() -> None:
    parts = Assembler(60)
    parts.add(key(5), 4, payload(b"d", 4), 100)
    parts.add(key(5), 2, payload(b"b", 2), 130)
    assert parts.deadline() == 160  # counted from the first part
    assert parts.expire(159.9) == []
    (incomplete,) = parts.expire(160)
    assert incomplete == Incomplete(
        key(5), ((2, payload(b"b", 2)), (4, payload(b"d", 4))), (1, 3, 5), repeat=False
    )
    assert incomplete.tokens == (2, 4)
    assert incomplete.decode() == Text("bd")
    assert (len(parts), parts.deadline(), parts.expire(1000)) == (0, None, [])


def test_messages_expire_in_the_order_in_which_they_began() -> None:
    parts = Assembler(60)
    for reference, now in ((1, 0.0), (2, 10.0), (3, 20.0)):
        parts.add(key(2, reference), 1, payload(b"a"), now)
    parts.add(key(3, 9), 1, payload(b"a"), 20.0)
    assert [message.key.reference for message in parts.expire(70.0)] == [1, 2]
    assert parts.deadline() == 80.0


def test_past_the_limit_of_messages_the_oldest_is_given_up() -> None:
    parts = Assembler(60, limit_messages=2)
    for reference in (1, 2, 3):
        parts.add(key(2, reference), 1, payload(b"a"), float(reference))
    assert len(parts) == 2
    assert parts.deadline() == 3.0  # at once
    assert [message.key.reference for message in parts.expire(3.0)] == [1]
    assert parts.deadline() == 62.0


def test_past_the_limit_of_octets_the_oldest_is_given_up() -> None:
    parts = Assembler(60, limit_octets=100)
    parts.add(key(3, 1), 1, payload(b"a" * 60), 0)
    parts.add(key(3, 2), 1, payload(b"b" * 40), 0)
    assert parts.expire(0) == []
    parts.add(key(3, 2), 2, payload(b"c"), 0)
    assert [message.key.reference for message in parts.expire(0)] == [1]
    assert parts.add(key(3, 2), 3, payload(b"d" * 59), 0) is not None
    parts.add(key(3, 4), 1, payload(b"e" * 101), 0)
    assert [message.key.reference for message in parts.expire(0)] == [4]
    assert len(parts) == 0


def test_another_part_under_the_same_number_begins_a_new_message() -> None:
    parts = Assembler(60)
    parts.add(key(2), 1, payload(b"old"), 0)
    assert parts.add(key(2), 1, payload(b"new "), 5) is None
    assert [message.decode() for message in parts.expire(5)] == [Text("old")]
    complete = parts.add(key(2), 2, payload(b"message"), 6)
    assert complete is not None
    assert complete.decode() == Text("new message")


def test_a_part_sent_again_after_the_message_was_complete_is_a_repeat() -> None:
    parts = Assembler(60)
    parts.add(key(2), 1, payload(b"a"), 0)
    parts.add(key(2), 2, payload(b"b"), 1)
    parts.add(key(2), 2, payload(b"b", "again"), 50)
    (incomplete,) = parts.expire(110)
    assert incomplete.repeat
    assert incomplete.tokens == ("again",)


@pytest.mark.parametrize(("octets", "now"), [(b"other", 50.0), (b"b", 61.0)])
def test_a_new_message_under_an_old_reference_is_no_repeat(octets: bytes, now: float) -> None:
    parts = Assembler(60)
    parts.add(key(2), 1, payload(b"a"), 0)
    parts.add(key(2), 2, payload(b"b"), 1)
    parts.add(key(2), 2, payload(octets), now)
    assert [message.repeat for message in parts.expire(now + 60)] == [False]


def test_the_same_message_sent_twice_comes_out_twice() -> None:
    parts = Assembler(60)
    for _ in range(2):
        parts.add(key(2), 1, payload(b"a"), 0)
        assert parts.add(key(2), 2, payload(b"b"), 0) is not None


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        ((b"a\x1b", b"eb"), 0, "a€b"),
        ((b"\x00a\xd8\x3d", b"\xde\x00"), 8, "a" + SMILE),
        ((b"\x00", b"A"), 8, "A"),
    ],
)
def test_characters_that_straddle_parts_survive(
    octets: tuple[bytes, bytes], data_coding: int, text: str
) -> None:
    assert join([payload(part, None, data_coding) for part in octets]) == Text(text)


def test_half_characters_beside_a_gap_do_not_join() -> None:
    parts = ((1, payload(b"a\x1b")), (3, payload(b"eb\x1b")), (4, payload(b"e")))
    assert Incomplete(key(4), parts, (2,), repeat=False).decode() == Text("a eb€")


def test_parts_in_different_alphabets_are_decoded_each() -> None:
    assert join([payload(b"a"), payload(b"\x04\x16", None, 8), payload(b"b", None, 8)]) == Text(
        "aЖ\ufffd", faulty=True
    )


def test_binary_parts_are_joined_and_never_pass_for_text() -> None:
    assert join([payload(b"\x01", None, 0xF5), payload(b"\x02", None, 0xF5)]) == Binary(b"\x01\x02", 1)
    assert join([payload(b"\x01", None, 4), payload(b"\x02", None, 0xF5)]) == Binary(b"\x01\x02")
    assert join([payload(b"a"), payload(b"\x01", None, 4)]) == Text("a", faulty=True)


def test_parts_are_read_in_the_smscs_default_alphabet() -> None:
    assert Complete(key(1), (payload(b"\xe9"),)).decode(Coding.LATIN1) == Text("é")


@pytest.mark.parametrize(
    ("udhi", "octets", "sar", "expected"),
    [
        (False, b"\x05\x00\x03\x07\x02\x01x", None, UserData(None, b"\x05\x00\x03\x07\x02\x01x", None)),
        (True, b"\x05\x00\x03\x07\x02\x01x", None, UserData(Concat(7, 2, 1, wide=False), b"x", None, PART)),
        (True, b"\x06\x05\x04\x15\x8a\x00\x00x", None, UserData(None, b"x", None, PORTS)),
        (False, b"x", Sar(300, 3, 2), UserData(Concat(300, 3, 2, wide=True, sar=True), b"x", None)),
        # the header's numbering goes before the parameters'
        (
            True,
            b"\x05\x00\x03\x07\x02\x01x",
            Sar(9, 3, 3),
            UserData(Concat(7, 2, 1, wide=False), b"x", None, PART),
        ),
        (
            True,
            b"\x06\x05\x04\x15\x8a\x00\x00x",
            Sar(9, 3, 3),
            UserData(Concat(9, 3, 3, wide=True, sar=True), b"x", None, PORTS),
        ),
    ],
)
def test_user_data_is_taken_apart(udhi: bool, octets: bytes, sar: Sar | None, expected: UserData) -> None:
    assert user_data(udhi, octets, sar) == expected


@pytest.mark.parametrize(
    ("udhi", "octets", "sar", "left"),
    [
        (True, b"", None, b""),
        (True, b"Hello", None, b"Hello"),  # UDHL 72: no header at all
        (True, b"\x05\x00\x09\x07\x02\x01x", None, b"x"),  # an element too long: skipped as a whole
        (False, b"x", Sar(1, 2, 3), b"x"),
        (False, b"x", Sar(1, 0, 0), b"x"),
    ],
)
def test_user_data_that_lies_is_kept_with_a_fault(
    udhi: bool, octets: bytes, sar: Sar | None, left: bytes
) -> None:
    concat, rest, fault, header = user_data(udhi, octets, sar)
    assert (concat, rest, header) == (None, left, b"")
    assert fault


@given(
    st.booleans(),
    st.binary(max_size=160),
    st.none() | st.builds(Sar, st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255)),
)
def test_user_data_of_any_kind_gives_a_value(udhi: bool, octets: bytes, sar: Sar | None) -> None:
    concat, rest, fault, header = user_data(udhi, octets, sar)
    assert octets.endswith(header + rest)
    assert fault or header + rest == octets
    assert concat is None or 1 <= concat.part <= concat.total


def received(segment: Segment) -> UserData:
    sar = Sar(segment.reference, segment.total, segment.part) if segment.sar else None
    return user_data(segment.udhi, segment.octets, sar)


@given(
    text=st.text(alphabet=st.sampled_from("ab[€"), min_size=161, max_size=900)
    | st.text(
        alphabet=st.sampled_from("aЖ" + SMILE)
        | st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe"),
        min_size=161,
        max_size=500,
    ),
    method=st.sampled_from([LongMethod.UDH8, LongMethod.UDH16, LongMethod.SAR]),
    data=st.data(),
)
@settings(max_examples=60)
def test_shuffled_and_doubled_segments_give_the_text(
    text: str, method: LongMethod, data: st.DataObject
) -> None:
    segments = split(text, reference=data.draw(st.integers(0, 0xFFFF)), method=method)
    doubled = data.draw(st.permutations([*segments, *data.draw(st.lists(st.sampled_from(segments)))]))
    parts = Assembler(60)
    messages = list(feed(parts, doubled))
    assert messages[0].decode() == Text(text)
    assert list(messages[0].tokens) == list(range(1, len(segments) + 1))
    assert all(message.decode() == Text(text) for message in messages)
    assert all(message.repeat for message in parts.expire(61))


def feed(parts: Assembler, segments: Iterable[Segment]) -> Iterable[Complete]:
    for segment in segments:
        concat, octets, fault, header = received(segment)
        assert concat is not None
        assert fault is None
        arrived = Payload(octets, segment.data_coding, concat.part, header)
        complete = parts.add(Key.of("a", "b", concat), concat.part, arrived, 0)
        if complete is not None:
            yield complete


# U+FFFE, which is no character, says that the octets are the other way round
@given(text=st.text(max_size=400).filter(lambda text: text[:1] != "\ufffe"), cut=st.integers(1, 20))
def test_ucs2_cut_anywhere_by_a_careless_peer_comes_back(text: str, cut: int) -> None:
    octets = text.encode("utf-16-be")
    pieces = [octets[at : at + cut] for at in range(0, len(octets), cut)] or [b""]
    assert join([payload(piece, None, 8) for piece in pieces]) == Text(text)


class AssemblerModel(RuleBasedStateMachine):
    """Against a dictionary of sets: who is open, who expires, and what each part's fate is."""

    @initialize()
    def start(self) -> None:
        self.parts = Assembler(10, limit_messages=3)
        self.now = 0.0
        self.open: dict[Key, tuple[float, dict[int, int]]] = {}
        self.given_up: list[tuple[Key, set[int]]] = []
        self.serial = 0

    @rule(reference=st.integers(1, 5), part=st.integers(1, 3), copy=st.booleans())
    def add(self, reference: int, part: int, copy: bool) -> None:
        which = key(3, reference)
        there = self.open.get(which, (0.0, {}))[1].get(part)
        self.serial += 1
        content = there if copy and there is not None else self.serial
        complete = self.parts.add(which, part, payload(b"%d" % content, self.serial), self.now)
        if there == content:
            assert complete is None
            return
        if there is not None:
            self.give_up(which)
        self.open.setdefault(which, (self.now, {}))[1][part] = content
        if len(self.open[which][1]) == 3:
            assert complete is not None
            assert [int(one.octets) for one in complete.payloads] == [
                self.open[which][1][n] for n in (1, 2, 3)
            ]
            del self.open[which]
            return
        assert complete is None
        if len(self.open) > 3:
            self.give_up(next(iter(self.open)))

    def give_up(self, which: Key) -> None:
        self.given_up.append((which, set(self.open.pop(which)[1])))

    @rule(seconds=st.floats(0, 12))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for which in [which for which, (since, _) in self.open.items() if since + 10 <= self.now]:
            self.give_up(which)
        expired = self.parts.expire(self.now)
        assert [(one.key, {part for part, _ in one.parts}) for one in expired] == self.given_up
        assert all({part for part, _ in one.parts} | set(one.missing) == {1, 2, 3} for one in expired)
        self.given_up.clear()

    @invariant()
    def same_open(self) -> None:
        assert len(self.parts) == len(self.open) <= 3
        deadline = self.parts.deadline()
        if self.given_up:
            assert deadline is not None
            assert deadline <= self.now
        else:
            assert deadline == min((since + 10 for since, _ in self.open.values()), default=None)


TestAssemblerModel = AssemblerModel.TestCase
TestAssemblerModel.settings = settings(max_examples=60, stateful_step_count=40)


def test_ports_are_seen_on_binary_messages_in_one_part_or_many() -> None:
    push = user_data(True, bytes.fromhex("06 0504 0b84 23f0 0106"))
    assert push.decode(0xF5) == Binary(b"\x01\x06", 1, Ports(2948, 9200))
    assert push.decode(0x04) == Binary(b"\x01\x06", None, Ports(2948, 9200))
    assert push.decode(0x00) == Text("£ù")  # text is text
    parts = [
        user_data(True, bytes.fromhex("0b 0504 0b84 23f0 0003070201 0106")),
        user_data(True, bytes.fromhex("0b 0504 0b84 23f0 0003070202 07")),
    ]
    assert [part.concat for part in parts] == [Concat(7, 2, 1, wide=False), Concat(7, 2, 2, wide=False)]
    payloads = [Payload(part.octets, 0xF5, None, part.header) for part in parts]
    assert join(payloads) == Binary(b"\x01\x06\x07", 1, Ports(2948, 9200))
    incomplete = Incomplete(key(4), ((1, payloads[0]), (3, payloads[1])), (2, 4), repeat=False)
    assert incomplete.decode() == Binary(b"\x01\x06\x07", 1, Ports(2948, 9200))


def test_headers_count_against_the_limit_of_octets() -> None:
    parts = Assembler(60, limit_octets=20)
    for reference in range(3):
        parts.add(key(2, reference), 1, Payload(b"", 0, None, PORTS), 0)
    assert len(parts) == 2


def test_packed_septets_begin_anew_in_each_part() -> None:
    parts = split("a" * 153 + "@" * 7, reference=7, method=LongMethod.UDH8, alphabet=Coding.PACKED)
    read = [received(part) for part in parts]
    payloads = [Payload(part.octets, 0, None, part.header) for part in read]
    assert join(payloads, Coding.PACKED) == Text("a" * 153 + "@" * 7)
    assert join([Payload(b"\x04\x16", 8)], Coding.PACKED) == Text("Ж")  # what is not GSM is not packed


@given(
    udhi=st.booleans(),
    octets=st.binary(max_size=160),
    data_coding=st.integers(0, 255),
    alphabet=st.sampled_from(list(ALPHABETS.values())),
)
def test_whatever_a_pdu_holds_is_read(udhi: bool, octets: bytes, data_coding: int, alphabet: Coding) -> None:
    data = user_data(udhi, octets)
    assert isinstance(data.decode(data_coding, alphabet), Text | Binary)


@given(
    start=st.sampled_from(["2401", "2501", "0003", "0804", "0504", "0402"]),
    rest=st.binary(max_size=30),
    alphabet=st.sampled_from(list(ALPHABETS.values())),
)
def test_headers_of_all_kinds_are_read(start: str, rest: bytes, alphabet: Coding) -> None:
    elements = bytes.fromhex(start) + rest
    for length in (len(elements), 3, 4, 6):
        data = user_data(True, bytes((length,)) + elements)
        assert isinstance(data.decode(0, alphabet), Text | Binary)
