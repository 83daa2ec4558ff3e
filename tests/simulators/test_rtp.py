import math
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.rtp import CODECS, PCMA, PCMU, Codec, Listener, NotRtp, Packet, event_payloads


@pytest.mark.parametrize(
    ("codec", "code", "sample"),
    [  # ITU-T G.711 tables 2a and 1a, scaled to 16 bits
        (PCMU, 0x00, -32124),
        (PCMU, 0x80, 32124),
        (PCMU, 0xFF, 0),
        (PCMU, 0x7F, 0),
        (PCMU, 0xFE, 8),
        (PCMU, 0x8F, 16764),
        (PCMA, 0xD5, 8),
        (PCMA, 0x55, -8),
        (PCMA, 0xAA, 32256),
        (PCMA, 0x2A, -32256),
        (PCMA, 0xD4, 24),
    ],
)
def test_g711_codes(codec: Codec, code: int, sample: int) -> None:
    assert codec.linear[code] == sample


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.name)
def test_every_code_is_the_nearest_to_its_own_sample(codec: Codec) -> None:
    decoded = [codec.linear[code] for code in codec.encode(codec.linear)]
    assert decoded == list(codec.linear)


@given(st.sampled_from([PCMU, PCMA]), st.integers(-32000, 32000))
def test_encoding_errs_by_no_more_than_a_twentieth(codec: Codec, sample: int) -> None:
    assert abs(codec.linear[codec.encode([sample])[0]] - sample) <= max(8, abs(sample) / 20)


@given(
    st.builds(
        Packet,
        st.integers(0, 127),
        st.integers(0, 2**16 - 1),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=200),
        st.booleans(),
    )
)
def test_packets_come_back(packet: Packet) -> None:
    assert Packet.parse(packet.encode()) == packet


def test_packet_octets() -> None:
    packet = Packet(8, 0x0102, 0x03040506, 0x0708090A, b"\xd5", marker=True)
    assert packet.encode() == bytes.fromhex("80880102030405060708090ad5")


def test_csrc_extension_and_padding_are_taken_off() -> None:
    data = (
        bytes.fromhex("b1000001000000000000000a")
        + b"CSRC"
        + bytes.fromhex("bede0001aabbccdd")
        + b"xy"
        + b"\0\0\3"
    )
    assert Packet.parse(data).payload == b"xy"


@pytest.mark.parametrize(
    "text", ["", "80", "40" + "00" * 11, "8f" + "00" * 11, "90" + "00" * 11, "a0" + "00" * 10 + "ff"]
)
def test_other_datagrams_are_not_rtp(text: str) -> None:
    with pytest.raises(NotRtp):
        Packet.parse(bytes.fromhex(text))


@given(st.binary(max_size=60))
def test_random_octets_give_a_packet_or_not_rtp(data: bytes) -> None:
    try:
        Packet.parse(data)
    except NotRtp:
        pass


def test_key_press_octets() -> None:
    assert [payload.hex() for payload in event_payloads("#", frames=2)] == [
        "0b0a00a0",
        "0b0a0140",
        *["0b8a0140"] * 3,
    ]


def frames(*numbers: int, first: int = 65530, ssrc: int = 1, codec: Codec = PCMU) -> list[Packet]:
    tone = codec.tone(1000, 8000)[:160]
    return [
        Packet(codec.payload_type, (first + n) % 65536, (4_294_967_000 + n * 160) % 2**32, ssrc, tone)
        for n in numbers
    ]


def heard(packets: list[Packet], interval: float = 0.02) -> Listener:
    listener = Listener(event_type=101)
    for number, packet in enumerate(packets):
        listener.hear(packet, 5.0 + number * interval)
    return listener


def test_loss_is_counted_by_sequence_across_the_wrap() -> None:
    report = heard(frames(0, 1, 2, 5, 6, 8, 9)).report()
    assert (report["packets"], report["lost"], report["duplicates"]) == (7, 3, 0)


def test_reordered_and_repeated_packets_are_not_lost() -> None:
    report = heard(frames(1, 0, 2, 2, 4, 3, 4)).report()
    assert (report["packets"], report["lost"], report["duplicates"]) == (5, 0, 2)
    assert report["seconds"] == 0.1


def test_jitter_is_that_of_rfc_3550() -> None:
    listener = Listener()
    arrivals = [0.0, 0.030, 0.040]  # D = 80 samples, then -80
    for packet, arrival in zip(frames(0, 1, 2), arrivals, strict=True):
        listener.hear(packet, arrival)
    expected = 80 / 16
    expected += (80 - expected) / 16
    assert listener.report()["jitter_ms"] == pytest.approx(expected / 8, abs=0.001)
    assert listener.report()["gap_ms"] == 30.0


def test_steady_stream_has_no_jitter() -> None:
    assert heard(frames(*range(50))).report()["jitter_ms"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.name)
def test_loudness_is_that_of_the_sine(codec: Codec) -> None:
    report = heard(frames(*range(5), codec=codec)).report()
    assert report["rms"] == pytest.approx(8000 / math.sqrt(2), rel=0.02)
    assert report["codec"] == codec.name


def test_nothing_heard_is_reported_as_nothing() -> None:
    report = Listener().report()
    assert (report["packets"], report["rms"], report["seconds"], report["codec"]) == (0, 0.0, 0.0, "")


def test_digits_are_counted_once_each_although_sent_eight_times() -> None:
    packets, sequence = [], 0
    for number, digit in enumerate("11#"):
        for payload in event_payloads(digit, frames=5):
            packets.append(Packet(101, sequence, 1000 * number, 1, payload))
            sequence += 1
    report = heard(packets).report()
    assert (report["digits"], report["seconds"], report["jitter_ms"]) == ("11#", 0.0, 0.0)


def test_a_second_ssrc_begins_a_second_stream() -> None:
    report = heard([*frames(0, 1, 2), *frames(0, 1, 2, first=7000, ssrc=2)]).report()
    assert (report["packets"], report["lost"]) == (6, 0)


def test_a_flood_of_ssrcs_is_bounded() -> None:
    listener = heard([frames(0, ssrc=ssrc)[0] for ssrc in range(100)])
    assert (len(listener.streams), listener.ignored) == (8, 92)


def test_recording_is_in_order_with_silence_in_the_holes(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    heard(frames(0, 3, 1)).write_wav(path)
    with wave.open(str(path)) as recorded:
        assert (recorded.getframerate(), recorded.getnchannels(), recorded.getsampwidth()) == (8000, 1, 2)
        octets = recorded.readframes(10_000)
    tone = [PCMU.linear[code] for code in PCMU.tone(1000, 8000)[:160]]
    samples = memoryview(octets).cast("h").tolist()
    assert samples == [*tone, *tone, *[0] * 160, *tone]
