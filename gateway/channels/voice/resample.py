"""Any usual sample rate to a telephone's, through a low-pass, so that nothing folds back.

A polyphase filter: the taps of a Kaiser-windowed sinc are computed once per pair of rates, one short row for
each position that an output sample can have between two input samples.  All output samples of one position
are one matrix product.
"""

import math
from array import array
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_CUTOFF: Final = (
    3700 / 8000
)  # of the lower rate; -6 dB there.  G.712 lets a telephone path fall from 3400 Hz on
_HALF_WIDTH: Final = 12  # zero crossings of the sinc on either side
_KAISER_BETA: Final = 6.0  # stop band about -63 dB
_MIN_RATE, _MAX_RATE = 8_000, 96_000
_MAX_ROWS: Final = 700  # 11025 needs 640 to become 16000; a rate like 44099 would need thousands


def resample(samples: "array[int]", rate: int, wanted: int) -> "array[int]":
    """Mono 16-bit samples, `wanted` a second; what is out of range after it is clamped.

    Raises ValueError for a rate that is not usual (8 to 96 kHz).
    """
    down, up = _ratio(rate, wanted)
    if not _MIN_RATE <= rate <= _MAX_RATE or up > _MAX_ROWS:
        raise ValueError(
            f"{rate} samples a second are not a usual rate; use 8000, 16000, 22050, 44100 or 48000"
        )
    if rate == wanted:
        return samples
    rows = _taps(rate, wanted)
    width = rows.shape[1]
    sound = np.asarray(samples, dtype=np.float32)
    padded = np.pad(sound, width // 2)
    # row n: the input that output sample n may look at; its centre lies on input sample n
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)[1:]
    out = np.zeros(len(sound) * up // down, dtype=np.float32)
    for position in range(min(up, len(out))):
        first, row = divmod(position * down, up)
        share = out[position::up]
        share[:] = windows[first::down][: len(share)] @ rows[row]
    whole = np.rint(out).clip(-32768, 32767).astype(np.int16)
    return array("h", whole.tobytes())


def _ratio(rate: int, wanted: int) -> tuple[int, int]:
    common = math.gcd(rate, wanted)
    return (rate // common, wanted // common) if common else (0, 0)


@lru_cache(maxsize=8)
def _taps(rate: int, wanted: int) -> NDArray[np.float32]:
    """One row of 2 * half taps for each position of an output sample after the input sample at half - 1."""
    _, up = _ratio(rate, wanted)
    cutoff = _CUTOFF * min(rate, wanted)
    half = math.ceil(_HALF_WIDTH * rate / (2 * cutoff))
    at = np.arange(2 * half) - (half - 1) - np.arange(up)[:, None] / up
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (at / half) ** 2, 0, None)))
    taps = np.sinc(2 * cutoff / rate * at) * window
    rows: NDArray[np.float32] = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    return rows  # each passes DC unchanged
