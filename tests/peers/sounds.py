"""Sounds for those who want one and do not mind which."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path


def write_tone(path: Path, seconds: float = 0.25) -> Path:
    """A WAV file at 440 Hz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        period = [round(9000 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(200)]  # eleven waves
        file.writeframes(struct.pack("<200h", *period) * round(seconds * 40))
    return path
