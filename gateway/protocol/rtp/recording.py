"""What is kept of what a caller says, and when it is enough: decisions only, frame by frame.

A WAV file holds the octets as they came, G.711 as formats 6 and 7 (RFC 2361), so that nothing is computed
while calls are up:

    RIFF size WAVE | fmt  18: format, channels, rate, octets a second, block, bits, 0 | fact 4: samples
    | data size: octets, and one more where they are odd
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.protocol.rtp.activity import VoiceActivity
from gateway.protocol.rtp.codec import SAMPLE_RATE, Codec
from gateway.protocol.rtp.stream import FRAME_SECONDS

_FORMATS: Final = {Codec.PCMA: 6, Codec.PCMU: 7}
_HEADER: Final = struct.Struct("<4sI4s 4sIHHIIHHH 4sII 4sI")


class Ended(StrEnum):
    """Why a recording ended."""

    SILENCE = "silence"
    MAXIMUM = "maximum"
    DIGIT = "digit"
    HANGUP = "hangup"
    STOPPED = "stopped"
    ERROR = "error"  # it could not be stored


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    """When a recording ends: after `maximum_seconds`; after `silence_seconds` without a voice, from the start
    or from the last word, 0 = never; at a key out of `terminators`.  `beep`: a tone is played first."""

    maximum_seconds: float
    silence_seconds: float = 0.0
    terminators: str = "#"
    beep: bool = True


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of it.  `file` is the path of a whole WAV; "" after an error, or if nothing was kept."""

    file: str
    seconds: float
    cause: Ended


class Recorder:
    """Takes every frame that was heard, and says when it is enough."""

    def __init__(self, codec: Codec, limits: RecordingLimits) -> None:
        self._activity = VoiceActivity(codec)
        self._limits = limits
        self._frames_left = round(limits.maximum_seconds / FRAME_SECONDS)
        self._patience = round(limits.silence_seconds / FRAME_SECONDS)
        self._quiet = 0
        self._frames = 0

    @property
    def seconds(self) -> float:
        return round(self._frames * FRAME_SECONDS, 2)

    def hear(self, frame: bytes) -> Ended | None:
        """Count 160 octets of G.711, which belong to the recording; a cause when they are the last."""
        self._frames += 1
        self._frames_left -= 1
        if self._patience:
            self._quiet = 0 if self._activity.is_voice(frame) else self._quiet + 1
            if self._quiet >= self._patience:
                return Ended.SILENCE
        return Ended.MAXIMUM if self._frames_left <= 0 else None

    def press(self, digit: str) -> Ended | None:
        """A key was pressed; a cause when it ends the recording, and then it means nothing else."""
        return Ended.DIGIT if digit in self._limits.terminators else None


def wav_header(codec: Codec, octets: int) -> bytes:
    """The header before `octets` of G.711, 8000 a second."""
    return _HEADER.pack(
        b"RIFF",
        _HEADER.size - 8 + octets + octets % 2,
        b"WAVE",
        *(b"fmt ", 18, _FORMATS[codec], 1, SAMPLE_RATE, SAMPLE_RATE, 1, 8, 0),
        *(b"fact", 4, octets),
        *(b"data", octets),
    )
