"""Who answered a call: a person, or a machine that plays a greeting; judged by the first seconds of sound.

A person says a word or two and waits.  A machine talks on, then beeps.  What is neither is not guessed at.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.protocol.rtp.activity import VoiceActivity
from gateway.protocol.rtp.codec import SAMPLE_RATE, Codec
from gateway.protocol.rtp.g711 import decode
from gateway.protocol.rtp.stream import FRAME_SECONDS

_BEEP_FRAMES: Final = 8  # 160 ms of one tone
_BEEP_HERTZ: Final = (600.0, 2200.0)  # ring-back and vowels are below
_SAME_HERTZ: Final = 30.0
_SAME_DB: Final = 1.0  # a tone does not change its loudness; words do, which spares most of the arithmetic
_TONE_SAMPLES: Final = 80
_IMPURE: Final = 0.02  # share of a frame's energy that one tone does not explain; G.711 leaves 0.001


class Answerer(StrEnum):
    HUMAN = "human"
    MACHINE = "machine"
    UNSURE = "unsure"


class Cause(StrEnum):
    """What the verdict rests on."""

    SHORT_GREETING = "short-greeting"  # a few words, then silence
    LONG_GREETING = "long-greeting"
    BEEP = "beep"
    MIDDLING_GREETING = "middling-greeting"  # too long for a person, too short for a machine
    SILENCE = "silence"  # nobody said anything
    TIME = "time"
    HANGUP = "hangup"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`seconds`: from the beginning of listening, which is the answer, to the verdict."""

    answerer: Answerer
    cause: Cause
    seconds: float


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """In seconds.  A greeting is the time from the first word to the last; pauses within it count."""

    human_greeting: float = 1.8  # at most
    machine_greeting: float = 3.0  # at least
    after_greeting: float = 0.9  # silence that ends a greeting
    before_beep: float = 2.0  # silence after a middling greeting in which a beep may still come
    first_silence: float = 3.5  # nothing said for so long
    total: float = 7.0


class MachineDetector:
    """Takes frames until it has a verdict."""

    def __init__(self, law: Codec, limits: MachineLimits = MachineLimits()) -> None:
        self._law = law
        self._limits = limits
        self._activity = VoiceActivity(law)
        self._frames = 0
        self._first_voice = 0  # number of the frame, from 1
        self._last_voice = 0
        self._voice_run = 0
        self._tone_run = 0
        self._tone_hertz = 0.0

    @property
    def seconds(self) -> float:
        return round(self._frames * FRAME_SECONDS, 2)

    def hear(self, frame: bytes) -> Verdict | None:
        """The next 160 octets of G.711; the verdict when there is one."""
        self._frames += 1
        self._follow(frame)
        found = self._judge()
        return Verdict(*found, self.seconds) if found is not None else None

    def hung_up(self) -> Verdict:
        """The call ended before there was a verdict."""
        return Verdict(Answerer.UNSURE, Cause.HANGUP, self.seconds)

    def _follow(self, frame: bytes) -> None:
        before = self._activity.level
        if not self._activity.is_voice(frame):
            self._voice_run = self._tone_run = 0
            return
        self._voice_run += 1
        steady = abs(self._activity.level - before) < _SAME_DB
        hertz = _tone(frame, self._law) if steady else 0.0
        same = abs(hertz - self._tone_hertz) < _SAME_HERTZ
        self._tone_run = (self._tone_run + 1 if same else 1) if hertz else 0
        self._tone_hertz = hertz
        if self._voice_run >= 3:  # a click is no word
            self._first_voice = self._first_voice or self._frames - 2
            self._last_voice = self._frames

    def _judge(self) -> tuple[Answerer, Cause] | None:
        limits, now = self._limits, self._frames * FRAME_SECONDS
        if self._tone_run >= _BEEP_FRAMES:
            return Answerer.MACHINE, Cause.BEEP
        if not self._first_voice:
            silent = now >= limits.first_silence and not self._voice_run
            return (Answerer.UNSURE, Cause.SILENCE) if silent else None
        greeting = (self._last_voice - self._first_voice + 1) * FRAME_SECONDS
        if greeting >= limits.machine_greeting and not self._tone_run:
            return Answerer.MACHINE, Cause.LONG_GREETING
        if (self._frames - self._last_voice) * FRAME_SECONDS >= limits.after_greeting:
            if greeting <= limits.human_greeting:
                return Answerer.HUMAN, Cause.SHORT_GREETING
            if (self._frames - self._last_voice) * FRAME_SECONDS >= limits.before_beep:
                return Answerer.UNSURE, Cause.MIDDLING_GREETING
        return (Answerer.UNSURE, Cause.TIME) if now >= limits.total else None


def _tone(frame: bytes, law: Codec) -> float:
    """The frequency of the one tone that a frame consists of; 0.0 when it is no such thing.

    A sine has x[n] + x[n-2] = 2 cos(w) x[n-1]: the best cosine by least squares, and what it leaves over.
    """
    x = memoryview(decode(frame[:_TONE_SAMPLES], law)).cast("h").tolist()
    middle = x[1:-1]
    sums = [a + b for a, b in zip(x[2:], x[:-2], strict=True)]
    power = sum(m * m for m in middle)
    if not power:
        return 0.0
    twice_cosine = sum(m * s for m, s in zip(middle, sums, strict=True)) / power
    left = sum((s - twice_cosine * m) ** 2 for m, s in zip(middle, sums, strict=True))
    if left > _IMPURE * power or abs(twice_cosine) >= 2:
        return 0.0
    hertz = math.acos(twice_cosine / 2) * SAMPLE_RATE / (2 * math.pi)
    return hertz if _BEEP_HERTZ[0] <= hertz <= _BEEP_HERTZ[1] else 0.0
