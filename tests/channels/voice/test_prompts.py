"""gateway.channels.voice.prompts."""

import asyncio
import math
import os
import struct
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.voice.prompts import PromptCache, PromptError, read_file, speak
from gateway.protocol.rtp.codec import LAWS, Codec
from gateway.protocol.rtp.g711 import decode
from gateway.protocol.rtp.transcode import encode


@pytest.fixture
async def cache() -> AsyncIterator[PromptCache]:
    made = PromptCache()
    yield made
    made.close()


def write_wav(
    path: Path,
    *,
    rate: int = 8000,
    channels: int = 1,
    width: int = 2,
    seconds: float = 0.1,
    hertz: float = 1000,
) -> Path:
    waves = [math.sin(2 * math.pi * hertz * n / rate) for n in range(int(rate * seconds))]
    if width == 1:
        frames = [bytes([128 + round(100 * x)]) for x in waves]
    else:
        frames = [struct.pack("<i", round(25_600 * x) << 16)[4 - width :] for x in waves]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(b"".join(frame * channels for frame in frames))
    return path


def samples_of(octets: bytes, codec: Codec) -> tuple[int, ...]:
    return struct.unpack(f"<{len(octets)}h", decode(octets, codec))


def loudness(samples: tuple[int, ...]) -> float:
    return math.sqrt(sum(x * x for x in samples) / len(samples))


@pytest.mark.parametrize("codec", LAWS)
async def test_hello_is_audible_and_does_not_clip(cache: PromptCache, codec: Codec) -> None:
    prompt = await cache.from_text("hello")
    samples = samples_of(prompt.encoded(codec), codec)
    assert 0.3 < prompt.seconds < 2
    assert loudness(samples) > 1500
    assert max(map(abs, samples)) < 32_000


def test_three_seconds_of_speech_are_made_in_half_a_second() -> None:
    speak("hello", "en")  # the library and the filter's taps
    began = time.process_time()
    prompt = speak("Your order is ready to be collected now. Press one to confirm it.", "en")
    assert prompt.seconds > 3
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize(("channels", "width"), [(1, 2), (2, 2), (1, 1), (2, 1), (1, 3), (2, 4)])
def test_wav_files_of_the_usual_kinds_sound_the_same(
    tmp_path: Path, rate: int, channels: int, width: int
) -> None:
    prompt = read_file(write_wav(tmp_path / "tone.wav", rate=rate, channels=channels, width=width))
    assert prompt.seconds == pytest.approx(0.1, abs=0.001)
    for codec in LAWS:
        samples = samples_of(prompt.encoded(codec), codec)
        assert loudness(samples) == pytest.approx(25_600 / math.sqrt(2), rel=0.03)


def test_a_long_prompt_is_made_in_pieces_between_which_calls_get_their_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[int] = []

    def counted(pcm: bytes, codec: Codec) -> bytes:
        pieces.append(len(pcm))
        return encode(pcm, codec)

    monkeypatch.setattr("gateway.channels.voice.prompts.encode", counted)
    prompt = read_file(write_wav(tmp_path / "long.wav", seconds=3.0))
    assert (len(prompt.pcmu), len(prompt.pcma), len(prompt.g722)) == (24_000,) * 3
    assert len(pieces) == 12 and max(pieces) <= 8_000


async def test_a_prompt_is_made_once_however_many_ask(cache: PromptCache) -> None:
    first, second = await asyncio.gather(cache.from_text("one"), cache.from_text("one"))
    assert first is second
    assert await cache.from_text("one") is first
    assert await cache.from_text("one", "de") is not first


async def test_who_gives_up_takes_the_prompt_from_nobody(cache: PromptCache) -> None:
    impatient, patient = (asyncio.ensure_future(cache.from_text("a sentence")) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).seconds > 0.3


async def test_a_changed_file_is_read_again(cache: PromptCache, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "tone.wav")
    first = await cache.from_file(path)
    assert await cache.from_file(path) is first
    write_wav(path, seconds=0.2)
    os.utime(path, ns=(1, 1))
    assert (await cache.from_file(path)).seconds == pytest.approx(0.2)


async def test_the_least_recently_used_goes_when_the_cache_is_full(tmp_path: Path) -> None:
    cache = PromptCache(limit_octets=2 * 3 * 800)  # two prompts of 0.1 s in three codecs
    one, two, three = (write_wav(tmp_path / f"{name}.wav") for name in ("one", "two", "three"))
    kept, dropped = await cache.from_file(one), await cache.from_file(two)
    await cache.from_file(one)
    await cache.from_file(three)
    assert await cache.from_file(one) is kept
    assert await cache.from_file(two) is not dropped
    cache.close()


def a_broken(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_what_is_no_usable_wav_is_refused_by_name(tmp_path: Path) -> None:
    good = write_wav(tmp_path / "good.wav").read_bytes()
    odd = good.replace(b"\x01\x00\x01\x00", b"\x55\x00\x01\x00", 1)
    cases = [
        (a_broken(tmp_path / "empty.wav", b""), "Invalid data"),
        (a_broken(tmp_path / "text.wav", b"this is no sound at all"), "Invalid data"),
        (a_broken(tmp_path / "odd.wav", odd), "format"),
        (tmp_path, "directory"),
        (write_wav(tmp_path / "silent.wav", seconds=0), "no sound"),
        (write_wav(tmp_path / "many.wav", channels=6), "6 channels"),
        (write_wav(tmp_path / "slow.wav", rate=4000), "usual rate"),
    ]
    for path, why in cases:
        with pytest.raises(PromptError, match=why) as refused:
            read_file(path)
        assert str(path) in str(refused.value)


async def test_a_missing_file_and_a_missing_voice_are_named(cache: PromptCache, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"nothing\.wav: No such file"):
        await cache.from_file(tmp_path / "nothing.wav")
    with pytest.raises(PromptError, match="no voice 'martian'"):
        await cache.from_text("hello", "martian")
    with pytest.raises(PromptError, match="no text"):
        await cache.from_text("  ")
    with pytest.raises(PromptError, match="5001 characters"):
        await cache.from_text("x" * 5001)
    assert (await cache.from_text("hello")).seconds > 0.3  # a failure leaves nothing behind


@given(st.binary(max_size=60), st.integers(0, 60))
def test_random_octets_give_a_prompt_or_prompt_error(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    good = write_wav(folder / "base.wav", seconds=0.01).read_bytes()
    for content in (noise, good[:at] + noise + good[at + len(noise) :], good[:at]):
        try:
            prompt = read_file(a_broken(folder / "noise.wav", content))
        except PromptError:
            continue
        assert len(prompt.pcmu) == len(prompt.pcma) == len(prompt.g722) > 0
