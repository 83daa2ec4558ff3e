"""A log that is not flooded: what goes wrong again and again is written now and then, with how often.

Each warning or error, by its name and by the bind or account that it speaks of, has BURST lines at once and
then one in each SECONDS.  Those between are counted, and the next that is written tells their number:

    submit_sm.not_stored account=acme reason="... disk is full" unwritten=131
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 30
SECONDS = 1.0
_KINDS = 1_000  # that are told apart at a time

Key = tuple[str, str, str]


class _Kind:
    __slots__ = ("at", "lines", "unwritten")

    def __init__(self, now: float) -> None:
        self.lines = float(BURST)  # that may be written now
        self.at = now
        self.unwritten = 0


class Calm(logging.Filter):
    """For a handler.  `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: OrderedDict[Key, _Kind] = OrderedDict()  # the latest last

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        now, key = self._clock(), _key(record)
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _Kind(now)
            if len(self._kinds) > _KINDS:
                self._kinds.popitem(last=False)
        else:
            self._kinds.move_to_end(key)
        kind.lines = min(BURST, kind.lines + (now - kind.at) / SECONDS)
        kind.at = now
        if kind.lines < 1:
            kind.unwritten += 1
            return False
        kind.lines -= 1
        if kind.unwritten:
            record.unwritten, kind.unwritten = kind.unwritten, 0
        return True


def _key(record: logging.LogRecord) -> Key:
    fields = record.__dict__
    whose = fields.get("bind") or fields.get("account") or fields.get("link") or ""
    return record.name, str(record.msg), str(whose)
