"""gateway.protocol.rtp.activity."""

import pytest

from gateway.protocol.rtp.activity import VoiceActivity
from gateway.protocol.rtp.codec import LAWS, Codec
from tests.protocol.rtp.sounds import frames, noise, silence, tone


def share(samples: list[float], codec: Codec = Codec.PCMU) -> float:
    activity = VoiceActivity(codec)
    heard = [activity.is_voice(frame) for frame in frames(samples, codec)]
    return sum(heard) / len(heard)


@pytest.mark.parametrize("codec", LAWS)
def test_silence_and_faint_noise_are_no_voice_and_a_tone_is(codec: Codec) -> None:
    assert share(silence(1), codec) == 0
    assert share(noise(1, 60), codec) == 0
    assert share(tone(1, 400, amplitude=3000), codec) == 1


def test_a_noisy_line_is_learnt_and_a_voice_above_it_still_heard() -> None:
    activity = VoiceActivity(Codec.PCMA)
    line = frames(noise(12, 250), Codec.PCMA)
    heard = [activity.is_voice(frame) for frame in line]
    assert not any(heard[-300:])
    assert all(activity.is_voice(frame) for frame in frames(noise(0.5, 3000), Codec.PCMA))
