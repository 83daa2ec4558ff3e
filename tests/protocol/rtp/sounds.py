"""Sounds for tests, 8000 samples a second."""

import math
from array import array
from random import Random

from gateway.protocol.rtp.codec import FRAME, Codec
from gateway.protocol.rtp.g711 import encode


def tone(seconds: float, *hertz: float, amplitude: float = 6000.0) -> list[float]:
    """Sines of equal strength, added up."""
    return [
        sum(amplitude * math.sin(2 * math.pi * f * n / 8000) for f in hertz)
        for n in range(round(seconds * 8000))
    ]


def noise(seconds: float, amplitude: float, seed: int = 1) -> list[float]:
    chance = Random(seed)
    return [chance.gauss(0, amplitude) for _ in range(round(seconds * 8000))]


def silence(seconds: float) -> list[float]:
    return [0.0] * round(seconds * 8000)


def frames(samples: list[float], codec: Codec = Codec.PCMU) -> list[bytes]:
    """As they come off the wire, the last one filled up with silence."""
    pcm = array("h", (max(-32768, min(32767, round(sample))) for sample in samples))
    octets = encode(pcm.tobytes(), codec)
    octets += codec.silence * (-len(octets) % FRAME)
    return [octets[at : at + FRAME] for at in range(0, len(octets), FRAME)]
