"""gateway.protocol.rtp.stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.rtp.codec import FRAME, Codec
from gateway.protocol.rtp.g711 import pcma_to_pcmu
from gateway.protocol.rtp.packet import RtpPacket, parse
from gateway.protocol.rtp.stream import FRAME_SECONDS, RtpReceiver, RtpSender
from gateway.protocol.rtp.telephone_event import DigitReceiver


def a_sender(codec: Codec = Codec.PCMA, sequence: int = 100, timestamp: int = 1000) -> RtpSender:
    return RtpSender(
        ssrc=7, sequence=sequence, timestamp=timestamp, codec=codec, payload_type=8, dtmf_payload_type=101
    )


def sent_by(sender: RtpSender, count: int) -> list[RtpPacket]:
    return [parse(sender.next_packet()) for _ in range(count)]


def test_a_prompt_goes_out_in_frames_of_160_with_silence_after() -> None:
    sender = a_sender()
    prompt = bytes(range(250)) + bytes(150)
    sender.play(prompt)
    packets = sent_by(sender, 4)
    assert b"".join(packet.payload for packet in packets) == prompt + b"\xd5" * 240
    assert [packet.sequence for packet in packets] == [100, 101, 102, 103]
    assert [packet.timestamp for packet in packets] == [1000, 1160, 1320, 1480]
    assert [packet.marker for packet in packets] == [True, False, False, False]
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(7, 8)}


def test_finished_when_the_last_frame_has_been_taken() -> None:
    sender = a_sender()
    assert sender.finished
    sender.play(bytes(161))
    sender.next_packet()
    assert not sender.finished
    sender.next_packet()
    assert sender.finished


def test_prompts_follow_one_another_without_a_gap_whatever_their_lengths() -> None:
    sender = a_sender()
    sender.play(b"a" * 200, b"", b"b" * 30, b"c" * 250)
    packets = sent_by(sender, 4)
    assert (
        b"".join(packet.payload for packet in packets) == b"a" * 200 + b"b" * 30 + b"c" * 250 + b"\xd5" * 160
    )


def test_a_prompt_goes_on_in_the_codec_that_a_reinvite_changes_to() -> None:
    sender = a_sender()
    sender.play(b"a" * 500, b"b" * 100)
    assert sent_by(sender, 1)[0].payload == b"a" * 160
    sender.set_format(Codec.PCMU, 0, 101)
    packets = sent_by(sender, 4)
    assert b"".join(packet.payload for packet in packets)[:440] == pcma_to_pcmu(b"a" * 340 + b"b" * 100)
    assert packets[3].payload == Codec.PCMU.silence * FRAME
    assert {packet.payload_type for packet in packets} == {0}
    sender.play(b"w" * 160)  # and what is played next is in it anyway
    assert sent_by(sender, 1)[0].payload == b"w" * 160
    sender.play(b"w" * 320)
    sender.set_format(Codec.G722, 9, 101)
    sender.set_format(Codec.PCMU, 0, 101)
    assert sent_by(sender, 1)[0].payload == b"w" * 160


def test_what_is_relayed_takes_the_place_of_silence_once_and_never_that_of_a_prompt() -> None:
    sender = a_sender()
    sender.relay(b"r" * 160)
    sender.play(b"p" * 160)
    assert [packet.payload[:1] for packet in sent_by(sender, 3)] == [b"p", b"r", b"\xd5"]


def test_stop_goes_back_to_silence() -> None:
    sender = a_sender(Codec.PCMU)
    sender.play(bytes(1600))
    sender.next_packet()
    sender.stop()
    assert parse(sender.next_packet()).payload == b"\xff" * FRAME
    assert sender.finished


def test_sequence_and_timestamp_wrap() -> None:
    packets = sent_by(a_sender(sequence=0xFFFF, timestamp=2**32 - FRAME), 2)
    assert [(packet.sequence, packet.timestamp) for packet in packets] == [(0xFFFF, 2**32 - FRAME), (0, 0)]


def test_hold_keeps_the_clock_and_the_prompt_and_resumes_with_a_marker() -> None:
    sender = a_sender()
    sender.play(b"a" * 160 + b"b" * 160)
    sender.next_packet()
    sender.skip()
    packet = parse(sender.next_packet())
    assert (packet.payload, packet.sequence, packet.timestamp, packet.marker) == (b"b" * 160, 101, 1320, True)


def test_digits_take_the_place_of_audio_under_their_own_payload_type() -> None:
    sender, receiver = a_sender(), DigitReceiver()
    sender.send_digits("4#")
    packets = sent_by(sender, 20)
    events = [packet for packet in packets if packet.payload_type == 101]
    assert len(events) == 14
    heard = [receiver.receive(packet.timestamp, packet.payload) for packet in events]
    assert [digit for digit in heard if digit] == ["4", "#"]
    assert [packet.sequence for packet in packets] == list(range(100, 120))
    assert packets[7].timestamp == 1000 + 7 * FRAME  # the clock ran on under the event


def test_digits_need_a_peer_that_takes_them() -> None:
    sender = a_sender()
    sender.set_format(Codec.PCMU, 0, None)
    with pytest.raises(ValueError, match="telephone events"):
        sender.send_digits("1")


def receive(receiver: RtpReceiver, *sequences: int) -> list[bool]:
    return [
        receiver.receive(RtpPacket(0, seq & 0xFFFF, seq * FRAME % 2**32, 9, b""), seq * FRAME_SECONDS)
        for seq in sequences
    ]


def test_an_even_stream_has_no_loss_and_no_jitter() -> None:
    receiver = RtpReceiver()
    receive(receiver, *range(65500, 65600))
    stats = receiver.stats()
    assert (stats.packets, stats.lost, stats.duplicates, stats.out_of_order) == (100, 0, 0, 0)
    assert stats.jitter_seconds < 1e-6


def test_gaps_duplicates_and_late_packets_are_told_apart() -> None:
    receiver = RtpReceiver()
    assert receive(receiver, 10, 11, 14, 14, 12, 11) == [True, True, True, False, True, False]
    stats = receiver.stats()
    assert (stats.packets, stats.lost, stats.duplicates, stats.out_of_order) == (4, 1, 2, 1)


def test_a_packet_older_than_the_first_does_not_hide_a_loss() -> None:
    receiver = RtpReceiver()
    receive(receiver, 10, 9, 12)
    assert (receiver.stats().packets, receiver.stats().lost) == (3, 1)


def test_one_stray_leap_is_dropped_and_a_restart_followed() -> None:
    receiver = RtpReceiver()
    receive(receiver, 1, 2)
    assert receive(receiver, 30_000, 3, 40_000, 40_001, 40_002) == [False, True, False, True, True]
    assert receiver.stats().lost == 0


def test_a_new_source_starts_afresh_and_keeps_the_count() -> None:
    receiver = RtpReceiver()
    receive(receiver, 1, 2, 3)
    receiver.receive(RtpPacket(0, 500, 0, 10, b""), 5.0)
    stats = receiver.stats()
    assert (stats.packets, stats.lost) == (4, 0)
    assert stats.jitter_seconds < 1e-6


def test_jitter_is_that_of_rfc_3550_appendix_a_8() -> None:
    receiver = RtpReceiver()
    expected = 0.0
    for number in range(50):
        late = 0.004 if number % 2 else 0.0
        receiver.receive(RtpPacket(0, number, number * FRAME, 1, b""), number * FRAME_SECONDS + late)
        if number:
            expected += (0.004 * 8000 - expected) / 16
    assert receiver.stats().jitter_seconds == pytest.approx(expected / 8000)


def test_telephone_events_do_not_count_as_jitter() -> None:
    receiver = RtpReceiver()
    receive(receiver, 1, 2)
    for number in (3, 4, 5):
        packet = RtpPacket(101, number, 3 * FRAME, 9, b"")
        assert receiver.receive(packet, number * FRAME_SECONDS, is_audio=False)
    receive(receiver, 6)
    assert receiver.stats().jitter_seconds < 1e-6
    assert receiver.stats().lost == 0


@given(st.integers(0, 0xFFFF), st.sets(st.integers(1, 300), max_size=80))
def test_loss_is_what_was_lost(first: int, missing: set[int]) -> None:
    receiver = RtpReceiver()
    kept = [number for number in range(302) if number not in missing]
    receive(receiver, *(first + number for number in kept))
    assert receiver.stats().packets == len(kept)
    assert receiver.stats().lost == len(missing)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.integers(0, 2)), max_size=60))
def test_any_packets_keep_the_counts_sane(packets: list[tuple[int, int, int]]) -> None:
    receiver = RtpReceiver()
    taken = sum(
        receiver.receive(RtpPacket(0, sequence, timestamp, ssrc, b""), float(at))
        for at, (sequence, timestamp, ssrc) in enumerate(packets)
    )
    stats = receiver.stats()
    assert stats.packets == taken
    assert stats.lost >= 0 and stats.jitter_seconds >= 0
