"""gateway.channels.voice.resample."""

import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.channels.voice.resample import resample


def tone(hertz: float, rate: int, seconds: float = 0.2, amplitude: float = 10_000) -> "array[int]":
    count = int(rate * seconds)
    return array("h", (round(amplitude * math.sin(2 * math.pi * hertz * n / rate)) for n in range(count)))


def level(samples: "array[int]") -> float:
    middle = samples[100:-100]
    return math.sqrt(sum(x * x for x in middle) / len(middle))


RATES = [11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("wanted_rate", "band"), [(8000, (300, 1000, 3000)), (16_000, (300, 3000, 3600))])
def test_the_voice_band_passes_unchanged(rate: int, wanted_rate: int, band: tuple[int, ...]) -> None:
    for hertz in band:
        got, wanted = resample(tone(hertz, rate), rate, wanted_rate), tone(hertz, wanted_rate)
        assert len(got) == pytest.approx(len(wanted), abs=1)
        error = array("h", [a - b for a, b in zip(got, wanted, strict=False)])
        assert 20 * math.log10(level(wanted) / max(level(error), 1e-9)) > 35  # in phase too


@pytest.mark.parametrize("rate", RATES)
def test_what_would_fold_into_the_voice_band_is_gone(rate: int) -> None:
    for hertz in (4600, 5300, rate / 2 - 100):
        got = resample(tone(hertz, rate), rate, 8000)
        assert 20 * math.log10(max(level(got), 1) / level(tone(1000, 8000))) < -45


def test_what_is_narrow_grows_wide_without_a_mirror_image() -> None:
    got = resample(tone(3000, 8000), 8000, 16_000)
    wanted = tone(3000, 16_000)
    assert level(array("h", [a - b for a, b in zip(got, wanted, strict=True)])) < level(wanted) / 56


def test_8_khz_is_left_as_it_is() -> None:
    samples = tone(3900, 8000)
    assert resample(samples, 8000, 8000) == samples


@pytest.mark.parametrize("rate", [0, -8000, 7999, 44_099, 192_000])
def test_an_unusual_rate_is_refused(rate: int) -> None:
    with pytest.raises(ValueError, match="usual rate"):
        resample(array("h", [1, 2, 3]), rate, 8000)


def test_overshoot_is_clamped() -> None:
    square = array("h", [32_767 if n // 20 % 2 else -32_768 for n in range(4000)])
    got = resample(square, 16_000, 8000)
    assert (min(got), max(got)) == (-32_768, 32_767)


@settings(max_examples=30)
@given(st.lists(st.integers(-32768, 32767), max_size=60), st.sampled_from(RATES))
def test_any_samples_give_samples_of_the_right_number(samples: list[int], rate: int) -> None:
    assert len(resample(array("h", samples), rate, 8000)) == len(samples) * 8000 // rate
