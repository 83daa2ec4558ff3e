"""Recordings on disk: a directory of WAV files, written by one thread, so that no tick waits for a disk.

A file grows under a name of its own (".NAME.part") and gets its real name when it is whole and on disk.
"""

import asyncio
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.ear import Heard
from gateway.protocol.rtp.recording import Ended, Recorder, Recording, RecordingLimits, wav_header

log = logging.getLogger(__name__)

_CHUNK_OCTETS: Final = 32_768  # four seconds
_LIMIT_WAITING_OCTETS: Final = 32 * 1024 * 1024  # of all recordings together, for a disk that is slow
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}")


class Recordings:
    """Opens files below `directory`, which is made when it is first needed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recordings")
        self._closing: set[asyncio.Future[str]] = set()
        self._prepared = False
        self.waiting_octets = 0

    def open(self, name: str, codec: Codec) -> "RecordingFile":
        """A file that will be NAME.wav, over an older one of that name.

        Raises ValueError for a name that is more than letters, digits, dots, dashes and underscores.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a recording")
        return RecordingFile(self, name, codec)

    async def close(self) -> None:
        """Wait until everything that was finished is stored."""
        while self._closing:
            await asyncio.wait(self._closing)
        self._worker.shutdown(wait=False)

    def run(self, work: "_Work") -> None:
        """Let the thread do a piece of work; `work.settle` gets the outcome in the loop."""
        self.waiting_octets += len(work.octets)
        future = asyncio.get_running_loop().run_in_executor(self._worker, self._do, work)

        def done(future: "asyncio.Future[str]") -> None:
            self.waiting_octets -= len(work.octets)
            self._closing.discard(future)
            error = future.exception()
            if error is not None:
                log.error("recording.failed", extra={"file": work.file.name, "reason": str(error)})
            work.file.settle(work, "" if error is not None else future.result(), failed=error is not None)

        self._closing.add(future)
        future.add_done_callback(done)

    def _do(self, work: "_Work") -> str:
        if not self._prepared:
            self._prepare()
        return work.file.write(work, self.directory)

    def _prepare(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self.directory.glob(".*.part"):  # of a daemon that was killed
            path.unlink()
        self._prepared = True


class _Work:
    """What the thread does next for a file: append, and with `last` finish it."""

    __slots__ = ("file", "last", "octets")

    def __init__(self, file: "RecordingFile", octets: bytes, *, last: bool) -> None:
        self.file = file
        self.octets = octets
        self.last = last


class RecordingFile:
    """One file: `write` is the thread's, all else the loop's."""

    def __init__(self, recordings: Recordings, name: str, codec: Codec) -> None:
        self._recordings = recordings
        self._codec = codec
        self._buffer = bytearray()
        self._stored: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._out: BinaryIO | None = None
        self._octets = 0
        self._begun = False
        self.name = name
        self.path = recordings.directory / f"{name}.wav"
        self.failed = False

    def append(self, frame: bytes) -> None:
        """Keep a frame; never waits.  After `failed` is set nothing more is kept."""
        self._buffer += frame
        if len(self._buffer) >= _CHUNK_OCTETS and not self.failed:
            if self._recordings.waiting_octets > _LIMIT_WAITING_OCTETS:
                log.error("recording.failed", extra={"file": self.name, "reason": "the disk is too slow"})
                self.failed = True
                return
            self._flush(last=False)

    def finish(self) -> asyncio.Future[str]:
        """Store what there is; the path when it is on disk, "" when there was nothing or it failed."""
        if self._begun or self._buffer:
            self._flush(last=True)
        else:
            self._stored.set_result("")
        return self._stored

    def settle(self, work: _Work, path: str, *, failed: bool) -> None:
        """A piece of work is done, or `failed`."""
        self.failed = self.failed or failed
        if work.last and not self._stored.done():
            self._stored.set_result("" if self.failed else path)

    def write(self, work: _Work, directory: Path) -> str:
        """Append to the file; the path when that was the last of it.  Raises OSError."""
        part = directory / f".{self.name}.part"
        try:
            if self._out is None:
                if self.failed:  # an earlier piece is lost: half a recording is none
                    return ""
                self._out = open(part, "wb", opener=_private)  # noqa: SIM115  open until the last piece
                self._out.write(wav_header(self._codec, 0))
            self._out.write(work.octets)
            self._octets += len(work.octets)
            if not work.last:
                return ""
            if self._octets % 2:
                self._out.write(b"\0")  # RIFF chunks have even lengths
            self._out.seek(0)
            self._out.write(wav_header(self._codec, self._octets))
            self._out.flush()
            os.fsync(self._out.fileno())
            self._out.close()
            if self.failed:
                part.unlink()
                return ""
            part.replace(self.path)
        except OSError:
            self.failed = True
            if self._out is not None:
                with suppress(OSError):  # it may want to write what it could not write
                    self._out.close()
                self._out = None
            part.unlink(missing_ok=True)
            raise
        return str(self.path)

    def _flush(self, *, last: bool) -> None:
        self._begun = True
        octets, self._buffer = bytes(self._buffer), bytearray()
        self._recordings.run(_Work(self, octets, last=last))


class ActiveRecording:
    """A recording under way: every frame goes into the file until the recorder says that it is enough."""

    def __init__(
        self, file: RecordingFile, codec: Codec, limits: RecordingLimits, *, skip_frames: int
    ) -> None:
        """The first `skip_frames` are not kept: the beep is still to be heard."""
        self._file = file
        self._recorder = Recorder(codec, limits)
        self._skip = skip_frames
        self.path = str(file.path)
        self.done: asyncio.Future[Recording] = asyncio.get_running_loop().create_future()
        self.ended = False

    def hear(self, heard: Heard) -> None:
        if self._skip:
            self._skip -= 1
            return
        self._file.append(heard.frame)
        cause = Ended.ERROR if self._file.failed else self._recorder.hear(heard.frame)
        if cause is not None:
            self.end(cause)

    def press(self, digit: str) -> bool:
        """Whether a key ended it."""
        cause = self._recorder.press(digit)
        if cause is not None:
            self.end(cause)
        return cause is not None

    def end(self, cause: Ended) -> None:
        """Finish; `done` is set when the file is stored."""
        if self.ended:
            return
        self.ended = True
        failed = self._file.failed

        def stored(future: asyncio.Future[str]) -> None:
            path = future.result()
            lost = failed or (not path and self._recorder.seconds > 0)
            if not self.done.done():
                self.done.set_result(Recording(path, self._recorder.seconds, Ended.ERROR if lost else cause))

        self._file.finish().add_done_callback(stored)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)
