"""gateway.protocol.rtp.ear."""

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.ear import Ear
from gateway.protocol.rtp.g711 import decode


def test_frames_keep_their_law_when_the_peer_changes_its_codec() -> None:
    ear = Ear(Codec.PCMA, depth_milliseconds=120)
    loud_u, loud_a = b"\x80" * 160, b"\xaa" * 160  # both the greatest positive sample
    ear.put(Codec.PCMA, 1, 0, loud_a)
    assert [ear.next_frame().frame for _ in range(7)][-1] == loud_a
    ear.put(Codec.PCMU, 1, 8000, loud_u)
    frame = [ear.next_frame().frame for _ in range(7)][-1]
    assert memoryview(decode(frame, Codec.PCMA)).cast("h")[0] > 30_000


def test_nothing_heard_is_silence_of_the_law() -> None:
    assert Ear(Codec.PCMA, depth_milliseconds=120).next_frame().frame == b"\xd5" * 160
