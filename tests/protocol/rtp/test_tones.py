"""gateway.protocol.rtp.tones."""

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.g711 import decode
from gateway.protocol.rtp.tones import BEEP_FRAMES, beep


def test_the_beep_is_whole_frames_and_begins_and_ends_softly() -> None:
    for codec in Codec:
        pcm = memoryview(decode(beep(codec), codec)).cast("h")
        assert len(pcm) == 160 * BEEP_FRAMES
        assert max(pcm) > 7000 and abs(pcm[0]) < 300 and abs(pcm[-1]) < 300
        assert beep(codec) is beep(codec)
