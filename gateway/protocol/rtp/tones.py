"""Sounds that are made, not read."""

import math
from array import array
from functools import cache
from typing import Final

from gateway.protocol.rtp.codec import FRAME, SAMPLE_RATE, Codec
from gateway.protocol.rtp.transcode import encode

_BEEP_HERTZ: Final = 1000
_BEEP_AMPLITUDE: Final = 8000  # -12 dB below full scale
_RINGING_HERTZ: Final = 425
_RINGING_AMPLITUDE: Final = 4000  # -18 dB
_KEY_AMPLITUDE: Final = 6000  # of each of the two tones: -9 dBm0 each
_RAMP: Final = 80  # samples of rise and fall, so that it does not click
BEEP_FRAMES: Final = 20


ROWS: Final = (697, 770, 852, 941)  # ITU-T Q.23
COLUMNS: Final = (1209, 1336, 1477, 1633)
KEYS: Final = "123A456B789C*0#D"
_KEY_FRAMES: Final = 5


@cache
def beep(codec: Codec) -> bytes:
    """What says "speak after the tone": 0.4 s of 1000 Hz."""
    return _tone(BEEP_FRAMES, codec, (_BEEP_HERTZ,), _BEEP_AMPLITUDE)


@cache
def ringing(codec: Codec) -> bytes:
    """What is heard while another phone rings: 425 Hz for one second out of five (ITU-T E.180)."""
    return _tone(50, codec, (_RINGING_HERTZ,), _RINGING_AMPLITUDE) + codec.silence * 200 * FRAME


def key_hertz(digit: str) -> tuple[int, int]:
    """The row's and the column's frequency of a key (ITU-T Q.23).  Raises ValueError for what is none."""
    at = KEYS.index(digit)
    return ROWS[at // 4], COLUMNS[at % 4]


@cache
def key(digit: str, codec: Codec) -> bytes:
    """A key as it sounds, for a peer that takes no telephone events: 100 ms, and 60 ms of silence."""
    return _tone(_KEY_FRAMES, codec, key_hertz(digit), _KEY_AMPLITUDE) + codec.silence * 3 * FRAME


def _tone(frames: int, codec: Codec, hertz: tuple[int, ...], amplitude: int) -> bytes:
    count = frames * FRAME
    samples = array("h", bytes(2 * count))
    for at in range(count):
        ramp = min(1.0, at / _RAMP, (count - 1 - at) / _RAMP)
        wave = sum(math.sin(2 * math.pi * one * at / SAMPLE_RATE) for one in hertz)
        samples[at] = round(amplitude * ramp * wave)
    return encode(samples.tobytes(), codec)
