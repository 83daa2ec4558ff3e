"""RTP audio at 8000 Hz: packets, G.711, telephone events, and what a listener can say of a stream.

Source: RFC 3550, RFC 3551 (payload types 0 and 8), ITU-T G.711, RFC 4733.

    80 PT SSSS TTTTTTTT RRRRRRRR ...    version 2, marker and payload type, sequence, timestamp, SSRC, payload
"""

import math
import struct
import wave
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

RATE = 8000
FRAME_SAMPLES = 160
FRAME_SECONDS = FRAME_SAMPLES / RATE
RECORDING_LIMIT_SAMPLES = 600 * RATE
GAP_LIMIT_SAMPLES = 10 * RATE
STREAM_LIMIT = 8
DIGITS = "0123456789*#ABCD"
END_PACKETS = 3
VOICE_HERTZ, SYLLABLES = 140, 4
_HEADER = struct.Struct(">BBHII")
_EVENT = struct.Struct(">BBH")


class NotRtp(ValueError):
    """The datagram is no RTP packet of version 2. The text says why."""


def _ulaw_to_linear(code: int) -> int:
    """G.711 mu-law: sign, 3 bits of exponent, 4 of mantissa, all inverted on the wire; +-32124."""
    inverted = ~code & 0xFF
    magnitude = ((((inverted & 0x0F) << 3) + 0x84) << (inverted >> 4 & 7)) - 0x84
    return -magnitude if inverted & 0x80 else magnitude


def _alaw_to_linear(code: int) -> int:
    """G.711 A-law: even bits inverted on the wire; +-32256."""
    inverted = code ^ 0x55
    exponent, mantissa = inverted >> 4 & 7, (inverted & 0x0F) << 4
    magnitude = mantissa + 8 if exponent == 0 else (mantissa + 0x108) << (exponent - 1)
    return magnitude if inverted & 0x80 else -magnitude


@dataclass(frozen=True, slots=True)
class Codec:
    """One of the two G.711 laws; `linear[code]` is the 16-bit sample."""

    name: str
    payload_type: int
    linear: Sequence[int]

    def encode(self, samples: Sequence[int]) -> bytes:
        """The nearest code for each 16-bit sample; for prepared sounds, not for live audio."""
        ordered = sorted(range(256), key=lambda code: self.linear[code])
        levels = [self.linear[code] for code in ordered]
        return bytes(ordered[_nearest(levels, sample)] for sample in samples)

    def tone(self, hertz: int, amplitude: int) -> bytes:
        """One second of a sine, which joins on to itself."""
        return self.encode([round(amplitude * math.sin(math.tau * hertz * n / RATE)) for n in range(RATE)])

    def babble(self, amplitude: int) -> bytes:
        """One second of what a listener takes for speech: a buzz with overtones, in four syllables."""
        samples = []
        for n in range(RATE):
            at = math.tau * n / RATE
            buzz = sum(math.sin(overtone * VOICE_HERTZ * at) / overtone for overtone in (1, 2, 3, 5))
            samples.append(round(amplitude * (0.6 - 0.4 * math.cos(SYLLABLES * at)) * buzz / 2))
        return self.encode(samples)


def _nearest(levels: Sequence[int], sample: int) -> int:
    """The index of the level next to the sample, in an ascending sequence."""
    above = min(bisect_left(levels, sample), len(levels) - 1)
    below = max(above - 1, 0)
    return below if sample - levels[below] <= levels[above] - sample else above


PCMU = Codec("PCMU", 0, tuple(_ulaw_to_linear(code) for code in range(256)))
PCMA = Codec("PCMA", 8, tuple(_alaw_to_linear(code) for code in range(256)))
CODECS = {codec.payload_type: codec for codec in (PCMU, PCMA)}


