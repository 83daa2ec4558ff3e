"""One call that is up, and what can be done on it: speak, ask for keys, record, hang up.

Whatever waits for the person raises HungUp as soon as the person has gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from gateway.channels.voice.prompts import Prompt
from gateway.channels.voice.results import RESULTS
from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.machine import Verdict
from gateway.protocol.rtp.recording import Recording, RecordingLimits
from gateway.protocol.rtp.tones import ringing
from gateway.values.dialogue import Ask, HungUp, Taped, Taping, Utterance
from gateway.values.outcome import Result

log = logging.getLogger(__name__)

WE_HUNG_UP = "we hung up"
_KEYS_AHEAD = 64  # pressed and not yet asked for
_TRANSFER_SECONDS = 120.0  # for the person who is called to answer
_NO_TRANSFERS = (405, 420, 481, 489, 501)  # refused as such: no REFER here
_AFTER_PROMPT_SECONDS = 0.3  # what the network still buffers when we hang up

T = TypeVar("T")


class Media(Protocol):
    """What a leg needs of its stream (transport.rtp_udp.MediaStream)."""

    codec: Codec
    digits: asyncio.Queue[str]

    def play(self, *prompts: bytes, barge_in: bool = False) -> asyncio.Future[bool]: ...
    def stop(self) -> None: ...
    def record(self, name: str, limits: RecordingLimits) -> asyncio.Future[Recording]: ...
    def detect_machine(self) -> asyncio.Future[Verdict]: ...
    def patch(self, other: Self) -> None: ...
    def unpatch(self) -> None: ...


class Prompts(Protocol):
    """What is heard as sound (channels.voice.prompts.PromptCache).  Both raise PromptError."""

    async def from_text(self, text: str, voice: str = "en") -> Prompt: ...
    async def from_file(self, path: Path) -> Prompt: ...


class Leg:
    """`transid` is the call's transaction.  `hang_up` ends it, and `ended` is to be told of every end.

    `refer` asks the carrier to call a canonical number in our place; `referred` is to be told how that ended.
    """

    def __init__(
        self, transid: str, prompts: Prompts, hang_up: Callable[[], None], refer: Callable[[str], None]
    ) -> None:
        self.transid = transid
        # who has answered, human | machine | unsure, what told, and after how many seconds, once that was
        # listened for
        self.heard: tuple[str, str, float] | None = None
        self._prompts = prompts
        self._hang_up = hang_up
        self._refer = refer
        self._transfer: asyncio.Future[int] | None = None
        self._waiting: asyncio.Task[None] | None = None  # what is played until something else is done
        self.refusal = 0  # the status for a caller who is not answered
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()  # how it ended
        self._keys: deque[str] = deque(maxlen=_KEYS_AHEAD)
        self._media: Media | None = None
        self._pause_seconds = 0.0
        self._recordings = 0
        self._spoke = False

    @property
    def over(self) -> bool:
        return self.gone.done()

    def connected(self, media: Media, pause_seconds: float = 0.0) -> None:
        """There is sound both ways from now on.  The pause precedes the first words: a person lifts the phone
        to the ear."""
        self._media = media
        self._pause_seconds = pause_seconds

    def ended(self, why: str) -> None:
        """The call is over; may be told more than once."""
        if not self.gone.done():
            self.gone.set_result(why)
            # the call has its leg, too: without the circle both go now, and not when Python looks for such
            # garbage, which it does not do as long as there is another call
            self._hang_up, self._refer = _nothing, _nobody

    async def answer(self) -> None:
        """Have the call up.  Raises HungUp, or GatewayError when it cannot be."""
        if self.over:
            raise HungUp(self.gone.result())

    async def early(self) -> None:
        """Be heard by the other side, if need be before the call is up.  Raises HungUp, or GatewayError."""
        await self.answer()

    async def play(self, prompt: Sequence[Utterance], *, barge_in: bool, early: bool = False) -> str:
        """One after another; the key that cut it, or "".  Raises HungUp, PromptError.

        With `barge_in` keys stay for the next question; after one that is there already nothing is played.
        With `early` a call that rings is not answered for it.
        """
        await (self.early() if early else self.answer())
        media = self._up()
        sounds = [await self._sound(one) for one in prompt]
        if barge_in and self._pressed(media):
            return self._keys[0]
        if sounds:
            if not self._spoke and self._pause_seconds:
                await self.unless_gone(asyncio.sleep(self._pause_seconds))
            encoded = [sound.encoded(media.codec) for sound in sounds]
            await self.unless_gone(media.play(*encoded, barge_in=barge_in))
            self._spoke = True
        if barge_in:
            return self._keys[0] if self._pressed(media) else ""
        self._forget()
        return ""

    async def wait_with(self, sound: Utterance) -> None:
        """Play this again and again, the ringing tone for an empty one, until something else is done on the
        call.  Raises HungUp, PromptError."""
        media = self._up()
        if sound.wav or sound.text:
            octets = (await self._sound(sound)).encoded(media.codec)
        else:
            octets = ringing(media.codec)
        media = self._up()
        # begun at once: what is said next cuts it
        self._waiting = asyncio.create_task(_again_and_again(media, octets, media.play(octets)))

    def stop_waiting(self) -> None:
        """End what `wait_with` plays."""
        if self._waiting is not None and not self._waiting.done() and self._media is not None:
            self._media.stop()

    async def collect(
        self, prompt: Sequence[Utterance], invalid: Sequence[Utterance], ask: Ask
    ) -> tuple[str, str, int]:
        """Ask for keys: (digits | invalid | timeout, the keys of the last try, tries).  Raises HungUp,
        PromptError."""
        outcome, digits = "timeout", ""
        for attempt in range(1, ask.tries + 1):
            words = [*invalid, *prompt] if outcome == "invalid" else prompt
            await self.play(words, barge_in=ask.barge_in)
            digits, finished = await self._take(ask)
            outcome = _judge(digits, finished, ask)
            if outcome == "digits":
                return outcome, digits, attempt
            self._forget()  # what was pressed after a wrong key is no answer to the next question
        return outcome, digits, ask.tries

    async def record(self, prompt: Sequence[Utterance], taping: Taping) -> Taped:
        """Record what is said after the prompt.  Raises PromptError, and HungUp only before it begins: who
        hangs up later has said what there is."""
        await self.play(prompt, barge_in=False)
        limits = RecordingLimits(
            maximum_seconds=taping.maximum_seconds,
            silence_seconds=taping.silence_seconds,
            terminators=taping.terminators,
            beep=taping.beep,
        )
        self._recordings += 1
        recording = self._up().record(f"{self.transid}-{self._recordings}", limits)
        made = await asyncio.shield(recording)  # its end with the call is its own affair
        return Taped(made.file, made.seconds, str(made.cause))

    async def detect(self) -> tuple[str, str, float]:
        """Who has answered, by what is heard from now on: (human | machine | unsure, why, seconds).  Raises
        HungUp."""
        await self.answer()
        self._up().stop()
        verdict = await self.unless_gone(self._up().detect_machine())
        self.heard = str(verdict.answerer), str(verdict.cause), round(verdict.seconds, 3)
        return self.heard

    async def patch(self, other: Leg) -> float:
        """Let the two hear each other until one of them is gone; how long they did.  Raises HungUp when this
        one is: then the other is hung up."""
        try:
            await self.answer()
            media, began = self._up(), asyncio.get_running_loop().time()
            media.stop()
            if other.over:
                return 0.0
            media.patch(other._up())
            await self.unless_gone(asyncio.shield(other.gone))
            media.unpatch()
            return round(asyncio.get_running_loop().time() - began, 3)
        finally:
            other.hang_up()

    async def transfer(self, to: str) -> tuple[str, int]:
        """Have the carrier connect the person with somebody else.  Raises HungUp.

        (transferred | busy | no-answer | rejected | unreachable | error, the SIP status that it tells, 0 = it
        told none); our call ends with the first of them.
        """
        await self.answer()
        self._up().stop()
        told = self._transfer = asyncio.get_running_loop().create_future()
        self._refer(to)
        try:
            async with asyncio.timeout(_TRANSFER_SECONDS):
                status = await self.unless_gone(told)
        except TimeoutError:
            return "error", 0
        if 200 <= status < 300:
            self.hang_up()
            return "transferred", status
        return "error" if status in _NO_TRANSFERS else str(RESULTS.get(status, Result.UNREACHABLE)), status

    def referred(self, status: int) -> None:
        """How the call to which this one was transferred came out."""
        if self._transfer is not None and not self._transfer.done():
            self._transfer.set_result(status)

    def hang_up(self) -> None:
        """End the call; nothing for one that is over."""
        if not self.over:
            self._hang_up()

    async def finish(self) -> None:
        """Hang up, once what was said last has been heard."""
        if self._spoke and not self.over:
            await asyncio.wait([self.gone], timeout=_AFTER_PROMPT_SECONDS)
        self.hang_up()

    async def unless_gone(self, waiting: Awaitable[T]) -> T:
        """Raises HungUp when the call ends first; then nothing is waited for any more."""
        task: asyncio.Future[T] = asyncio.ensure_future(waiting)
        either: list[asyncio.Future[Any]] = [task, self.gone]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise HungUp(self.gone.result())
        finally:
            task.cancel()

    async def _take(self, ask: Ask) -> tuple[str, bool]:
        """Keys until they are enough; whether the person said so, or the choice was clear."""
        media, digits = self._up(), ""
        while True:
            key = await self._key(media, ask.between_seconds if digits else ask.first_seconds)
            if key is None:
                return digits, False
            if key in ask.terminator:
                return digits, True
            digits += key
            if ask.choices:
                if not any(choice != digits and choice.startswith(digits) for choice in ask.choices):
                    return digits, True
            elif len(digits) >= ask.most:
                return digits, True

    async def _key(self, media: Media, seconds: float) -> str | None:
        """The next key; None when there is none in that time."""
        if not self._pressed(media):
            try:
                async with asyncio.timeout(seconds):
                    return await self.unless_gone(media.digits.get())
            except TimeoutError:
                return None
        return self._keys.popleft()

    def _pressed(self, media: Media) -> bool:
        while not media.digits.empty():
            self._keys.append(media.digits.get_nowait())
        return bool(self._keys)

    def _forget(self) -> None:
        """Take no key that was pressed so far for an answer to what is yet to be asked."""
        self._pressed(self._up())
        self._keys.clear()

    def _up(self) -> Media:
        if self.over:
            raise HungUp(self.gone.result())
        assert self._media is not None
        return self._media

    async def _sound(self, one: Utterance) -> Prompt:
        if one.wav:
            return await self._prompts.from_file(Path(one.wav))
        return await self._prompts.from_text(one.text, one.language)


def _nothing() -> None:
    """Ends a call that is over."""


def _nobody(to: str) -> None:
    """Transfers a call that is over."""


async def _again_and_again(media: Media, octets: bytes, playing: asyncio.Future[bool]) -> None:
    while await playing:
        playing = media.play(octets)


def _judge(digits: str, finished: bool, ask: Ask) -> str:
    enough = len(digits) >= ask.least and bool(digits or finished)
    if digits in ask.choices if ask.choices else enough:
        return "digits"
    return "invalid" if digits or finished else "timeout"
