"""gateway.protocol.rtp.transcode."""

from __future__ import annotations

import itertools
import math
import struct
from array import array

import pytest

from gateway.protocol.rtp.codec import FRAME, Codec
from gateway.protocol.rtp.g711 import decode
from gateway.protocol.rtp.transcode import Transcoder, encode, wide_encoder
from tests.protocol.rtp.sounds import tone


def pcm(samples: list[float]) -> bytes:
    return struct.pack(f"<{len(samples)}h", *map(round, samples))


def likeness(one: array[int], other: array[int]) -> float:
    """The correlation of two sounds, at the shift within 4 ms at which they are most alike."""

    def at(shift: int) -> float:
        pairs = list(zip(one[400 + shift :], other[400:-100], strict=False))
        dot = sum(a * b for a, b in pairs)
        return dot / math.sqrt(sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs))

    return max(map(at, range(33)))


def through(octets: bytes, *path: Codec) -> array[int]:
    """Octets of path's first codec, frame by frame through the others, as samples."""
    for transcoder in (Transcoder(a, b) for a, b in itertools.pairwise([*path, Codec.PCMU])):
        octets = b"".join(transcoder.convert(octets[at : at + FRAME]) for at in range(0, len(octets), FRAME))
    return array("h", decode(octets, Codec.PCMU))


@pytest.mark.parametrize("path", [*itertools.product(Codec, repeat=1), *itertools.product(Codec, repeat=2)])
def test_what_goes_through_any_codecs_comes_out_alike(path: tuple[Codec, ...]) -> None:
    sound = tone(0.5, 440, 1330, amplitude=5000)
    assert likeness(through(encode(pcm(sound), path[0]), *path), array("h", pcm(sound))) > 0.99


def test_a_frame_is_a_frame_in_every_codec() -> None:
    for source, target in itertools.product(Codec, repeat=2):
        assert len(Transcoder(source, target).convert(source.silence * FRAME)) == FRAME


def test_wide_sound_is_8000_octets_a_second_and_heard_by_the_narrow_decoder() -> None:
    wide = [8000 * math.sin(2 * math.pi * 400 * n / 16_000) for n in range(8000)]
    coder, sound = wide_encoder(), pcm(wide)
    octets = b"".join(coder(sound[at : at + 1000]) for at in range(0, len(sound), 1000))
    assert len(octets) == 4000
    assert likeness(through(octets, Codec.G722), array("h", pcm(tone(0.5, 400)))) > 0.99


def test_silence_of_g722_is_silence() -> None:
    heard = through(encode(pcm(tone(0.1, 700)), Codec.G722) + Codec.G722.silence * 4000, Codec.G722)
    assert max(map(abs, heard[-1600:])) <= 64
