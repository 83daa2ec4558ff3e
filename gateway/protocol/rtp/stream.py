"""Both directions of a stream, without a socket: what to send every 20 ms, what came and how well.

The sender fills the time between prompts with silence, so that the peer sees one unbroken stream: its jitter
buffer stays settled, NAT bindings stay open and its "no media" timer never fires.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from gateway.protocol.rtp.codec import FRAME, SAMPLE_RATE, Codec
from gateway.protocol.rtp.packet import RtpPacket, pack
from gateway.protocol.rtp.telephone_event import EVENT_OCTETS, DigitSender
from gateway.protocol.rtp.transcode import Transcoder

FRAME_SECONDS: Final = FRAME / SAMPLE_RATE
_MAX_DROPOUT: Final = 3000  # RFC 3550 appendix A.1
_MAX_MISORDER: Final = 100


class RtpSender:
    """Sends frames of 160 octets, one per call of `next_packet`."""

    def __init__(
        self,
        *,
        ssrc: int,
        sequence: int,
        timestamp: int,
        codec: Codec,
        payload_type: int,
        dtmf_payload_type: int | None = None,
    ) -> None:
        """`ssrc`, `sequence`, `timestamp` are random numbers of the caller's (RFC 3550 section 5.1)."""
        self.ssrc = ssrc
        self.sequence = sequence & 0xFFFF
        self.timestamp = timestamp & 0xFFFFFFFF
        self.packets = 0
        self.finished = True  # no prompt is left to play
        self._events = 0  # among the packets
        self._digits = DigitSender()
        self._prompt = b""
        self._next_prompts: deque[bytes] = deque()
        self._at = 0
        self._relayed = b""
        self._marker = True
        self._codec = codec
        self._convert: Transcoder | None = None  # for the rest of prompts in a codec that was left meanwhile
        self.set_format(codec, payload_type, dtmf_payload_type)

    def set_format(self, codec: Codec, payload_type: int, dtmf_payload_type: int | None) -> None:
        """Use the peer's numbers from now on; sequence and timestamp run on (RFC 3264 section 8.3.2).

        Prompts that play go on in the new codec.
        """
        if codec is not self._codec and not self.finished:
            source = self._convert.source if self._convert else self._codec
            self._convert = Transcoder(source, codec)
        self._codec = codec
        self._payload_type = payload_type
        self._dtmf_payload_type = dtmf_payload_type
        self._silence = codec.silence * FRAME

    @property
    def takes_digits(self) -> bool:
        """Whether the peer takes telephone events."""
        return self._dtmf_payload_type is not None

    @property
    def octets(self) -> int:
        """Of payload."""
        return FRAME * (self.packets - self._events) + EVENT_OCTETS * self._events

    def play(self, *prompts: bytes) -> None:
        """Begin with the next packet; one after the other, without a gap, in the place of what is under way.

        Prompts are octets of the stream's codec, shared, never copied.
        """
        self._next_prompts = deque(prompts)
        self._prompt = b""
        self._at = 0
        self._convert = None
        self.finished = not prompts

    def stop(self) -> None:
        """Go back to silence."""
        self.play()

    def relay(self, frame: bytes) -> None:
        """What to send in the next packet in place of silence: 160 octets of the codec, from another call."""
        self._relayed = frame

    def send_digits(self, digits: str) -> None:
        """Queue DTMF.  Raises ValueError when the peer takes no telephone events or a character is no key."""
        if self._dtmf_payload_type is None:
            raise ValueError("the peer takes no telephone events")
        self._digits.send(digits)

    def next_packet(self) -> bytes:
        """The packet of the next 20 ms: a digit, else the prompt, else what is relayed, else silence."""
        if self._digits.waiting and self._dtmf_payload_type is not None:
            event = self._digits.next_event(self.timestamp)
            if event is not None:
                self._events += 1
                return self._pack(self._dtmf_payload_type, event.timestamp, event.payload, event.marker)
        at = self._at
        if at + FRAME < len(self._prompt) and self._convert is None:  # nearly every packet
            self._at = at + FRAME
            frame = self._prompt[at : at + FRAME]
        else:
            frame = self._next_frame()
            self.finished = self._at >= len(self._prompt) and not self._next_prompts
        marker, self._marker = self._marker, False
        return self._pack(self._payload_type, self.timestamp, frame, marker)

    def skip(self, frames: int = 1) -> None:
        """Let 20 ms each pass without a packet (the call is on hold); the prompt waits, then goes on."""
        self.timestamp = (self.timestamp + FRAME * frames) & 0xFFFFFFFF
        self._marker = True

    def _next_frame(self) -> bytes:
        start = self._at
        self._at = start + FRAME
        frame = self._prompt[start : self._at]
        while len(frame) < FRAME and self._next_prompts:
            self._prompt = self._next_prompts.popleft()
            self._at = FRAME - len(frame)
            frame += self._prompt[: self._at]
        if frame and self._convert is not None:
            return self._convert.convert(frame + self._convert.source.silence * (FRAME - len(frame)))
        if len(frame) == FRAME:
            return frame
        if not frame and self._relayed:
            frame, self._relayed = self._relayed, b""
            return frame
        return frame + self._silence[len(frame) :]

    def _pack(self, payload_type: int, timestamp: int, payload: bytes, marker: bool) -> bytes:
        packet = pack(payload_type, self.sequence, timestamp, self.ssrc, payload, marker)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + FRAME) & 0xFFFFFFFF
        self.packets += 1
        return packet


