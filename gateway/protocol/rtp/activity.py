"""Whether somebody speaks: the loudness of a frame, and a threshold that follows the line's own noise.

Loudness here is the mean of the samples' levels, in decibels over one step of a 16-bit sample: speech has 55
to 75, silence 0.  The mean of logarithms, not of powers: a table and a sum say it in a microsecond, and a
click counts for little.
"""

import math
from typing import Final

from gateway.protocol.rtp.codec import FRAME, LAWS, Codec
from gateway.protocol.rtp.g711 import sample

_STEPS: Final = 2  # per decibel, so that a level fits in an octet
_FAINTEST_DB: Final = 42.0  # quieter is silence on any line: about -45 dB below full scale
_LOUDEST_NOISE_DB: Final = 58.0  # noisier is no noise: a threshold above it would miss people
_ABOVE_NOISE_DB: Final = 9.0
_RISE_DB: Final = 0.05  # per frame: the noise may grow by 2.5 dB a second


def _levels(codec: Codec) -> bytes:
    loud = (math.log10(max(abs(sample(octet, codec)), 1)) for octet in range(256))
    return bytes(round(20 * _STEPS * level) for level in loud)


_LEVELS: Final = {codec: _levels(codec) for codec in LAWS}


class VoiceActivity:
    """Tells frames of G.711 with a voice from those without; `level` is the loudness of the last."""

    def __init__(self, codec: Codec) -> None:
        self._table = _LEVELS[codec]
        self._noise = _FAINTEST_DB - _ABOVE_NOISE_DB
        self.level = 0.0

    def is_voice(self, frame: bytes) -> bool:
        """Judge the next frame of 160 octets."""
        level = self.level = sum(frame.translate(self._table)) / (_STEPS * FRAME)
        if level < self._noise:
            self._noise = level
        else:
            self._noise = min(self._noise + _RISE_DB, _LOUDEST_NOISE_DB - _ABOVE_NOISE_DB, level)
        return level > max(_FAINTEST_DB, self._noise + _ABOVE_NOISE_DB)
