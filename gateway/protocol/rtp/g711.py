"""G.711: 16-bit linear PCM to and from PCMU and PCMA, by tables made once at import.

Linear samples are signed 16 bit, little-endian, as a WAV file holds them; one octet on the wire per sample.
Source: ITU-T G.711, aligned as in ITU-T G.191: 13-bit A-law and 14-bit u-law values in the high bits.
"""

import sys
from array import array

from gateway.protocol.rtp.codec import Codec


def encode(pcm: bytes, codec: Codec) -> bytes:
    """Compand linear PCM.  Raises ValueError when pcm holds half a sample."""
    samples = array("H", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return bytes(map(_COMPRESS[codec].__getitem__, samples))


def decode(octets: bytes, codec: Codec) -> bytes:
    """Expand to linear PCM, two octets per sample."""
    samples = array("h", map(_EXPAND[codec].__getitem__, octets))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def sample(octet: int, codec: Codec) -> int:
    """The linear sample that one octet stands for."""
    return _EXPAND[codec][octet]


def pcmu_to_pcma(octets: bytes) -> bytes:
    """Re-compand without passing through linear samples; at most half a step of the coarser law is lost."""
    return octets.translate(_U_TO_A)


def pcma_to_pcmu(octets: bytes) -> bytes:
    """The way back of `pcmu_to_pcma`."""
    return octets.translate(_A_TO_U)


def _expand_u(octet: int) -> int:
    # the wire holds the complement: sign (1 = positive after complement 0), 3 bits segment, 4 bits step
    octet ^= 0xFF
    magnitude = ((((octet & 0x0F) << 3) + 0x84) << (octet >> 4 & 7)) - 0x84
    return -magnitude if octet & 0x80 else magnitude


def _expand_a(octet: int) -> int:
    # even bits are inverted on the wire; sign bit 1 = positive
    octet ^= 0x55
    segment, step = octet >> 4 & 7, octet & 0x0F
    magnitude = (step << 4) + 8 if segment == 0 else ((step << 4) + 0x108) << (segment - 1)
    return magnitude if octet & 0x80 else -magnitude


def _compress_table(positive: bytes, sign: int) -> bytes:
    """All codes by unsigned 16-bit sample; a negative sample is coded as its one's complement (G.191)."""
    flip = bytes(code ^ sign for code in range(256))
    return positive + positive[::-1].translate(flip)


def _u_codes() -> bytes:
    # 14-bit magnitudes, 4 per code of our 16; decision values 0, 1, 3, 5 .. 31, 35 .. (G.711 table 2a)
    biased = ((min(value + 33, 0x1FFF)) for value in range(0x2000))
    codes = ((b.bit_length() - 6) << 4 | (b >> (b.bit_length() - 5) & 0x0F) for b in biased)
    return b"".join(bytes([code ^ 0xFF]) * 4 for code in codes)


def _a_codes() -> bytes:
    # magnitudes in steps of 16; the two lowest segments share one step width (G.711 table 1a)
    segments = (max(value.bit_length() - 4, 0) for value in range(0x800))
    codes = (s << 4 | (value >> max(s - 1, 0) & 0x0F) for value, s in enumerate(segments))
    return b"".join(bytes([code ^ 0xD5]) * 16 for code in codes)


_EXPAND = {
    Codec.PCMU: [_expand_u(code) for code in range(256)],
    Codec.PCMA: [_expand_a(c) for c in range(256)],
}
_COMPRESS = {Codec.PCMU: _compress_table(_u_codes(), 0x80), Codec.PCMA: _compress_table(_a_codes(), 0x80)}
_U_TO_A = bytes(_COMPRESS[Codec.PCMA][sample & 0xFFFF] for sample in _EXPAND[Codec.PCMU])
_A_TO_U = bytes(_COMPRESS[Codec.PCMU][sample & 0xFFFF] for sample in _EXPAND[Codec.PCMA])
