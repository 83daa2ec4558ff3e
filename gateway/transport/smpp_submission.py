"""A message on its way to a carrier: what the caller hands in, and what it learns about each segment.

A segment's `SubmitResult` is one of

    accepted    submit_sm_resp with ESME_ROK; `message_id` is what receipts will name
    rejected    any other status that the bind's `status_map` does not retry, or has retried for long enough
                (then `temporary`: another carrier may take it)
    in_doubt    written, and the answer never came: nobody knows whether the carrier has it
    unsent      not written: another segment of the message failed or is in doubt, the bind was stopped, or
                nobody wants it any more
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from gateway.protocol.smpp.constants import (
    ESME_RINVBNDSTS,
    ESME_RMSGQFUL,
    ESME_RSYSERR,
    ESME_RTHROTTLED,
    ESME_RX_T_APPN,
)
from gateway.protocol.smpp.pdu import SubmitSm
from gateway.values.smpp import status

Act: TypeAlias = Literal["retry", "throttle", "fail"]

# Back-pressure of the carrier; its state at the moment.  Any other status is the message's own fault: even
# ESME_RUNKNOWNERR, which carriers answer to what they will never take
_ACTS: Mapping[int, Act] = {
    ESME_RTHROTTLED: "throttle",
    ESME_RMSGQFUL: "throttle",
    ESME_RSYSERR: "retry",
    ESME_RINVBNDSTS: "retry",
    ESME_RX_T_APPN: "retry",
}
_RETRY_PAUSE_LIMIT_SECONDS = 60.0


def acts(status_map: Mapping[str, Act]) -> dict[int, Act]:
    """What a bind does about each error status; what is not in it fails.  Raises ValueError."""
    return {**_ACTS, **{status(written): act for written, act in status_map.items()}}


Kind: TypeAlias = Literal["accepted", "rejected", "in_doubt", "unsent"]


class SubmitResult(Struct, frozen=True, gc=False):
    """What became of segment `part` (from 0).  `status` is the command_status, 0 where there is none."""

    part: int
    kind: Kind
    message_id: str = ""
    status: int = 0
    status_text: str = ""
    temporary: bool = False


class Submission:
    """A message: `pdus` are its segments in order, `ref` is the caller's own.

    `results` fills up segment by segment; `done` is called once, when each segment has its result.  `wanted`
    is asked before the message is handed over: one that nobody wants any more is dropped without a word.
    `validity`, if set, gives each segment's validity_period when it is written.
    Messages of the same `series` go through the same session as far as it has room, in their order; "" = of
    none.
    """

    __slots__ = ("done", "pdus", "ref", "results", "series", "validity", "wanted")

    def __init__(
        self,
        ref: object,
        pdus: list[SubmitSm],
        done: Callable[[Submission], None] | None = None,
        wanted: Callable[[], bool] = lambda: True,
        series: str = "",
        validity: Callable[[], bytes] | None = None,
    ) -> None:
        self.ref = ref
        self.pdus = pdus
        self.done = done
        self.wanted = wanted
        self.series = series
        self.validity = validity
        self.results: list[SubmitResult | None] = [None] * len(pdus)


class Begun:
    """A submission that was handed over: its place in the order, and the segments that wait to be written."""

    __slots__ = (
        "failing_since",
        "given_up",
        "held",
        "lane",
        "left",
        "order",
        "pause",
        "submission",
        "unwritten",
        "waited",
    )

    def __init__(self, submission: Submission, order: int, lane: int) -> None:
        self.submission = submission
        self.order = order
        self.lane = lane  # the session that carries it
        self.left = len(submission.pdus)  # segments without a result
        self.unwritten = {0} if self.left == 1 else set(range(self.left))
        self.given_up = False  # a segment failed: the message cannot become whole, the rest stays unsent
        # for longer than it took to hand it over, as the parts of long messages do: is it still wanted?
        self.waited = self.left > 1
        self.held = False  # rests after a temporary error
        self.failing_since = 0.0  # loop time of the first temporary error; 0 = none yet
        self.pause = 0.0  # seconds of the last rest

    @property
    def outstanding(self) -> int:
        """Segments that were written and have no answer yet."""
        return self.left - len(self.unwritten)

    def hold(self, now: float, first_pause: float, limit: float) -> float:
        """Begin a rest; when it ends, at the latest `limit` seconds after the first error."""
        self.held = True
        self.failing_since = self.failing_since or now
        self.pause = min(self.pause * 2, _RETRY_PAUSE_LIMIT_SECONDS) or first_pause
        return min(now + self.pause, self.failing_since + limit)
