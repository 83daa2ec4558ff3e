"""What is remembered of callers: who has just rung, who rings too often, which ranges of numbers flood us.

All of it is bounded; who has not rung for longest is forgotten first.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Literal

from gateway.config.model import Number
from gateway.values.address import Kind, kind

log = logging.getLogger(__name__)

LIMIT_SECONDS = 3600.0  # the time that `caller_limit` is about
FLOOD_SECONDS = 60.0  # that `flood` is about
RANGE_DIGITS = 4  # numbers are given to carriers, and faked, in ranges of ten thousand and more
_CALLERS = 100_000
_RANGES = 10_000
_WITHHELD = "withheld"

Uncounted = Literal["", "duplicate", "caller-limit"]


class _Caller:
    __slots__ = ("counted", "last_at", "since")

    def __init__(self, now: float) -> None:
        self.last_at = now  # of the last call that was news
        self.since = now  # when the hour began
        self.counted = 1  # calls in it that were news


class _Range:
    __slots__ = ("callers", "flooded", "last", "since")

    def __init__(self, now: float) -> None:
        self.since = now
        self.callers = 0
        self.last = ""  # who rang last: one who rings again and again makes no flood
        self.flooded = False


class Callers:
    """Times are monotonic seconds; callers and numbers are canonical, "" is a withheld one."""

    def __init__(self) -> None:
        self._callers: OrderedDict[tuple[str, str], _Caller] = OrderedDict()
        self._ranges: OrderedDict[tuple[str, str], _Range] = OrderedDict()

    def remember(self, caller: str, called: str, at: float) -> None:
        """A missed call that was news, before a restart; the oldest first."""
        known = self._callers.get((caller, called))
        if known is None:
            self._callers[caller, called] = _Caller(at)
            return
        if at - known.since >= LIMIT_SECONDS:
            known.since, known.counted = at, 0
        known.last_at = max(known.last_at, at)
        known.counted += 1

    def uncounted(self, caller: str, called: str, number: Number, now: float) -> Uncounted:
        """Why a missed call of this caller is no news; "" = it is."""
        if not caller:
            return ""  # nobody knows whether it is the same person
        known = self._callers.get((caller, called))
        if known is None:
            self._callers[caller, called] = _Caller(now)
            if len(self._callers) > _CALLERS:
                self._callers.popitem(last=False)
            return ""
        if now - known.last_at < float(number.duplicates):
            return "duplicate"
        if now - known.since >= LIMIT_SECONDS:
            known.since, known.counted = now, 0
        if number.caller_limit and known.counted >= number.caller_limit:
            return "caller-limit"
        known.last_at = now
        known.counted += 1
        self._callers.move_to_end((caller, called))
        return ""

    def floods(self, caller: str, called: str, number: Number, trunk: str, now: float) -> bool:
        """Note a call; whether it is one of a flood: `flood` callers of one range within a minute.

        A flood is over once a minute has passed with fewer of them.
        """
        if not number.flood:
            return False
        name = _range(caller)
        known = self._ranges.get((name, called))
        if known is None:
            known = self._ranges[name, called] = _Range(now)
            if len(self._ranges) > _RANGES:
                self._ranges.popitem(last=False)
        if now - known.since >= FLOOD_SECONDS:
            self._ranges.move_to_end((name, called))
            known.flooded = known.callers >= number.flood and now - known.since < 2 * FLOOD_SECONDS
            known.since, known.callers = now, 0
        if caller != known.last or not caller:
            known.callers += 1
            known.last = caller
        if known.callers >= number.flood and not known.flooded:
            known.flooded = True
            log.warning(
                "calls.flood",
                extra={"trunk": trunk, "called": called, "range": name, "callers": known.callers},
            )
        return known.flooded


def _range(caller: str) -> str:
    """ "+44770090****"; a shortcode is a range of its own."""
    if not caller:
        return _WITHHELD
    return caller[:-RANGE_DIGITS] + "*" * RANGE_DIGITS if kind(caller) is Kind.NUMBER else caller
