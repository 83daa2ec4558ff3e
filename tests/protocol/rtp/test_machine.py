"""gateway.protocol.rtp.machine, with made sounds and with spoken greetings."""

import pytest

from gateway.channels.voice.prompts import speak
from gateway.protocol.rtp.codec import FRAME, LAWS, Codec
from gateway.protocol.rtp.machine import Answerer, Cause, MachineDetector, Verdict
from tests.protocol.rtp.sounds import frames, noise, silence, tone


def judged(sounds: list[bytes], law: Codec = Codec.PCMU) -> Verdict:
    detector = MachineDetector(law)
    for frame in sounds:
        verdict = detector.hear(frame)
        if verdict is not None:
            return verdict
    return detector.hung_up()


def said(seconds: float) -> list[float]:
    """Words of 0.3 s with pauses of 0.1 s."""
    word = noise(0.3, 2500) + silence(0.1)
    return (word * 40)[: round(seconds * 8000)]


@pytest.mark.parametrize(
    ("sound", "answerer", "cause"),
    [
        (silence(0.3) + said(0.7) + silence(2), Answerer.HUMAN, Cause.SHORT_GREETING),
        (silence(0.3) + said(4), Answerer.MACHINE, Cause.LONG_GREETING),
        (silence(0.3) + said(2.3) + silence(3), Answerer.UNSURE, Cause.MIDDLING_GREETING),
        (silence(0.3) + said(2.3) + silence(1.2) + tone(0.5, 1400), Answerer.MACHINE, Cause.BEEP),
        (tone(0.5, 1000, amplitude=1500), Answerer.MACHINE, Cause.BEEP),
        (silence(5), Answerer.UNSURE, Cause.SILENCE),
        (noise(5, 40), Answerer.UNSURE, Cause.SILENCE),
        (silence(1), Answerer.UNSURE, Cause.HANGUP),
    ],
)
@pytest.mark.parametrize("law", LAWS)
def test_verdicts_say_what_they_rest_on(
    sound: list[float], answerer: Answerer, cause: Cause, law: Codec
) -> None:
    verdict = judged(frames(sound, law), law)
    assert (verdict.answerer, verdict.cause) == (answerer, cause)


def test_a_click_is_no_word_and_the_time_of_the_verdict_is_told() -> None:
    click = silence(0.5) + noise(0.02, 9000) + silence(4)
    assert judged(frames(click)) == Verdict(Answerer.UNSURE, Cause.SILENCE, 3.5)
    assert judged(frames(silence(0.5) + said(0.7) + silence(3))).seconds == pytest.approx(2.1, abs=0.1)


def test_ring_back_after_the_answer_is_no_beep() -> None:
    assert judged(frames(tone(1, 425) + silence(4))).cause is not Cause.BEEP


@pytest.mark.parametrize(
    ("text", "answerer"),
    [
        ("Hello?", Answerer.HUMAN),
        ("Hi, this is Anna.", Answerer.HUMAN),
        ("Hello, Smith speaking.", Answerer.HUMAN),
        ("You have reached the voicemail of John. Please leave a message after the tone.", Answerer.MACHINE),
        ("The person you are calling is not available. Please try again later.", Answerer.MACHINE),
    ],
)
def test_spoken_greetings(text: str, answerer: Answerer) -> None:
    octets = Codec.PCMA.silence * 3200 + speak(text, "en").pcma + Codec.PCMA.silence * 16_000
    sounds = [octets[at : at + FRAME] for at in range(0, len(octets) - FRAME, FRAME)]
    assert judged(sounds, Codec.PCMA).answerer is answerer
