"""From samples to octets of any codec, and from one codec's frames to another's."""

import sys
from array import array
from collections.abc import Callable
from typing import Any, Final

from G722 import G722

from gateway.protocol.rtp import g711
from gateway.protocol.rtp.codec import SAMPLE_RATE, Codec

_BITS_PER_SECOND: Final = 64_000


def encode(pcm: bytes, codec: Codec) -> bytes:
    """Linear PCM of 8000 samples a second, 16 bit, little-endian, as octets of `codec`."""
    if codec is Codec.G722:
        return bytes(_g722(SAMPLE_RATE).encode(_native(pcm)))
    return g711.encode(pcm, codec)


def wide_encoder() -> Callable[[bytes], bytes]:
    """Linear PCM of 16,000 samples a second to octets of G.722, piece by piece of one sound."""
    coder = _g722(2 * SAMPLE_RATE)
    return lambda pcm: bytes(coder.encode(_native(pcm)))


class Transcoder:
    """Frames of `source` to frames of `target`, in order: G.722 remembers what went before."""

    def __init__(self, source: Codec, target: Codec) -> None:
        self.source = source
        self.target = target
        self._convert: Callable[[bytes], bytes] | None = None
        if source is not target:
            self._convert = _converter(source, target)

    def convert(self, frame: bytes) -> bytes:
        """160 octets to 160 octets."""
        return frame if self._convert is None else self._convert(frame)


def _converter(source: Codec, target: Codec) -> Callable[[bytes], bytes]:
    if source is Codec.G722:
        coder = _g722(SAMPLE_RATE)
        return lambda frame: g711.encode(_little_endian(coder.decode(frame)), target)
    if target is Codec.G722:
        coder = _g722(SAMPLE_RATE)
        return lambda frame: bytes(coder.encode(_native(g711.decode(frame, source))))
    return g711.pcmu_to_pcma if target is Codec.PCMA else g711.pcma_to_pcmu


def _g722(rate: int) -> Any:
    return G722(rate, _BITS_PER_SECOND)


def _native(pcm: bytes) -> "array[int]":
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _little_endian(samples: "array[int]") -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
