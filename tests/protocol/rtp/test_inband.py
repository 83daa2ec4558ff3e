"""gateway.protocol.rtp.inband, with a listener behind it: from samples to presses."""

import random

import pytest

from gateway.channels.voice.prompts import speak
from gateway.protocol.rtp.codec import FRAME, LAWS, Codec
from gateway.protocol.rtp.inband import find_tones
from gateway.protocol.rtp.tone_listener import BLOCK, ToneListener
from gateway.protocol.rtp.tones import KEYS, key, key_hertz
from tests.protocol.rtp.sounds import frames, noise, silence, tone


def heard(sounds: list[bytes], law: Codec = Codec.PCMU) -> str:
    listener = ToneListener(law)
    keys = []
    for frame in sounds:
        listener.hear(frame)
        keys.append(listener.judge(find_tones([listener.block])[0]))
    return "".join(one for one in keys if one)


def pressed(
    digit: str,
    seconds: float,
    *,
    twist: float = 0.0,
    off: float = 0.0,
    amplitude: float = 3000,
    shift: int = 0,
) -> list[float]:
    """A press after 60 ms and `shift` samples: the column `twist` dB over the row, both `off` by a share."""
    row, column = (hertz * (1 + off) for hertz in key_hertz(digit))
    tones = zip(
        tone(seconds, row, amplitude=amplitude),
        tone(seconds, column, amplitude=amplitude * 10 ** (twist / 20)),
        strict=True,
    )
    return [0.0] * (480 + shift) + [a + b for a, b in tones] + silence(0.1)


@pytest.mark.parametrize("shift", [0, 37, 80, 111])
@pytest.mark.parametrize(
    "how",
    [
        {"seconds": 0.04},
        {"seconds": 0.05, "off": 0.015},
        {"seconds": 0.05, "off": -0.015},
        {"seconds": 0.05, "twist": 4.0},
        {"seconds": 0.05, "twist": -8.0},
        {"seconds": 0.05, "amplitude": 600.0},
        {"seconds": 0.5},
    ],
)
def test_each_key_as_q24_wants_it_heard(how: dict[str, float], shift: int) -> None:
    for digit in KEYS:
        assert heard(frames(pressed(digit, shift=shift, **how))) == digit  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "how",
    [
        {"seconds": 0.02},
        {"seconds": 0.1, "off": 0.05},
        {"seconds": 0.1, "twist": 12.0},
        {"seconds": 0.1, "twist": -16.0},
        {"seconds": 0.1, "amplitude": 100.0},
    ],
)
def test_what_is_no_key_by_q24_is_none(how: dict[str, float]) -> None:
    for digit in KEYS:
        assert heard(frames(pressed(digit, **how))) == ""  # type: ignore[arg-type]


def test_keys_are_heard_through_noise() -> None:
    for seed, digit in enumerate(KEYS):
        sound = pressed(digit, 0.06)
        noisy = [a + b for a, b in zip(sound, noise(1, 400, seed), strict=False)]
        assert heard(frames(noisy)) == digit


@pytest.mark.parametrize("law", LAWS)
def test_what_we_press_ourselves_is_heard_and_equal_keys_are_two(law: Codec) -> None:
    octets = b"".join(key(digit, law) for digit in "112#D0")
    assert heard([octets[at : at + FRAME] for at in range(0, len(octets), FRAME)], law) == "112#D0"


def test_two_tones_of_one_row_one_tone_alone_and_three_are_no_key() -> None:
    for hertz in ((697, 770), (1209,), (697, 1209, 1000), (440, 480), (350, 440)):
        assert heard(frames(tone(0.5, *hertz, amplitude=4000))) == ""


@pytest.mark.parametrize("voice", ["en", "en+f3", "de+m7", "fr+f2"])
def test_speech_presses_no_key(voice: str) -> None:
    text = "The quick brown fox jumps over the lazy dog while nineteen singers hum, one by one. " * 12
    octets = speak(text, voice).pcmu
    assert heard([octets[at : at + FRAME] for at in range(0, len(octets) - FRAME, FRAME)]) == ""


def test_noise_presses_no_key() -> None:
    chance = random.Random(5)
    assert all(
        find_tones([chance.randbytes(BLOCK) for _ in range(200)]) == [(-1, -1)] * 200 for _ in range(20)
    )


def test_many_calls_at_once_are_each_judged_by_their_own_sound() -> None:
    octets = [key(digit, Codec.PCMU)[80 : 80 + BLOCK] for digit in KEYS]
    found = find_tones([*octets, b"\xff" * BLOCK])
    assert found == [*((at, at) for at in range(16)), (-1, -1)]