@dataclass(frozen=True, slots=True)
class MediaStats:
    """One call's media, as its record tells; `packets`, `lost`, `jitter_seconds` are of what the peer sent.

    `foreign` came from elsewhere than the peer, `malformed` were no RTP; `errors` counts what the system
    refused to send.
    """

    codec: str  # "" until one is agreed
    packets: int
    lost: int
    jitter_seconds: float
    dtmf: int  # keys the peer pressed
    sent: int
    duplicates: int
    out_of_order: int
    foreign: int
    malformed: int
    errors: int
    recording: str  # path of the last recording begun, "" for none
    lost_there: int = 0  # of what we sent, as the peer reports by RTCP
    round_trip_seconds: float = 0.0  # 0 = not known
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class ReceiverStats:
    """How well the peer's stream came.  `lost` is expected less arrived; a late packet lowers it again."""

    packets: int  # all that were taken, duplicates not
    lost: int
    duplicates: int
    out_of_order: int
    jitter_seconds: float


class RtpReceiver:
    """Counts one peer's packets by sequence number (RFC 3550 appendix A.1, A.3 and A.8)."""

    def __init__(self) -> None:
        self.ssrc: int | None = None
        self._cycles = 0  # times that the sequence number has wrapped
        self._reported = (0, 0)  # expected and taken at the last report
        self._highest = 0
        self._missing: set[int] = set()  # sequence numbers before the highest that may still come
        self._expected = 0
        self._expected_before = 0  # the first packet of this run of numbers
        self._packets = 0
        self._duplicates = 0
        self._out_of_order = 0
        self._bad_sequence: int | None = None
        self._transit: float | None = None
        self._jitter = 0.0  # timestamp units

    def stats(self) -> ReceiverStats:
        lost = max(self._expected - self._packets, 0)
        jitter = self._jitter / SAMPLE_RATE
        return ReceiverStats(self._packets, lost, self._duplicates, self._out_of_order, jitter)

    @property
    def extended_highest(self) -> int:
        """The highest sequence number, with the number of its cycles above 2^16."""
        return (self._cycles & 0xFFFF) << 16 | self._highest

    def since_last_report(self) -> tuple[int, int]:
        """Packets expected and lost since this was last asked; late ones may make the second negative."""
        expected, packets = self._expected - self._reported[0], self._packets - self._reported[1]
        self._reported = self._expected, self._packets
        return expected, expected - packets

    def receive(self, packet: RtpPacket, now: float, *, is_audio: bool = True) -> bool:
        """Count a packet that came at `now` (monotonic seconds).  False: a duplicate or stray, to be dropped.

        Telephone events keep the timestamp of their start and say nothing about jitter (`is_audio=False`).
        """
        sequence = packet.sequence
        if packet.ssrc != self.ssrc:  # a new source; what was counted before stays counted
            self.ssrc = packet.ssrc
            self._restart(sequence)
        elif sequence == self._highest + 1:  # nearly every packet
            self._highest = sequence
            self._expected += 1
        elif not self._in_sequence(sequence):
            return False
        self._packets += 1
        if is_audio:
            self._measure_jitter(packet.timestamp, now)
        return True

    def _restart(self, sequence: int) -> None:
        self._highest, self._cycles = sequence, 0
        self._missing.clear()
        self._expected += 1
        self._expected_before = self._expected
        self._bad_sequence = None
        self._transit = None

    def _in_sequence(self, sequence: int) -> bool:
        ahead = (sequence - self._highest) & 0xFFFF
        if 0 < ahead < _MAX_DROPOUT:
            self._missing.update((self._highest + step) & 0xFFFF for step in range(1, ahead))
            self._missing = {one for one in self._missing if (sequence - one) & 0xFFFF < _MAX_MISORDER}
            self._cycles += sequence < self._highest
            self._highest = sequence
            self._expected += ahead
            return True
        behind = (-ahead) & 0xFFFF
        if behind < _MAX_MISORDER:
            span = self._expected - self._expected_before  # from the first one of this run to the highest
            if behind > span:  # older than that
                self._missing.update((self._highest - step) & 0xFFFF for step in range(span + 1, behind))
                self._expected += behind - span
            elif sequence not in self._missing:
                self._duplicates += 1
                return False
            self._missing.discard(sequence)
            self._out_of_order += 1
            return True
        # a leap: one stray packet is dropped, two in a row mean that the peer restarted its numbers
        if sequence != self._bad_sequence:
            self._bad_sequence = (sequence + 1) & 0xFFFF
            return False
        self._restart(sequence)
        return True

    def _measure_jitter(self, timestamp: int, now: float) -> None:
        transit = now * SAMPLE_RATE - timestamp
        if self._transit is not None:
            deviation = abs(transit - self._transit)
            if deviation > 2**31:  # timestamps wrap at 2^32
                deviation = abs((transit - self._transit + 2**31) % 2**32 - 2**31)
            self._jitter += (deviation - self._jitter) / 16
        self._transit = transit
