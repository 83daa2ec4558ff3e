"""gateway.protocol.rtp.tones."""

from gateway.protocol.rtp.codec import LAWS, Codec
from gateway.protocol.rtp.g711 import decode
from gateway.protocol.rtp.tones import BEEP_FRAMES, beep, key, key_hertz, ringing


def test_the_beep_is_whole_frames_and_begins_and_ends_softly() -> None:
    for codec in LAWS:
        pcm = memoryview(decode(beep(codec), codec)).cast("h")
        assert len(pcm) == 160 * BEEP_FRAMES
        assert max(pcm) > 7000 and abs(pcm[0]) < 300 and abs(pcm[-1]) < 300
        assert beep(codec) is beep(codec)


def test_a_key_is_its_two_frequencies_and_then_silence() -> None:
    assert [key_hertz(digit) for digit in "1D0#"] == [(697, 1209), (941, 1633), (941, 1336), (941, 1477)]
    sound = key("5", Codec.PCMU)
    assert len(sound) == 160 * 8 and sound.endswith(b"\xff" * 480)
    assert len({key(digit, Codec.PCMA) for digit in "0123456789*#ABCD"}) == 16


def test_the_ringing_tone_is_one_second_out_of_five() -> None:
    sound = ringing(Codec.PCMA)
    assert len(sound) == 8000 * 5 and sound.endswith(b"\xd5" * 8000 * 4)
    assert ringing(Codec.PCMA) is sound
