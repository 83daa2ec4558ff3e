"""espeak-ng by ctypes: text in, 16-bit linear PCM out.

The library keeps voice, callback and buffers in globals of the process: one lock, one call at a time.
Calls block for about a millisecond per second of speech; the interpreter's lock is free meanwhile.
Source: espeak-ng's speak_lib.h.
"""

import ctypes
import re
import threading
from typing import Any, Final

import espeakng_loader

from gateway.values.errors import GatewayError

_AUDIO_OUTPUT_SYNCHRONOUS: Final = 2
_DONT_EXIT: Final = 0x8000  # else a missing data directory ends the whole process
_CHARS_UTF8: Final = 1
_BUFFER_MILLISECONDS: Final = 200
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z]{2,4}|[-_][0-9]{3})?")
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class SpeechError(GatewayError):
    """The text could not be spoken."""


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


class _Engine:
    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(espeakng_loader.get_library_path())
            data_path = espeakng_loader.get_data_path()
        except (OSError, RuntimeError) as error:
            raise SpeechError(f"espeak-ng cannot be loaded: {error}") from error
        self._library: Any = library
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        self.sample_rate: int = library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MILLISECONDS, str(data_path).encode(), _DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise SpeechError(f"espeak-ng finds no data in {data_path}")
        self._chunks: list[bytes] = []
        self._room = 0
        # C holds only the address: this reference keeps the callback alive
        self._callback = _CALLBACK(self._take)
        library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: str, limit_octets: int) -> bytes:
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0 and not self._by_language(voice):
            raise SpeechError(f"espeak-ng has no voice {voice!r}")
        self._chunks, self._room = [], limit_octets
        octets = text.replace("\0", " ").encode("utf-8", "replace")
        status = self._library.espeak_Synth(octets, len(octets) + 1, 0, 0, 0, _CHARS_UTF8, None, None)
        chunks, self._chunks = self._chunks, []
        if status != 0:
            raise SpeechError(f"espeak-ng failed with status {status}")
        if self._room < 0:
            raise SpeechError("the text is too long to be spoken")
        return b"".join(chunks)

    def _by_language(self, tag: str) -> bool:
        """Take the voice of a language that is no voice's own name: "en-GB", "de-AT", "zh"."""
        if not _LANGUAGE.fullmatch(tag):  # it would take "no-such-voice" for Norwegian
            return False
        wanted = _Voice(languages=tag.replace("_", "-").encode())
        return bool(self._library.espeak_SetVoiceByProperties(ctypes.byref(wanted)) == 0)

    def _take(self, samples: int | None, count: int, events: int | None) -> int:
        if not samples or count <= 0:
            return 0
        self._room -= 2 * count
        if self._room < 0:
            return 1  # stop the synthesis
        self._chunks.append(ctypes.string_at(samples, 2 * count))
        return 0


_lock = threading.Lock()
_engine: _Engine | None = None


def synthesise(text: str, voice: str, *, limit_seconds: float) -> tuple[int, bytes]:
    """Speak `text`: (samples per second, mono samples of 16 bit in the machine's byte order).

    `voice` is a language or a voice's name of espeak-ng ("en", "de-AT", "fr+f3").  Blocks: for a thread.
    Raises SpeechError when the library or the voice is missing or the speech is over `limit_seconds`.
    """
    global _engine  # noqa: PLW0603  the library is one per process, so is its handle
    with _lock:
        if _engine is None:
            _engine = _Engine()
        limit_octets = 2 * int(limit_seconds * _engine.sample_rate)
        return _engine.sample_rate, _engine.speak(text, voice, limit_octets)
