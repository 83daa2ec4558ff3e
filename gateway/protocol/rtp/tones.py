"""Sounds that are made, not read."""

import math
from array import array
from functools import cache
from typing import Final

from gateway.protocol.rtp.codec import FRAME, SAMPLE_RATE, Codec
from gateway.protocol.rtp.g711 import encode

_BEEP_HERTZ: Final = 1000
_BEEP_AMPLITUDE: Final = 8000  # -12 dB below full scale
_RAMP: Final = 80  # samples of rise and fall, so that it does not click
BEEP_FRAMES: Final = 20


@cache
def beep(codec: Codec) -> bytes:
    """What says "speak after the tone": 0.4 s of 1000 Hz."""
    count = BEEP_FRAMES * FRAME
    samples = array("h", bytes(2 * count))
    for at in range(count):
        ramp = min(1.0, at / _RAMP, (count - 1 - at) / _RAMP)
        samples[at] = round(_BEEP_AMPLITUDE * ramp * math.sin(2 * math.pi * _BEEP_HERTZ * at / SAMPLE_RATE))
    return encode(samples.tobytes(), codec)
