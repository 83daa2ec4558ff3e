"""gateway.protocol.rtp.recording."""

import io
import struct

import pytest

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.recording import Ended, Recorder, RecordingLimits, wav_header
from tests.protocol.rtp.sounds import frames, noise, silence


def recorded(samples: list[float], limits: RecordingLimits) -> tuple[Ended | None, float]:
    recorder = Recorder(Codec.PCMU, limits)
    cause = next((cause for cause in map(recorder.hear, frames(samples)) if cause), None)
    return cause, recorder.seconds


def test_it_ends_at_its_maximum() -> None:
    assert recorded(noise(3, 2000), RecordingLimits(2.0, 1.0)) == (Ended.MAXIMUM, 2.0)


def test_it_ends_when_nothing_is_said_any_more_and_pauses_are_none() -> None:
    said = noise(0.6, 2000) + silence(0.8) + noise(0.6, 2000) + silence(3)
    assert recorded(said, RecordingLimits(30.0, 1.0)) == (Ended.SILENCE, 3.0)


def test_it_ends_when_nothing_is_ever_said() -> None:
    assert recorded(silence(5), RecordingLimits(30.0, 2.0)) == (Ended.SILENCE, 2.0)


def test_without_silence_seconds_silence_is_kept() -> None:
    assert recorded(silence(5), RecordingLimits(30.0)) == (None, 5.0)


def test_only_a_terminator_ends_it() -> None:
    recorder = Recorder(Codec.PCMA, RecordingLimits(30.0, terminators="#*"))
    assert [recorder.press(key) for key in "1#*"] == [None, Ended.DIGIT, Ended.DIGIT]


@pytest.mark.parametrize(("codec", "format"), [(Codec.PCMA, 6), (Codec.PCMU, 7)])
def test_the_header_says_what_follows(codec: Codec, format: int) -> None:
    header = io.BytesIO(wav_header(codec, 161))
    assert struct.unpack("<4sI4s", header.read(12)) == (b"RIFF", 58 - 8 + 162, b"WAVE")
    assert struct.unpack("<4sIHHIIHHH", header.read(26)) == (b"fmt ", 18, format, 1, 8000, 8000, 1, 8, 0)
    assert struct.unpack("<4sII4sI", header.read()) == (b"fact", 4, 161, b"data", 161)