@dataclass(frozen=True, slots=True)
class Packet:
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def encode(self) -> bytes:
        header = _HEADER.pack(
            0x80, self.marker << 7 | self.payload_type, self.sequence, self.timestamp, self.ssrc
        )
        return header + self.payload

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises NotRtp. CSRC list, extension and padding are taken off. Source: RFC 3550 section 5.1."""
        if len(data) < _HEADER.size:
            raise NotRtp(f"{len(data)} octets")
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise NotRtp(f"version {first >> 6}")
        start, end = _HEADER.size + 4 * (first & 0x0F), len(data)
        if first & 0x10:
            if len(data) < start + 4:
                raise NotRtp("header extension cut off")
            start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
        if first & 0x20:
            end -= data[-1]
        if start > end:
            raise NotRtp("header, extension or padding longer than the packet")
        return cls(second & 0x7F, sequence, timestamp, ssrc, data[start:end], bool(second & 0x80))


def event_payloads(digit: str, *, frames: int) -> Iterator[bytes]:
    """The payloads of one key press, `frames` of 20 ms and then the end three times.

    EE VV DDDD    event 0..15, end bit and volume in -dBm0, duration so far in samples
    Source: RFC 4733 sections 2.3 and 2.5.1.
    """
    event, volume = DIGITS.index(digit), 10
    for frame in range(1, frames + 1):
        yield _EVENT.pack(event, volume, frame * FRAME_SAMPLES)
    for _ in range(END_PACKETS):
        yield _EVENT.pack(event, 0x80 | volume, frames * FRAME_SAMPLES)


@dataclass(slots=True)
class Stream:
    """One SSRC as received: counts, jitter (RFC 3550 appendix A.8) and the audio in order of sequence."""

    first: int
    highest: int
    packets: int = 0
    duplicates: int = 0
    jitter: float = 0.0
    longest_gap: float = 0.0
    digits: str = ""
    audio: dict[int, Packet] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)
    _transit: float | None = None
    _arrival: float | None = None
    _event_timestamp: int | None = None
    _samples: int = 0

    def add(self, packet: Packet, now: float, event_type: int | None) -> None:
        """`now` in seconds of any steady clock; packets of another payload type are only counted."""
        extended = self._extended(packet.sequence)
        if extended in self._seen:
            self.duplicates += 1
            return
        self._seen.add(extended)
        self.packets += 1
        self.first, self.highest = min(self.first, extended), max(self.highest, extended)
        if self._arrival is not None:
            self.longest_gap = max(self.longest_gap, now - self._arrival)
        self._arrival = now
        if packet.payload_type == event_type:
            self._add_event(packet)  # its timestamps stand still, which would read as jitter
        elif packet.payload_type in CODECS:
            self._add_jitter(packet, now)
            if self._samples < RECORDING_LIMIT_SAMPLES:
                self._samples += len(packet.payload)
                self.audio[extended] = packet

    @property
    def lost(self) -> int:
        return self.highest - self.first + 1 - self.packets

    def _extended(self, sequence: int) -> int:
        """The sequence number carried on past 65535, by the nearest cycle to the highest so far."""
        distance = (sequence - self.highest + 0x8000) % 0x10000 - 0x8000
        return self.highest + distance

    def _add_jitter(self, packet: Packet, now: float) -> None:
        transit = now * RATE - packet.timestamp
        if self._transit is not None:
            difference = abs((transit - self._transit + 2**31) % 2**32 - 2**31)
            self.jitter += (difference - self.jitter) / 16
        self._transit = transit

    def _add_event(self, packet: Packet) -> None:
        if len(packet.payload) < _EVENT.size or packet.timestamp == self._event_timestamp:
            return
        self._event_timestamp = packet.timestamp
        if packet.payload[0] < len(DIGITS):
            self.digits += DIGITS[packet.payload[0]]


@dataclass(slots=True)
class Listener:
    """All that was heard in one call, in at most 8 streams (a peer may start a new SSRC in mid-call)."""

    event_type: int | None = None
    streams: dict[int, Stream] = field(default_factory=dict)
    ignored: int = 0

    def hear(self, packet: Packet, now: float) -> None:
        stream = self.streams.get(packet.ssrc)
        if stream is None:
            if len(self.streams) >= STREAM_LIMIT:
                self.ignored += 1
                return
            stream = self.streams[packet.ssrc] = Stream(first=packet.sequence, highest=packet.sequence)
        stream.add(packet, now, self.event_type)

    def report(self) -> dict[str, object]:
        """What came, in one flat mapping.

        packets, lost, duplicates; seconds of audio; jitter_ms; gap_ms, the longest wait between two packets;
        rms, the loudness on the scale of 16-bit samples (0..32768); codec, the names heard; digits pressed.
        """
        streams = list(self.streams.values())
        counts: Counter[tuple[int, int]] = Counter()
        for stream in streams:
            for payload_type in CODECS:
                heard = b"".join(p.payload for p in stream.audio.values() if p.payload_type == payload_type)
                counts.update({(payload_type, code): n for code, n in Counter(heard).items()})
        samples = counts.total()
        energy = sum(n * CODECS[payload_type].linear[code] ** 2 for (payload_type, code), n in counts.items())
        return {
            "packets": sum(stream.packets for stream in streams),
            "lost": sum(stream.lost for stream in streams),
            "duplicates": sum(stream.duplicates for stream in streams),
            "seconds": round(samples / RATE, 3),
            "jitter_ms": round(max((s.jitter for s in streams), default=0.0) / RATE * 1000, 3),
            "gap_ms": round(max((s.longest_gap for s in streams), default=0.0) * 1000, 1),
            "rms": round(math.sqrt(energy / samples), 1) if samples else 0.0,
            "codec": ",".join(CODECS[pt].name for pt in sorted({pt for pt, _ in counts})),
            "digits": "".join(stream.digits for stream in streams),
        }

    def samples(self) -> "array[int]":
        """16-bit samples in order of sequence; a hole in the timestamps (at most 10 s of it) is silence."""
        heard = array("h")
        for stream in self.streams.values():
            expected: int | None = None
            for _, packet in sorted(stream.audio.items()):
                hole = (packet.timestamp - expected) % 2**32 if expected is not None else 0
                if 0 < hole <= GAP_LIMIT_SAMPLES:
                    heard.extend([0] * hole)
                linear = CODECS[packet.payload_type].linear
                heard.extend(linear[code] for code in packet.payload)
                expected = (packet.timestamp + len(packet.payload)) % 2**32
        return heard

    def write_wav(self, path: Path) -> None:
        """16-bit mono at 8000 Hz. Raises OSError."""
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(self.samples().tobytes())
