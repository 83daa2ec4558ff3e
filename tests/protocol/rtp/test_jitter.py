"""gateway.protocol.rtp.jitter, in virtual time: one pull is 20 ms."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.jitter import JitterBuffer

QUIET = b"\xff" * 160


def a_buffer(depth: int = 60) -> JitterBuffer:
    return JitterBuffer(Codec.PCMU, depth_milliseconds=depth)


def frame(number: int, octets: int = 160) -> bytes:
    return bytes([number % 255]) * octets


def pulled(buffer: JitterBuffer, count: int) -> list[bytes]:
    return [buffer.pull() for _ in range(count)]


def test_an_even_stream_comes_out_whole_after_the_depth() -> None:
    buffer = a_buffer()
    out = []
    for number in range(20):
        buffer.put(1, 1000 + 160 * number, frame(number))
        out.append(buffer.pull())
    assert out == [QUIET] * 3 + [frame(number) for number in range(17)]
    assert buffer.late == 0


def test_order_and_duplicates_do_not_matter_and_what_is_lost_is_silence() -> None:
    buffer = a_buffer()
    for number in (0, 2, 1, 1, 4):
        buffer.put(1, 160 * number, frame(number))
    assert pulled(buffer, 9)[3:] == [frame(0), frame(1), frame(2), QUIET, frame(4), QUIET]


def test_packets_of_10_30_and_40_ms_make_the_same_frames() -> None:
    for octets in (80, 240, 320):
        buffer, sound = a_buffer(), bytes(range(1, 241)) * 4
        for at in range(0, 960, octets):
            buffer.put(1, at, sound[at : at + octets])
        assert b"".join(pulled(buffer, 9)[3:]) == sound


def test_timestamps_may_wrap() -> None:
    buffer = a_buffer()
    for number in range(4):
        buffer.put(1, (2**32 - 320 + 160 * number) % 2**32, frame(number))
    assert pulled(buffer, 7)[3:] == [frame(number) for number in range(4)]


def test_a_late_packet_is_dropped_and_counted_and_the_stream_goes_on() -> None:
    buffer = a_buffer()
    buffer.put(1, 0, frame(0))
    pulled(buffer, 5)
    buffer.put(1, 160, frame(1))  # its turn has just passed
    buffer.put(1, 320, frame(2))
    assert pulled(buffer, 1) == [frame(2)] and buffer.late == 1


def test_a_clock_that_was_set_back_is_followed() -> None:
    buffer = a_buffer()
    out = []
    for number in range(60):
        timestamp = 160 * number if number < 20 else 160 * (number - 20)
        buffer.put(1, timestamp, frame(number))
        out.append(buffer.pull())
    assert out[-10:] == [frame(number) for number in range(47, 57)]


def test_a_clock_that_leaps_ahead_is_followed_at_once() -> None:
    buffer = a_buffer()
    buffer.put(1, 0, frame(0))
    buffer.put(1, 800_000, frame(1))
    assert frame(1) in pulled(buffer, 4)


def test_a_peer_whose_clock_runs_fast_neither_fills_memory_nor_delays() -> None:
    buffer = a_buffer()
    last = b""
    for number in range(20_000):
        buffer.put(1, 160 * number, frame(number))
        if number % 100:  # one percent fast
            last = buffer.pull()
    assert len(buffer._chunks) <= 60
    assert last in [frame(number) for number in range(19_980, 20_000)]


def test_a_new_source_starts_afresh() -> None:
    buffer = a_buffer()
    buffer.put(1, 0, frame(0))
    pulled(buffer, 4)
    buffer.put(2, 77_777, frame(9))
    assert pulled(buffer, 4)[3] == frame(9)


@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_jitter_within_the_depth_loses_nothing(start: int, chance: Random) -> None:
    buffer = a_buffer(120)
    due = sorted((number + chance.random() * 5, number) for number in range(1, 60))
    due.insert(0, (0.0, 0))  # the first one sets the clock
    out: list[bytes] = []
    for tick in range(80):
        while due and due[0][0] <= tick:
            _, number = due.pop(0)
            buffer.put(1, (start + 160 * number) % 2**32, frame(number))
        out.append(buffer.pull())
    assert out[6:66] == [frame(number) for number in range(60)]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2**32 - 1), st.binary(max_size=400)), max_size=60)
)
def test_any_packets_leave_a_stream_of_frames_and_little_memory(
    packets: list[tuple[int, int, bytes]],
) -> None:
    buffer = a_buffer()
    for ssrc, timestamp, payload in packets:
        buffer.put(ssrc, timestamp, payload)
        assert len(buffer.pull()) == 160
    assert len(buffer._chunks) <= 200
