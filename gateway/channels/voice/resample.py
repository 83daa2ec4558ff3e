"""Any usual sample rate to the telephone's 8 kHz, through a low-pass, so that nothing folds back.

A polyphase filter: the taps of a Kaiser-windowed sinc are computed once per rate, one short row for each
position an output sample can have between two input samples; an output sample is then one dot product.
"""

import math
from array import array
from functools import lru_cache
from itertools import repeat
from operator import mul

from gateway.protocol.rtp.codec import SAMPLE_RATE

_CUTOFF_HZ = 3700.0  # -6 dB here; G.712 lets a telephone path fall from 3400 on, and 4600 folds to 3400
_HALF_WIDTH = 12  # zero crossings of the sinc on either side
_KAISER_BETA = 6.0  # stop band about -63 dB
_MIN_RATE, _MAX_RATE = 8_000, 96_000
_MAX_ROWS = 500  # 11025 needs 320; a rate like 44099 would need 8000 rows and seconds to make them


def to_8_khz(samples: "array[int]", rate: int) -> "array[int]":
    """Resample mono 16-bit samples; what is out of range after it is clamped.

    Raises ValueError for a rate that is not usual (8 to 96 kHz).  Takes a few microseconds per output sample.
    """
    down, up = _ratio(rate)
    if not _MIN_RATE <= rate <= _MAX_RATE or up > _MAX_ROWS:
        raise ValueError(
            f"{rate} samples a second are not a usual rate; use 8000, 16000, 22050, 44100 or 48000"
        )
    if rate == SAMPLE_RATE:
        return samples
    rows = _taps(rate)
    width = len(rows[0])
    silence = array("h", bytes(2 * (width // 2)))
    padded = (silence + samples + silence).tolist()
    count = len(samples) * up // down
    out = array("h", bytes(2 * count))
    for index in range(count):
        start, phase = divmod(index * down, up)
        # the row's centre lies on input sample `start`
        value = sum(map(mul, rows[phase], padded[start + 1 : start + 1 + width]))
        out[index] = -32768 if value < -32768 else 32767 if value > 32767 else round(value)
    return out


def _ratio(rate: int) -> tuple[int, int]:
    common = math.gcd(rate, SAMPLE_RATE)
    return rate // common, SAMPLE_RATE // common


@lru_cache(maxsize=8)
def _taps(rate: int) -> tuple[tuple[float, ...], ...]:
    _, up = _ratio(rate)
    half = math.ceil(_HALF_WIDTH * rate / (2 * _CUTOFF_HZ))
    return tuple(_row(rate, half, phase / up) for phase in range(up))


def _row(rate: int, half: int, offset: float) -> tuple[float, ...]:
    """2 * half taps for an output sample `offset` input samples after the one at index half - 1."""
    step = 2 * _CUTOFF_HZ / rate
    row = [
        _sinc(step * at) * _bessel_i0(_KAISER_BETA * math.sqrt(max(0.0, 1 - (at / half) ** 2)))
        for at in (index - (half - 1) - offset for index in range(2 * half))
    ]
    return tuple(map(mul, row, repeat(1 / sum(row))))  # each row passes DC unchanged


def _sinc(x: float) -> float:
    return 1.0 if x == 0 else math.sin(math.pi * x) / (math.pi * x)


def _bessel_i0(x: float) -> float:
    total = term = 1.0
    for k in range(1, 30):
        term *= (x / (2 * k)) ** 2
        total += term
    return total
