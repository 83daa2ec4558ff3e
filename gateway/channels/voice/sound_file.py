"""A file of sound as samples: WAV by itself, everything else where PyAV is installed."""

import struct
import sys
import wave
from array import array
from pathlib import Path
from typing import BinaryIO, Final

from gateway.protocol.rtp import g711
from gateway.protocol.rtp.codec import Codec
from gateway.values.errors import GatewayError

LIMIT_SECONDS: Final = 300
_LAWS: Final = {6: Codec.PCMA, 7: Codec.PCMU}  # RFC 2361
_AV_RATE: Final = 16_000

Sound = tuple[int, "array[int]"]


class SoundError(GatewayError):
    """The file is no sound that can be read; the text names it and says why."""


def read_sound(path: Path) -> Sound:
    """Samples a second, and mono samples in the machine's byte order (blocking).  Raises SoundError.

    WAV holds PCM of 8, 16, 24 or 32 bit or, as our own recordings, G.711; 1 or 2 channels, up to 300 seconds.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
            is_wav = head[:4] == b"RIFF" and head[8:] == b"WAVE"
            sound = _read_law(path, file) if is_wav else None
        if sound is None:
            sound = _read_pcm(path) if is_wav else _read_by_av(path)
    except OSError as error:
        raise SoundError(f"{path}: {error.strerror or error}") from error
    # wave answers some broken chunk lengths with a bare RuntimeError
    except (EOFError, wave.Error, ValueError, RuntimeError, struct.error) as error:
        raise SoundError(f"{path}: {str(error) or 'is cut off or damaged'}") from error
    if not sound[1]:
        raise SoundError(f"{path}: holds no sound")
    return sound


def _read_law(path: Path, file: BinaryIO) -> Sound | None:
    """G.711 in a WAV file, which the library does not read; None when it holds something else."""
    format = channels = rate = 0
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"fmt ":
            format, channels, rate = struct.unpack_from("<HHI", file.read(size + size % 2))
            if format not in _LAWS:
                return None
        elif name == b"data" and format:
            _check(path, channels, 8, size, rate * channels)
            octets = file.read(size)
            samples = array("h", g711.decode(octets[: len(octets) - len(octets) % channels], _LAWS[format]))
            if sys.byteorder == "big":
                samples.byteswap()
            return rate, _mono(samples, channels)
        else:
            file.seek(size + size % 2, 1)
    return None


def _read_pcm(path: Path) -> Sound:
    with wave.open(str(path), "rb") as file:
        rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
        _check(path, channels, 8 * width, file.getnframes(), rate)
        octets = file.readframes(file.getnframes())
    octets = octets[: len(octets) - len(octets) % (channels * width)]
    if width == 1:  # 8-bit WAV is unsigned
        samples = array("h", [(octet - 128) << 8 for octet in octets])
    else:  # the two upper octets of each sample
        upper = bytearray(2 * len(octets) // width)
        upper[0::2], upper[1::2] = octets[width - 2 :: width], octets[width - 1 :: width]
        samples = array("h", bytes(upper))
        if sys.byteorder == "big":
            samples.byteswap()
    return rate, _mono(samples, channels)


def _read_by_av(path: Path) -> Sound:
    """MP3, Ogg, FLAC, MP4 and whatever else FFmpeg reads."""
    try:
        import av  # an extra of its own: 35 MB that most do not need
    except ImportError:
        raise SoundError(
            f"{path}: is no WAV file (RIFF); to play other formats install the extra: "
            "pip install 'trunkline[media]'"
        ) from None
    samples = array("h")
    try:
        with av.open(str(path), mode="r", metadata_errors="replace") as container:
            if not container.streams.audio:
                raise SoundError(f"{path}: holds no sound")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=_AV_RATE)
            for frame in (*container.decode(audio=0), None):
                for part in resampler.resample(frame):
                    samples.frombytes(part.to_ndarray().tobytes())
                if len(samples) > LIMIT_SECONDS * _AV_RATE:
                    raise SoundError(f"{path}: longer than {LIMIT_SECONDS} seconds")
    except av.FFmpegError as error:
        raise SoundError(f"{path}: {error.strerror or error}") from error
    return _AV_RATE, samples


def _check(path: Path, channels: int, bits: int, frames: int, rate: int) -> None:
    if channels not in (1, 2) or bits not in (8, 16, 24, 32):
        raise SoundError(f"{path}: {channels} channels of {bits} bit; use 1 or 2 of 8, 16, 24 or 32 bit")
    if frames > LIMIT_SECONDS * rate:
        raise SoundError(f"{path}: longer than {LIMIT_SECONDS} seconds")


def _mono(samples: "array[int]", channels: int) -> "array[int]":
    if channels == 1:
        return samples
    return array("h", [(a + b) // 2 for a, b in zip(samples[::2], samples[1::2], strict=True)])
