"""gateway.protocol.rtp.telephone_event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.rtp.packet import RtpError
from gateway.protocol.rtp.telephone_event import (
    DIGITS,
    FRAME,
    DigitReceiver,
    DigitSender,
    EventPacket,
    TelephoneEvent,
    pack_event,
    parse_event,
)


def frames(sender: DigitSender, count: int) -> list[EventPacket | None]:
    return [sender.next_event(frame * FRAME) for frame in range(count)]


def test_payload_lies_as_in_rfc_4733_section_2_3() -> None:
    event = TelephoneEvent(event=11, end=True, volume=10, duration=800)
    assert pack_event(event) == bytes.fromhex("0b 8a 0320")
    assert parse_event(bytes.fromhex("0b ca 0320 ffff")) == event  # R is ignored, as is what follows
    assert event.digit == "#"


def test_a_press_has_a_marker_a_growing_duration_and_three_end_packets() -> None:
    sender = DigitSender()
    sender.send("7")
    sent = [packet for packet in frames(sender, 20) if packet]
    events = [parse_event(packet.payload) for packet in sent]
    assert [packet.marker for packet in sent] == [True] + [False] * 6
    assert {packet.timestamp for packet in sent} == {0}
    assert [event.duration for event in events] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.end for event in events] == [False] * 4 + [True] * 3
    assert {event.digit for event in events} == {"7"}


def test_equal_digits_are_parted_by_audio_and_by_timestamp() -> None:
    sender, receiver = DigitSender(), DigitReceiver()
    sender.send("55")
    sent = frames(sender, 40)
    assert sent[7:10] == [None] * 3
    heard = [receiver.receive(packet.timestamp, packet.payload) for packet in sent if packet]
    assert [digit for digit in heard if digit] == ["5", "5"]


@given(st.text(DIGITS, max_size=8), st.randoms(use_true_random=False))
def test_every_press_is_heard_once_whatever_is_lost_or_doubled(digits: str, random) -> None:  # type: ignore[no-untyped-def]
    sender, receiver = DigitSender(), DigitReceiver()
    sender.send(digits)
    sent = [packet for packet in frames(sender, 10 * len(digits)) if packet]
    presses = [sent[at : at + 7] for at in range(0, len(sent), 7)]
    heard = ""
    for press in presses:
        kept = random.sample(press, random.randint(1, 7))
        for packet in kept + kept[:2]:
            heard += receiver.receive(packet.timestamp, packet.payload) or ""
    assert heard == digits


def test_end_packets_of_the_last_press_may_come_behind_the_next() -> None:
    receiver = DigitReceiver()
    one, two = (pack_event(TelephoneEvent(digit, True, 10, 800)) for digit in (1, 2))
    heard = [receiver.receive(0, one), receiver.receive(2000, two), receiver.receive(0, one)]
    assert heard == ["1", "2", None]


def test_flash_and_tones_are_no_digits() -> None:
    assert DigitReceiver().receive(0, pack_event(TelephoneEvent(16, False, 10, 160))) is None


def test_only_dtmf_can_be_sent_and_a_wrong_one_queues_nothing() -> None:
    sender = DigitSender()
    with pytest.raises(ValueError, match="'x'"):
        sender.send("12x")
    assert sender.next_event(0) is None


@given(st.binary(max_size=8))
def test_random_octets_give_an_event_or_rtp_error(payload: bytes) -> None:
    try:
        event = parse_event(payload)
    except RtpError:
        assert len(payload) < 4
        return
    assert pack_event(event)[2:] == payload[2:4]
