"""Recordings do not stay for ever: they go when they are too old, and the oldest where there are too many.

What goes is said in the transaction log of its call before the file is deleted, and the call's record names
it no longer.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from gateway.config.model import Sip
from gateway.store.base import CallQuery, Store, Unit
from gateway.values.call import Call
from gateway.values.clock import Clock
from gateway.values.event import Event
from gateway.values.message import Message

log = logging.getLogger(__name__)

_MOST_AT_ONCE = 1_000  # files that one look deletes
_MEGABYTE = 1_000_000
_TRIES = 100  # calls to the same person since, among which that of a message is looked for


class Kept(NamedTuple):
    path: Path
    made_at: float  # Unix seconds
    octets: int


async def tidy(directory: Path, sip: Sip, store: Store, clock: Clock) -> int:
    """Delete the recordings whose time is over; how many.  Raises StoreError, Throttled."""
    now = clock.now()
    kept = await asyncio.to_thread(_look, directory)
    over = expired(kept, now, float(sip.keep_recordings), sip.recordings_megabytes * _MEGABYTE)
    for recording, reason in over[:_MOST_AT_ONCE]:
        await _record(recording.path, reason, store, now)
        try:
            await asyncio.to_thread(recording.path.unlink, missing_ok=True)
        except OSError as error:
            log.warning("recording.not_removed", extra={"file": recording.path.name, "reason": str(error)})
        else:
            log.info("recording.removed", extra={"file": recording.path.name, "reason": reason})
    return len(over[:_MOST_AT_ONCE])


def expired(kept: list[Kept], now: float, keep_seconds: float, limit_octets: int) -> list[tuple[Kept, str]]:
    """Which are to go, the oldest first, and why.  0 means no limit."""
    over = []
    octets = sum(one.octets for one in kept)
    for one in sorted(kept, key=lambda one: one.made_at):
        if keep_seconds and now - one.made_at > keep_seconds:
            reason = "it is older than keep_recordings"
        elif limit_octets and octets > limit_octets:
            reason = "recordings take more than recordings_megabytes"
        else:
            continue
        octets -= one.octets
        over.append((one, reason))
    return over


def _look(directory: Path) -> list[Kept]:
    found = []
    for path in directory.glob("[!.]*.wav"):  # one that is being written has a name with a dot before it
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append(Kept(path, status.st_mtime, status.st_size))
    return found


async def _record(path: Path, reason: str, store: Store, now: float) -> None:
    """The file is named after the call's transaction: that of an outbound call is its message's."""
    transid = path.stem.rpartition("-")[0]
    call = await store.call(transid)
    calls = [call] if call is not None else []
    owner: Call | Message | None = call
    if owner is None and (owner := await store.message(transid)) is not None:
        query = CallQuery(direction="out", called=owner.recipient, since=owner.created_at, limit=_TRIES)
        calls = [call for call in await store.calls(query) if call.message == transid]
    if owner is None:
        return  # its record has gone before it
    unit = Unit()
    unit.writes.extend(replace(call, recording="") for call in calls if call.recording == str(path))
    data = {"file": str(path), "reason": reason}
    unit.writes.append(
        Event(ref=transid, type="call.recording-removed", service=owner.service, at=now, data=data)
    )
    await unit.commit(store)
