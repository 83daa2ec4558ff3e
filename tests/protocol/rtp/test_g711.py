"""gateway.protocol.rtp.g711 against values of ITU-T G.711 and G.191."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.rtp.codec import LAWS, Codec
from gateway.protocol.rtp.g711 import decode, encode, pcma_to_pcmu, pcmu_to_pcma

ALL_CODES = bytes(range(256))

# octet on the wire, linear value it stands for (G.711 tables 1 and 2 columns 7 and 8, scaled to 16 bit)
PCMU_VALUES = [
    (0xFF, 0), (0xFE, 8), (0xFD, 16), (0xF0, 120), (0xEF, 132), (0xE0, 372), (0xDF, 396), (0xCF, 924),
    (0xBF, 1980), (0xB0, 3900), (0xAF, 4092), (0x9F, 8316), (0x8F, 16764), (0x81, 31100), (0x80, 32124),
    (0x7E, -8), (0x6F, -132), (0x0F, -16764), (0x00, -32124),
]  # fmt: skip
PCMA_VALUES = [
    (0xD5, 8), (0xD4, 24), (0xDA, 248), (0xC5, 264), (0xF5, 528), (0xE5, 1056), (0x95, 2112), (0x85, 4224),
    (0xB5, 8448), (0xA5, 16896), (0xAA, 32256), (0x55, -8), (0x54, -24), (0x75, -528), (0x2A, -32256),
]  # fmt: skip


def linear(*samples: int) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


def samples_of(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(pcm) // 2}h", pcm)


@pytest.mark.parametrize(("octet", "value"), PCMU_VALUES)
def test_pcmu_values_of_the_standard_both_ways(octet: int, value: int) -> None:
    assert samples_of(decode(bytes([octet]), Codec.PCMU)) == (value,)
    assert encode(linear(value), Codec.PCMU) == bytes([octet])


@pytest.mark.parametrize(("octet", "value"), PCMA_VALUES)
def test_pcma_values_of_the_standard_both_ways(octet: int, value: int) -> None:
    assert samples_of(decode(bytes([octet]), Codec.PCMA)) == (value,)
    assert encode(linear(value), Codec.PCMA) == bytes([octet])


def test_decision_values_lie_where_g711_table_2a_puts_them() -> None:
    # in 14-bit steps of 4: decision values 1, 3, 31, 35, 95, 4063
    for threshold, below, above in [(1, 0xFF, 0xFE), (3, 0xFE, 0xFD), (31, 0xF0, 0xEF), (35, 0xEF, 0xEE),
                                    (95, 0xE0, 0xDF), (4063, 0x90, 0x8F)]:  # fmt: skip
        assert encode(linear(threshold * 4 - 1, threshold * 4), Codec.PCMU) == bytes([below, above])


def test_decision_values_lie_where_g711_table_1a_puts_them() -> None:
    # in 13-bit steps of 8: decision values 2, 64, 128, 2048
    for threshold, below, above in [(2, 0xD5, 0xD4), (64, 0xCA, 0xF5), (128, 0xFA, 0xE5), (2048, 0xBA, 0xA5)]:
        assert encode(linear(threshold * 8 - 1, threshold * 8), Codec.PCMA) == bytes([below, above])


@pytest.mark.parametrize("codec", LAWS)
def test_each_code_survives_decoding_and_encoding(codec: Codec) -> None:
    again = encode(decode(ALL_CODES, codec), codec)
    # u-law has two zeros; the negative one comes back as the positive one
    assert again == (ALL_CODES.replace(b"\x7f", b"\xff") if codec is Codec.PCMU else ALL_CODES)


@given(st.integers(-32768, 32767))
def test_round_trip_error_is_at_most_half_a_step(sample: int) -> None:
    (back,) = samples_of(decode(encode(linear(sample), Codec.PCMU), Codec.PCMU))
    clipped = max(-32635, min(sample, 32635))
    step = 8 << (max((abs(sample) >> 2) + 33, 33).bit_length() - 6)
    assert abs(back - clipped) <= step / 2 + 4  # the low 2 bits are cut before quantising
    (back,) = samples_of(decode(encode(linear(sample), Codec.PCMA), Codec.PCMA))
    step = 16 << max((abs(sample) >> 4).bit_length() - 5, 0)
    assert abs(back - sample) <= step / 2 + 8


@pytest.mark.parametrize("codec", LAWS)
def test_a_sine_keeps_35_dB_of_signal_to_noise(codec: Codec) -> None:
    tone = [round(10_000 * math.sin(2 * math.pi * 1004 * n / 8000)) for n in range(8000)]
    noise = [
        a - b for a, b in zip(tone, samples_of(decode(encode(linear(*tone), codec), codec)), strict=True)
    ]
    ratio = sum(x * x for x in tone) / sum(x * x for x in noise)
    assert 10 * math.log10(ratio) > 35  # G.711's own figure is 38 dB


def test_transcoding_moves_a_sample_by_no_more_than_the_coarser_step() -> None:
    for codec, other, transcode in [
        (Codec.PCMU, Codec.PCMA, pcmu_to_pcma),
        (Codec.PCMA, Codec.PCMU, pcma_to_pcmu),
    ]:
        before = samples_of(decode(ALL_CODES, codec))
        after = samples_of(decode(transcode(ALL_CODES), other))
        for was, now in zip(before, after, strict=True):
            assert abs(was - now) <= max(16, abs(was) / 16)


@pytest.mark.parametrize("codec", LAWS)
def test_silence_is_the_code_of_positive_zero(codec: Codec) -> None:
    assert codec.silence == encode(linear(0), codec)


def test_static_payload_types_are_those_of_rfc_3551() -> None:
    assert [codec.static_payload_type for codec in (Codec.PCMU, Codec.PCMA)] == [0, 8]


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        encode(b"\x00\x01\x02", Codec.PCMU)
