"""Keys by their tones (ITU-T Q.23, Q.24), in the audio of many calls at once.

A window is 20 ms and a new one begins every 10 ms.  All windows of all calls are one matrix product with the
sines of the eight frequencies, each also a little lower and higher, since a telephone may be 1.5 % off: for
500 calls about 2 ms of one core per 20 ms, where a loop in Python would need three cores.  What follows is
against voices, which now and then sing two of the frequencies: both must be there, equally loud but for the
twist that a line makes, well above their neighbours, and nearly all that there is to hear.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.protocol.rtp.codec import FRAME, SAMPLE_RATE, Codec
from gateway.protocol.rtp.g711 import sample
from gateway.protocol.rtp.tone_listener import BLOCK
from gateway.protocol.rtp.tones import COLUMNS, ROWS

_HALF: Final = FRAME // 2
_DETUNED: Final = (0.99, 1.0, 1.01)
_FAINTEST: Final = 350.0**2 / 2  # power of a tone of about -36 dBm0; Q.24 wants -25 dBm heard
_TWIST: Final = (10 ** (-10 / 10), 10 ** (6 / 10))  # the column's power over the row's
_ABOVE_NEIGHBOURS: Final = 10 ** (6 / 10)
_TOGETHER: Final = 32  # windows; with more of them BLAS calls in threads, which wait for each other spinning
_PURE: Final = 0.72  # share of the two tones in the power of the window


def _basis() -> NDArray[np.float32]:
    """160 x 48: cosines, then sines, of each frequency three times."""
    at = np.arange(FRAME)[:, None] / SAMPLE_RATE
    hertz = np.array([one * factor for one in (*ROWS, *COLUMNS) for factor in _DETUNED])
    angles = 2 * np.pi * hertz * at
    return np.hstack([np.cos(angles), np.sin(angles)]).astype(np.float32)


_BASIS: Final = _basis()
_LINEAR: Final = np.array([sample(octet, Codec.PCMU) for octet in range(256)], dtype=np.float32)


def find_tones(blocks: Sequence[bytes]) -> list[tuple[int, int]]:
    """For each block of `BLOCK` octets of PCMU the keys in its two windows: index in `tones.KEYS`, or -1."""
    octets = np.frombuffer(b"".join(blocks), dtype=np.uint8).reshape(len(blocks), BLOCK)
    linear = _LINEAR[octets]
    windows = np.stack((linear[:, :FRAME], linear[:, _HALF:]), axis=1).reshape(-1, FRAME)
    spectrum = np.concatenate(
        [windows[at : at + _TOGETHER] @ _BASIS for at in range(0, len(windows), _TOGETHER)]
    )
    half = spectrum.shape[1] // 2
    squares = spectrum[:, :half] ** 2 + spectrum[:, half:] ** 2
    # |X|^2 of a sine of power P over N samples is P * N^2 / 2
    power = squares.reshape(-1, 8, len(_DETUNED)).max(axis=2) * (2 / FRAME**2)
    total = np.einsum("ij,ij->i", windows, windows) / FRAME
    rows, columns = power[:, :4], power[:, 4:]
    row, column = rows.argmax(axis=1), columns.argmax(axis=1)
    row_power, column_power = rows.max(axis=1), columns.max(axis=1)
    heard = (
        (row_power > _FAINTEST)
        & (column_power > _FAINTEST)
        & (column_power > row_power * _TWIST[0])
        & (column_power < row_power * _TWIST[1])
        & (row_power + column_power > total * _PURE)
        & (np.partition(rows, 2, axis=1)[:, 2] * _ABOVE_NEIGHBOURS < row_power)
        & (np.partition(columns, 2, axis=1)[:, 2] * _ABOVE_NEIGHBOURS < column_power)
    )
    keys = np.where(heard, row * 4 + column, -1).reshape(-1, 2)
    return [(first, second) for first, second in keys.tolist()]
