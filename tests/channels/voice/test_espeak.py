"""gateway.channels.voice.espeak, with the library itself."""

from array import array
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from gateway.channels.voice.espeak import SpeechError, synthesise


def test_hello_is_speech_and_not_noise_or_silence() -> None:
    rate, pcm = synthesise("hello", "en", limit_seconds=10)
    samples = array("h", pcm)
    assert rate == 22_050
    assert 0.3 < len(samples) / rate < 2
    # vowels: far fewer sign changes than noise, which has one every second sample
    changes = sum((a < 0) != (b < 0) for a, b in pairwise(samples))
    assert changes / len(samples) < 0.25


def test_voices_differ_and_do_not_stick() -> None:
    english = synthesise("one", "en", limit_seconds=10)
    german = synthesise("one", "de", limit_seconds=10)
    assert abs(len(english[1]) - len(german[1])) > 0.03 * len(english[1])
    again = synthesise("one", "en", limit_seconds=10)
    assert len(again[1]) == pytest.approx(len(english[1]), rel=0.01)  # breath is random


@pytest.mark.parametrize("voice", ["no-such-voice", "../../etc/passwd", "é", "a\0b"])
def test_an_unknown_voice_is_named(voice: str) -> None:
    with pytest.raises(SpeechError, match="no voice"):
        synthesise("hello", voice, limit_seconds=10)


@pytest.mark.parametrize(("tag", "voice"), [("en-GB", "en"), ("de_AT", "de"), ("zh", "cmn")])
def test_a_language_has_its_voice_even_if_no_voice_is_called_so(tag: str, voice: str) -> None:
    octets = [len(synthesise("one two three", name, limit_seconds=10)[1]) for name in (tag, voice)]
    assert octets[0] == pytest.approx(octets[1], rel=0.03)


def test_speech_over_the_limit_is_stopped() -> None:
    with pytest.raises(SpeechError, match="too long"):
        synthesise("a very long sentence about nothing", "en", limit_seconds=0.5)


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "😀", "<speak>&bad;", "[[x", "a\0b"])
def test_odd_texts_harm_nobody(text: str) -> None:
    rate, pcm = synthesise(text, "en", limit_seconds=10)
    assert rate > 0 and len(pcm) % 2 == 0


def test_threads_take_turns() -> None:
    with ThreadPoolExecutor(4) as pool:
        spoken = list(pool.map(lambda _: len(synthesise("one two", "en", limit_seconds=10)[1]), range(8)))
    assert max(spoken) - min(spoken) < 2000
