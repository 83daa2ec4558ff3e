"""What can be done on a call that is up, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.channels.voice.leg import Leg
from gateway.channels.voice.prompts import Prompt, PromptError
from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.machine import Answerer, Cause, Verdict
from gateway.protocol.rtp.recording import Ended, Recording, RecordingLimits
from gateway.protocol.rtp.tones import ringing
from gateway.values.dialogue import Ask, HungUp, Taped, Taping, Utterance
from tests.peers.virtual_time import virtual_time

HELLO, AGAIN = Utterance(text="Hello"), Utterance(wav="again.wav")
PROMPT_SECONDS = 2.0


class FakePrompts:
    async def from_text(self, text: str, voice: str = "en") -> Prompt:
        if voice == "xx":
            raise PromptError("no voice 'xx'")
        return Prompt(b"u" + text.encode(), b"a" + text.encode(), b"g")

    async def from_file(self, path: Path) -> Prompt:
        return Prompt(f"u{path}".encode(), f"a{path}".encode(), b"g")


class FakeMedia:
    """Plays each prompt for two seconds; a key cuts it where that is wanted."""

    def __init__(self) -> None:
        self.codec = Codec.PCMA
        self.digits: asyncio.Queue[str] = asyncio.Queue()
        self.played: list[tuple[bytes, ...]] = []
        self.cut = 0
        self.recorded: list[tuple[str, RecordingLimits]] = []
        self.recording: asyncio.Future[Recording] = asyncio.get_running_loop().create_future()
        self.verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self.partner: FakeMedia | None = None
        self._playing: asyncio.Future[bool] | None = None
        self._barge_in = False

    def play(self, *prompts: bytes, barge_in: bool = False) -> asyncio.Future[bool]:
        self.stop()
        self.played.append(prompts)
        loop = asyncio.get_running_loop()
        playing = self._playing = loop.create_future()
        self._barge_in = barge_in
        loop.call_later(PROMPT_SECONDS * len(prompts), lambda: playing.done() or playing.set_result(True))
        return playing

    def stop(self) -> None:
        if self._playing is not None and not self._playing.done():
            self._playing.set_result(False)

    def record(self, name: str, limits: RecordingLimits) -> asyncio.Future[Recording]:
        self.recorded.append((name, limits))
        return self.recording

    def detect_machine(self) -> asyncio.Future[Verdict]:
        return self.verdict

    def patch(self, other: FakeMedia) -> None:
        self.partner = other

    def unpatch(self) -> None:
        self.partner = None

    def press(self, keys: str) -> None:
        for key in keys:
            self.digits.put_nowait(key)
        if self._barge_in and self._playing is not None and not self._playing.done():
            self._playing.set_result(False)
            self.cut += 1


class Bench:
    def __init__(self) -> None:
        self.hung_up = 0
        self.media = FakeMedia()
        self.referred: list[str] = []
        self.leg = Leg("t", FakePrompts(), self._hang_up, self.referred.append)
        self.leg.connected(self.media)

    def _hang_up(self) -> None:
        self.hung_up += 1
        self.leg.ended("we hung up")

    def later(self, seconds: float, keys: str) -> None:
        asyncio.get_running_loop().call_later(seconds, self.media.press, keys)

    def leaves(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.leg.ended, "the caller hung up")

    async def ask(self, keys: dict[float, str], **ask: Any) -> tuple[str, str, int]:
        """Keys by when they are pressed, seconds from the beginning of the prompt."""
        for at, pressed in keys.items():
            self.later(at, pressed)
        return await self.leg.collect([HELLO], [AGAIN], Ask(**ask))


@pytest.fixture
async def it() -> AsyncIterator[Bench]:
    with virtual_time():
        yield Bench()


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_prompts_are_played_in_the_agreed_codec_one_after_another(it: Bench) -> None:
    began = now()
    assert await it.leg.play([HELLO, AGAIN], barge_in=False) == ""
    assert it.media.played == [(b"aHello", b"aagain.wav")]
    assert now() - began == pytest.approx(4.0)


async def test_the_first_words_wait_until_the_phone_is_at_the_ear(it: Bench) -> None:
    it.leg.connected(it.media, 0.4)
    began = now()
    await it.leg.play([HELLO], barge_in=False)
    await it.leg.play([HELLO], barge_in=False)
    assert now() - began == pytest.approx(4.4)


async def test_a_key_cuts_a_prompt_and_counts_for_the_next_question(it: Bench) -> None:
    it.later(0.5, "7")
    assert await it.leg.play([HELLO], barge_in=True) == "7"
    assert it.media.cut == 1
    assert await it.ask({}, most=1) == ("digits", "7", 1)
    assert len(it.media.played) == 1, "who has answered already need not hear the question"


async def test_keys_during_words_that_cannot_be_cut_are_not_heard(it: Bench) -> None:
    it.later(0.5, "7")
    assert await it.leg.play([HELLO], barge_in=False) == ""
    assert await it.ask({}, most=1) == ("timeout", "", 1)


async def test_a_prompt_that_cannot_be_made_is_an_error(it: Bench) -> None:
    with pytest.raises(PromptError, match="no voice"):
        await it.leg.play([Utterance(text="Hi", language="xx")], barge_in=False)


@pytest.mark.parametrize(
    ("keys", "ask", "outcome"),
    [
        ({3.0: "1234"}, {"least": 4, "most": 4}, ("digits", "1234", 1)),
        ({3.0: "12", 5.5: "34"}, {"least": 4, "most": 4}, ("digits", "1234", 1)),
        ({3.0: "12#"}, {"least": 2, "most": 4}, ("digits", "12", 1)),
        ({3.0: "12"}, {"least": 2, "most": 4}, ("digits", "12", 1)),
        ({3.0: "12*"}, {"least": 2, "most": 4, "terminator": "*"}, ("digits", "12", 1)),
        ({0.5: "12#"}, {"least": 2, "most": 4}, ("digits", "12", 1)),
        ({3.0: "1"}, {"least": 2, "most": 4}, ("invalid", "1", 1)),
        ({3.0: "#"}, {"least": 2, "most": 4}, ("invalid", "", 1)),
        ({3.0: "#"}, {"least": 0, "most": 4}, ("digits", "", 1)),
        ({}, {"least": 0, "most": 4}, ("timeout", "", 1)),
        ({}, {}, ("timeout", "", 1)),
        ({7.5: "1"}, {}, ("timeout", "", 1)),
        ({6.5: "1"}, {}, ("digits", "1", 1)),
        ({0.5: "1"}, {"barge_in": False}, ("timeout", "", 1)),
        ({3.0: "9"}, {"choices": ("1", "2"), "terminator": ""}, ("invalid", "9", 1)),
        ({3.0: "2"}, {"choices": ("1", "2"), "terminator": ""}, ("digits", "2", 1)),
        ({3.0: "#"}, {"choices": ("1", "#"), "terminator": ""}, ("digits", "#", 1)),
        ({3.0: "2"}, {"choices": ("2", "21"), "terminator": ""}, ("digits", "2", 1)),
        ({3.0: "21"}, {"choices": ("2", "21"), "terminator": ""}, ("digits", "21", 1)),
        ({3.0: "24"}, {"choices": ("2", "21"), "terminator": ""}, ("invalid", "24", 1)),
    ],
)
async def test_keys(it: Bench, keys: dict[float, str], ask: Any, outcome: tuple[str, str, int]) -> None:
    assert await it.ask(keys, **ask) == outcome


async def test_a_wrong_key_is_said_so_and_silence_only_asked_again(it: Bench) -> None:
    keys = {3.0: "9", 8.0: "1"}  # the second prompt, of two parts, begins at 3
    assert await it.ask(keys, choices=("1",), terminator="", tries=3) == ("digits", "1", 2)
    assert it.media.played == [(b"aHello",), (b"aagain.wav", b"aHello")]
    it.media.played.clear()
    assert await it.ask({}, tries=2) == ("timeout", "", 2)
    assert it.media.played == [(b"aHello",), (b"aHello",)]


async def test_what_was_pressed_after_a_wrong_key_is_no_answer_to_the_next_question(it: Bench) -> None:
    assert await it.ask({3.0: "91"}, choices=("1",), terminator="", tries=2) == ("timeout", "", 2)


@pytest.mark.parametrize("at", [1.0, 4.0])
async def test_who_hangs_up_is_not_waited_for(it: Bench, at: float) -> None:
    it.leaves(at)
    with pytest.raises(HungUp, match="the caller hung up"):
        await it.ask({}, tries=3)
    assert now() == pytest.approx(at, abs=0.01)
    with pytest.raises(HungUp):
        await it.leg.play([HELLO], barge_in=False)


async def test_what_is_said_is_recorded_under_a_name_of_its_own(it: Bench) -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(5.0, it.media.recording.set_result, Recording("t-1.wav", 2.5, Ended.SILENCE))
    taping = Taping(maximum_seconds=30.0, silence_seconds=2.0, terminators="*", beep=False)
    assert await it.leg.record([HELLO], taping) == Taped("t-1.wav", 2.5, "silence")
    assert it.media.recorded == [("t-1", RecordingLimits(30.0, 2.0, "*", False))]
    await it.leg.record([], taping)
    assert it.media.recorded[1][0] == "t-2"


async def test_who_hangs_up_while_he_is_recorded_has_said_what_there_is(it: Bench) -> None:
    it.leaves(3.0)
    loop = asyncio.get_running_loop()
    loop.call_later(3.1, it.media.recording.set_result, Recording("t-1.wav", 1.0, Ended.HANGUP))
    assert (await it.leg.record([HELLO], Taping())).cause == "hangup"


async def test_the_last_words_are_heard_before_we_hang_up(it: Bench) -> None:
    await it.leg.play([HELLO], barge_in=False)
    began = now()
    await it.leg.finish()
    assert (it.hung_up, now() - began) == (1, pytest.approx(0.3))
    await it.leg.finish()
    it.leg.hang_up()
    assert it.hung_up == 1


async def test_who_has_answered(it: Bench) -> None:
    verdict = Verdict(Answerer.MACHINE, Cause.BEEP, 4.2)
    asyncio.get_running_loop().call_later(4.2, it.media.verdict.set_result, verdict)
    assert await it.leg.detect() == ("machine", "beep", 4.2)
    assert it.leg.heard == ("machine", "beep", 4.2)


async def test_who_hangs_up_meanwhile_is_neither(it: Bench) -> None:
    it.leaves(1.0)
    with pytest.raises(HungUp):
        await it.leg.detect()


async def test_two_hear_each_other_until_the_second_hangs_up(it: Bench) -> None:
    other = Bench()
    asyncio.get_running_loop().call_later(1.0, lambda: heard.append(it.media.partner))
    heard: list[Any] = []
    other.leaves(7.5)
    assert await it.leg.patch(other.leg) == 7.5
    assert heard == [other.media] and it.media.partner is None
    assert not it.leg.over and other.hung_up == 0


async def test_one_who_waits_hears_the_ringing_tone_until_there_is_somebody(it: Bench) -> None:
    other = Bench()
    await it.leg.wait_with(Utterance())
    await asyncio.sleep(2.5 * PROMPT_SECONDS)
    assert it.media.played == [(ringing(Codec.PCMA),)] * 3
    other.leaves(1.0)
    await it.leg.patch(other.leg)
    await asyncio.sleep(10)
    assert len(it.media.played) == 3


async def test_one_who_waits_hears_what_is_said_next_or_nothing_more(it: Bench) -> None:
    await it.leg.wait_with(Utterance(wav="music.wav"))
    await it.leg.play([Utterance(text="Sorry")], barge_in=False)
    await asyncio.sleep(10)
    assert len(it.media.played) == 2
    it.leg.stop_waiting()
    await it.leg.wait_with(Utterance(wav="music.wav"))
    await asyncio.sleep(0)
    it.leg.stop_waiting()
    await asyncio.sleep(10)
    assert len(it.media.played) == 3


async def test_the_second_is_hung_up_when_the_first_is_gone(it: Bench) -> None:
    other = Bench()
    it.leaves(2.0)
    with pytest.raises(HungUp):
        await it.leg.patch(other.leg)
    assert other.hung_up == 1


async def test_a_second_who_is_gone_already_is_nobody_to_talk_to(it: Bench) -> None:
    other = Bench()
    other.leg.ended("the person who was called hung up")
    assert await it.leg.patch(other.leg) == 0.0


@pytest.mark.parametrize(
    ("status", "outcome", "hung_up"),
    [
        (200, "transferred", 1),
        (486, "busy", 0),
        (408, "no-answer", 0),
        (603, "rejected", 0),
        (404, "unreachable", 0),
        (405, "error", 0),  # the carrier knows no REFER
    ],
)
async def test_what_comes_of_a_transfer(it: Bench, status: int, outcome: str, hung_up: int) -> None:
    asyncio.get_running_loop().call_later(7.0, it.leg.referred, status)
    assert await it.leg.transfer("+447700900999") == (outcome, status)
    assert (it.referred, it.hung_up) == (["+447700900999"], hung_up)
    it.leg.referred(200)  # news after the end


async def test_a_carrier_that_says_no_more_is_not_waited_for_for_ever(it: Bench) -> None:
    assert await it.leg.transfer("+447700900999") == ("error", 0)
    assert now() == pytest.approx(120, abs=1)


async def test_who_hangs_up_during_a_transfer_is_gone(it: Bench) -> None:
    it.leaves(2.0)
    with pytest.raises(HungUp):
        await it.leg.transfer("+447700900999")
