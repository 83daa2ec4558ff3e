"""Writes as octets, on their way from the loop to the engine: what a record comes to as a row is worked out
over there.

A group is a MessagePack array of pairs, what it is and its fields:

    [n, record]              n of TABLES: its row is written
    [PROGRESS, columns]      the id, then the fields of store.base.PROGRESS: its message is updated
    [DELETE, [n, key]]       the row is removed
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec

from gateway.store import base
from gateway.store.base import TABLES, Delete, Progress, Write
from gateway.store.rows import ADVANCE, TABLE_OF, Change
from gateway.values.message import StepRecord

_RECORDS = tuple(TABLES)
PROGRESS, DELETE = len(_RECORDS), len(_RECORDS) + 1
_NUMBERS: dict[type[Any], int] = {record: number for number, record in enumerate(_RECORDS)}
_TABLES = [TABLE_OF[record] for record in _RECORDS]

_progress = attrgetter("id", *base.PROGRESS)
_Progress = tuple[str, str, str, str, str, tuple[StepRecord, ...], int, str, float]  # their types

_encode = msgspec.msgpack.Encoder().encode
_pairs = msgspec.msgpack.Decoder(list[tuple[int, msgspec.Raw]]).decode
_decode_record = [msgspec.msgpack.Decoder(record).decode for record in _RECORDS]
_decode_progress = msgspec.msgpack.Decoder(_Progress).decode
_decode_delete = msgspec.msgpack.Decoder(tuple[int, tuple[str, ...]]).decode


def encode(writes: Sequence[Write]) -> bytes:
    """A group as it is now: later changes to a dict in a record do not reach the store.

    Raises LookupError, TypeError, ValueError or OverflowError for what cannot be stored.
    """
    return _encode([_pair(write) for write in writes])


def _pair(write: Write) -> tuple[int, object]:
    kind = type(write)
    number = _NUMBERS.get(kind)
    if number is not None:
        return number, write
    if isinstance(write, Progress):
        return PROGRESS, _progress(write.message)
    if isinstance(write, Delete):
        number = _NUMBERS[write.record]
        if not _TABLES[number].key or len(write.key) != len(_TABLES[number].key):
            raise ValueError(f"{write.key!r} is no key of {_TABLES[number].name}")
        return DELETE, (number, write.key)
    raise LookupError(f"there is no table for {kind.__name__}")


def decode(octets: bytes) -> list[Change]:
    """What a group asks for.  Raises TypeError or ValueError where a field is not of its type."""
    try:
        return [_change(number, raw) for number, raw in _pairs(octets)]
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def _change(number: int, raw: msgspec.Raw) -> Change:
    if number < PROGRESS:
        table = _TABLES[number]
        row = table.row(_decode_record[number](raw))
        return table, table.key_of(row), row
    if number == PROGRESS:
        row = ADVANCE.row(_decode_progress(raw))
        return ADVANCE, row[:1], row
    number, key = _decode_delete(raw)
    return _TABLES[number], key, None
