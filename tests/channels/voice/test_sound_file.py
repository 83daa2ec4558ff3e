"""gateway.channels.voice.sound_file."""

import builtins
import math
from array import array
from fractions import Fraction
from pathlib import Path

import av
import pytest

from gateway.channels.voice.sound_file import SoundError, read_sound
from gateway.protocol.rtp.codec import LAWS, Codec
from gateway.protocol.rtp.g711 import encode
from gateway.protocol.rtp.recording import wav_header

TONE = array("h", (round(9000 * math.sin(2 * math.pi * 500 * n / 8000)) for n in range(8000)))


@pytest.mark.parametrize("law", LAWS)
def test_a_recording_of_ours_can_be_played(tmp_path: Path, law: Codec) -> None:
    octets = encode(TONE.tobytes(), law)
    path = tmp_path / "recording.wav"
    path.write_bytes(wav_header(law, len(octets)) + octets)
    rate, samples = read_sound(path)
    assert (rate, len(samples)) == (8000, 8000)
    assert max(abs(a - b) for a, b in zip(samples, TONE, strict=True)) < 300


def write_by_av(path: Path, codec: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(TONE))
        frame.planes[0].update(TONE.tobytes())
        frame.rate, frame.time_base, frame.pts = 8000, Fraction(1, 8000), 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


@pytest.mark.parametrize(("name", "codec"), [("tone.flac", "flac"), ("tone.mp3", "mp3")])
def test_other_formats_are_read_where_pyav_is(tmp_path: Path, name: str, codec: str) -> None:
    write_by_av(tmp_path / name, codec)
    rate, samples = read_sound(tmp_path / name)
    assert rate == 16_000 and len(samples) == pytest.approx(16_000, rel=0.2)
    middle = samples[6000:10_000]
    assert math.sqrt(sum(x * x for x in middle) / len(middle)) == pytest.approx(9000 / math.sqrt(2), rel=0.05)


def test_without_the_extra_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_av(name: str, *args: object, **more: object) -> object:
        if name == "av":
            raise ImportError(name)
        return real(name, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_av)
    path = tmp_path / "tone.ogg"
    path.write_bytes(b"OggS" + bytes(100))
    with pytest.raises(SoundError, match=r"tone\.ogg: is no WAV.*pip install 'trunkline\[media\]'"):
        read_sound(path)


def test_a_file_that_says_it_is_longer_than_any_prompt_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav_header(Codec.PCMA, 301 * 8000))
    with pytest.raises(SoundError, match="longer than 300 seconds"):
        read_sound(path)
