"""One call's RTCP: when to report (RFC 3550 section 6.3), what, and what the peer's reports tell us."""

from collections.abc import Callable
from typing import Final

from gateway.protocol.rtp.codec import SAMPLE_RATE
from gateway.protocol.rtp.rtcp import Block, Bye, Report, SenderInfo, middle, ntp, pack, parse
from gateway.protocol.rtp.stream import RtpReceiver, RtpSender

# Of two participants at 64 kbit/s the share of RTCP would allow more; the minimum of section 6.2 rules
_INTERVAL_SECONDS: Final = 5.0
_COMPENSATION: Final = 1.21828  # section 6.3.1: e - 3/2
_STILL_SENDING: Final = 2  # reports that a sender stays one after its last packet


class ControlStream:
    """Told the time twice: `now` is monotonic seconds, `wall` Unix seconds."""

    def __init__(
        self, sender: RtpSender, receiver: RtpReceiver, *, cname: str, chance: Callable[[], float]
    ) -> None:
        """`chance` gives numbers from 0 to 1: without them all calls would report at once."""
        self._sender = sender
        self._receiver = receiver
        self._cname = cname
        self._chance = chance
        self._packets_before = -1
        self._silent_reports = _STILL_SENDING
        self._last_sender_report = 0  # the peer's, the middle of its NTP time
        self._heard_at = 0.0
        self.due = 0.0  # when to send the next one; 0 = `begin` has not been called
        self.ended = False  # the peer said BYE
        self.round_trip_seconds = 0.0  # 0 = not known
        self.lost_there = 0  # of what we sent

    def begin(self, now: float) -> None:
        """Media flows: the first report comes after half an interval."""
        self.due = now + self._interval(_INTERVAL_SECONDS / 2)

    def next_packet(self, now: float, wall: float, *, bye: bool = False) -> bytes:
        """The compound packet that is due, or the last one of all."""
        self.due = now + self._interval(_INTERVAL_SECONDS)
        sender = self._sender
        self._silent_reports = 0 if sender.packets != self._packets_before else self._silent_reports + 1
        self._packets_before = sender.packets
        info = None
        if sender.packets and self._silent_reports <= _STILL_SENDING:
            info = SenderInfo(ntp(wall), sender.timestamp, sender.packets, sender.octets & 0xFFFFFFFF)
        return pack(Report(sender.ssrc, info, self._blocks(now)), self._cname, bye=bye)

    def receive(self, data: bytes, now: float, wall: float) -> None:
        """A packet of the peer's.  Raises RtpError."""
        for part in parse(data):
            if isinstance(part, Bye):
                self.ended = True
                continue
            if part.sender is not None:
                self._last_sender_report, self._heard_at = middle(part.sender.ntp), now
            for block in part.blocks:
                if block.ssrc == self._sender.ssrc:
                    self._learn(block, wall)

    def _learn(self, block: Block, wall: float) -> None:
        self.lost_there = max(block.lost, 0)
        if block.last_sender_report:
            trip = (middle(ntp(wall)) - block.last_sender_report - block.delay) & 0xFFFFFFFF
            if trip < 2**31:  # a clock that was set back gives nonsense
                self.round_trip_seconds = trip / 65536

    def _blocks(self, now: float) -> tuple[Block, ...]:
        receiver = self._receiver
        if receiver.ssrc is None:
            return ()
        expected, lost = receiver.since_last_report()
        delay = int((now - self._heard_at) * 65536) if self._last_sender_report else 0
        return (
            Block(
                receiver.ssrc,
                min(255, 256 * max(lost, 0) // expected) if expected else 0,
                receiver.stats().lost,
                receiver.extended_highest,
                min(round(receiver.stats().jitter_seconds * SAMPLE_RATE), 2**32 - 1),
                self._last_sender_report,
                min(delay, 2**32 - 1),
            ),
        )

    def _interval(self, seconds: float) -> float:
        return seconds * (0.5 + self._chance()) / _COMPENSATION
