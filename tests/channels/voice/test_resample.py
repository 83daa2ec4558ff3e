"""gateway.channels.voice.resample."""

import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.channels.voice.resample import to_8_khz


def tone(hertz: float, rate: int, seconds: float = 0.2, amplitude: float = 10_000) -> "array[int]":
    count = int(rate * seconds)
    return array("h", (round(amplitude * math.sin(2 * math.pi * hertz * n / rate)) for n in range(count)))


def level(samples: "array[int]") -> float:
    middle = samples[100:-100]
    return math.sqrt(sum(x * x for x in middle) / len(middle))


RATES = [11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]


@pytest.mark.parametrize("rate", RATES)
def test_the_voice_band_passes_unchanged(rate: int) -> None:
    for hertz in (300, 1000, 3000):
        got, wanted = to_8_khz(tone(hertz, rate), rate), tone(hertz, 8000)
        assert len(got) == pytest.approx(len(wanted), abs=1)
        error = array("h", [a - b for a, b in zip(got, wanted, strict=False)])
        assert 20 * math.log10(level(wanted) / level(error)) > 35  # in phase too


@pytest.mark.parametrize("rate", RATES)
def test_what_would_fold_into_the_voice_band_is_gone(rate: int) -> None:
    for hertz in (4600, 5300, rate / 2 - 100):
        got = to_8_khz(tone(hertz, rate), rate)
        assert 20 * math.log10(max(level(got), 1) / level(tone(1000, 8000))) < -45


def test_8_khz_is_left_as_it_is() -> None:
    samples = tone(3900, 8000)
    assert to_8_khz(samples, 8000) == samples


@pytest.mark.parametrize("rate", [0, -8000, 7999, 44_099, 192_000])
def test_an_unusual_rate_is_refused(rate: int) -> None:
    with pytest.raises(ValueError, match="usual rate"):
        to_8_khz(array("h", [1, 2, 3]), rate)


def test_overshoot_is_clamped() -> None:
    square = array("h", [32_767 if n // 20 % 2 else -32_768 for n in range(4000)])
    got = to_8_khz(square, 16_000)
    assert (min(got), max(got)) == (-32_768, 32_767)


@settings(max_examples=30)
@given(st.lists(st.integers(-32768, 32767), max_size=60), st.sampled_from(RATES))
def test_any_samples_give_samples_of_the_right_number(samples: list[int], rate: int) -> None:
    assert len(to_8_khz(array("h", samples), rate)) == len(samples) * 8000 // rate
