"""What a caller hears, ready for the wire: sound files or spoken text in every codec, kept in memory.

The work is done once, in one worker thread; every call then plays slices of the same octets.
"""

import asyncio
import sys
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from gateway.channels.voice.espeak import SpeechError, synthesise
from gateway.channels.voice.sound_file import LIMIT_SECONDS, SoundError, read_sound
from gateway.protocol.rtp.codec import SAMPLE_RATE, Codec
from gateway.protocol.rtp.transcode import encode, wide_encoder
from gateway.values.errors import GatewayError

_LIMIT_TEXT: Final = 5_000
_LIMIT_WAITING: Final = 256
_PIECE_OCTETS: Final = 8_000  # half a millisecond's work
_PAUSE_SECONDS: Final = 0.000_5


class PromptError(GatewayError):
    """A prompt cannot be had; the text names the file or the voice and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """8000 octets a second, in each codec."""

    pcmu: bytes
    pcma: bytes
    g722: bytes

    @property
    def seconds(self) -> float:
        return len(self.pcmu) / SAMPLE_RATE

    def encoded(self, codec: Codec) -> bytes:
        """What `MediaStream.play` takes for a call of this codec."""
        return {Codec.PCMU: self.pcmu, Codec.PCMA: self.pcma, Codec.G722: self.g722}[codec]


class PromptCache:
    """Prompts by content, the least recently used dropped when they hold more than `limit_octets`."""

    def __init__(self, *, limit_octets: int = 64 * 1024 * 1024) -> None:
        self._limit_octets = limit_octets
        self._octets = 0
        self._ready: OrderedDict[Hashable, Prompt] = OrderedDict()
        self._making: dict[Hashable, asyncio.Future[Prompt]] = {}
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prompts")

    async def from_text(self, text: str, voice: str = "en") -> Prompt:
        """Speak `text` with espeak-ng's `voice`: "de", "en-us", "fr+f3" (a woman's).  Raises PromptError."""
        key = ("text", voice, sha256(text.encode("utf-8", "surrogatepass")).digest())
        return await self._get(key, lambda: speak(text, voice))

    async def from_file(self, path: Path) -> Prompt:
        """Read a sound file; a changed file is read again.  Raises PromptError."""
        try:
            status = path.stat()  # noqa: ASYNC240  shorter than a thread's round trip
        except (OSError, ValueError) as error:
            raise PromptError(f"{path}: {_reason(error)}") from error
        return await self._get(("file", path, status.st_mtime_ns, status.st_size), lambda: read_file(path))

    def close(self) -> None:
        """Let the worker go; what waits is given up."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _get(self, key: Hashable, make: Callable[[], Prompt]) -> Prompt:
        ready = self._ready.get(key)
        if ready is not None:
            self._ready.move_to_end(key)
            return ready
        making = self._making.get(key)
        if making is None:
            if len(self._making) >= _LIMIT_WAITING:
                raise PromptError(f"{_LIMIT_WAITING} prompts are waiting to be made already")
            making = asyncio.get_running_loop().run_in_executor(self._worker, make)
            self._making[key] = making
            making.add_done_callback(lambda done: self._keep(key, done))
        # one caller that gives up must not take the prompt from the others
        return await asyncio.shield(making)

    def _keep(self, key: Hashable, done: "asyncio.Future[Prompt]") -> None:
        del self._making[key]
        if done.cancelled() or done.exception() is not None:
            return
        prompt = done.result()
        self._ready[key] = prompt
        self._octets += _size(prompt)
        while self._octets > self._limit_octets:
            _, dropped = self._ready.popitem(last=False)
            self._octets -= _size(dropped)


def speak(text: str, voice: str) -> Prompt:
    """Speak `text` (blocking).  Raises PromptError."""
    if not text.strip():
        raise PromptError("there is no text to speak")
    if len(text) > _LIMIT_TEXT:
        raise PromptError(f"a text of {len(text)} characters is over {_LIMIT_TEXT}")
    try:
        rate, pcm = synthesise(text, voice, limit_seconds=LIMIT_SECONDS)
    except SpeechError as error:
        raise PromptError(str(error)) from error
    if not pcm:
        raise PromptError(f"voice {voice!r} can say nothing of this text")
    return _prompt(array("h", pcm), rate)


def read_file(path: Path) -> Prompt:
    """Read a sound file (blocking): see `sound_file.read_sound`.  Raises PromptError."""
    try:
        rate, samples = read_sound(path)
        return _prompt(samples, rate)
    except SoundError as error:
        raise PromptError(str(error)) from error
    except ValueError as error:
        raise PromptError(f"{path}: {error}") from error


def _prompt(samples: "array[int]", rate: int) -> Prompt:
    # numpy takes 17 MiB, which a gateway that never speaks need not have
    from gateway.channels.voice.resample import resample

    narrow, wide = (_pcm(resample(samples, rate, wanted)) for wanted in (SAMPLE_RATE, 2 * SAMPLE_RATE))
    return Prompt(
        _in_pieces(narrow, lambda pcm: encode(pcm, Codec.PCMU)),
        _in_pieces(narrow, lambda pcm: encode(pcm, Codec.PCMA)),
        _in_pieces(wide, wide_encoder()),
    )


def _in_pieces(pcm: bytes, coder: Callable[[bytes], bytes]) -> bytes:
    """A coder keeps the interpreter as long as it works, and the audio of calls that are up must not wait."""
    pieces = []
    for at in range(0, len(pcm), _PIECE_OCTETS):
        pieces.append(coder(pcm[at : at + _PIECE_OCTETS]))
        time.sleep(_PAUSE_SECONDS)
    return b"".join(pieces)


def _pcm(samples: "array[int]") -> bytes:
    """Little-endian, as codecs take it."""
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()


def _size(prompt: Prompt) -> int:
    return len(prompt.pcmu) + len(prompt.pcma) + len(prompt.g722)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
