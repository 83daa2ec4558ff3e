"""gateway.protocol.rtp.tone_listener: findings to presses."""

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.tone_listener import BLOCK, ToneListener


def judged(*found: int) -> str:
    listener = ToneListener(Codec.PCMU)
    pairs = zip(found[::2], found[1::2], strict=True)
    return "".join(digit for digit in map(listener.judge, pairs) if digit)


def test_a_press_is_three_windows_and_told_once() -> None:
    assert judged(0, 0, -1, -1) == ""
    assert judged(0, 0, 0, 0, 0, 0, 0, 0) == "1"


def test_a_short_gap_is_the_line_and_a_long_one_a_second_press() -> None:
    assert judged(0, 0, 0, 0, -1, -1, 0, 0, 0, 0) == "1"
    assert judged(0, 0, 0, 0, -1, -1, -1, -1, 0, 0, 0, 0) == "11"


def test_another_key_needs_no_gap() -> None:
    assert judged(0, 0, 0, 0, 1, 1, 1, 1) == "12"


def test_the_block_is_the_end_of_the_frame_before_and_the_frame() -> None:
    listener = ToneListener(Codec.PCMA)
    listener.hear(b"\xd5" * 80 + b"\x55" * 80)
    listener.hear(b"\xd5" * 160)
    assert len(listener.block) == BLOCK
    assert listener.block[:80] != listener.block[80:160] == listener.block[160:]
