"""One call's keys by their tones: what the windows of its audio show, one after the other, made into presses.

Apart from `inband`, which looks into the windows, since that needs numpy.
"""

from typing import Final

from gateway.protocol.rtp.codec import FRAME, Codec
from gateway.protocol.rtp.g711 import pcma_to_pcmu
from gateway.protocol.rtp.tones import KEYS

_HALF: Final = FRAME // 2
BLOCK: Final = FRAME + _HALF  # octets: the last 10 ms of the frame before, and the frame; two windows
_WINDOWS: Final = 3  # in a row make a press; a tone of 40 ms has as many that it nearly fills
_GAP_WINDOWS: Final = 3  # without it end one


class ToneListener:
    """One call's: `hear` each frame, let `inband.find_tones` look at `block`, then `judge` what was found."""

    def __init__(self, law: Codec) -> None:
        self._is_pcma = law is Codec.PCMA
        self._before = b"\xff" * _HALF
        self._key = -1
        self._run = 0
        self._gap = 0
        self._pressed = -1  # until its tones have ended
        self.block = b""

    def hear(self, frame: bytes) -> None:
        """The next 160 octets of G.711."""
        if self._is_pcma:
            frame = pcma_to_pcmu(frame)
        self.block = self._before + frame
        self._before = frame[_HALF:]

    def judge(self, found: tuple[int, int]) -> str | None:
        """The key whose press began in these 20 ms."""
        pressed = None
        for key in found:
            self._run = self._run + 1 if key == self._key else 1
            self._key = key
            if key < 0:
                self._gap += 1
                if self._gap >= _GAP_WINDOWS:
                    self._pressed = -1
            else:
                self._gap = 0
                if self._run >= _WINDOWS and key != self._pressed:
                    self._pressed = key
                    pressed = KEYS[key]
        return pressed
