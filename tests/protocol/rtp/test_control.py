"""gateway.protocol.rtp.control, in virtual time."""

from random import Random

import pytest

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.control import ControlStream
from gateway.protocol.rtp.packet import parse as parse_rtp
from gateway.protocol.rtp.rtcp import Report, parse
from gateway.protocol.rtp.stream import RtpReceiver, RtpSender

WALL = 1_800_000_000.0


class Side:
    def __init__(self, ssrc: int, chance: float = 0.5) -> None:
        self.sender = RtpSender(ssrc=ssrc, sequence=1, timestamp=0, codec=Codec.PCMU, payload_type=0)
        self.receiver = RtpReceiver()
        self.control = ControlStream(self.sender, self.receiver, cname="me", chance=lambda: chance)

    def report(self, now: float) -> Report:
        [report] = parse(self.control.next_packet(now, WALL + now))
        assert isinstance(report, Report)
        return report


def test_the_first_report_comes_after_half_an_interval_and_all_are_spread() -> None:
    chance = Random(1)
    waits = []
    for _ in range(200):
        side = Side(1, chance.random())
        side.control.begin(100.0)
        assert 1.0 <= side.control.due - 100.0 <= 3.1
        side.report(200.0)
        waits.append(side.control.due - 200.0)
    assert 2.0 <= min(waits) < 2.3 and 5.9 < max(waits) <= 6.2
    assert sum(waits) / len(waits) == pytest.approx(5 / 1.21828, rel=0.05)


def test_who_sends_reports_what_and_who_does_not_only_what_came() -> None:
    side = Side(1)
    assert side.report(0.0).sender is None
    for _ in range(3):
        side.sender.next_packet()
    sender = side.report(5.0).sender
    assert sender is not None
    assert (sender.packets, sender.octets, sender.timestamp) == (3, 480, 480)
    assert [side.report(10.0 + n).sender is not None for n in range(3)] == [True, True, False]


def test_loss_is_told_for_the_time_since_the_last_report_and_altogether() -> None:
    one, two = Side(1), Side(2)
    for number in range(100):
        packet = parse_rtp(one.sender.next_packet())
        if number % 4 != 1:
            two.receiver.receive(packet, number * 0.02)
    [block] = two.report(2.0).blocks
    assert (block.ssrc, block.lost, block.fraction_lost, block.highest_sequence) == (1, 25, 64, 100)
    [block] = two.report(7.0).blocks
    assert (block.lost, block.fraction_lost) == (25, 0)
    one.control.receive(two.control.next_packet(12.0, WALL), 12.0, WALL)
    assert one.control.lost_there == 25


def test_the_round_trip_is_what_the_peers_delay_does_not_explain() -> None:
    one, two = Side(1), Side(2)
    two.receiver.receive(parse_rtp(one.sender.next_packet()), 0.0)
    two.control.receive(one.control.next_packet(10.0, WALL + 10.0), 10.04, 5.0)  # another clock there
    one.control.receive(two.control.next_packet(12.04, 7.0), 12.08, WALL + 12.08)
    assert one.control.round_trip_seconds == pytest.approx(0.08, abs=0.001)


def test_the_sequence_number_is_told_with_its_cycles() -> None:
    side = Side(1)
    sender = RtpSender(ssrc=9, sequence=65530, timestamp=0, codec=Codec.PCMU, payload_type=0)
    for number in range(10):
        side.receiver.receive(parse_rtp(sender.next_packet()), number * 0.02)
    [block] = side.report(1.0).blocks
    assert block.highest_sequence == 65536 + 3


def test_bye_is_the_end_of_a_compound_packet_and_is_heard() -> None:
    one, two = Side(1), Side(2)
    two.control.receive(one.control.next_packet(0.0, WALL, bye=True), 0.0, WALL)
    assert two.control.ended and not one.control.ended
